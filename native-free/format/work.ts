/**
 * The work of decoding, counted: what a payload may ask for is bounded by what its header declares.
 *
 * A few bytes can ask for hours, because a decision that is expected costs next to nothing in the stream and as much as
 * any other on the processor. So every decision is counted in look-ups (one context of one decision), and what is done
 * beside decisions is counted as the look-ups that it takes the time of. Both directions count the same, and nothing
 * that is counted depends on the machine. docs/format.md, "Work", lists all of it.
 * @module
 */
import { UpdateError } from '../status.ts';
import type { ModelSizes } from './model-sizes.ts';

/** Look-ups in one unit of work, in which headers and configurations speak. */
export const WORK_UNIT = 2 ** 20;

/** Look-ups that things beside decisions count as. */
export const WORK = {
  /** A unit under a cover, each time its candidates are listed. */
  unit: 8,
  /** A reader that begins: its tables are cleared. */
  begin: 64,
  /** A piece: its source bytes are read. */
  piece: 64,
  cover: 16,
  pair: 64,
  base: 16,
  /** A step of the walk over covers and regions that makes the address map. */
  step: 4,
  /** A block of literals: what is before it is counted, or it is stored. */
  literalBlock: 64,
  /** A unit that is unpacked or packed, and each byte of its content. */
  unpackedUnit: 1024,
  unpackedByte: 1,
} as const;

/** Plain bits, weights and the memories of a segment, which are cleared with the tables. */
const CLEARED = 2 ** 19;

/** What has been spent; one for a coder. */
export class WorkMeter {
  /** Look-ups so far. */
  spent = 0;
  /** Look-ups that are declared. */
  limit = Infinity;

  /** A stream begins, with tables of these sizes. */
  start(sizes: ModelSizes): void {
    const slots = 2 ** sizes.flagBits + 2 ** sizes.byteBits;
    this.spent += (slots * (sizes.fast === true ? 2 : 1) + CLEARED) / 16;
  }

  /**
   * Called before anything of unknown length goes on.
   * @throws UpdateError payload_work
   */
  check(): void {
    if (this.spent <= this.limit) return;
    throw new UpdateError(
      'payload_work',
      `decoding takes more than the ${this.limit / WORK_UNIT} units of work that the header declares`,
      { detail: { declared: this.limit / WORK_UNIT } },
    );
  }
}

/** Whole units, rounded up. */
export function workUnits(lookups: number): number {
  return Math.ceil(lookups / WORK_UNIT);
}
