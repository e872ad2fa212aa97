/**
 * Trust: a TUF client (tuf-js) whose files, clock and link are the agent's own.
 *
 * tuf-js reads and writes its metadata folder directly and not atomically. Here it works on a map in memory: what was
 * stored is loaded before a refresh, and what it accepted is written atomically after it, in the order in which each
 * file vouches for the next. The root lives in the keystore, and so do the versions: restoring an older data partition
 * does not make an older repository acceptable. A counter is bound to the keys of its role, so that rotating keys
 * recovers from a version that was driven too high (TUF 5.3.11).
 * @module
 */
import { BaseFetcher, Updater } from 'tuf-js';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import { digestOf, toHex } from '../../native-free/hash.ts';
import type { HashFactory } from '../../native-free/io.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';
import type { StatusCode } from '../../native-free/status.ts';
import { ioError, readSmallFile, writeFileAtomically } from '../transfer/filesystem.ts';
import type { FileSystem } from '../transfer/filesystem.ts';
import type { Clock } from '../transfer/clock.ts';
import { readBody, statusError } from '../transfer/network.ts';
import type { Network } from '../transfer/network.ts';
import type { Keystore } from './keystore.ts';
import type { SignedTarget } from './manifest.ts';

export interface TrustOptions {
  readonly fs: FileSystem;
  readonly hash: HashFactory;
  readonly clock: Clock;
  readonly network: Network;
  readonly keystore: Keystore;
  /** Folder of the stored metadata, on the data partition. */
  readonly folder: string;
  /** `${server}/tuf/` */
  readonly metadataUrl: string;
  /** The root that came with the device; pinned in the keystore at the first use. */
  readonly pinnedRootFile: string;
  readonly signal?: AbortSignal;
}

/** Signed targets of one refresh. */
export interface TrustedTargets {
  find(path: string): Promise<SignedTarget | null>;
  /** Paths in the top-level targets role that begin with `prefix`. */
  paths(prefix: string): string[];
}

const STORED = ['timestamp', 'snapshot', 'targets'] as const;

/** The parts of tuf-js that are private in its types and that this file relies on; the version is pinned. */
interface UpdaterParts {
  trustedSet: {
    referenceTime: Date;
    root: RoleMetadata;
    timestamp?: RoleMetadata;
    snapshot?: RoleMetadata;
    targets?: RoleMetadata;
  };
  refresh(): Promise<void>;
  getTargetInfo(path: string): Promise<TargetInfo | undefined>;
}

interface RoleMetadata {
  readonly signed: {
    readonly version: number;
    readonly roles?: Readonly<Record<string, { readonly keyIDs: readonly string[] }>>;
    readonly targets?: Readonly<Record<string, unknown>>;
  };
}

interface TargetInfo {
  readonly path: string;
  readonly length: number;
  readonly hashes: Readonly<Record<string, string>>;
  readonly custom?: unknown;
}

/** Fetches metadata with a bound on its length, and remembers why the link failed (tuf-js keeps only a text). */
class BoundedFetcher extends BaseFetcher {
  readonly #network: Network;
  readonly #signal: AbortSignal | undefined;
  linkError: UpdateError | null = null;

  constructor(network: Network, signal?: AbortSignal) {
    super();
    this.#network = network;
    this.#signal = signal;
  }

  override fetch(): Promise<never> {
    return Promise.reject(new UpdateError('bug', 'payloads are not fetched through tuf-js'));
  }

  override async downloadBytes(url: string, maxLength: number): Promise<Buffer> {
    try {
      const response = await this.#network.request({ method: 'GET', url, signal: this.#signal });
      if (response.status === 403 || response.status === 404) {
        await response.discard();
        throw new DownloadHTTPError(`${url}: HTTP ${response.status}`, response.status);
      }
      if (response.status !== 200) {
        await response.discard();
        throw statusError(response, url);
      }
      const type = response.header('content-type') ?? '';
      if (/^text\/html/i.test(type)) {
        await response.discard();
        throw new UpdateError('content_wrong', `${url}: an HTML page came instead of metadata (a captive portal?)`);
      }
      return Buffer.from(await readBody(response, Math.min(maxLength, LIMITS.metadata_bytes_max), url));
    } catch (error) {
      if (UpdateError.is(error)) this.linkError = error;
      throw error;
    }
  }
}

