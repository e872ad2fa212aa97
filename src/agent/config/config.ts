/**
 * The configuration: one TOML file, checked key by key. A wrong or unknown key is named, with what it should be.
 * @module
 */
import { parse, TomlError } from 'smol-toml';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { readBoot, type BootConfig } from './boot.ts';
import { readKeystore, type KeystoreConfig } from './keystore.ts';
import { readHealth, readHooks, type HealthConfig, type HooksConfig } from './life.ts';
import { readLimits, type LimitsConfig } from './limits.ts';
import { TableReader } from './table-reader.ts';
import { isName } from '../payloads/manifest.ts';
import { readNetwork, type NetworkConfig } from './network.ts';

export interface AgentConfig {
  readonly device: {
    readonly controllerId: string;
    readonly product: string;
    readonly hardware: string;
    readonly slotClass: string;
    readonly attributes: Readonly<Record<string, string>>;
  };
  readonly server: {
    /** Without a slash at the end. */
    readonly url: string;
    /** Where signed metadata and payloads are, without a slash at the end: by default on the same server. */
    readonly metadataUrl: string;
    readonly blobsUrl: string;
    readonly tenant: string;
    readonly token?: { readonly kind: 'target' | 'gateway'; readonly value: string };
    /** Used where the server does not say. */
    readonly pollSeconds: number;
    /** How often a running download asks whether it was cancelled. */
    readonly cancelPollSeconds: number;
  } & NetworkConfig;
  /** Journal, keystore, spool and metadata are in here. */
  readonly dataFolder: string;
  readonly place:
    | {
        readonly kind: 'slots';
        /** Path by slot class, by slot. Every slot has the same classes; `device.slotClass` is one of them. */
        readonly slots: Readonly<Record<string, Readonly<Record<string, string>>>>;
        /** Capacity of file slots, where it is fixed. */
        readonly capacityBytes?: number;
        readonly boot: BootConfig;
      }
    | { readonly kind: 'file'; readonly path: string };
  readonly rebootCommand: readonly string[] | null;
  readonly pinnedRootFile: string;
  readonly limits: LimitsConfig;
  readonly health: HealthConfig;
  readonly hooks: HooksConfig;
  readonly keystore: KeystoreConfig;
}

/**
 * Parse and check. Relative paths are taken from `folder`, the folder of the file.
 * Throws `config_invalid` naming the key. `read` takes up what was read and what the defaults are, by the file's names.
 */
export function parseConfig(
  text: string,
  folder: string,
  name = 'configuration',
  read?: Map<string, unknown>,
): AgentConfig {
  let table: Record<string, unknown>;
  try {
    table = parse(text) as Record<string, unknown>;
  } catch (error) {
    const where = error instanceof TomlError ? `line ${error.line}, column ${error.column}: ` : '';
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new UpdateError('config_invalid', `${name}: ${where}${reason}`, { cause: error });
  }
  const top = new TableReader(table, '', name, folder, read);
  const data = top.table('data', true);
  const dataFolder = data.path('folder');
  data.done();
  const trust = top.table('trust', true);
  const pinnedRootFile = trust.path('root');
  trust.done();
  const device = readDevice(top);
  const config: AgentConfig = {
    device,
    server: readServer(top),
    dataFolder,
    ...readPlace(top, dataFolder, device.slotClass),
    pinnedRootFile,
    limits: readLimits(top),
    health: readHealth(top),
    hooks: readHooks(top),
    keystore: readKeystore(top.table('keystore', false)),
  };
  top.done();
  return config;
}

function readDevice(top: TableReader): AgentConfig['device'] {
  const table = top.table('device', true);
  const part = (key: string, fallback?: string): string => {
    const value = table.text(key, fallback);
    if (isName(value)) return value;
    throw table.wrong(key, 'should be 1 to 64 letters, digits or ._+~-, beginning with a letter or digit');
  };
  const controllerId = table.text('controller_id');
  if (!/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/.test(controllerId)) {
    throw table.wrong('controller_id', 'should be 1 to 128 letters, digits or ._:-');
  }
  const device = {
    controllerId,
    product: part('product'),
    hardware: part('hardware'),
    slotClass: part('slot_class', 'rootfs'),
    attributes: table.texts('attributes'),
  };
  table.done();
  return device;
}

function readServer(top: TableReader): AgentConfig['server'] {
  const table = top.table('server', true);
  const address = (key: string, fallback?: string): string => {
    const text = table.text(key, fallback).replace(/\/+$/, '');
    if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
    throw table.wrong(key, 'should be an http or https address');
  };
  const url = address('url');
  const targetToken = table.optionalText('target_token');
  const gatewayToken = table.optionalText('gateway_token');
  const token =
    targetToken !== undefined
      ? { kind: 'target' as const, value: targetToken }
      : gatewayToken !== undefined
        ? { kind: 'gateway' as const, value: gatewayToken }
        : undefined;
  const server = {
    url,
    metadataUrl: address('metadata_url', `${url}/tuf`),
    blobsUrl: address('blobs_url', `${url}/blobs`),
    tenant: table.text('tenant', 'default'),
    token,
    pollSeconds: table.integer('poll_seconds', 300, 1, 7 * 86_400),
    cancelPollSeconds: table.integer('cancel_poll_seconds', 60, 1, 86_400),
    ...readNetwork(table),
  };
  table.done();
  return server;
}

function readPlace(
  top: TableReader,
  dataFolder: string,
  slotClass: string,
): Pick<AgentConfig, 'place' | 'rebootCommand'> {
  const target = top.table('target', false);
  const slots = top.table('slots', false);
  if (target.present === slots.present) {
    throw new UpdateError('config_invalid', `${top.file}: either [slots] or [target] is needed, and not both`);
  }
  const boot = top.table('boot', false);
  const command = boot.optionalCommand('reboot_command');
  if (target.present) {
    const path = target.path('path');
    target.done();
    boot.done();
    return { place: { kind: 'file', path }, rebootCommand: command };
  }
  const place = {
    kind: 'slots' as const,
    capacityBytes: slots.optionalInteger('capacity_bytes', 1, LIMITS.image_bytes_max),
    slots: readSlots(slots, slotClass),
    boot: readBoot(boot, dataFolder),
  };
  boot.done();
  return { place, rebootCommand: command };
}

/** `A = "path"` for one slot class, `[slots.A] rootfs = "path" boot = "path"` for several. */
function readSlots(table: TableReader, slotClass: string): Record<string, Record<string, string>> {
  const slots: Record<string, Record<string, string>> = {};
  for (const name of table.names()) {
    const classes = table.isTable(name) ? table.table(name, true).paths() : { [slotClass]: table.path(name) };
    if (!(slotClass in classes)) throw table.wrong(name, `has no path for the slot class ${slotClass} of this device`);
    slots[name] = classes;
  }
  const [first, second, ...more] = Object.entries(slots);
  if (first === undefined || second === undefined || more.length > 0) {
    throw table.wrong('', 'should name exactly two slots, such as A and B');
  }
  const missing = Object.keys(first[1]).find((each) => !(each in second[1]));
  if (missing !== undefined || Object.keys(first[1]).length !== Object.keys(second[1]).length) {
    throw table.wrong(second[0], `should have the slot classes of ${first[0]}: ${Object.keys(first[1]).join(', ')}`);
  }
  const paths = [...Object.values(first[1]), ...Object.values(second[1])];
  if (new Set(paths).size !== paths.length) throw table.wrong('', 'names the same path twice');
  return slots;
}
