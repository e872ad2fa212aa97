/**
 * Lengths and digests of files that signed metadata names: SHA-256 and SHA-512.
 *
 * Every known digest has to agree. Algorithms that are not known here are passed over, but a file of which no digest is
 * known is not accepted.
 * @module
 */
import { createHash } from 'node:crypto';
import { UpdateError } from '../../../native-free/status.ts';
import type { Hashes, MetaFile } from './metadata.ts';

const KNOWN = ['sha256', 'sha512'] as const;

const mismatch = (message: string): UpdateError => new UpdateError('metadata_mismatch', message);

/** Digests a file as it comes. */
export class FileCheck {
  readonly #what: string;
  readonly #expected: readonly (readonly [string, string])[];
  readonly #states: readonly ReturnType<typeof createHash>[];
  readonly #length: number;
  #count = 0;

  /** Throws `metadata_mismatch` when no digest is of a known kind. */
  constructor(hashes: Hashes, length: number, what: string) {
    this.#what = what;
    this.#length = length;
    this.#expected = [...hashes].filter(([name]) => KNOWN.some((known) => known === name));
    if (this.#expected.length === 0) {
      throw mismatch(`${what} has no digest of a known kind (${[...hashes.keys()].join(', ').slice(0, 100)})`);
    }
    this.#states = this.#expected.map(([name]) => createHash(name));
  }

  /** Throws `metadata_mismatch` as soon as there is more than there should be. */
  update(bytes: Uint8Array): void {
    this.#count += bytes.length;
    if (this.#count > this.#length) throw mismatch(`${this.#what} has more than the ${this.#length} bytes it should have`); // prettier-ignore
    for (const state of this.#states) state.update(bytes);
  }

  /** Throws `metadata_mismatch`. */
  end(): void {
    if (this.#count !== this.#length) {
      throw mismatch(`${this.#what} has ${this.#count} bytes; ${this.#length} are signed`);
    }
    this.#expected.forEach(([name, digest], i) => {
      const found = this.#states[i]!.digest('hex');
      if (found !== digest) throw mismatch(`${this.#what} has the ${name} ${found}; ${digest} is signed`);
    });
  }
}

/** A metadata file against what the document before it says of it; length and digests are optional there. */
export function checkMetaFile({ length, hashes }: MetaFile, bytes: Uint8Array, what: string): void {
  if (length !== null && bytes.length !== length) {
    throw mismatch(`${what} has ${bytes.length} bytes; ${length} are signed`);
  }
  if (hashes === null) return;
  const check = new FileCheck(hashes, bytes.length, what);
  check.update(bytes);
  check.end();
}