/** An Updater whose metadata folder is `files`. */
function memoryUpdater(
  files: Map<string, Uint8Array>,
  changed: Set<string>,
  roots: Uint8Array[],
  options: object,
): UpdaterParts {
  // tuf-js calls loadLocalMetadata in its constructor, before a subclass has fields: hence the closure.
  const Base = Updater as unknown as new (options: object) => UpdaterParts;
  class MemoryUpdater extends Base {
    loadLocalMetadata(name: string): Buffer {
      const bytes = files.get(name);
      if (bytes === undefined) throw new Error(`no stored ${name}`);
      return Buffer.from(bytes);
    }

    persistMetadata(name: string, bytes: Uint8Array): void {
      files.set(name, new Uint8Array(bytes));
      changed.add(name);
      if (name === 'root') roots.push(files.get(name)!);
    }
  }
  return new MemoryUpdater(options);
}

/** tuf-js's errors have classes, or only a text when it wrapped them. */
function trustError(error: unknown, fetcher: BoundedFetcher): UpdateError {
  if (UpdateError.is(error)) return error;
  if (fetcher.linkError !== null) return fetcher.linkError;
  const text = error instanceof Error ? error.message : String(error);
  const name = error instanceof Error ? error.constructor.name : '';
  const make = (code: StatusCode): UpdateError => new UpdateError(code, `TUF: ${text}`, { cause: error });
  if (name === 'ExpiredMetadataError' || /expired/i.test(text)) return make('metadata_expired');
  if (name === 'BadVersionError' || /is less than current version|doesn't match timestamp|does not match/i.test(text)) {
    return make('metadata_rollback');
  }
  if (name === 'DownloadHTTPError' || /HTTP \d+/.test(text)) return make('http_status');
  if (/sign|threshold|hash|length|digest|Expected version/i.test(text)) return make('signature_invalid');
  return make('metadata_malformed');
}

/** Counter names of the four roles under this root; a role whose keys change begins a new counter. */
function counterNames(root: RoleMetadata, hash: HashFactory): Record<(typeof STORED)[number], string> {
  const names: Partial<Record<string, string>> = {};
  for (const role of STORED) {
    const keys = [...(root.signed.roles?.[role]?.keyIDs ?? [])].sort().join(',');
    names[role] = `tuf.${role}.${toHex(digestOf(hash, new TextEncoder().encode(keys))).slice(0, 16)}`;
  }
  return names as Record<(typeof STORED)[number], string>;
}

async function pinRoot({ fs, keystore, pinnedRootFile }: TrustOptions): Promise<Uint8Array> {
  const kept = await keystore.trustedRoot();
  if (kept !== null) return kept;
  let bytes: Uint8Array | null;
  try {
    bytes = await readSmallFile(fs, pinnedRootFile);
  } catch (error) {
    throw ioError(error, 'key_unreadable', `cannot read the pinned root ${pinnedRootFile}`);
  }
  if (bytes === null) {
    throw new UpdateError('key_unreadable', `the pinned root ${pinnedRootFile} does not exist`);
  }
  return bytes;
}

async function loadStored({ fs, folder }: TrustOptions): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const name of STORED) {
    // A stored file that cannot be read is as good as none: it is fetched again and checked against the counters.
    const bytes = await readSmallFile(fs, `${folder}/${name}.json`, LIMITS.metadata_bytes_max).catch(() => null);
    if (bytes !== null) files.set(name, bytes);
  }
  return files;
}

