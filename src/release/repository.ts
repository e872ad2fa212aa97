/**
 * A repository on disk (layout.ts says what lies where), and the only way to change it.
 *
 * The commit point is the replacement of timestamp.json. All that a new timestamp leads to is written and synced
 * before it, under names that no earlier timestamp leads to: a crash at any moment leaves either the repository before
 * or the one after. Version numbers go past whatever an unfinished run left behind, so no file that anyone may have
 * cached is ever written with other content.
 * @module
 */
import { join } from 'node:path';
import { Metadata, Snapshot, Targets, Timestamp, type MetaFile, type TargetFile, type Root } from '@tufjs/models';
import { ioError } from '../../native-free/io-error.ts';
import { UpdateError } from '../../native-free/status.ts';
import { BlobFolder } from './blobs.ts';
import { emptyCatalog, parseCatalog, type Catalog } from './catalog.ts';
import { unreadable } from '../platform/files/io-errors.ts';
import { readFile, type FileSystem } from '../platform/filesystem.ts';
import { nodeFileSystem } from '../platform/node-filesystem.ts';
import { ageOf, TEMPORARY_MARK, writeAtomically } from './files.ts';
import type { RoleName, RoleSigners, Signer } from './keys.ts';
import {
  missingKey,
  rolesToRenew,
  SIGNED_ROLES,
  type RefreshResult,
  type RepositoryDocuments,
  type SignedRole,
} from './renewal.ts';
import { RepositoryLayout } from './layout.ts';
import { withLock, type LockOptions } from './lock.ts';
import {
  checkSignatures,
  checkSigners,
  defaultExpiryDays,
  encodeMetadata,
  expiryAt,
  headOf,
  makeRoot,
  metaFileOf,
  parseMetadata,
  signWith,
  type AnyMetadata,
  type ExpiryDays,
} from './metadata.ts';

export interface RepositoryOptions {
  readonly expiryDays?: Partial<ExpiryDays>;
  readonly now?: () => Date;
  readonly files?: FileSystem;
}

/** The repository as its timestamp presents it. Versions are 0 while nothing has been published. */
export interface RepositoryState {
  readonly root: Metadata<Root> | null;
  /** What the timestamp leads to; null while nothing has been published. */
  readonly documents: RepositoryDocuments | null;
  readonly targets: Readonly<Record<string, TargetFile>>;
  readonly catalog: Catalog;
  readonly versions: Readonly<Record<RoleName, number>>;
}

type FoundedState = RepositoryState & { readonly root: Metadata<Root> };

/** A change: targets to add (none is ever replaced or removed) and the catalog that goes with them. */
export interface RepositoryChange {
  readonly targets: readonly TargetFile[];
  readonly catalog: Catalog;
  /** Roles that are signed anew; the others stay as they are. All by default. */
  readonly roles?: readonly SignedRole[];
}

export class Repository {
  readonly dir: string;
  readonly layout: RepositoryLayout;
  readonly blobs: BlobFolder;
  /** Images of encrypted releases, which no server hands out. */
  readonly privateImages: BlobFolder;
  readonly #files: FileSystem;
  readonly #expiry: ExpiryDays;
  readonly #now: () => Date;

