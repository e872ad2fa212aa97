/**
 * A repository as it stands on disk, verified as strictly as a client would, but for expiry: a publisher must be able to
 * renew what has expired.
 *
 * Targets that wait to be taken into a snapshot (`staged/`) are laid over what the timestamp leads to, for publishers,
 * which build on them, and for whoever makes the next snapshot.
 * @module
 */
import type { Metadata, MetaFile, Root, TargetFile, Targets } from '@tufjs/models';
import { ioError } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { unreadable } from '../../platform/files/io-errors.ts';
import { readFile, type FileSystem } from '../../platform/filesystem.ts';
import { emptyCatalog, parseCatalog, type Catalog } from '../catalog.ts';
import type { RoleName } from '../keys.ts';
import type { RepositoryLayout } from '../layout.ts';
import { checkSignatures, parseMetadata, type AnyMetadata } from '../metadata.ts';
import type { RepositoryDocuments } from '../renewal.ts';

/** The repository as its timestamp presents it. Versions are 0 while nothing has been published. */
export interface RepositoryState {
  readonly root: Metadata<Root> | null;
  /** What the timestamp leads to; null while nothing has been published. */
  readonly documents: RepositoryDocuments | null;
  /** Of all targets roles. */
  readonly targets: Readonly<Record<string, TargetFile>>;
  readonly catalog: Catalog;
  /** The parts of the catalog, by the targets role that vouches for them. */
  readonly catalogs: ReadonlyMap<string, Catalog>;
  /** The bytes of roles that are staged and laid over what is published. */
  readonly staged: ReadonlyMap<string, Uint8Array>;
  readonly versions: Readonly<Record<RoleName, number>>;
}

export interface ReadOptions {
  /** Lay over what is staged. */
  readonly staged?: boolean;
  /** Also take what only the root before the newest one vouches for: a change of keys that was cut off half-way. */
  readonly previousRoot?: boolean;
}

export type DelegatedRole = NonNullable<NonNullable<Targets['delegations']>['roles']>[string];

type Check = (role: Exclude<RoleName, 'root'>, metadata: AnyMetadata, path: string) => void;

export class RepositoryReader {
  readonly #layout: RepositoryLayout;
  readonly #files: FileSystem;

  constructor(layout: RepositoryLayout, files: FileSystem) {
    this.#layout = layout;
    this.#files = files;
  }

