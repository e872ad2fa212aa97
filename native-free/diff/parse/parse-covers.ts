/**
 * Covers by cost: of all ways to put a window of the target together, one that the coder should find cheapest.
 *
 * `findCovers` decides at each place once; here displacements that could matter are collected ahead (prospect-scan),
 * and a search over the whole window weighs them against each other (displacement-beam, parse-costs). Both go over the
 * window in blocks, so that prospects never fill memory.
 * @module
 */
import type { Cover } from '../../format/cover.ts';
import { UpdateError } from '../../status.ts';
import type { ProspectList } from './prospect-list.ts';
import { ProspectScan, REACH_BACK_BYTES } from './prospect-scan.ts';
import { DisplacementBeam } from './displacement-beam.ts';
import { literalCostOf } from './parse-costs.ts';
import type { SourceIndex } from '../match/source-index.ts';

/** Target bytes whose prospects are in memory at a time. */
const BLOCK_BYTES = 2 ** 18;
/** A seed is worth trying a little before it begins. */
const SEED_LEAD_BYTES = 8;

export interface ParseOptions {
  /** Covers of an earlier match, in target order: their displacements are tried where they were. */
  readonly seeds?: readonly Cover[];
  /** The target that the window is of, where that is a canonical copy; the index has the source's bytes. */
  readonly plainTarget?: Uint8Array | undefined;
  /** Counts work, for tests of its growth. */
  readonly work?: ParseWork;
}

interface ParseWork {
  /** Bytes compared, suffixes looked at, states passed. */
  steps: number;
}

/**
 * Covers for the target window [start, end), in target order, inside the window, without overlap in the target. The
 * result depends on the arguments only. All offsets are in bytes.
 * @throws UpdateError usage_invalid for a window outside the target
 */
export function parseCovers(
  index: SourceIndex,
  target: Uint8Array,
  start: number,
  end: number,
  options: ParseOptions = {},
): Cover[] {
  if (!(start >= 0 && start <= end && end <= target.length)) {
    throw new UpdateError('usage_invalid', `window ${start}..${end} of a target of ${target.length} bytes`);
  }
  const seeds = options.seeds ?? [];
  const scan = new ProspectScan(index, target, start, end, seeds);
  const { plainTarget } = options;
  const plain = index.plain && plainTarget ? { source: index.plain, target: plainTarget } : null;
  const beam = new DisplacementBeam(index.source, target, start, literalCostOf(target, start, end), plain);
  let seed = 0;
  for (let block = start; block < end; block += BLOCK_BYTES) {
    const blockEnd = Math.min(end, block + BLOCK_BYTES);
    scan.scan(blockEnd);
    // Prospects of the next block may reach back into this one.
    seed = follow(beam, scan.list, seeds, seed, blockEnd === end ? end : blockEnd - REACH_BACK_BYTES);
  }
  if (options.work !== undefined) options.work.steps += scan.steps + beam.steps;
  return beam.covers();
}

/** Takes the beam to target offset `to` by way of prospects and seeds. Gives the first seed that lies behind. */
function follow(beam: DisplacementBeam, list: ProspectList, seeds: readonly Cover[], seed: number, to: number): number {
  for (let i = 0; ;) {
    const listFrom = i < list.count ? list.from[i]! : to;
    const cover = seeds[seed];
    const seedFrom = cover === undefined ? to : Math.min(to, cover.targetOffset - SEED_LEAD_BYTES);
    if (cover !== undefined && seedFrom < to && seedFrom <= listFrom) {
      seed++;
      beam.advance(seedFrom);
      if (cover.targetOffset + cover.length > beam.at) beam.activate(cover.sourceOffset - cover.targetOffset);
    } else if (listFrom < to) {
      beam.advance(listFrom);
      beam.activate(list.displacement[i++]!);
    } else {
      list.shift(i);
      beam.advance(to);
      return seed;
    }
  }
}
