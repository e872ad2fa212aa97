/**
 * For tests of the codecs of native-free/unpack: contents of many kinds, and the question they all ask, whether what was
 * unpacked comes back byte for byte.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { repositoryRoot } from '../../../corpus/manifest.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { TokenList, Unpacked, UnpackLimits } from '../../../native-free/unpack/tokens.ts';

export interface Codec<P> {
  readonly unpack: (packed: Uint8Array, limits: UnpackLimits) => Unpacked<P>;
  readonly pack: (content: Uint8Array, tokens: TokenList, params: P) => Uint8Array;
}

/** Numbers from a seed: the same on every run. */
export function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

const ROOT = repositoryRoot();
const read = (path: string): Uint8Array => readFileSync(join(ROOT, path));

/** Files as they are shipped: programs, texts, scripts. */
export const realFiles = (): ReadonlyMap<string, Uint8Array> =>
  new Map([
    ['an arm64 library', read('corpus/small/watcher-arm64/source')],
    ['its next version', read('corpus/small/watcher-arm64/target')],
    ['a bundle of scripts', read('node_modules/typescript/lib/typescript.js').subarray(0, 500_000)],
    ['a page of text', read('docs/format.md')],
  ]);

/** Contents that bring out what real files rarely have. */
export function oddContents(): ReadonlyMap<string, Uint8Array> {
  const roll = dice(11);
  const noise = (bytes: number, sides: number): Uint8Array => Uint8Array.from({ length: bytes }, () => roll(sides));
  // Frequencies like Fibonacci's make codes as long as they can be, and longer than they may be.
  const steep = Uint8Array.from({ length: 30_000 }, () => {
    let symbol = 0;
    while (symbol < 40 && roll(1000) < 380) symbol++;
    return symbol;
  });
  const far = noise(32_768 - 300, 256);
  return new Map([
    ['nothing', new Uint8Array(0)],
    ['one byte', Uint8Array.of(65)],
    ['one byte twice', Uint8Array.of(65, 65)],
    ['zeros', new Uint8Array(70_000)],
    ['noise', noise(40_000, 256)],
    ['noise of two symbols', noise(20_000, 2)],
    ['noise of twenty symbols', noise(30_000, 20)],
    ['every byte once', Uint8Array.from({ length: 256 }, (_, i) => i)],
    ['steep frequencies', steep],
    ['a repeat from 32 KiB before', Uint8Array.of(...far, ...far.subarray(0, 5000))],
    ['records', Uint8Array.from({ length: 50_000 }, (_, i) => (i % 24 < 20 ? i % 24 : roll(256)))],
  ]);
}

/** '' where a stream unpacks to its content and packs to itself, else what went wrong. */
export function faultOf<P>(codec: Codec<P>, packed: Uint8Array, content: Uint8Array): string {
  const unpacked = codec.unpack(packed, { contentBytesMax: content.length });
  if (Buffer.compare(unpacked.content, content) !== 0) return 'other content';
  if (unpacked.packedBytes !== packed.length) return `${unpacked.packedBytes} of ${packed.length} bytes used`;
  const { tokens } = unpacked;
  if (tokens.end !== content.length) return `tokens make ${tokens.end} of ${content.length} bytes`;
  return Buffer.compare(codec.pack(unpacked.content, tokens, unpacked.params), packed) === 0 ? '' : 'other bytes';
}

/** Counts streams that come back exactly, and remembers the first that do not. */
export class Tally {
  exact = 0;
  total = 0;
  readonly faults: string[] = [];

  add(name: string, fault: string): void {
    this.total++;
    if (fault === '') this.exact++;
    else if (this.faults.length < 5) this.faults.push(`${name}: ${fault}`);
  }

  /** All were exact, and none was left out. How many is said, since a compressor may not be installed. */
  expectAll(what: string, total: number): void {
    console.info(`${what}: ${this.exact} of ${this.total} streams exact`);
    expect(this.faults).toEqual([]);
    expect(`${this.exact} of ${this.total} exact`).toBe(`${total} of ${total} exact`);
  }
}

/** What a codec says to bad input: the message, or null where it takes it. Any other error than ours is thrown. */
export function refusalOf(act: () => unknown): string | null {
  try {
    act();
    return null;
  } catch (error) {
    if (!UpdateError.is(error)) throw error;
    expect(error.code).toBe('unit_malformed');
    return error.message;
  }
}

/** `packed` with a few bits changed, cut or drawn out. */
export function damaged(packed: Uint8Array, roll: (sides: number) => number): Uint8Array {
  const bytes = Uint8Array.from(packed);
  for (let flips = 1 + roll(3); flips > 0; flips--) bytes[roll(bytes.length)]! ^= 1 << roll(8);
  if (roll(4) > 0) return bytes;
  const at = roll(bytes.length);
  return roll(2) > 0 ? bytes.subarray(0, at) : Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(roll(at + 1)));
}