  /** @throws UpdateError signature_invalid, metadata_malformed, input_unreadable */
  async state(options: ReadOptions = {}): Promise<RepositoryState> {
    const roots = await this.roots();
    const root = roots.at(-1) ?? null;
    const path = this.#layout.timestamp;
    const none = { targets: {}, catalog: emptyCatalog, catalogs: new Map(), staged: new Map() };
    if (root === null || (await this.size(path)) === null) {
      const versions = { root: root?.signed.version ?? 0, targets: 0, snapshot: 0, timestamp: 0 };
      return { ...none, root, documents: null, versions };
    }
    const check: Check = (role, metadata, at) => {
      const before = options.previousRoot === true ? roots.at(-2) : undefined;
      checkByEither([root, ...(before === undefined ? [] : [before])], role, metadata, at);
    };
    const timestamp = parseMetadata('timestamp', await this.read(path), path);
    check('timestamp', timestamp, path);
    const snapshotAt = await this.#named('snapshot', timestamp.signed.snapshotMeta);
    const snapshot = parseMetadata('snapshot', snapshotAt.bytes, snapshotAt.path);
    check('snapshot', snapshot, snapshotAt.path);
    const staged = new Map<string, Uint8Array>();
    const loadTargets = async (role: string, verify: (metadata: Metadata<Targets>, at: string) => void) => {
      const named = snapshot.signed.meta[`${role}.json`];
      const published = named === undefined ? null : this.#targets(await this.#named(role, named), verify);
      const waiting = options.staged === true ? await this.#staged(role, named?.version ?? 0, verify) : null;
      if (waiting !== null) staged.set(role, waiting.bytes);
      return waiting?.metadata ?? published;
    };
    const targets = await loadTargets('targets', (metadata, at) => check('targets', metadata, at));
    if (targets === null) throw new UpdateError('metadata_malformed', `the snapshot metadata names no targets`);
    const delegated = new Map<string, Metadata<Targets>>();
    for (const { name } of delegationsOf(targets)) {
      const metadata = await loadTargets(name, (each, at) => checkDelegated(targets, name, each, at));
      if (metadata !== null) delegated.set(name, metadata);
    }
    const documents = { targets, snapshot, timestamp, delegated };
    const catalogs = new Map([['targets', await this.#catalog(targets.signed.version, 'targets')]]);
    for (const [name, { signed }] of delegated) catalogs.set(name, await this.#catalog(signed.version, name));
    const versions = {
      ...{ root: root.signed.version, targets: targets.signed.version },
      ...{ snapshot: snapshot.signed.version, timestamp: timestamp.signed.version },
    };
    const releases = [...catalogs.values()].flatMap((part) => part.releases);
    const catalog = { format: 1 as const, releases };
    return { root, documents, targets: targetsOf(documents), catalog, catalogs, staged, versions };
  }

  /** All versions, each checked by the one before it, as a client does (specification, section 5.3). */
  async roots(): Promise<Metadata<Root>[]> {
    const roots: Metadata<Root>[] = [];
    for (let version = 1; ; version++) {
      const path = this.#layout.root(version);
      if ((await this.size(path)) === null) return roots;
      const root = parseMetadata('root', await this.read(path), path);
      checkSignatures(roots.at(-1) ?? root, 'root', root, path);
      checkSignatures(root, 'root', root, path);
      if (root.signed.version !== version) {
        throw new UpdateError('metadata_malformed', `${path} says that its version is ${root.signed.version}`);
      }
      roots.push(root);
    }
  }

  async size(path: string): Promise<number | null> {
    try {
      return (await this.#files.stat(path))?.bytes ?? null;
    } catch (cause) {
      throw ioError(cause, 'input_unreadable', `cannot look at ${path}`);
    }
  }

  async read(path: string): Promise<Uint8Array> {
    try {
      return await readFile(this.#files, path);
    } catch (cause) {
      throw unreadable(path, cause);
    }
  }

  async #named(role: string, file: MetaFile): Promise<{ path: string; bytes: Uint8Array }> {
    const path = this.#layout.metadataFile(`${file.version}.${role}.json`);
    const bytes = await this.read(path);
    try {
      file.verify(Buffer.from(bytes));
    } catch (cause) {
      throw new UpdateError('signature_invalid', `${path} is not the file that the metadata above it names`, { cause });
    }
    return { path, bytes };
  }

  #targets(
    { path, bytes }: { path: string; bytes: Uint8Array },
    verify: (metadata: Metadata<Targets>, path: string) => void,
  ): Metadata<Targets> {
    const metadata = parseMetadata('targets', bytes, path);
    verify(metadata, path);
    return metadata;
  }

  /** Null when nothing waits, or what waited has been taken. */
  async #staged(role: string, published: number, verify: (metadata: Metadata<Targets>, path: string) => void) {
    const path = this.#layout.stagedFile(role);
    if ((await this.size(path)) === null) return null;
    const bytes = await this.read(path);
    const metadata = parseMetadata('targets', bytes, path);
    if (metadata.signed.version <= published) return null;
    verify(metadata, path);
    return { metadata, bytes };
  }

  async #catalog(version: number, role: string): Promise<Catalog> {
    const path = this.#layout.catalog(version, role);
    return parseCatalog(await this.read(path), path);
  }
}

/** In the order in which clients ask them. */
export function delegationsOf({ signed }: Metadata<Targets>): DelegatedRole[] {
  return Object.values(signed.delegations?.roles ?? {});
}

/** @throws UpdateError signature_invalid */
export function checkDelegated(
  delegator: Metadata<Targets>,
  role: string,
  metadata: Metadata<Targets>,
  path: string,
): void {
  try {
    delegator.verifyDelegate(role, metadata);
  } catch (cause) {
    const text = `${path} is not signed by the keys that targets version ${delegator.signed.version} names for ${role}`;
    throw new UpdateError('signature_invalid', text, { cause });
  }
}

function checkByEither(roots: readonly Metadata<Root>[], ...[role, metadata, path]: Parameters<Check>): void {
  const failures: unknown[] = [];
  for (const root of roots) {
    try {
      checkSignatures(root, role, metadata, path);
      return;
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

/** Those that a client would find: what a delegated role says of paths that are not its own counts for nothing. */
function targetsOf({ targets, delegated }: RepositoryDocuments): Record<string, TargetFile> {
  const found: Record<string, TargetFile> = {};
  for (const role of delegationsOf(targets)) {
    for (const [path, target] of Object.entries(delegated.get(role.name)?.signed.targets ?? {})) {
      if (role.isDelegatedPath(path)) found[path] ??= target;
    }
  }
  return { ...found, ...targets.signed.targets };
}
