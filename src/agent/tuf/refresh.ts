/**
 * Timestamp, snapshot and targets (specification, 5.4 to 5.6): each is verified, then its version is raised in the
 * keystore, then it is written, and only then does the next one count. What was seen stays seen when the rest fails.
 * @module
 */
import type { HashFactory } from '../../../native-free/io.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { Clock } from '../../platform/clock.ts';
import { checkMetaFile } from './digests.ts';
import { fetchNamed, fetchTimestamp } from './fetch.ts';
import { Floors, refuseRollback } from './floors.ts';
import { requireSigners, signersOf } from './keys.ts';
import {
  parseMetadata,
  type Document,
  type Keys,
  type MetaFile,
  type Role,
  type Root,
  type Signed,
  type Snapshot,
  type Targets,
  type Timestamp,
  type TopLevel,
} from './metadata.ts';
import { updateRoot, type RootParts } from './root.ts';
import { MetadataStore } from './store.ts';

export interface RefreshOptions extends Omit<RootParts, 'store' | 'floors'> {
  readonly hash: HashFactory;
  readonly clock: Clock;
  /** Where accepted metadata are kept. */
  readonly folder: string;
}

/** Everything that was verified in one refresh, and the means to verify delegated roles in the same way. */
export interface Verified {
  readonly root: Root;
  readonly snapshot: Snapshot;
  readonly targets: Document<Targets>;
  /**
   * A targets role as its delegator says who may sign it: stored or fetched, kept. Throws `metadata_mismatch` when the
   * snapshot does not list it.
   */
  load(name: string, delegator: Delegator): Promise<Document<Targets>>;
}

/** Who delegates, for messages, and to whom. */
export interface Delegator {
  readonly what: string;
  readonly role: Role;
  readonly keys: Keys;
}

interface SignedBy<S> {
  readonly document: Document<S>;
  readonly signers: readonly string[];
}

class Refresh {
  readonly #options: RefreshOptions;
  readonly #store: MetadataStore;
  readonly #floors: Floors;
  readonly #root: Root;
  /** When it began: all expiries are judged by one time (5.1). */
  readonly #nowMs: number;

  constructor(options: RefreshOptions, store: MetadataStore, floors: Floors, root: Root, nowMs: number) {
    this.#options = options;
    this.#store = store;
    this.#floors = floors;
    this.#root = root;
    this.#nowMs = nowMs;
  }

