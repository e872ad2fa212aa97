/**
 * The keystore in two files with the same content.
 *
 * Two, because a counter must not fall back to 0 when one file is damaged: reading takes the higher of what is whole,
 * and when files exist but none is whole, everything stops with `keystore_failed`. A file cannot resist someone who
 * restores a backup of it; a TPM can, behind the same interface.
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import { UpdateError } from '../../../native-free/status.ts';
import { checkCounters, highest, KEYSTORE_CODES, type Keystore } from './keystore.ts';
import { isDamage, loadRecord, storeRecord, twoCopies, type RecordFile, type RecordPlace } from '../records/record.ts';

interface KeystoreBody {
  /** Base64 of the root metadata. */
  root: string | null;
  counters: Record<string, number>;
}

export class FileKeystore implements Keystore {
  readonly #places: readonly RecordPlace[];

  constructor({ fs, hash, path }: RecordFile) {
    this.#places = twoCopies({ fs, hash, path, kind: 'keystore', version: 1, codes: KEYSTORE_CODES });
  }

  async trustedRoot(): Promise<Uint8Array | null> {
    const { root } = await this.#read();
    return root === null ? null : new Uint8Array(Buffer.from(root, 'base64'));
  }

  async setTrustedRoot(bytes: Uint8Array): Promise<void> {
    const { counters } = await this.#read();
    await this.#write({ root: Buffer.from(bytes).toString('base64'), counters });
  }

  async counter(name: string): Promise<number> {
    return (await this.#read()).counters[name] ?? 0;
  }

  async counters(): Promise<Readonly<Record<string, number>>> {
    return (await this.#read()).counters;
  }

  async raise(values: Readonly<Record<string, number>>): Promise<void> {
    checkCounters(values);
    const { even, root, counters: before } = await this.#read();
    const risen = Object.entries(values).filter(([name, value]) => value > (before[name] ?? 0));
    // A process that died between the two copies left a value in one of them: that is not kept yet.
    if (even && risen.length === 0) return;
    await this.#write({ root, counters: highest(before, Object.fromEntries(risen)) });
  }

  /** What the copies hold together; `even` when they hold the same, or there is none. */
  async #read(): Promise<KeystoreBody & { readonly even: boolean }> {
    const whole: KeystoreBody[] = [];
    let failure: unknown = null;
    for (const place of this.#places) {
      try {
        const value = (await loadRecord(place)) as KeystoreBody | null;
        if (value !== null) whole.push(value);
      } catch (error) {
        failure = error;
      }
    }
    if (whole.length === 0) {
      if (failure === null) return { root: null, counters: {}, even: true };
      // What the storage says of it passes; damage does not, and is no longer a matter of one record.
      const known = UpdateError.from(failure, 'keystore_failed');
      if (!isDamage(failure)) throw known;
      const message = `no copy of the keystore can be read: ${known.message}`;
      throw new UpdateError('keystore_failed', message, { detail: known.detail, cause: known });
    }
    const counters = whole.map((body) => body.counters).reduce(highest);
    const even = whole.length === this.#places.length && whole.every((body) => isDeepStrictEqual(body, whole[0]));
    return { root: whole[0]!.root, counters, even };
  }

  /** The first copy is written first and read first, so what a caller was told is kept stays readable. */
  async #write(body: KeystoreBody): Promise<void> {
    for (const place of this.#places) await storeRecord(place, body);
  }
}
