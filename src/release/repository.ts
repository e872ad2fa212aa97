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
import type { Metadata, Root } from '@tufjs/models';
import { ioError } from '../../native-free/io-error.ts';
import { UpdateError } from '../../native-free/status.ts';
import { BlobFolder } from './blobs.ts';
import type { FileSystem } from '../platform/filesystem.ts';
import { nodeFileSystem } from '../platform/node-filesystem.ts';
import { ageOf, TEMPORARY_MARK, writeAtomically } from './files.ts';
import { poolOf, type RoleName, type Signer, type SignersAtHand } from './keys.ts';
import { rolesToRenew, type RefreshResult } from './renewal.ts';
import { RepositoryLayout } from './layout.ts';
import { withLock, type LockOptions } from './lock.ts';
import {
  checkSignatures,
  checkSigners,
  defaultExpiryDays,
  encodeMetadata,
  expiryAt,
  makeRoot,
  signWith,
  type ExpiryDays,
} from './metadata.ts';
import { planCommit, type Commit, type RepositoryChange } from './trust/commit.ts';
import { RepositoryReader, type ReadOptions, type RepositoryState } from './trust/reader.ts';
import { isAccepted, rolesReplaced, rolesToSign } from './trust/root-change.ts';
import { nextVersions } from './trust/versions.ts';

export interface RepositoryOptions {
  readonly expiryDays?: Partial<ExpiryDays>;
  readonly now?: () => Date;
  readonly files?: FileSystem;
}

type FoundedState = RepositoryState & { readonly root: Metadata<Root> };

interface ImportOptions extends LockOptions {
  /** Versions begin anew below those that a thief has driven up; only where timestamp and snapshot have other keys. */
  readonly restartVersions?: boolean;
}

export class Repository {
  readonly dir: string;
  readonly layout: RepositoryLayout;
  readonly blobs: BlobFolder;
  readonly #files: FileSystem;
  readonly #reader: RepositoryReader;
  readonly #expiry: ExpiryDays;
  readonly #now: () => Date;

