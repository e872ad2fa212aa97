/**
 * Finding covers in part of a source, behind one interface: the reference is here, a twin may do it elsewhere, in a memory
 * of its own. Equal output is part of the contract.
 * @module
 */
import { coverListOf, coversIn, emptyCoverList, setCover, type Cover, type CoverList } from '../../format/cover.ts';
import { parseCovers } from '../parse/parse-covers.ts';
import { findCovers } from './cover-search.ts';
import { indexSource, type SourceIndex } from './source-index.ts';
import type { SourceView } from './source-view.ts';
import { suffixArray } from './suffix-array.ts';

/** A suffix sorter; equal output is part of its contract. */
export type SuffixSorter = (bytes: Uint8Array, into?: Int32Array) => Int32Array;

/** Parts of a target, as [start, end) offsets in order. Each is searched by itself, so that any thread may do it. */
export type OpenRanges = readonly (readonly [number, number])[];

/** A target to be parsed, and the image itself where that is a canonical copy of it. */
export interface ParsedTarget {
  readonly target: Uint8Array;
  readonly plain?: Uint8Array | undefined;
}

/** An index is data only: threads hand it to each other. */
export interface Matching<Index = unknown> {
  /**
   * Indexes a view of a source; `plain` is that of the image, where the source is a canonical copy of it that is to be
   * parsed. Nobody asks `used` any more: its memory may be taken.
   */
  index(view: SourceView, used?: Index, plain?: SourceView): Index;
  /** Before ranges are searched, while nobody is at work: what earlier searches took of an index's memory is free. */
  begin(index: Index): void;
  /** Covers of the ranges, as `findCovers` gives them: source offsets are those of the view. */
  findCovers(index: Index, target: Uint8Array, ranges: OpenRanges): CoverList;
  /** Covers of the ranges, as `parseCovers` gives them; `seeds` are of the view, in target order. */
  parseCovers(index: Index, target: ParsedTarget, ranges: OpenRanges, seeds: CoverList): CoverList;
}

/** All in TypeScript, but for the sorter, where another one is given. */
export function referenceMatching(sort: SuffixSorter = suffixArray): Matching<SourceIndex> {
  return {
    index(view, _used, plain) {
      const bytes = view.bytes();
      return { ...indexSource(bytes, sort(bytes)), plain: plain?.bytes() };
    },
    begin() {
      // Nothing is taken.
    },
    findCovers: (index, target, ranges) =>
      coverListOf(ranges.flatMap(([from, to]) => findCovers(index, target, from, to))),
    parseCovers(index, { target, plain }, ranges, seeds) {
      const covers = coversIn(seeds);
      return coverListOf(
        ranges.flatMap(([from, to]) =>
          parseCovers(index, target, from, to, { seeds: within(covers, from, to), plainTarget: plain }),
        ),
      );
    },
  };
}

/** Covers that touch target range [from, to). */
function within(covers: readonly Cover[], from: number, to: number): Cover[] {
  return covers.filter(({ targetOffset, length }) => targetOffset < to && targetOffset + length > from);
}

/** Ranges in `count` groups of about as many bytes each; none is empty. */
export function shareRanges(ranges: OpenRanges, count: number): OpenRanges[] {
  const groups = Array.from({ length: count }, () => ({ bytes: 0, ranges: [] as [number, number][] }));
  const byLength = [...ranges].sort(([a, b], [c, d]) => d - c - (b - a) || a - c);
  for (const [from, to] of byLength) {
    const least = groups.reduce((best, group) => (group.bytes < best.bytes ? group : best));
    least.bytes += to - from;
    least.ranges.push([from, to]);
  }
  return groups.filter((group) => group.ranges.length > 0).map((group) => group.ranges.sort(([a], [b]) => a - b));
}

/** The covers of all groups, in target order. */
export function gathered(groups: readonly CoverList[]): CoverList {
  if (groups.length === 1) return groups[0]!;
  const covers = groups.flatMap(coversIn).sort((a, b) => a.targetOffset - b.targetOffset);
  const list = emptyCoverList(covers.length);
  covers.forEach((cover, i) => setCover(list, i, cover));
  return list;
}
