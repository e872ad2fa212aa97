/**
 * The indexes of a compressed file: for each cluster of its content whether an extent begins there, and which one.
 *
 * They come in two forms: eight bytes a cluster, or packs of 2 clusters in 8 bytes and of 16 in 32, which have one
 * block's number each, and of the others only how many they are.
 * @module
 */
import type { Fields } from '../fields.ts';
import type { Budget } from './budget.ts';
import { LAYOUT, type Inode } from './inodes.ts';
import type { Superblock } from './superblock.ts';

export const HEAD = { plain: 0, first: 1, none: 2, second: 3 } as const;
const ADVICE = {
  hasSmallPacks: 0x1,
  big: 0x2 | 0x4,
  inlineTail: 0x8,
  interlaced: 0x10,
  fragment: 0x20,
} as const;

const HEADER_BYTES = 8;
/** The high bit of the header's eight bytes: all of the file is a fragment, and the rest is where. */
const ALL_FRAGMENT_BIT = 0x80;
const FULL_BYTES = 8;
const PARTIAL_BIT = 0x8000;
/** The cluster behind a head says how many blocks the extent has. */
const COUNT_BIT = 0x800;
const COMPACT_LOG_MIN = 12;
const COMPACT_LOG_MAX = 14;

/** An extent as the indexes tell it. */
export interface Head {
  /** Where in the file it begins. */
  readonly from: number;
  /** One of HEAD. */
  readonly type: number;
  readonly block: number;
  /** Its blocks have more content than this file takes of them. */
  readonly isPartial: boolean;
  /** How many blocks it has. */
  blocks: number;
}

export interface IndexMap {
  readonly heads: readonly Head[];
  /** Algorithms of heads of the two types. */
  readonly algorithms: readonly [number, number];
  readonly isInterlaced: boolean;
  /** The last extent lies here and not in blocks, or null. */
  readonly inlineTail: { readonly offset: number; readonly bytes: number } | null;
  /** Where among the fragments the last extent is, or null. */
  readonly fragmentAt: number | null;
}

interface Header {
  readonly at: number;
  readonly advice: number;
  readonly clusterLog: number;
}

/** @throws UpdateError unit_malformed */
export function readIndexMap(image: Fields, { blockLog }: Superblock, inode: Inode, budget: Budget): IndexMap {
  const at = Math.ceil(inode.end / HEADER_BYTES) * HEADER_BYTES;
  const clusterBits = image.u8(at + 7);
  if ((clusterBits & ALL_FRAGMENT_BIT) !== 0) {
    return allFragment((image.u32(at + 4) % 2 ** 31) * 2 ** 32 + image.u32(at));
  }
  const advice = image.u16(at + 4);
  const algorithm = image.u8(at + 6);
  const clusterLog = blockLog + (clusterBits & 7);
  const header = { at, advice, clusterLog };
  const count = Math.ceil(inode.bytes / 2 ** clusterLog);
  const isFull = inode.layout === LAYOUT.fullIndex;
  budget.spend(count);
  const { heads, end } = isFull ? readFull(image, header, count) : readCompact(image, header, count);
  // Where the content ends within a cluster, an extent of nothing may say so.
  while (heads.length > 0 && heads.at(-1)!.from >= inode.bytes) heads.pop();
  if (heads[0]?.from !== 0) image.fault('a file whose first cluster has no head');
  for (const head of heads) if (head.blocks === 0) head.blocks = 2 ** (clusterLog - blockLog);
  const hasFragment = (advice & ADVICE.fragment) !== 0;
  const high = isFull ? heads.at(-1)!.block * 2 ** 32 : 0;
  return {
    heads,
    algorithms: [algorithm & 15, algorithm >> 4],
    isInterlaced: (advice & ADVICE.interlaced) !== 0,
    inlineTail: (advice & ADVICE.inlineTail) !== 0 ? { offset: end, bytes: image.u16(at + 2) } : null,
    fragmentAt: hasFragment ? image.u32(at) + high : null,
  };
}

function allFragment(fragmentAt: number): IndexMap {
  const head = { from: 0, type: HEAD.plain, block: 0, isPartial: false, blocks: 0 };
  return { heads: [head], algorithms: [0, 0], isInterlaced: false, inlineTail: null, fragmentAt };
}

interface Indexes {
  readonly heads: Head[];
  /** Where they end. */
  readonly end: number;
}

