/**
 * Units of bytes without known structure: single bytes that are what they were.
 * @module
 */
import { type Candidates } from './candidates.ts';
import { ORIGIN } from '../format/origins.ts';
import type { UnitBlock } from './unit-block.ts';
import type { Run, UnitReader } from './unit-reader.ts';

export class RawReader implements UnitReader {
  readonly bigEndian = false;
  #run: Run | null = null;

  begin(run: Run): void {
    this.#run = run;
  }

  read(block: UnitBlock, at: number, limit: number): void {
    const { source, end } = this.#run!;
    for (const last = Math.min(limit, end); at < last; at++) block.push(1, source[at]!, 0, 0, source[at]!);
  }

  propose(block: UnitBlock, i: number, _at: number, candidates: Candidates): void {
    candidates.begin(this.#run!.region << 5, 0);
    candidates.add(block.word[i]!, ORIGIN.same);
  }

  expect(block: UnitBlock, i: number): number {
    return block.word[i]!;
  }

  pass(): void {
    // There are no registers.
  }

  learn(): void {
    // A byte by itself teaches nothing.
  }
}
