/**
 * Finding covers in WebAssembly: what `referenceMatching` finds, about three times as fast. Source, suffix array and all
 * else that is searched lie in one memory that threads share, so that several may work on parts of a target at a time;
 * what is searched for is copied there, part by part.
 * @module
 */
import { emptyCoverList, setCover, type CoverList } from '../../native-free/format/cover.ts';
import {
  referenceMatching,
  type Matching,
  type OpenRanges,
  type ParsedTarget,
} from '../../native-free/diff/match/matching.ts';
import type { SourceIndex } from '../../native-free/diff/match/source-index.ts';
import type { SourceView } from '../../native-free/diff/match/source-view.ts';
import * as costs from '../../native-free/diff/parse/parse-costs.ts';
import { UpdateError } from '../../native-free/status.ts';
import { instantiate, sharedMemory, type WasmMemory } from './instance.ts';
import { base64 } from './matcher.generated.ts';
import { suffixArrayWasm } from './suffix-sort.ts';

interface Exports {
  /** Address of a source of `count` bytes: room is made, or it is there already. */
  create(count: number, hasPlain: boolean): number;
  attach(count: number, hasPlain: boolean): number;
  /** Address of the image that the source is a canonical copy of. */
  plainSource(): number;
  build(): void;
  /** Behind all that is searched. */
  end(): number;
  /** Addresses of pieces of a target, and of the image that it is a canonical copy of. */
  placePiece(from: number, count: number, targetBytes: number): number;
  placePlainPiece(from: number, count: number): number;
  seedsRoom(count: number): number;
  setPrices(...prices: number[]): void;
  /** Both give the number of covers; `parse` the last one first. */
  searchCovers(start: number, end: number): number;
  parse(start: number, end: number, literalCost: number, withPlain: boolean): number;
  covers(): number;
}

/** An index in shared memory, which ends at address `end`; the source has this many bytes. */
interface WasmIndex {
  readonly memory: WasmMemory;
  readonly sourceBytes: number;
  readonly hasPlain: boolean;
  readonly end: number;
}

/** The reference's, where memory could not be had: threads get copies of it. */
export type MatchIndex = WasmIndex | SourceIndex;

/** Five bytes for each of the source's, tables, and what all threads need for their parts; a memory ends at 4 GiB. */
const SOURCE_BYTES_MAX = 256 * 2 ** 20;
/** What is compared with bytes of a range may lie so far from it: contexts before, matches and their contexts behind. */
const BEFORE_BYTES = 64;
const BEHIND_BYTES = 2048;

const COVER_FIELDS = 3;
/** Where in memory, as a word, threads find the address of what is free. */
const NEXT_FREE_AT = 512 / 4;

const reference = referenceMatching(suffixArrayWasm);

const isWasm = (index: MatchIndex): index is WasmIndex => 'memory' in index;

export const wasmMatching: Matching<MatchIndex> = {
  index(view, used, plain) {
    const memory = used !== undefined && isWasm(used) ? used.memory : undefined;
    return wasmIndex(view, plain, memory) ?? reference.index(view, undefined, plain);
  },
  begin(index) {
    if (isWasm(index)) Atomics.store(new Uint32Array(index.memory.buffer), NEXT_FREE_AT, index.end);
  },
  findCovers(index, target, ranges) {
    if (!isWasm(index)) return reference.findCovers(index, target, ranges);
    return new Searches(index).findCovers(target, ranges);
  },
  parseCovers(index, target, ranges, seeds) {
    if (!isWasm(index)) return reference.parseCovers(index, target, ranges, seeds);
    return new Searches(index).parseCovers(target, ranges, seeds);
  },
};

/** Null where there is no shared memory, or not enough. */
function wasmIndex(view: SourceView, plain?: SourceView, used?: WasmMemory): WasmIndex | null {
  const sourceBytes = view.length;
  if (sourceBytes > SOURCE_BYTES_MAX) return null;
  try {
    const memory = used ?? sharedMemory();
    const exports = instantiate<Exports>(base64, { memory });
    const hasPlain = plain !== undefined;
    const at = exports.create(sourceBytes, hasPlain);
    view.copyTo(new Uint8Array(memory.buffer, at, sourceBytes));
    exports.build();
    // Not before: suffixes are sorted with what lies behind them.
    plain?.copyTo(new Uint8Array(memory.buffer, exports.plainSource(), sourceBytes));
    return { memory, sourceBytes, hasPlain, end: exports.end() };
  } catch {
    return null;
  }
}