function readFull(image: Fields, { at, advice, clusterLog }: Header, count: number): Indexes {
  const first = at + HEADER_BYTES + FULL_BYTES;
  image.need(first, count * FULL_BYTES);
  const heads: Head[] = [];
  let isBehindHead = false;
  for (let i = 0; i < count; i++) {
    const entry = first + i * FULL_BYTES;
    const flags = image.u16(entry);
    const type = flags & 3;
    if (type === HEAD.none) {
      const low = image.u16(entry + 4);
      if (isBehindHead && (advice & ADVICE.big) !== 0 && (low & COUNT_BIT) !== 0)
        heads.at(-1)!.blocks = low - COUNT_BIT;
    } else {
      const isPartial = (flags & PARTIAL_BIT) !== 0;
      const from = startOf(image, i, clusterLog, image.u16(entry + 2));
      heads.push({ from, type, block: image.u32(entry + 4), isPartial, blocks: 0 });
    }
    isBehindHead = type !== HEAD.none;
  }
  return { heads, end: first + count * FULL_BYTES };
}

function startOf(image: Fields, cluster: number, clusterLog: number, within: number): number {
  if (within >= 2 ** clusterLog) image.fault(`an extent at ${within} of a cluster`);
  return cluster * 2 ** clusterLog + within;
}

function readCompact(image: Fields, header: Header, count: number): Indexes {
  const { at, advice, clusterLog } = header;
  const first = at + HEADER_BYTES;
  if (clusterLog > COMPACT_LOG_MAX) image.fault(`clusters of 2^${clusterLog} bytes`);
  // Packs of 32 bytes begin at a multiple of that; what is before and behind them stands in packs of 8.
  const before = Math.min(count, ((32 - (first % 32)) % 32) / 4);
  const hasSmall = (advice & ADVICE.hasSmallPacks) !== 0 && clusterLog <= COMPACT_LOG_MIN;
  const small = hasSmall ? Math.floor((count - before) / 16) * 16 : 0;
  image.need(first, small * 2 + (count - small) * 4);
  const reader = new PackReader(image, header);
  let pack = first;
  for (let cluster = 0; cluster < count;) {
    const isSmall = cluster >= before && cluster < before + small;
    const [clusters, bytes] = isSmall ? [16, 32] : [2, 8];
    reader.pack(pack, bytes, cluster, Math.min(clusters, count - cluster));
    cluster += clusters;
    pack += bytes;
  }
  return { heads: reader.heads, end: pack };
}

class PackReader {
  readonly heads: Head[] = [];
  readonly #image: Fields;
  readonly #clusterLog: number;
  readonly #isBig: boolean;
  #isBehindHead = false;

  constructor(image: Fields, { advice, clusterLog }: Header) {
    this.#image = image;
    this.#clusterLog = clusterLog;
    this.#isBig = (advice & ADVICE.big) !== 0;
  }

  /** The pack's block is the one before its first extent; with extents of several blocks, it is where that begins. */
  pack(at: number, bytes: number, firstCluster: number, count: number): void {
    const image = this.#image;
    const numberBits = Math.max(this.#clusterLog, COMPACT_LOG_MIN);
    const [entryBits, heads] = [bytes === 8 ? 16 : 14, this.heads];
    let block = image.u32(at + bytes - 4) + (this.#isBig ? 0 : 1);
    const headsBefore = heads.length;
    for (let i = 0; i < count; i++) {
      const bit = i * entryBits;
      const entry = (image.u32(at + (bit >> 3)) >>> (bit & 7)) & (2 ** entryBits - 1);
      const number = entry & (2 ** numberBits - 1);
      const type = (entry >>> numberBits) & 3;
      const isCounted = heads.length > headsBefore && this.#isBehindHead;
      if (type !== HEAD.none) {
        if (isCounted) block += 1;
        const from = startOf(image, firstCluster + i, this.#clusterLog, number);
        heads.push({ from, type, block, isPartial: false, blocks: 0 });
      } else if (this.#isBehindHead && this.#isBig && (number & COUNT_BIT) !== 0) {
        block += number - COUNT_BIT;
        if (heads.length > 0) heads.at(-1)!.blocks = number - COUNT_BIT;
      } else if (isCounted) block += 1;
      this.#isBehindHead = type !== HEAD.none;
    }
  }
}
