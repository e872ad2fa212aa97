/**
 * Bytes for vectors: numbers that are the same on every machine, text, and words put where they belong.
 * @module
 */
import { concat } from '../../native-free/format/bytes.ts';

/** A seeded generator (xorshift) of integers below `most`. */
export function dice(seed: number): (most: number) => number {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
  return (most) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % most;
  };
}

export function noise(length: number, seed: number): Uint8Array {
  const next = dice(seed);
  return Uint8Array.from({ length }, () => next(256));
}

const WORDS = 'slot patch source target cover segment chunk boot image device update a the of and in is to'.split(' ');

/** Text of so many bytes. */
export function prose(length: number, seed: number): Uint8Array {
  const next = dice(seed);
  let said = '';
  while (said.length < length) said += WORDS[next(WORDS.length)]! + (next(9) === 0 ? '.\n' : ' ');
  return text(said.slice(0, length));
}

export function text(said: string): Uint8Array {
  return Uint8Array.from(said, (char) => char.charCodeAt(0));
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return concat(parts);
}

export function repeated(bytes: Uint8Array, times: number): Uint8Array {
  return join(...Array.from({ length: times }, () => bytes));
}

/** Puts a number of `length` bytes at `at`. */
export function put(bytes: Uint8Array, at: number, value: number, length = 4, bigEndian = false): void {
  for (let i = 0; i < length; i++) bytes[at + i] = value >>> (8 * (bigEndian ? length - 1 - i : i));
}
