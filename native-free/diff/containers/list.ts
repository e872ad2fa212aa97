/**
 * Looks for containers of all kinds, in one pass over the bytes.
 *
 * Two bytes tell which finders are asked, so a byte costs two looks at small tables. Any may lie: attempts that fail share an
 * effort that grows with the bytes, one for each kind, lest lies of one kind hide what there is of others.
 * @module
 */
import type { Container, ContainerFinder } from './container.ts';
import { archives } from './archives/list.ts';
import { erofs } from './erofs/erofs.ts';
import { squashfs } from './squashfs/squashfs.ts';
import { Effort } from './streams/effort.ts';
import { streams, type Beginning } from './streams/list.ts';
import type { StreamFinder } from './streams/stream.ts';

interface Start {
  readonly finder: ContainerFinder | StreamFinder;
  /** Where in a container the two bytes stand that are looked for. */
  readonly magicAt: number;
  readonly begins: Beginning;
  /** What tells it apart, where finders do not count their steps themselves: then an attempt counts only with it. */
  readonly magic?: readonly number[];
  /** What an attempt of such a finder costs: a share of the bytes that it may read, or so many steps. */
  readonly share?: number;
}

const FILE_SYSTEM_SHARE = 16;
const ARCHIVE_STEPS = 1024;

/** A container whose magic begins at `magicAt`. */
function marked(finder: ContainerFinder, magicAt: number, magic: readonly number[], share?: number): Start {
  return {
    finder,
    magicAt,
    magic,
    ...(share === undefined ? {} : { share }),
    begins: [magic[0]!, magic[1]!],
  };
}

/** The first of those that begin at the same place wins. */
const STARTS: readonly Start[] = [
  marked(squashfs, 0, [0x68, 0x73, 0x71, 0x73], FILE_SYSTEM_SHARE),
  marked(erofs, 1024, [0xe2, 0xe1, 0xf5, 0xe0], FILE_SYSTEM_SHARE),
  ...archives.flatMap((finder) =>
    finder.signature === undefined ? [] : [marked(finder, finder.signature.at, finder.signature.bytes)],
  ),
  ...streams.map((start) => ({ ...start, magicAt: 0 })),
];

/** What is not known by a few bytes, and asked only where the searched bytes begin. */
const FIRST = archives.filter(({ onlyFirst }) => onlyFirst === true);

/**
 * By the first byte and by the second: which of STARTS they may mark, as bits. Two small tables stay in the cache where
 * one of all pairs does not; what both of them let through is looked at closer.
 */
const FIRSTS = new Uint32Array(256);
const SECONDS = new Uint32Array(256);
STARTS.forEach(({ begins }, i) => {
  for (const [first, second] of typeof begins === 'function' ? pairsOf(begins) : [begins]) {
    FIRSTS[first]! |= 1 << i;
    SECONDS[second]! |= 1 << i;
  }
});

function* pairsOf(begins: (first: number, second: number) => boolean): Generator<readonly [number, number]> {
  for (let pair = 0; pair < 2 ** 16; pair++) if (begins(pair & 255, pair >> 8)) yield [pair & 255, pair >> 8];
}

/** In order, never overlapping. */
export function findContainers(bytes: Uint8Array): Container[] {
  return new Search(bytes).found();
}

class Search {
  readonly #bytes: Uint8Array;
  readonly #efforts: readonly Effort[];
  readonly #within = new Map<ContainerFinder, (offset: number) => Container | null>();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#efforts = STARTS.map(() => new Effort(bytes.length));
  }

  found(): Container[] {
    const bytes = this.#bytes;
    const containers: Container[] = [];
    /** Where the last container ended. */
    let from = 0;
    for (const finder of FIRST) {
      const container = from === 0 ? finder.at(bytes, 0) : null;
      if (container === null) continue;
      containers.push(container);
      from = container.bytes;
    }
    for (let at = from; at + 1 < bytes.length; at++) {
      const bits = FIRSTS[bytes[at]!]! & SECONDS[bytes[at + 1]!]!;
      if (bits === 0) continue;
      const container = this.#at(at, from, bits);
      if (container === null) continue;
      containers.push(container);
      from = container.offset + container.bytes;
      at = from - 1;
    }
    return containers;
  }

  #at(at: number, from: number, bits: number): Container | null {
    for (let i = 0, rest = bits; rest !== 0; i++, rest >>= 1) {
      if ((rest & 1) === 0) continue;
      const start = STARTS[i]!;
      const { begins } = start;
      if (typeof begins === 'function' && !begins(this.#bytes[at]!, this.#bytes[at + 1]!)) continue;
      const offset = at - start.magicAt;
      const container = offset < from ? null : this.#attempt(start, offset, this.#efforts[i]!);
      if (container !== null) return container;
    }
    return null;
  }

  #attempt({ finder, magic, magicAt, share }: Start, offset: number, effort: Effort): Container | null {
    const bytes = this.#bytes;
    if (magic === undefined) return finder.at(bytes, offset, effort);
    if (effort.left <= 0 || magic.some((byte, i) => bytes[offset + magicAt + i] !== byte)) return null;
    const container = this.#ask(finder as ContainerFinder, offset);
    if (container === null) effort.spend(share === undefined ? ARCHIVE_STEPS : (bytes.length - offset) / share);
    return container;
  }

  #ask(finder: ContainerFinder, offset: number): Container | null {
    if (finder.within === undefined) return finder.at(this.#bytes, offset);
    let within = this.#within.get(finder);
    if (within === undefined) this.#within.set(finder, (within = finder.within(this.#bytes)));
    return within(offset);
  }
}