  constructor(dir: string, options: RepositoryOptions = {}) {
    this.dir = dir;
    this.layout = new RepositoryLayout(dir);
    this.#files = options.files ?? nodeFileSystem;
    this.#expiry = { ...defaultExpiryDays, ...options.expiryDays };
    this.#now = options.now ?? (() => new Date());
    this.#reader = new RepositoryReader(this.layout, this.#files);
    this.blobs = new BlobFolder(this.layout, this.#files);
  }

  now(): Date {
    return this.#now();
  }

  get lives(): ExpiryDays {
    return this.#expiry;
  }

  /**
   * Reads and checks the current metadata: signatures, versions, lengths and digests, but not expiry (a publisher must
   * be able to renew what has expired).
   * @throws UpdateError signature_invalid, metadata_malformed, input_unreadable
   */
  state(options?: ReadOptions): Promise<RepositoryState> {
    return this.#reader.state(options);
  }

  /** Every root, the first one first, checked as a client does. Throws what `state` throws. */
  roots(): Promise<Metadata<Root>[]> {
    return this.#reader.roots();
  }

  /**
   * Runs `work` while no other process changes the repository. Founds the repository first if need be.
   * @throws UpdateError repository_busy, key_unreadable (founding needs the root key), signature_invalid
   */
  async exclusively<T>(signers: SignersAtHand, work: (access: RepositoryWriter) => Promise<T>, lock?: LockOptions) {
    const found = async (): Promise<void> => {
      if ((await this.#reader.roots()).length === 0) await this.#foundRoot(signers);
    };
    return this.#locked(lock, found, async () => {
      const state = (await this.state({ staged: true })) as FoundedState;
      checkSigners(state.root, signers);
      return work({ state, commit: (change) => this.#commit(state, poolOf(signers), change) });
    });
  }

  async #locked<T>(lock: LockOptions | undefined, before: () => Promise<void>, work: () => Promise<T>): Promise<T> {
    await this.#makeFolders();
    const path = join(this.dir, 'publish.lock');
    const run = async (): Promise<T> => {
      await this.#sweep();
      await before();
      return work();
    };
    return withLock(path, run, lock);
  }

  /**
   * Renews what would expire: always the timestamp, all else when half of its life is over or `all` is asked for. A key
   * that is not at hand is done without, as long as what it signs outlives the new timestamp, or with `lenient` for ever.
   * What is staged is taken into the snapshot, if its key is at hand.
   * @throws UpdateError repository_missing when nothing was published, key_unreadable, signature_invalid, repository_busy
   */
  async refresh(
    signers: SignersAtHand,
    options: LockOptions & { all?: boolean; lenient?: boolean } = {},
  ): Promise<RefreshResult> {
    // Looked at first: a mistyped folder is not to be founded.
    if ((await this.state()).documents === null) {
      throw new UpdateError('repository_missing', `${this.dir} is no repository with a release in it`);
    }
    const nothing = (): Promise<void> => Promise.resolve();
    return this.#locked(options, nothing, async () => {
      const pool = poolOf(signers);
      const root = (await this.#reader.roots()).at(-1)!;
      const staged = signersOf(root, 'snapshot', pool).length > 0;
      const state = (await this.state({ staged })) as FoundedState;
      checkSigners(root, signers);
      const { all = false, lenient = false } = options;
      const rules = { now: this.now(), lives: this.#expiry, all, lenient };
      const renew = rolesToRenew(state.documents!, (role) => this.#canSign(state, role, pool), rules);
      const { versions } = await this.#commit(state, pool, { targets: [], catalog: state.catalog, renew });
      const after = (await this.state()).documents!;
      const taken = [...state.staged.keys()];
      const { targets, snapshot, timestamp } = after;
      return {
        renewed: taken.length > 0 && !renew.includes('snapshot') ? [...renew, 'snapshot'] : renew,
        taken,
        versions,
        expires: {
          ...{ root: root.signed.expires, targets: targets.signed.expires },
          ...{ snapshot: snapshot.signed.expires, timestamp: timestamp.signed.expires },
        },
      };
    });
  }

  #canSign({ root, documents }: FoundedState, role: string, pool: readonly Signer[]): boolean {
    const delegated = documents!.targets.signed.delegations?.roles?.[role]?.keyIDs;
    const wanted = delegated ?? root.signed.roles[role]?.keyIDs ?? [];
    return pool.some(({ keyId }) => wanted.includes(keyId));
  }

  /**
   * Replaces keys: root N+1 names the keys of `next` and is signed by the root keys of both (specification, section
   * 6.1), all of which are at hand.
   * @returns the new root's version
   */
  async rotateRoot(current: SignersAtHand, next: Record<RoleName, Signer>, lock?: LockOptions): Promise<number> {
    const version = (await this.roots()).length + 1;
    const root = makeRoot(version, expiryAt(this.now(), this.#expiry.root), next);
    if (current.root === undefined) {
      throw new UpdateError('key_unreadable', 'the keys of a repository can only be changed with its root key');
    }
    await signWith(root, current.root);
    await signWith(root, next.root);
    return this.importRoot(root, { more: [...poolOf(current), ...poolOf(next)] }, lock);
  }

  /**
   * Makes a root that enough keys have signed the newest one; the first root founds the repository.
   *
   * Where other keys sign what is below, the metadata is signed by both first and the root is written last, if the keys
   * for that are at hand: clients that know it and clients that do not are served at every moment in between. Without the
   * earlier keys (lost, or not to be used again) the root is written first, and until the timestamp is replaced a client
   * is told that signatures are wrong, and asks again. A root that is there already is gone on with.
   * @returns the root's version
   * @throws UpdateError signature_invalid, metadata_rollback (another root of this version was taken), key_unreadable
   */
  async importRoot(root: Metadata<Root>, signers: SignersAtHand, options: ImportOptions = {}): Promise<number> {
    return this.#locked(
      options,
      () => Promise.resolve(),
      async () => {
        const { version } = root.signed;
        const roots = await this.#reader.roots();
        const known = roots[version - 1];
        const what = `root version ${version}`;
        if (known !== undefined && (!known.signed.equals(root.signed) || version < roots.length)) {
          const text = `${what} was taken already, the newest is ${roots.length}: make the change anew from that`;
          throw new UpdateError('metadata_rollback', text);
        }
        if (version > roots.length + 1) {
          throw new UpdateError('metadata_rollback', `${what} does not follow on root version ${roots.length}`);
        }
        const before = roots[version - 2];
        if (before !== undefined) checkSignatures(before, 'root', root, what);
        checkSignatures(root, 'root', root, what);
        const write = (): Promise<void> =>
          writeAtomically(this.#files, this.layout.root(version), encodeMetadata(root));
        const state = (await this.state({ staged: true, previousRoot: true })) as FoundedState;
        const restart = options.restartVersions === true;
        if (restart) requireReplaced(before, root);
        if (state.documents === null || before === undefined || (!restart && isAccepted(root, state.documents))) {
          if (known === undefined) await write();
          return version;
        }
        const pool = poolOf(signers);
        const renew = rolesToSign(root, state.documents);
        const change = { targets: [], catalog: state.catalog, renew };
        const replaced = rolesReplaced(before, root);
        const isSeamless =
          known === undefined && !restart && replaced.every((role) => signersOf(before, role, pool).length > 0);
        // Nothing is written before it is known that all of it can be signed.
        const plan = await this.#plan(state, isSeamless ? [before, root] : [root], pool, change, restart);
        if (plan.staged)
          throw new UpdateError('key_unreadable', 'the keys of snapshot and timestamp are needed for this change');
        if (known === undefined && !isSeamless) await write();
        await this.#write(plan);
        if (isSeamless) await write();
        return version;
      },
    );
  }

  async #commit(state: FoundedState, pool: readonly Signer[], change: RepositoryChange): Promise<Commit> {
    const plan = await this.#plan(state, [state.root], pool, change, false);
    await this.#write(plan);
    if (plan.staged) return plan;
    for (const name of await this.#files.list(this.layout.staged)) {
      await this.#files.unlink(join(this.layout.staged, name)).catch(() => undefined);
    }
    return plan;
  }

  async #plan(
    state: RepositoryState,
    roots: readonly Metadata<Root>[],
    pool: readonly Signer[],
    change: RepositoryChange,
    restart: boolean,
  ): Promise<Commit> {
    const next = await nextVersions(this.#files, this.layout, state, restart);
    return planCommit({ layout: this.layout, state, roots, pool, now: this.now(), lives: this.#expiry, next }, change);
  }

  async #write({ files }: Commit): Promise<void> {
    for (const [path, bytes] of files) await writeAtomically(this.#files, path, bytes);
  }

  async #foundRoot(signers: SignersAtHand): Promise<void> {
    const { root, targets, snapshot, timestamp } = signers;
    if (root === undefined || targets === undefined || snapshot === undefined || timestamp === undefined) {
      throw new UpdateError('key_unreadable', 'a repository can only be founded with the keys of all four roles');
    }
    const keys = { root, targets, snapshot, timestamp };
    const metadata = makeRoot(1, expiryAt(this.now(), this.#expiry.root), keys);
    await signWith(metadata, root);
    await writeAtomically(this.#files, this.layout.root(1), encodeMetadata(metadata));
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
  /** At most once. */
  commit(change: RepositoryChange): Promise<Commit>;
}

function signersOf(root: Metadata<Root>, role: RoleName, pool: readonly Signer[]): Signer[] {
  return pool.filter(({ keyId }) => root.signed.roles[role]?.keyIDs.includes(keyId));
}

/** Clients forget versions only that keys have vouched for which are trusted no more (specification, 5.3.11). */
function requireReplaced(before: Metadata<Root> | undefined, root: Metadata<Root>): void {
  const replaced = before === undefined ? [] : rolesReplaced(before, root);
  if (replaced.includes('snapshot') && replaced.includes('timestamp')) return;
  const text =
    'versions can only begin anew where both the snapshot and the timestamp role have other keys than before';
  throw new UpdateError('usage_invalid', text);
}
