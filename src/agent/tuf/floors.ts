/**
 * The versions below which metadata are a rollback, as counters of the keystore: restoring an older data partition does
 * not make an older repository acceptable.
 *
 * A version counts as long as what stood for it would still be believed. That a timestamp of version 9 was seen is kept
 * for each key that had signed it; that there was a snapshot of version 7 for each pair of a timestamp key and a snapshot
 * key, since both vouched for it, and so are the versions of targets that it named. When a compromised key has driven
 * versions up and is revoked, what it alone vouched for no longer counts, and the repository can begin at 1 again: the
 * recovery of the specification (5.3.11). A key that is added, or revoked beside others that have signed as well, takes
 * nothing back.
 * @module
 */
import { digestOf, toHex } from '../../../native-free/hash.ts';
import type { HashFactory } from '../../../native-free/io.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { Keystore } from '../keystore/keystore.ts';
import type { Role, Root } from './metadata.ts';

const ROOT_COUNTER = 'tuf.root';

type Values = Readonly<Record<string, number>>;

/** The `count`-th highest: so many have seen this version or a later one. */
const nthHighest = (values: readonly number[], count: number): number =>
  [...values].sort((a, b) => b - a)[count - 1] ?? 0;

export class Floors {
  readonly #keystore: Keystore;
  readonly #hash: HashFactory;
  #known: Values;
  /** All that this refresh has accepted. */
  readonly #accepted: Record<string, number> = {};

  private constructor(keystore: Keystore, hash: HashFactory, known: Values) {
    this.#keystore = keystore;
    this.#hash = hash;
    this.#known = known;
  }

  static async load(keystore: Keystore, hash: HashFactory): Promise<Floors> {
    return new Floors(keystore, hash, await keystore.counters());
  }

  get root(): number {
    return this.#value(ROOT_COUNTER);
  }

  timestamp({ roles }: Root): number {
    return nthHighest(
      roles.timestamp.keyIds.map((key) => this.#value(this.#timestampName(key))),
      roles.timestamp.threshold,
    );
  }

  /** Of the snapshot, or of the top-level targets that a snapshot names. */
  pair(what: 'snapshot' | 'targets', { roles }: Root): number {
    const seenBy = (snapshotKey: string): number =>
      nthHighest(
        roles.timestamp.keyIds.map((key) => this.#value(this.#pairName(what, key, snapshotKey))),
        roles.timestamp.threshold,
      );
    return nthHighest(roles.snapshot.keyIds.map(seenBy), roles.snapshot.threshold);
  }

  async raiseRoot(version: number): Promise<void> {
    await this.#raise({ [ROOT_COUNTER]: version });
  }

  /** Durable when it resolves. */
  async raiseTimestamp(version: number, signers: readonly string[]): Promise<void> {
    await this.#raise(Object.fromEntries(signers.map((key) => [this.#timestampName(key), version])));
  }

  /** Durable when it resolves. */
  async raisePair(
    what: 'snapshot' | 'targets',
    version: number,
    timestampSigners: readonly string[],
    snapshotSigners: readonly string[],
  ): Promise<void> {
    const names = timestampSigners.flatMap((key) => snapshotSigners.map((other) => this.#pairName(what, key, other)));
    await this.#raise(Object.fromEntries(names.map((name) => [name, version])));
  }

  /** What a keystore has in one copy only, since an earlier process died between the two, is made durable as well. */
  async settle(): Promise<void> {
    await this.#keystore.raise(this.#accepted);
  }

  /** A refresh that finds nothing new writes nothing. */
  async #raise(values: Values): Promise<void> {
    Object.assign(this.#accepted, values);
    if (Object.entries(values).every(([name, value]) => value <= this.#value(name))) return;
    await this.#keystore.raise(values);
    this.#known = { ...this.#known, ...values };
  }

  #value(name: string): number {
    return this.#known[name] ?? 0;
  }

  #timestampName(key: string): string {
    return `tuf.timestamp.${this.#tag(key)}`;
  }

  #pairName(what: 'snapshot' | 'targets', timestampKey: string, snapshotKey: string): string {
    return `tuf.${what}.${this.#tag(timestampKey)}.${this.#tag(snapshotKey)}`;
  }

  #tag(key: string): string {
    return toHex(digestOf(this.#hash, new TextEncoder().encode(key))).slice(0, 16);
  }
}

/** Throws `metadata_rollback`. `seen` is the version below which it is one. */
export function refuseRollback(what: string, version: number, seen: number): void {
  if (version >= seen) return;
  throw new UpdateError('metadata_rollback', `${what} is of version ${version}; ${seen} was seen before`, {
    detail: { what, version, seen },
  });
}

/** True when a key that could sign for the role before no longer can. */
export const isRevoked = (before: Role, now: Role): boolean => before.keyIds.some((key) => !now.keyIds.includes(key));