  constructor(dir: string, options: RepositoryOptions = {}) {
    this.dir = dir;
    this.layout = new RepositoryLayout(dir);
    this.#files = options.files ?? nodeFileSystem;
    this.#expiry = { ...defaultExpiryDays, ...options.expiryDays };
    this.#now = options.now ?? (() => new Date());
    this.blobs = new BlobFolder(this.layout.blobs, this.#files);
    this.privateImages = new BlobFolder(this.layout.privateImages, this.#files, 0o700);
  }

  now(): Date {
    return this.#now();
  }

  /**
   * Reads and checks the current metadata: signatures, versions, lengths and digests, but not expiry (a publisher must
   * be able to renew what has expired).
   * @throws UpdateError signature_invalid, metadata_malformed, input_unreadable
   */
  async state(): Promise<RepositoryState> {
    const root = await this.#latestRoot();
    const none = { root, documents: null, targets: {}, catalog: emptyCatalog };
    const timestampPath = this.layout.timestamp;
    const empty = { root: root?.signed.version ?? 0, targets: 0, snapshot: 0, timestamp: 0 };
    if (root === null || (await this.#size(timestampPath)) === null) return { ...none, versions: empty };
    const timestamp = parseMetadata('timestamp', await this.#read(timestampPath), timestampPath);
    checkSignatures(root, 'timestamp', timestamp, timestampPath);
    const snapshotFile = timestamp.signed.snapshotMeta;
    const snapshot = await this.#load(root, 'snapshot', snapshotFile);
    const targets = await this.#load(root, 'targets', snapshot.signed.meta['targets.json']);
    const catalogPath = this.layout.catalog(targets.signed.version);
    return {
      root,
      documents: { targets, snapshot, timestamp },
      targets: targets.signed.targets,
      catalog: parseCatalog(await this.#read(catalogPath), catalogPath),
      versions: {
        root: root.signed.version,
        targets: targets.signed.version,
        snapshot: snapshot.signed.version,
        timestamp: timestamp.signed.version,
      },
    };
  }

  /**
   * Runs `work` while no other process changes the repository. Founds the repository first if need be.
   * @throws UpdateError repository_busy, key_unreadable (founding needs the root key), signature_invalid
   */
  async exclusively<T>(signers: RoleSigners, work: (access: RepositoryWriter) => Promise<T>, lock?: LockOptions) {
    return this.#locked(signers, lock, (state) =>
      work({ state, commit: (change) => this.#commit(state, [signers], change) }),
    );
  }

  async #locked<T>(
    signers: Partial<RoleSigners>,
    lock: LockOptions | undefined,
    work: (state: FoundedState) => Promise<T>,
  ) {
    await this.#makeFolders();
    return withLock(
      join(this.dir, 'publish.lock'),
      async () => {
        await this.#sweep();
        if ((await this.state()).root === null) await this.#foundRoot(signers);
        const state = (await this.state()) as FoundedState;
        checkSigners(state.root, signers);
        return work(state);
      },
      lock,
    );
  }

  /**
   * Renews what would expire: always the timestamp, snapshot and targets when half of their life is over or `all` is
   * asked for. A key that is not at hand is done without, as long as what it signs outlives the new timestamp.
   * @throws UpdateError repository_missing when nothing was published, key_unreadable, signature_invalid, repository_busy
   */
  async refresh(signers: Partial<RoleSigners>, options: LockOptions & { all?: boolean } = {}): Promise<RefreshResult> {
    // Looked at first: a mistyped folder is not to be founded.
    if ((await this.state()).documents === null) {
      throw new UpdateError('repository_missing', `${this.dir} is no repository with a release in it`);
    }
    return this.#locked(signers, options, async (state) => {
      const { root, catalog } = state;
      const documents = state.documents!;
      const roles = rolesToRenew(documents, signers, {
        now: this.now(),
        lives: this.#expiry,
        all: options.all === true,
      });
      const versions = await this.#commit(state, [signers], { targets: [], catalog, roles });
      const after = (await this.state()).documents ?? documents;
      const expires = (role: SignedRole): string => after[role].signed.expires;
      const renewed = { targets: expires('targets'), snapshot: expires('snapshot'), timestamp: expires('timestamp') };
      return { renewed: roles, versions, expires: { root: root.signed.expires, ...renewed } };
    });
  }

  /**
   * Replaces keys: root N+1 names the keys of `next` and is signed by the root keys of both (specification, section
   * 6.1). The metadata below is signed by the keys of both first, and root N+1 is written last: clients that know it
   * and clients that do not are served at every moment in between.
   * @returns the new root's version
   */
  async rotateRoot(current: RoleSigners, next: Record<RoleName, Signer>, lock?: LockOptions): Promise<number> {
    return this.#locked(current, lock, async (state) => {
      const version = state.versions.root + 1;
      const root = makeRoot(version, expiryAt(this.now(), this.#expiry.root), next);
      await signWith(root, rootSigner(current));
      await signWith(root, next.root);
      checkSignatures(state.root, 'root', root, `root version ${version}`);
      await this.#commit(state, [current, next], { targets: [], catalog: state.catalog });
      await this.#writeMetadata(`${version}.root.json`, encodeMetadata(root));
      return version;
    });
  }

  async #commit(state: FoundedState, signers: readonly Partial<RoleSigners>[], change: RepositoryChange) {
    const { documents } = state;
    const roles = documents === null ? SIGNED_ROLES : (change.roles ?? SIGNED_ROLES);
    const versions = await this.#nextVersions(state, roles);
    const written: [name: string, bytes: Uint8Array][] = [];
    /** Signs a document if its turn has come, and gives what the one above says of it. */
    const put = async (role: 'targets' | 'snapshot', made: Targets | Snapshot, now: MetaFile | undefined) => {
      if (now !== undefined && !roles.includes(role)) return now;
      const bytes = await this.#sign(state, signers, role, new Metadata(made));
      written.push([`${versions[role]}.${role}.json`, bytes]);
      return metaFileOf(versions[role], bytes);
    };
    const targets = this.#targetsWith(state, versions, change);
    const targetsMeta = await put('targets', targets, documents?.snapshot.signed.meta['targets.json']);
    const snapshot = new Snapshot({ ...this.#head('snapshot', versions), meta: { 'targets.json': targetsMeta } });
    const snapshotMeta = await put('snapshot', snapshot, documents?.timestamp.signed.snapshotMeta);
    const timestamp = new Metadata(new Timestamp({ ...this.#head('timestamp', versions), snapshotMeta }));
    written.push(['timestamp.json', await this.#sign(state, signers, 'timestamp', timestamp)]);

    const catalogBytes = new Uint8Array(Buffer.from(`${JSON.stringify(change.catalog, null, 1)}\n`));
    if (roles.includes('targets')) {
      await writeAtomically(this.#files, this.layout.catalog(versions.targets), catalogBytes);
    }
    for (const [name, bytes] of written) await this.#writeMetadata(name, bytes);
    return versions;
  }

  #targetsWith(state: FoundedState, versions: RepositoryState['versions'], change: RepositoryChange): Targets {
    const targets = new Targets({ ...this.#head('targets', versions), targets: { ...state.targets } });
    for (const target of change.targets) {
      if (targets.targets[target.path] !== undefined) {
        throw new UpdateError('bug', `target ${target.path} is published and must not be replaced`);
      }
      targets.addTarget(target);
    }
    return targets;
  }

  async #sign(
    state: FoundedState,
    signers: readonly Partial<RoleSigners>[],
    role: SignedRole,
    metadata: AnyMetadata,
  ): Promise<Uint8Array> {
    for (const { [role]: signer } of signers) {
      if (signer === undefined) throw missingKey(role, 'what it signs has changed');
      await signWith(metadata, signer);
    }
    checkSignatures(state.root, role, metadata, `the new ${role} metadata`);
    const bytes = encodeMetadata(metadata);
    parseMetadata(role, bytes, `the new ${role} metadata`); // nothing is written that could not be read back
    return bytes;
  }

  #head(role: RoleName, versions: RepositoryState['versions']) {
    return headOf(versions[role], expiryAt(this.now(), this.#expiry[role]));
  }

  /** One past the current version and past every file there is: an unfinished run may have left some. */
  async #nextVersions(state: FoundedState, roles: readonly SignedRole[]): Promise<RepositoryState['versions']> {
    const highest = { ...state.versions };
    for (const name of await this.#files.list(this.layout.metadata)) {
      const match = /^(\d+)\.(targets|snapshot)\.json$/.exec(name);
      if (match === null) continue;
      const role = match[2] as 'targets' | 'snapshot';
      highest[role] = Math.max(highest[role], Number(match[1]));
    }
    for (const name of await this.#files.list(this.layout.catalogs)) {
      const match = /^(\d+)\.json$/.exec(name);
      if (match !== null) highest.targets = Math.max(highest.targets, Number(match[1]));
    }
    const next = { ...state.versions };
    for (const role of roles) next[role] = highest[role] + 1;
    return next;
  }

  async #foundRoot(signers: Partial<RoleSigners>): Promise<void> {
    const { root, targets, snapshot, timestamp } = signers;
    if (root === undefined || targets === undefined || snapshot === undefined || timestamp === undefined) {
      throw new UpdateError('key_unreadable', 'a repository can only be founded with the keys of all four roles');
    }
    const keys = { root, targets, snapshot, timestamp };
    const metadata = makeRoot(1, expiryAt(this.now(), this.#expiry.root), keys);
    await signWith(metadata, root);
    await this.#writeMetadata('1.root.json', encodeMetadata(metadata));
  }

  /** The newest root, each version checked by the one before it, as a client does (specification, section 5.3). */
  async #latestRoot(): Promise<Metadata<Root> | null> {
    let trusted: Metadata<Root> | null = null;
    for (let version = 1; ; version++) {
      const path = this.layout.root(version);
      if ((await this.#size(path)) === null) return trusted;
      const root = parseMetadata('root', await this.#read(path), path);
      checkSignatures(trusted ?? root, 'root', root, path);
      checkSignatures(root, 'root', root, path);
      if (root.signed.version !== version) {
        throw new UpdateError('metadata_malformed', `${path} says that its version is ${root.signed.version}`);
      }
      trusted = root;
    }
  }

  async #load<K extends 'snapshot' | 'targets'>(
    root: Metadata<Root>,
    role: K,
    file: { version: number; verify(data: Buffer): void } | undefined,
  ): Promise<K extends 'snapshot' ? Metadata<Snapshot> : Metadata<Targets>> {
    if (file === undefined) throw new UpdateError('metadata_malformed', `the snapshot metadata names no ${role}`);
    const path = this.layout.metadataFile(`${file.version}.${role}.json`);
    const bytes = await this.#read(path);
    try {
      file.verify(Buffer.from(bytes));
    } catch (cause) {
      throw new UpdateError('signature_invalid', `${path} is not the file that the metadata above it names`, { cause });
    }
    const metadata = parseMetadata(role, bytes, path);
    checkSignatures(root, role, metadata, path);
    return metadata as never;
  }

  #writeMetadata(name: string, bytes: Uint8Array): Promise<void> {
    return writeAtomically(this.#files, this.layout.metadataFile(name), bytes);
  }

  async #size(path: string): Promise<number | null> {
    try {
      return (await this.#files.stat(path))?.bytes ?? null;
    } catch (cause) {
      throw ioError(cause, 'input_unreadable', `cannot look at ${path}`);
    }
  }

  async #read(path: string): Promise<Uint8Array> {
    try {
      return await readFile(this.#files, path);
    } catch (cause) {
      throw unreadable(path, cause);
    }
  }

  async #makeFolders(): Promise<void> {
    try {
      for (const folder of this.layout.folders) await this.#files.makeFolder(folder);
    } catch (cause) {
      throw ioError(cause, 'output_unwritable', `cannot make the repository ${this.dir}`);
    }
  }

  /**
   * Takes away what killed publishers left half-written. The metadata folders are this one's alone while it holds the
   * lock; blobs are written without it, so only what nobody has touched for a day can be litter there.
   */
  async #sweep(): Promise<void> {
    for (const folder of this.layout.folders) {
      for (const name of await this.#files.list(folder)) {
        if (!name.startsWith(TEMPORARY_MARK)) continue;
        const path = join(folder, name);
        if (folder === this.layout.blobs && (await ageOf(this.#files, path)) < LITTER_AGE_MS) continue;
        await this.#files.unlink(path).catch(() => undefined);
      }
    }
  }
}

const LITTER_AGE_MS = 86_400_000;

/** What `exclusively` hands to its work. */
export interface RepositoryWriter {
  readonly state: RepositoryState;
  /** At most once. Returns the new versions. */
  commit(change: RepositoryChange): Promise<RepositoryState['versions']>;
}

function rootSigner(signers: RoleSigners): Signer {
  if (signers.root !== undefined) return signers.root;
  throw new UpdateError('key_unreadable', 'the keys of a repository can only be changed with its root key');
}
