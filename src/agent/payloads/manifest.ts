/**
 * What signed metadata says about a payload: the agent's own parser of a TUF target's `custom` field.
 *
 * The agent shares no code with the publisher on purpose: what one writes wrongly the other must notice.
 * @module
 */
import { bodyBytes } from '../../../native-free/age/stream.ts';
import { formatName, type PayloadFormat } from '../../../native-free/format/features.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { ImageId, Plan, ReleaseName } from '../records/journal.ts';

/** A TUF target as trust.ts found it. */
export interface SignedTarget {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly custom: unknown;
}

const HEX_DIGEST = /^[0-9a-f]{64}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,63}$/;

/** True for what may be part of a target name and of a URL. */
export const isName = (value: unknown): value is string => typeof value === 'string' && NAME.test(value);

/** Target name of the full payload. */
export const fullPath = (release: ReleaseName): string => `${prefixOf(release)}/full`;

/** Target name of the best delta from a source digest. */
const deltaPath = (release: ReleaseName, sourceSha256: string): string => `${prefixOf(release)}/delta/${sourceSha256}`;

/** Target names of all deltas from a source that a decoder may read: the best one, then one by format for older decoders. */
export const deltaPaths = (release: ReleaseName, sourceSha256: string, decoder: readonly PayloadFormat[]): string[] => [
  deltaPath(release, sourceSha256),
  ...decoder.map((format) => `${deltaPath(release, sourceSha256)}.${formatName(format)}`),
];

/**
 * The format that signed metadata give a payload; null where they say none. Read before all else: what is said of a
 * payload of another version need not be within the bounds of this one. Throws `metadata_malformed`.
 */
export function formatSigned({ path, custom }: SignedTarget): PayloadFormat | null {
  const { payloadVersion: version, codec } = (custom ?? {}) as Record<string, unknown>;
  if (version === undefined && codec === undefined) return null;
  for (const [field, value] of Object.entries({ payloadVersion: version, codec })) {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255) continue;
    const text = `target ${path}: ${field} is ${String(value)} and should be an integer from 0 to 255`;
    throw new UpdateError('metadata_malformed', text, { detail: { field } });
  }
  return { version: version as number, codec: codec as number };
}

/** Common beginning of a release's target names. */
export function prefixOf({ product, version, hardware, slotClass }: ReleaseName): string {
  return `${product}/${version}/${hardware}/${slotClass}`;
}

/** The plan a signed target stands for. Throws `metadata_malformed` naming the field, `not_compatible`. */
export function planOf(listed: SignedTarget, release: ReleaseName): Plan {
  const bad = (field: string, why: string): UpdateError =>
    new UpdateError('metadata_malformed', `target ${listed.path}: ${field} ${why}`, { detail: { field } });
  if (typeof listed.custom !== 'object' || listed.custom === null) throw bad('custom', 'is missing');
  const custom = listed.custom as Record<string, unknown>;
  const integer = (from: Record<string, unknown>, field: string, max: number, label = field): number => {
    const value = from[field];
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max) return value;
    throw bad(label, `is ${String(value)} and should be an integer from 0 to ${max}`);
  };
  const digest = (from: Record<string, unknown>, field: string, label = field): string => {
    const value = from[field];
    if (typeof value === 'string' && HEX_DIGEST.test(value)) return value;
    throw bad(label, 'is no SHA-256 in lower-case hex');
  };
  const image = (field: string): ImageId => {
    const value = custom[field];
    if (typeof value !== 'object' || value === null) throw bad(field, 'is missing');
    const from = value as Record<string, unknown>;
    return {
      bytes: integer(from, 'bytes', LIMITS.image_bytes_max, `${field}.bytes`),
      sha256: digest(from, 'sha256', `${field}.sha256`),
    };
  };
  for (const field of ['product', 'version', 'hardware', 'slotClass'] as const) {
    if (custom[field] === release[field]) continue;
    throw new UpdateError('not_compatible', `target ${listed.path} is for ${field} ${String(custom[field])}`, {
      detail: { field, wanted: release[field], signed: custom[field] },
    });
  }
  const kind = custom['kind'];
  if (kind !== 'delta' && kind !== 'full') throw bad('kind', `is ${String(kind)}`);
  const source = kind === 'delta' ? image('source') : null;
  const headerBytes = integer(custom, 'headerBytes', LIMITS.header_bytes_max);
  const { payload, encryption } = blobsOf(listed, custom, { bad, integer, digest });
  if (headerBytes > payload.bytes)
    throw bad('headerBytes', `is ${headerBytes}, the payload has ${payload.bytes} bytes`);
  return {
    slotClass: release.slotClass,
    kind,
    path: listed.path,
    payload,
    encryption,
    format: formatSigned(listed),
    headerBytes,
    headerDigest: digest(custom, 'headerDigest'),
    source,
    target: image('target'),
    decoderMemoryBytes: integer(custom, 'decoderMemoryBytes', LIMITS.decoder_memory_bytes_max),
    decoderWork: integer(custom, 'decoderWork', LIMITS.decoder_work_units_max),
    rollbackIndex: integer(custom, 'rollbackIndex', Number.MAX_SAFE_INTEGER),
  };
}

interface FieldReaders {
  bad(field: string, why: string): UpdateError;
  integer(from: Record<string, unknown>, field: string, max: number, label?: string): number;
  digest(from: Record<string, unknown>, field: string, label?: string): string;
}

/** What is fetched and what is decoded: the same, unless the payload is encrypted. */
function blobsOf(
  { bytes, sha256 }: SignedTarget,
  { encryption }: Record<string, unknown>,
  { bad, integer, digest }: FieldReaders,
): Pick<Plan, 'payload' | 'encryption'> {
  if (encryption === undefined) return { payload: { bytes, sha256 }, encryption: null };
  const from = (typeof encryption === 'object' && encryption !== null ? encryption : {}) as Record<string, unknown>;
  const { format, nonce } = from;
  if (format !== 'age-v1') throw bad('encryption.format', `is ${String(format)}; this agent opens age-v1`);
  if (typeof nonce !== 'string' || !/^[0-9a-f]{32}$/.test(nonce))
    throw bad('encryption.nonce', 'is no 16 bytes in hex');
  const payload = {
    bytes: integer(from, 'bytes', Number.MAX_SAFE_INTEGER, 'encryption.bytes'),
    sha256: digest(from, 'sha256', 'encryption.sha256'),
  };
  if (bodyBytes(payload.bytes) !== bytes)
    throw bad('encryption.bytes', `is ${payload.bytes}, the body has ${bytes} bytes`);
  return { payload, encryption: { bytes, sha256, nonce } };
}