/** Keep what was accepted: counters first, so that a power cut can never lower what was seen. */
async function keepAccepted(
  options: TrustOptions,
  parts: UpdaterParts,
  files: Map<string, Uint8Array>,
  changed: Set<string>,
  roots: readonly Uint8Array[],
): Promise<void> {
  const { keystore, fs, folder, hash } = options;
  const { trustedSet } = parts;
  const names = counterNames(trustedSet.root, hash);
  const raised: Record<string, number> = { 'tuf.root': trustedSet.root.signed.version };
  const known = await keystore.counters();
  for (const role of STORED) {
    const version = trustedSet[role]?.signed.version ?? 0;
    const floor = known[names[role]] ?? 0;
    if (version < floor) {
      throw new UpdateError(
        'metadata_rollback',
        `${role} metadata is of version ${version}; ${floor} was seen before`,
        {
          detail: { role, version, seen: floor },
        },
      );
    }
    raised[names[role]] = version;
  }
  // One after the other: a keystore may want to see how each vouches for the next.
  for (const root of roots) await keystore.setTrustedRoot(root);
  if ((await keystore.trustedRoot()) === null) await keystore.setTrustedRoot(files.get('root')!);
  await keystore.raise(raised);
  await fs.makeFolder(folder);
  for (const role of STORED) {
    if (changed.has(role)) await writeFileAtomically(fs, `${folder}/${role}.json`, files.get(role)!);
  }
}

function parseRoot(bytes: Uint8Array): number {
  try {
    const root = JSON.parse(new TextDecoder().decode(bytes)) as { signed?: { version?: unknown } };
    return Number(root.signed?.version);
  } catch (error) {
    throw new UpdateError('key_unreadable', 'the pinned root is no JSON', { cause: error });
  }
}

/**
 * Refresh the metadata. Throws UpdateErrors of the 4000 family, `metadata_malformed`, and those of the link
 * (retryable).
 */
export async function refreshTrust(options: TrustOptions): Promise<TrustedTargets> {
  const files = await loadStored(options);
  const root = await pinRoot(options);
  files.set('root', root);
  const rootFloor = await options.keystore.counter('tuf.root');
  if (parseRoot(root) < rootFloor) {
    throw new UpdateError('metadata_rollback', `the stored root is older than version ${rootFloor}, seen before`);
  }
  const changed = new Set<string>();
  const roots: Uint8Array[] = [];
  const fetcher = new BoundedFetcher(options.network, options.signal);
  let parts: UpdaterParts;
  try {
    parts = memoryUpdater(files, changed, roots, {
      metadataDir: options.folder,
      metadataBaseUrl: options.metadataUrl,
      fetcher,
    });
    parts.trustedSet.referenceTime = new Date(options.clock.now());
    await parts.refresh();
  } catch (error) {
    throw trustError(error, fetcher);
  }
  try {
    await keepAccepted(options, parts, files, changed, roots);
  } catch (error) {
    throw ioError(error, 'output_unwritable', `cannot keep metadata in ${options.folder}`);
  }
  return {
    paths: (prefix) =>
      Object.keys(parts.trustedSet.targets?.signed.targets ?? {}).filter((path) => path.startsWith(prefix)),
    find: (path) => findTarget(parts, fetcher, path),
  };
}

async function findTarget(parts: UpdaterParts, fetcher: BoundedFetcher, path: string): Promise<SignedTarget | null> {
  let info: TargetInfo | undefined;
  try {
    info = await parts.getTargetInfo(path);
  } catch (error) {
    throw trustError(error, fetcher);
  }
  if (info === undefined) return null;
  const sha256 = info.hashes['sha256'];
  if (sha256 === undefined || !/^[0-9a-f]{64}$/.test(sha256)) {
    throw new UpdateError('metadata_malformed', `target ${path} has no SHA-256`);
  }
  return { path, bytes: info.length, sha256, custom: info.custom };
}
