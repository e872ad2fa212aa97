/** The twin of native-free/diff/parse/parse-covers.ts. */
import { activate, advance, beginBeam, endBeam, position } from './displacement-beam.ts';
import { prospectCount, prospectDisplacement, prospectFrom, shiftProspects } from './prospect-list.ts';
import { beginScan, REACH_BACK_BYTES, scan } from './prospect-scan.ts';
import { seedCount, seedDisplacement, seedEnd, seedFrom } from './seeds.ts';

const BLOCK_BYTES: i32 = 1 << 18;
const SEED_LEAD_BYTES: i32 = 8;
/** Bytes that one call scans. */
const STEP_BYTES: i32 = 1 << 12;

let seed: i32 = 0;

/** Finds the covers of target bytes [start, end), last one first; how many there are. */
export function parse(start: i32, end: i32, literalCost: i32, withPlain: bool): i32 {
  beginScan(start, end);
  beginBeam(start, literalCost, withPlain);
  seed = 0;
  for (let left = end - start, block = start; left > 0; left -= BLOCK_BYTES, block += BLOCK_BYTES) {
    const isLast = left <= BLOCK_BYTES;
    const blockEnd = isLast ? end : block + BLOCK_BYTES;
    // In small steps, from two places: as suffix-sort.ts has it.
    for (let step = block + STEP_BYTES; step < blockEnd; step += STEP_BYTES) scan(step);
    scan(blockEnd);
    follow(isLast ? end : blockEnd - REACH_BACK_BYTES);
  }
  return endBeam();
}

function follow(to: i32): void {
  for (let i = 0; ; ) {
    const listFrom = i < prospectCount ? prospectFrom(i) : to;
    const isSeed = seed < seedCount;
    const from = isSeed ? min(to, seedFrom(seed) - SEED_LEAD_BYTES) : to;
    if (isSeed && from < to && from <= listFrom) {
      advance(from);
      if (seedEnd(seed) > position()) activate(seedDisplacement(seed));
      seed++;
    } else if (listFrom < to) {
      advance(listFrom);
      activate(prospectDisplacement(i++));
    } else {
      shiftProspects(i);
      advance(to);
      return;
    }
  }
}
