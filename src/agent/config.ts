/**
 * The configuration: one TOML file, checked key by key. A wrong or unknown key is named, with what it should be.
 * @module
 */
import { parse, TomlError } from 'smol-toml';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';
import { isName } from './manifest.ts';
import { TableReader } from './config-reader.ts';

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
    readonly tenant: string;
    readonly token?: { readonly kind: 'target' | 'gateway'; readonly value: string };
    /** Used where the server does not say. */
    readonly pollSeconds: number;
    /** How often a running download asks whether it was cancelled. */
    readonly cancelPollSeconds: number;
  };
  /** Journal, keystore, spool and metadata are in here. */
  readonly dataFolder: string;
  readonly place:
    | {
        readonly kind: 'slots';
        readonly paths: Readonly<Record<string, string>>;
        readonly capacityBytes?: number;
        readonly stateFile: string;
        readonly choiceFile: string;
        readonly tries: number;
      }
    | { readonly kind: 'file'; readonly path: string };
  readonly rebootCommand: readonly string[] | null;
  readonly pinnedRootFile: string;
  readonly limits: {
    /** Payload bytes one attempt may take from the link. */
    readonly budgetBytes?: number;
    readonly rateBytesPerSecond?: number;
    readonly decoderMemoryBytes: number;
    readonly attemptsMax: number;
    readonly resumesMax: number;
    readonly retriesMax: number;
    readonly backoffFirstMs: number;
    readonly backoffMostMs: number;
    readonly idleSeconds: number;
    readonly spareBytes: number;
  };
  readonly health: { readonly commands: readonly (readonly string[])[]; readonly deadlineSeconds: number };
  readonly hooks: {
    readonly beforeDownload: readonly (readonly string[])[];
    readonly beforeArm: readonly (readonly string[])[];
    readonly deadlineSeconds: number;
  };
}

/**
 * Parse and check. Relative paths are taken from `folder`, the folder of the file.
 * Throws `config_invalid` naming the key.
 */
export function parseConfig(text: string, folder: string, name = 'configuration'): AgentConfig {
  let table: Record<string, unknown>;
  try {
    table = parse(text) as Record<string, unknown>;
  } catch (error) {
    const where = error instanceof TomlError ? `line ${error.line}, column ${error.column}: ` : '';
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new UpdateError('config_invalid', `${name}: ${where}${reason}`, { cause: error });
  }
  const top = new TableReader(table, '', name, folder);
  const data = top.table('data', true);
  const dataFolder = data.path('folder');
  data.done();
  const trust = top.table('trust', true);
  const pinnedRootFile = trust.path('root');
  trust.done();
  const config: AgentConfig = {
    device: readDevice(top),
    server: readServer(top),
    dataFolder,
    ...readPlace(top, dataFolder),
    pinnedRootFile,
    limits: readLimits(top),
    health: readHealth(top),
    hooks: readHooks(top),
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
  const url = table.text('url').replace(/\/+$/, '');
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw table.wrong('url', 'should be an http or https address');
  }
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
    tenant: table.text('tenant', 'default'),
    token,
    pollSeconds: table.integer('poll_seconds', 300, 1, 7 * 86_400),
    cancelPollSeconds: table.integer('cancel_poll_seconds', 60, 1, 86_400),
  };
  table.done();
  return server;
}

function readPlace(top: TableReader, dataFolder: string): Pick<AgentConfig, 'place' | 'rebootCommand'> {
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
  const capacityBytes = slots.optionalInteger('capacity_bytes', 1, LIMITS.image_bytes_max);
  const paths = slots.paths();
  if (Object.keys(paths).length !== 2) throw slots.wrong('', 'should name exactly two slots, such as A and B');
  if (new Set(Object.values(paths)).size !== 2) throw slots.wrong('', 'names the same path twice');
  const place = {
    kind: 'slots' as const,
    paths,
    capacityBytes,
    stateFile: boot.path('state_file', `${dataFolder}/boot-state`),
    choiceFile: boot.path('choice_file', `${dataFolder}/boot-choice`),
    tries: boot.integer('tries', 3, 1, 100),
  };
  boot.done();
  return { place, rebootCommand: command };
}

function readLimits(top: TableReader): AgentConfig['limits'] {
  const table = top.table('limits', false);
  const most = Number.MAX_SAFE_INTEGER;
  const limits = {
    budgetBytes: table.optionalInteger('budget_bytes', 1, most),
    rateBytesPerSecond: table.optionalInteger('rate_bytes_per_second', 1024, most),
    decoderMemoryBytes: table.integer(
      'decoder_memory_bytes',
      LIMITS.decoder_memory_bytes_max,
      1,
      LIMITS.decoder_memory_bytes_max,
    ),
    attemptsMax: table.integer('attempts_max', 5, 1, 1000),
    resumesMax: table.integer('resumes_max', 20, 1, 100_000),
    retriesMax: table.integer('retries_max', 50, 0, 1_000_000),
    backoffFirstMs: table.integer('backoff_first_ms', 1_000, 1, 3_600_000),
    backoffMostMs: table.integer('backoff_most_ms', 300_000, 1, 86_400_000),
    idleSeconds: table.integer('idle_seconds', 30, 1, 3600),
    spareBytes: table.integer('spare_bytes', 1024 * 1024, 0, most),
  };
  table.done();
  return limits;
}

function readHealth(top: TableReader): AgentConfig['health'] {
  const table = top.table('health', false);
  const health = {
    commands: table.commands('commands'),
    deadlineSeconds: table.integer('deadline_seconds', 300, 1, 86_400),
  };
  table.done();
  return health;
}

function readHooks(top: TableReader): AgentConfig['hooks'] {
  const table = top.table('hooks', false);
  const hooks = {
    beforeDownload: table.commands('before_download'),
    beforeArm: table.commands('before_arm'),
    deadlineSeconds: table.integer('deadline_seconds', 60, 1, 86_400),
  };
  table.done();
  return hooks;
}
