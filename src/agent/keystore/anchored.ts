/**
 * A keystore whose content is in two files and whose truth is in hardware: the hardware holds the digest of the one
 * record that counts, so a file system restored from a backup is noticed, and so is one that somebody wrote.
 *
 * A change is written into the copy that does not count, then the hardware is told, then the other copy follows: at any
 * moment one of the copies has the digest. The root is kept with all roots back to the first one, whose digest the
 * hardware has locked.
 * @module
 */
import { digestOf, toHex } from '../../../native-free/hash.ts';
import type { HashFactory } from '../../../native-free/io.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { KeystoreHardware } from './hardware.ts';
import { checkCounters, highest, KEYSTORE_CODES, type Keystore } from './keystore.ts';
import { isDamage, loadRecord, storeRecord, twoCopies, type RecordFile, type RecordPlace } from '../records/record.ts';
import { verifyRootChain } from '../tuf/root-chain.ts';

interface Content {
  /** Base64; the pinned one first, the trusted one last. */
  readonly roots: readonly string[];
  readonly counters: Readonly<Record<string, number>>;
}

export interface AnchoredKeystoreOptions extends RecordFile {
  readonly hardware: KeystoreHardware;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

export class AnchoredKeystore implements Keystore {
  readonly #places: readonly RecordPlace[];
  readonly #hash: HashFactory;
  readonly #hardware: KeystoreHardware;
  /** Read and verified by this process, with the number of the copy that counts. */
  #known: { readonly content: Content; readonly copy: number } | null = null;

  constructor({ fs, hash, path, hardware }: AnchoredKeystoreOptions) {
    this.#places = twoCopies({ fs, hash, path, kind: 'anchored', version: 1, codes: KEYSTORE_CODES });
    this.#hash = hash;
    this.#hardware = hardware;
  }

  get stepMax(): number | undefined {
    return this.#hardware.stepMax;
  }

  async trustedRoot(): Promise<Uint8Array | null> {
    const { content } = await this.#read();
    return new Uint8Array(Buffer.from(content.roots.at(-1)!, 'base64'));
  }

  async setTrustedRoot(bytes: Uint8Array): Promise<void> {
    const { content } = await this.#read();
    const root = base64(bytes);
    if (content.roots.at(-1) === root) return;
    const roots = [...content.roots, root];
    await this.#verify(roots);
    await this.#write({ ...content, roots });
  }

  async counter(name: string): Promise<number> {
    return (await this.counters())[name] ?? 0;
  }

  async counters(): Promise<Readonly<Record<string, number>>> {
    const { content } = await this.#read();
    return highest(content.counters, await this.#hardware.counters());
  }

  async raise(values: Readonly<Record<string, number>>): Promise<void> {
    checkCounters(values);
    const { content } = await this.#read();
    const own = await this.#hardware.counters();
    const counters = highest(content.counters, values);
    const changed = Object.entries(counters).some(([name, value]) => content.counters[name] !== value);
    if (changed) await this.#write({ ...content, counters });
    // A power cut may have come between the record and the hardware's own counter.
    else if (Object.entries(own).some(([name, value]) => value < (counters[name] ?? 0))) {
      await this.#hardware.commit(this.#digest(content), counters);
    }
  }

  /**
   * At the factory: `root` is trusted and its digest locked. Counters are those of an earlier keystore. Done again with
   * the same root it changes nothing. Throws `keystore_failed` when another root is pinned, and when it was done and the
   * record is lost: a script that provisions at every boot must not believe a data partition that was restored.
   */
  async provision(root: Uint8Array, counters: Readonly<Record<string, number>>): Promise<'done' | 'was done'> {
    const wanted = toHex(digestOf(this.#hash, root));
    const pin = await this.#hardware.pin();
    if (pin !== null && pin !== wanted) {
      throw this.#error(`it is pinned to a root with SHA-256 ${pin}, not ${wanted}: a pin is for ever`);
    }
    const anchor = pin === null ? null : await this.#hardware.anchor();
    if (anchor !== null) {
      if ((await this.#copyWith(anchor)) === null) throw this.#replaced();
      return 'was done';
    }
    await this.#begin({ roots: [base64(root)], counters }, async (digest) => {
      if (pin === null) await this.#hardware.provision(wanted, counters);
      await this.#hardware.commit(digest, counters);
    });
    return 'done';
  }

  /**
   * The record is lost or was replaced, and a person has decided to go on: `root` has to be the pinned one, counters are
   * those that the hardware kept. What only the record knew (versions of metadata, later roots) is learnt again.
   */
  async recover(root: Uint8Array): Promise<void> {
    verifyRootChain([root], (await this.#hardware.pin()) ?? '', this.#hash);
    const counters = await this.#hardware.counters();
    await this.#begin({ roots: [base64(root)], counters }, (digest) => this.#hardware.commit(digest, counters));
  }

  /** Both copies, then the hardware: cut off before it, the record does not count and this is done again. */
  async #begin(content: Content, tell: (digest: string) => Promise<void>): Promise<void> {
    this.#known = null;
    for (const place of this.#places) await storeRecord(place, content);
    await tell(this.#digest(content));
  }

  async #read(): Promise<{ content: Content; copy: number }> {
    if (this.#known !== null) return this.#known;
    const anchor = await this.#hardware.anchor();
    if (anchor === null || (await this.#hardware.pin()) === null) {
      throw this.#error("it was not set up for this device: run 'engraft-agent keystore provision' once");
    }
    const found = await this.#copyWith(anchor);
    if (found === null) throw this.#replaced();
    await this.#verify(found.content.roots);
    return (this.#known = found);
  }

  async #copyWith(anchor: string): Promise<{ content: Content; copy: number } | null> {
    for (const [copy, place] of this.#places.entries()) {
      // A damaged copy is no copy: the other one may be whole.
      const content = (await loadRecord(place).catch((error: unknown) => {
        if (isDamage(error)) return null;
        throw error;
      })) as Content | null;
      if (content !== null && this.#digest(content) === anchor) return { content, copy };
    }
    return null;
  }

  async #write(content: Content): Promise<void> {
    const { copy } = await this.#read();
    const other = 1 - copy;
    this.#known = null;
    await storeRecord(this.#places[other]!, content);
    await this.#hardware.commit(this.#digest(content), content.counters);
    await storeRecord(this.#places[copy]!, content);
    this.#known = { content, copy: other };
  }

  async #verify(roots: readonly string[]): Promise<void> {
    const bytes = roots.slice(0, LIMITS.root_chain_max + 1).map((root) => new Uint8Array(Buffer.from(root, 'base64')));
    verifyRootChain(bytes, (await this.#hardware.pin()) ?? '', this.#hash);
  }

  #digest({ roots, counters }: Content): string {
    const sorted = Object.entries(counters).sort(([a], [b]) => (a < b ? -1 : 1));
    return toHex(digestOf(this.#hash, new TextEncoder().encode(JSON.stringify([roots, sorted]))));
  }

  #replaced(): UpdateError {
    return this.#error(
      `the records in ${this.#places[0]!.path} are not those that it vouches for: the data partition was lost, ` +
        "restored from a backup or changed; see docs/keystores.md before you run 'engraft-agent keystore recover'",
    );
  }

  #error(what: string): UpdateError {
    return new UpdateError('keystore_failed', `keystore with ${this.#hardware.name}: ${what}`);
  }
}
