/**
 * Small images with known covers, for tests of the format and the patcher.
 *
 * The target is made from the source by moves, edits and insertions, so the covers are exact without a matcher.
 */
import { readFileSync } from 'node:fs';
import { coverListOf, type Cover, type CoverList } from '../../native-free/format/cover.ts';
import { assembleDelta, assembleFull } from '../../native-free/diff/write/assemble.ts';
import { encodeCovered } from '../../native-free/diff/write/encode-segment.ts';
import { sha256Node, sha256Of as sha256 } from '../../src/platform/hash.ts';

export { sha256Hex, sha256Node, sha256Of as sha256 } from '../../src/platform/hash.ts';

/** A small, seeded generator (mulberry32): the same numbers on every machine. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Bytes without any structure (xorshift). */
export function noise(length: number, seed: number): Uint8Array {
  let x = seed;
  return Uint8Array.from({ length }, () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return Math.imul(x, 0x9e3779b1) >>> 24;
  });
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** The pair of images that is in the repository. */
export const watcher = (side: 'source' | 'target'): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../corpus/small/watcher-arm64/${side}`, import.meta.url)));

/** Bytes that look a little like code: words from a small vocabulary with varying low bits. */
export function imageBytes(length: number, seed: number): Uint8Array {
  const next = random(seed);
  const words = Array.from({ length: 64 }, () => Math.floor(next() * 2 ** 32));
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i += 4) {
    const word = words[Math.floor(next() * words.length)]! ^ Math.floor(next() * 256);
    for (let j = 0; j < 4 && i + j < length; j++) bytes[i + j] = word >>> (8 * j);
  }
  return bytes;
}

export interface Pair {
  readonly source: Uint8Array;
  readonly target: Uint8Array;
  readonly covers: CoverList;
}

/** A pair with blocks in another order, changed words in them, and new bytes between. */
export function editedPair(blocks: number, blockBytes: number, seed: number): Pair {
  const next = random(seed);
  const source = imageBytes(blocks * blockBytes, seed + 1);
  const parts: Uint8Array[] = [];
  const covers: Cover[] = [];
  let at = 0;
  for (let i = 0; i < blocks; i++) {
    const sourceOffset = ((i * 7) % blocks) * blockBytes;
    const block = source.slice(sourceOffset, sourceOffset + blockBytes);
    for (let edit = 0; edit < blockBytes / 1024; edit++) block[Math.floor(next() * blockBytes)]! += 16;
    covers.push({ sourceOffset, targetOffset: at, length: blockBytes });
    const extra = imageBytes(Math.floor(next() * 12), seed + i + 2);
    parts.push(block, extra);
    at += blockBytes + extra.length;
  }
  const target = new Uint8Array(at);
  at = 0;
  for (const part of parts) {
    target.set(part, at);
    at += part.length;
  }
  return { source, target, covers: coverListOf(covers) };
}

/** Small model tables: tests apply payloads thousands of times. */
export const TEST_SIZES = { flagBits: 12, byteBits: 14 };

/** A delta payload of a pair with known covers. */
export function deltaPayload(pair: Pair, segmentBytes: number): Uint8Array {
  const { source, target } = pair;
  const ranges = rangesOf(target.length, segmentBytes);
  return assembleDelta({
    sourceBytes: source.length,
    sourceDigest: sha256(source),
    targetBytes: target.length,
    targetDigest: sha256(target),
    segmentBytes,
    ...encodeCovered(pair, segmentBytes, TEST_SIZES),
    segmentDigests: ranges.map(([start, end]) => sha256(target.subarray(start, end))),
    hash: sha256Node,
  });
}

/** A full payload whose segments are `encode`d, or stored without it. */
export function fullPayload(
  target: Uint8Array,
  segmentBytes: number,
  encode: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
): Uint8Array {
  const ranges = rangesOf(target.length, segmentBytes);
  return assembleFull({
    targetBytes: target.length,
    targetDigest: sha256(target),
    segmentBytes,
    segments: ranges.map(([start, end]) => {
      const encoded = encode(target.subarray(start, end));
      return encoded.length < end - start ? encoded : target.slice(start, end);
    }),
    segmentDigests: ranges.map(([start, end]) => sha256(target.subarray(start, end))),
    hash: sha256Node,
  });
}

function rangesOf(length: number, step: number): [number, number][] {
  const ranges: [number, number][] = [];
  for (let start = 0; start < length; start += step) ranges.push([start, Math.min(length, start + step)]);
  return ranges;
}
