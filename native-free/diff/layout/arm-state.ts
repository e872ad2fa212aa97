/**
 * Which parts of a section of 32-bit Arm code are A32 and which are T32.
 *
 * The mapping symbols tell where they were not stripped ("ELF for the Arm Architecture", section 5.5.5). Else the bytes
 * do: most A32 instructions are executed always, so that the top four bits of a word are 1110; T32 has no such habit,
 * but favourite halfwords of its own. A file's label is not to be trusted.
 * @module
 */
import { REGION_KIND, type RegionKind } from '../../format/regions.ts';
import { T32 } from '../../predict/isa/t32.ts';
import { twoStates } from './two-states.ts';

/** A stretch of one instruction set, or of tables, by offsets from the section's start. */
export interface Run {
  readonly kind: RegionKind;
  readonly start: number;
  readonly length: number;
}

/** From here on a section is of that kind. */
export interface Mark {
  readonly at: number;
  readonly kind: RegionKind;
}

const BLOCK_BYTES = 1024;
/** Shorter stretches, such as veneers and literal pools, go with what is before them. */
const RUN_BYTES_MIN = 1024;
const PRICE = 300;
const TABLE_BYTES_MIN = 8192;
/** T32 code has a call in so many bytes at the very least. */
const BYTES_PER_CALL = 256;

/** Upper bytes of halfwords that T32 code is full of: moves, loads, PUSH and POP, BX, IT, BL. */
const COMMON = new Uint8Array(256);
for (const upper of [
  0x46, 0x47, 0x49, 0x4a, 0x4b, 0x68, 0x69, 0xb1, 0xb5, 0xb9, 0xbd, 0xbf, 0xd0, 0xd1, 0xf0, 0xf7, 0xf8,
]) {
  COMMON[upper] = 1;
}

/** Runs of `image[start, start + length)` by its mapping symbols. */
export function runsOfMarks(marks: readonly Mark[], length: number): Run[] {
  const sorted = [...marks].sort((a, b) => a.at - b.at);
  const runs: Run[] = [];
  const first = sorted[0]?.kind ?? REGION_KIND.a32;
  sorted.forEach(({ at, kind }, i) => {
    const start = i === 0 ? 0 : Math.min(at, length);
    const end = Math.min(length, sorted[i + 1]?.at ?? length);
    append(runs, i === 0 ? first : kind, start, end - start);
  });
  return merged(runs);
}

/** Runs by trial. */
export function runsByTrial(image: Uint8Array, start: number, length: number): Run[] {
  const blocks = Math.ceil(length / BLOCK_BYTES);
  const score = new Int32Array(blocks);
  for (let block = 0; block < blocks; block++) {
    const from = start + block * BLOCK_BYTES;
    const end = Math.min(from + BLOCK_BYTES, start + length) - 3;
    let sum = 0;
    for (let at = from; at < end; at += 4) {
      if (image[at + 3]! >>> 4 === 14) sum++;
      sum -= COMMON[image[at + 1]!]! + COMMON[image[at + 3]!]!;
    }
    score[block] = sum;
  }
  const runs: Run[] = [];
  twoStates(score, PRICE).forEach((isA32, block) => {
    const from = block * BLOCK_BYTES;
    const kind = isA32 === 1 ? REGION_KIND.a32 : REGION_KIND.t32;
    append(runs, kind, from, Math.min(BLOCK_BYTES, length - from));
  });
  return runs.map((run) => (isTable(image, start, run) ? { ...run, kind: REGION_KIND.data32 } : run));
}

/** A long stretch that is not A32, and that calls nothing as T32 would, is no code. */
function isTable(image: Uint8Array, start: number, run: Run): boolean {
  if (run.kind !== REGION_KIND.t32 || run.length < TABLE_BYTES_MIN) return false;
  let calls = 0;
  for (let at = start + run.start; at + 8 <= start + run.start + run.length; at += 2) {
    const found = T32.signs.find(image, at);
    if (found >= 0 && found < image.length) calls++;
  }
  return calls * BYTES_PER_CALL < run.length;
}

function append(runs: Run[], kind: RegionKind, start: number, length: number): void {
  if (length <= 0) return;
  const last = runs[runs.length - 1];
  if (last?.kind === kind) runs[runs.length - 1] = { ...last, length: start + length - last.start };
  else runs.push({ kind, start, length });
}

/** The runs without short ones. */
function merged(runs: readonly Run[]): Run[] {
  const long: Run[] = [];
  for (const run of runs) {
    const last = long[long.length - 1];
    if (last === undefined || (run.length >= RUN_BYTES_MIN && last.length >= RUN_BYTES_MIN)) {
      append(long, run.kind, run.start, run.length);
    } else {
      const kind = run.length > last.length ? run.kind : last.kind;
      long[long.length - 1] = { kind, start: last.start, length: run.start + run.length - last.start };
    }
  }
  return long;
}