/** One thread's work with an index; an instance of the module. */
class Searches {
  readonly #memory: WasmMemory;
  readonly #exports: Exports;

  readonly #hasPlain: boolean;

  constructor({ memory, sourceBytes, hasPlain }: WasmIndex) {
    this.#memory = memory;
    this.#exports = instantiate<Exports>(base64, { memory });
    this.#hasPlain = hasPlain;
    this.#exports.attach(sourceBytes, hasPlain);
  }

  findCovers(target: Uint8Array, ranges: OpenRanges): CoverList {
    return guarded(() => {
      const found = ranges.map((range) => {
        this.#place(target, range);
        return this.#covers(this.#exports.searchCovers(...range));
      });
      return listOf(found);
    });
  }

  parseCovers({ target, plain }: ParsedTarget, ranges: OpenRanges, seeds: CoverList): CoverList {
    const { parse, setPrices } = this.#exports;
    const withPlain = this.#hasPlain && plain !== undefined;
    return guarded(() => {
      setPrices(
        ...[costs.EXACT_COST, costs.MISS_COST, costs.NEXT_MISS_COST, costs.REPEATED_MISS_COST, costs.PLAIN_MISS_COST],
        ...[costs.LITERAL_OPEN_COST, costs.SAME_COST, costs.RECENT_COST, costs.FRESH_COST, costs.CHANGE_BIT_COST],
      );
      const found = ranges.map(([from, to]) => {
        this.#place(target, [from, to]);
        if (withPlain) this.#placePlain(plain, from, to);
        this.#seed(seeds, from, to);
        return this.#covers(parse(from, to, costs.literalCostOf(target, from, to), withPlain));
      });
      return listOf(found.map(reversed));
    });
  }

  /** Copies what a range is searched with. */
  #place(target: Uint8Array, [from, to]: OpenRanges[number]): void {
    const first = Math.max(0, from - BEFORE_BYTES);
    const piece = target.subarray(first, to + BEHIND_BYTES);
    const at = this.#exports.placePiece(first, piece.length, target.length);
    new Uint8Array(this.#memory.buffer).set(piece, at);
  }

  #placePlain(plain: Uint8Array, from: number, to: number): void {
    const at = this.#exports.placePlainPiece(from, to - from);
    new Uint8Array(this.#memory.buffer).set(plain.subarray(from, to), at);
  }

  /** Places the seeds that touch a range. */
  #seed({ count, sourceOffset, targetOffset, length }: CoverList, from: number, to: number): void {
    const touching: number[] = [];
    for (let i = 0; i < count; i++) {
      if (targetOffset[i]! >= to || targetOffset[i]! + length[i]! <= from) continue;
      touching.push(sourceOffset[i]!, targetOffset[i]!, length[i]!);
    }
    const at = this.#exports.seedsRoom(touching.length / COVER_FIELDS);
    new Int32Array(this.#memory.buffer, at, touching.length).set(touching);
  }

  #covers(count: number): Int32Array {
    return new Int32Array(this.#memory.buffer, this.#exports.covers(), COVER_FIELDS * count).slice();
  }
}

/** What covers of one range consist of, the last one first. */
function reversed(covers: Int32Array): Int32Array {
  const turned = new Int32Array(covers.length);
  for (let i = 0; i < covers.length; i += COVER_FIELDS) {
    turned.set(covers.subarray(i, i + COVER_FIELDS), covers.length - COVER_FIELDS - i);
  }
  return turned;
}

function listOf(ranges: readonly Int32Array[]): CoverList {
  const list = emptyCoverList(ranges.reduce((sum, { length }) => sum + length / COVER_FIELDS, 0));
  let count = 0;
  for (const covers of ranges) {
    for (let i = 0; i < covers.length; i += COVER_FIELDS) {
      setCover(list, count++, { sourceOffset: covers[i]!, targetOffset: covers[i + 1]!, length: covers[i + 2]! });
    }
  }
  return list;
}

/** The module gives up, which is a RuntimeError of its interface, where its memory cannot grow. */
function guarded<R>(work: () => R): R {
  try {
    return work();
  } catch (error) {
    if ((error as Error).name !== 'RuntimeError') throw error;
    throw new UpdateError('memory_exceeded', 'there is no more memory to find covers in', { cause: error });
  }
}
