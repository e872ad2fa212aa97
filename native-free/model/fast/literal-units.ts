/**
 * The units in which the fast profile codes literals: those of the instruction set, but for x86-64, of which only the
 * distances behind calls and jumps are units here. To follow its instructions byte by byte is what `small` does.
 * @module
 */
import { LITERAL_BYTES, type InstructionSet } from '../../predict/isa/instruction-set.ts';

export interface FastLiteralUnits {
  readonly by: 'bytes' | 'halfwords' | 'words';
  /** Most bytes of the unit at address `va`, behind a byte of value `before`: 1 or 4. */
  most(before: number, va: number): number;
  /** The order of the bytes of a unit of at most `most`, once its first one is known; -1 before. */
  order(most: number, first: number): readonly number[];
}

const DOWN = [3, 2, 1, 0];
const UP_SHORT = [0, 1];

const DISTANCES: FastLiteralUnits = {
  by: 'bytes',
  most: (before) => ((before & 0xfe) === 0xe8 ? 4 : 1),
  order: (most) => (most === 4 ? DOWN : UP_SHORT),
};

export function fastLiteralUnits(set: InstructionSet | null): FastLiteralUnits {
  const { by, most, order } = set?.literals ?? LITERAL_BYTES;
  return by === 'instructions' ? DISTANCES : { by, most: (_, va) => most(va), order };
}
