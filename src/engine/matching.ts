/**
 * Matching on the worker pool: windows beside each other, and where there are fewer of them than workers, the open parts
 * of one beside each other, with one index that all threads read.
 *
 * @module
 */
import type { Tables } from '../../native-free/diff/naming/find-bases.ts';
import type { PairedLayouts } from '../../native-free/diff/layout/pair-regions.ts';
import { matchImages, type MatchSteps } from '../../native-free/diff/match-images.ts';
import { gathered, shareRanges, type OpenRanges } from '../../native-free/diff/match/matching.ts';
import { joinWindow, seedsOf, type Matched, type OpenWindow, type Window } from '../../native-free/diff/stages.ts';
import type { Images, TargetRange } from '../../native-free/diff/images.ts';
import { coverListOf, type CoverList } from '../../native-free/format/cover.ts';
import { sharedBytes } from '../platform/files/node-io.ts';
import { wasmMatching, type MatchIndex } from '../wasm/matching.ts';
import { counter, inLanes, shareCovers, type Job } from './job.ts';

/** Covers by our own matcher. */
export async function matchOwn(job: Job, images: Images, layouts: PairedLayouts): Promise<Matched> {
  return { layouts, covers: shareCovers(await matchImages(images, new PoolSteps(job, images, layouts))) };
}

const SIDES = ['source', 'target'] as const;

/** A window that is being worked on. */
interface Begun {
  readonly opened: OpenWindow;
  readonly index: MatchIndex;
  /** Into how many parts its ranges are shared out. */
  readonly lanes: number;
}

/** The steps of matching, performed by workers. */
class PoolSteps implements MatchSteps {
  readonly #job: Job;
  readonly #images: Images;
  readonly #layouts: PairedLayouts;
  readonly #copies: Images;
  readonly #matched: (bytes: number) => void;
  /** Indexes that nobody asks any more: the next ones take their memory, which no collector would free as soon. */
  readonly #used: MatchIndex[] = [];

  constructor(job: Job, images: Images, layouts: PairedLayouts) {
    this.#job = job;
    this.#images = images;
    this.#layouts = layouts;
    this.#copies = { source: sharedBytes(images.source.length), target: sharedBytes(images.target.length) };
    this.#matched = counter(job, 'match', 2 * images.target.length);
  }

  async align(): Promise<CoverList> {
    const { pool } = this.#job;
    const copies = this.#copies;
    await inLanes(SIDES, 2, (side) => {
      const [image, layout] = [this.#images[side], this.#layouts[side]];
      return pool.run({ kind: 'mask', image, layout, copy: copies[side] }, this.#job);
    });
    return pool.run({ kind: 'align', copies }, this.#job);
  }

  matchMasked(windows: readonly TargetRange[], known: CoverList): Promise<CoverList[]> {
    const { target } = this.#copies;
    return this.#inWindows(windows, known, (begun) =>
      this.#inParts(begun, (ranges) =>
        this.#job.pool.run({ kind: 'covers', index: begun.index, target, ranges }, this.#job),
      ),
    );
  }

  async name(known: CoverList): Promise<Tables> {
    const [images, layouts] = [this.#images, this.#layouts];
    const covers = shareCovers(known);
    const tables = await this.#job.pool.run({ kind: 'tables', images, layouts, covers }, this.#job);
    await inLanes(SIDES, 2, (side) => this.#name(side, tables, side === 'target' ? covers : null));
    return tables;
  }

  matchNamed(windows: readonly TargetRange[], known: CoverList, refine: Tables | null): Promise<CoverList[]> {
    const { source } = this.#copies;
    const target = { target: this.#copies.target, plain: this.#images.target };
    const { pool } = this.#job;
    const parse = (begun: Begun, seeds: CoverList): Promise<CoverList> => {
      const shared = shareCovers(seeds);
      return this.#inParts(begun, (ranges) =>
        pool.run({ kind: 'parse', index: begun.index, target, ranges, seeds: shared }, this.#job),
      );
    };
    const find = async (begun: Begun): Promise<CoverList> => {
      const { opened } = begun;
      const found = await parse(begun, opened.seeds);
      if (refine === null) return found;
      await this.#name('target', refine, shareCovers(found));
      return parse(begun, seedsOf(source, opened, found));
    };
    return this.#inWindows(windows, known, find, this.#images.source);
  }

  /** The copy of one image is named; the target's by covers. */
  #name(side: keyof Images, tables: Tables, covers: CoverList | null): Promise<true> {
    const [image, copy, layouts] = [this.#images[side], this.#copies[side], this.#layouts];
    return this.#job.pool.run({ kind: 'name', image, layouts, tables, covers, copy }, this.#job);
  }

  /** What `find` finds in each window; indexes are made before and given back behind. */
  #inWindows(
    windows: readonly TargetRange[],
    known: CoverList,
    find: (begun: Begun) => Promise<CoverList>,
    plain?: Uint8Array,
  ): Promise<CoverList[]> {
    const covers = shareCovers(known);
    const { workers } = this.#job;
    const lanes = Math.max(1, Math.floor(workers / windows.length));
    return inLanes(windows, workers, async (range) => {
      const { opened, index } = await this.#open({ ...range, covers }, plain);
      const found = index === null ? coverListOf(opened.settled.covers) : await find({ opened, index, lanes });
      if (index !== null) this.#used.push(index);
      this.#matched(range.end - range.start);
      return found;
    });
  }

  #open(window: Window, plain?: Uint8Array): Promise<{ opened: OpenWindow; index: MatchIndex | null }> {
    return this.#job.pool.run(
      { kind: 'index', copies: this.#copies, window, used: this.#used.pop(), plain },
      this.#job,
    );
  }

  /** What `find` finds in the open ranges of a window, with what is settled. */
  async #inParts(
    { opened, index, lanes }: Begun,
    find: (ranges: OpenRanges) => Promise<CoverList>,
  ): Promise<CoverList> {
    wasmMatching.begin(index);
    const found = await inLanes(shareRanges(opened.settled.open, lanes), lanes, find);
    return joinWindow(this.#copies.source, opened, gathered(found));
  }
}
