/**
 * What `publish` knows of the devices that a release is for: which payload formats they read.
 * @module
 */
import { DECODER_FEATURES, formatName, PLAIN_DELTA } from '../../native-free/format/features.ts';
import { UpdateError } from '../../native-free/status.ts';
import type { CatalogRelease, ReleaseKey } from '../release/index.ts';
import type { Decoders } from '../server/index.ts';
import type { DeployToOptions } from './deploy-to.ts';
import { clientFor } from './management.ts';
import { formatCount } from './terminal/text.ts';

export interface FleetOptions extends DeployToOptions {
  readonly server?: string;
  readonly token?: string;
  readonly olderDecoders: 'auto' | 'always' | 'never';
}

type Line = Pick<ReleaseKey, 'product' | 'hardware'>;

/**
 * Asked before hours of work, not after: a running server, or the store of `--deploy-to`. Null where nobody is to be asked.
 * @throws UpdateError usage_invalid, and what the server answers
 */
export async function askFleet(options: FleetOptions, line: Line): Promise<Decoders | null> {
  const { repo, store, tenant, server, token } = options;
  if (server !== undefined) return (await clientFor({ server, token, tenant })).decoders(line);
  if (options.deployTo === undefined) return null;
  const { decodersOf } = await import('../server/index.ts');
  try {
    return await decodersOf({ repo, store, tenant, line });
  } catch (error) {
    // Without its store the deployment fails as well, and says that the release is out.
    if (UpdateError.is(error) && error.code === 'store_failed') return null;
    throw error;
  }
}

/** Whether deltas that do not look inside of compressed images are wanted beside those that do. */
export function wantsPlainDeltas({ olderDecoders }: FleetOptions, fleet: Decoders | null): boolean {
  if (olderDecoders !== 'auto') return olderDecoders === 'always';
  const deltas = DECODER_FEATURES.filter(({ kind }) => kind === 'delta').map(formatName);
  return deltas.some((format) => unreadBy(fleet, format) > 0) && readBy(fleet, formatName(PLAIN_DELTA)) > 0;
}

/** Devices that have said what they decode, and this is not in it. */
const unreadBy = (fleet: Decoders | null, format: string): number =>
  (fleet?.decoders ?? []).reduce((sum, { formats, devices }) => (formats?.includes(format) === false ? sum + devices : sum), 0); // prettier-ignore

const readBy = (fleet: Decoders | null, format: string): number =>
  fleet?.formats.find((row) => row.format === format)?.devices ?? 0;

export interface Readers {
  readonly devices: number;
  readonly untold: number;
  /** By format of the release's payloads: devices that do not read it. */
  readonly unread: Readonly<Record<string, number>>;
}

/** How many devices cannot read which of a release's payloads. */
export function readersOf(fleet: Decoders, { payloads }: CatalogRelease): Readers {
  const formats = new Set(payloads.flatMap(({ format }) => format ?? []));
  const unread = Object.fromEntries([...formats].map((format) => [format, unreadBy(fleet, format)]));
  return { devices: fleet.devices, untold: fleet.untold, unread };
}

export function readersText({ devices, untold, unread }: Readers): string[] {
  const of = `of ${formatCount(devices)} devices`;
  const lines = Object.entries(unread).flatMap(([format, count]) =>
    count === 0 ? [] : [`${formatCount(count)} ${of} cannot read ${format}: they take the smallest that they read`],
  );
  if (untold > 0) lines.push(`${formatCount(untold)} ${of} have not said what they decode`);
  return lines.length === 0 && devices > 0 ? [`all ${formatCount(devices)} devices read every payload`] : lines;
}