  async timestamp(rootBytes: Uint8Array): Promise<SignedBy<Timestamp>> {
    const stored = await this.#stored('timestamp');
    const bytes = await fetchTimestamp(this.#options.source);
    const document = parseMetadata('timestamp', bytes, 'timestamp.json');
    const signers = this.#signers('timestamp', document);
    const { version, snapshot } = document.signed;
    const before = stored?.document.signed;
    refuseRollback('timestamp metadata', version, Math.max(this.#floors.timestamp(this.#root), before?.version ?? 0));
    // The same version is the same timestamp, whatever it says now (5.4.3.1).
    if (stored !== null && before?.version === version) {
      requireFresh(stored.document, this.#nowMs);
      await this.#floors.raiseTimestamp(version, stored.signers);
      return stored;
    }
    const seen = Math.max(this.#floors.pair('snapshot', this.#root), before?.snapshot.version ?? 0);
    refuseRollback('the snapshot that timestamp.json names', snapshot.version, seen);
    requireFresh(document, this.#nowMs);
    // The first thing that is signed by this root's keys: from here on no other file is taken for the first root.
    const { keystore } = this.#options;
    if ((await keystore.trustedRoot()) === null) await keystore.setTrustedRoot(rootBytes);
    await this.#floors.raiseRoot(this.#root.version);
    await this.#floors.raiseTimestamp(version, signers);
    await this.#store.save('timestamp', bytes);
    return { document, signers };
  }

  async snapshot(timestamp: SignedBy<Timestamp>): Promise<SignedBy<Snapshot>> {
    const meta = timestamp.document.signed.snapshot;
    const stored = await this.#stored('snapshot');
    if (stored !== null && isNamed(meta, stored.document)) {
      requireFresh(stored.document, this.#nowMs);
      await this.#floors.raisePair('snapshot', meta.version, timestamp.signers, stored.signers);
      return stored;
    }
    const bytes = await fetchNamed(this.#options.source, 'snapshot', meta, this.#root.consistentSnapshot);
    checkMetaFile(meta, bytes, 'snapshot.json');
    const document = parseMetadata('snapshot', bytes, 'snapshot.json');
    const signers = this.#signers('snapshot', document);
    requireVersion(document, meta, 'timestamp.json');
    this.#refuseSnapshotRollback(document.signed, stored?.document.signed ?? null);
    requireFresh(document, this.#nowMs);
    await this.#floors.raisePair('snapshot', meta.version, timestamp.signers, signers);
    await this.#store.save('snapshot', bytes);
    return { document, signers };
  }

  /** 5.5.5: no targets role may fall back or vanish. */
  #refuseSnapshotRollback({ version, meta }: Snapshot, before: Snapshot | null): void {
    refuseRollback('snapshot metadata', version, this.#floors.pair('snapshot', this.#root));
    const targets = meta.get('targets.json')?.version ?? 0;
    refuseRollback('the targets that snapshot.json names', targets, this.#floors.pair('targets', this.#root));
    for (const [name, { version: seen }] of before?.meta ?? []) {
      const now = meta.get(name);
      if (now !== undefined) refuseRollback(`the ${name} that snapshot.json names`, now.version, seen);
      else throw new UpdateError('metadata_rollback', `snapshot.json no longer names ${name}, which was seen before`);
    }
  }

  async targets(timestamp: SignedBy<Timestamp>, snapshot: SignedBy<Snapshot>): Promise<Document<Targets>> {
    const { roles, keys, version } = this.#root;
    const delegator = { what: `root version ${version}`, role: roles.targets, keys };
    const named = snapshot.document.signed;
    const { version: now } = metaOf(named, 'targets');
    return this.load(named, 'targets', delegator, () =>
      this.#floors.raisePair('targets', now, timestamp.signers, snapshot.signers),
    );
  }

  /** `accept` makes its version durable, before the file is written. */
  async load(
    snapshot: Snapshot,
    name: string,
    { what, role, keys }: Delegator,
    accept: () => Promise<void> = () => Promise.resolve(),
  ): Promise<Document<Targets>> {
    const meta = metaOf(snapshot, name);
    const stored = this.#parsed('targets', await this.#store.load(name), `the stored ${name}.json`);
    // Kept from an earlier delegator, or an earlier time: who may sign it is asked anew each time.
    if (stored !== null && isNamed(meta, stored) && signersOf(stored, role, keys).length >= role.threshold) {
      requireFresh(stored, this.#nowMs);
      await accept();
      return stored;
    }
    const bytes = await fetchNamed(this.#options.source, name, meta, this.#root.consistentSnapshot);
    checkMetaFile(meta, bytes, `${name}.json`);
    const document = parseMetadata('targets', bytes, `${name}.json`);
    requireSigners(document, role, keys, what);
    requireVersion(document, meta, 'snapshot.json');
    requireFresh(document, this.#nowMs);
    await accept();
    await this.#store.save(name, bytes);
    return document;
  }

  #signers(name: Exclude<TopLevel, 'root'>, document: Document<Signed>): string[] {
    return requireSigners(document, this.#root.roles[name], this.#root.keys, `root version ${this.#root.version}`);
  }

  /** Null when there is none that the present root's keys have signed. */
  async #stored<K extends 'timestamp' | 'snapshot'>(
    name: K,
  ): Promise<SignedBy<K extends 'timestamp' ? Timestamp : Snapshot> | null> {
    const document = this.#parsed(name, await this.#store.load(name), `the stored ${name}.json`);
    if (document === null) return null;
    const signers = signersOf(document, this.#root.roles[name], this.#root.keys);
    if (signers.length < this.#root.roles[name].threshold) return null;
    return { document: document as Document<never>, signers };
  }

  #parsed<K extends TopLevel>(type: K, bytes: Uint8Array | null, what: string) {
    if (bytes === null) return null;
    try {
      return parseMetadata(type, bytes, what);
    } catch {
      // A stored file that is damaged is as good as none: it is fetched again and checked against the counters.
      return null;
    }
  }
}

/** Is this stored document the one that `meta` names? */
function isNamed(meta: MetaFile, { signed, bytes, what }: Document<Signed>): boolean {
  if (signed.version !== meta.version) return false;
  try {
    checkMetaFile(meta, bytes, what);
    return true;
  } catch {
    return false;
  }
}

function metaOf({ meta }: Snapshot, name: string): MetaFile {
  const found = meta.get(`${name}.json`);
  if (found !== undefined) return found;
  throw new UpdateError('metadata_mismatch', `snapshot.json does not name ${name}.json, which is delegated to`);
}

function requireVersion({ signed, what }: Document<Signed>, { version }: MetaFile, by: string): void {
  if (signed.version === version) return;
  throw new UpdateError('metadata_mismatch', `${what} came; ${by} names version ${version}`);
}

function requireFresh({ signed, what }: Document<Signed>, nowMs: number): void {
  if (nowMs < signed.expiresMs) return;
  const expired = new Date(signed.expiresMs).toISOString();
  throw new UpdateError('metadata_expired', `${what} expired at ${expired}; the clock says ${new Date(nowMs).toISOString()}`); // prettier-ignore
}

/** The whole refresh. Throws UpdateErrors of the 4000 family, `metadata_malformed`, those of the link and of storage. */
export async function refresh(options: RefreshOptions): Promise<Verified> {
  const nowMs = options.clock.now();
  const store = new MetadataStore(options);
  const floors = await Floors.load(options.keystore, options.hash);
  const root = await updateRoot({ ...options, store, floors });
  requireFresh(root, nowMs);
  const run = new Refresh(options, store, floors, root.signed, nowMs);
  const timestamp = await run.timestamp(root.bytes);
  const snapshot = await run.snapshot(timestamp);
  const targets = await run.targets(timestamp, snapshot);
  await floors.settle();
  return {
    root: root.signed,
    snapshot: snapshot.document.signed,
    targets,
    load: (name, delegator) => run.load(snapshot.document.signed, name, delegator),
  };
}
