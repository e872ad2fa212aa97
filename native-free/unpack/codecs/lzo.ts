/**
 * LZO1X blocks as units.
 * @module
 */
import { LIMITS } from '../../limits.ts';
import type { NumberCoder } from '../../model/number-coder.ts';
import { LZO_DISTANCE_MAX, packLzo, unpackLzo, type LzoParams } from '../lzo.ts';
import { checkedUnit, unitLimits, type UnitCodec } from '../unit-codec.ts';
import { codeBounded } from './fields.ts';

const FLAG = { firstRun: 0, near: 1 };
const NUMBER = { exceptions: 0, gap: 1 };

export const lzoCodec: UnitCodec<LzoParams, LzoParams> = {
  name: 'lzo',
  rules: { matchMin: 2, matchMax: 2 ** 31 - 1, distanceMax: LZO_DISTANCE_MAX, reps: [], hasShortRep: false },
  unpack(packed, sizes, _before, options) {
    return checkedUnit('lzo', unpackLzo(packed.subarray(0, sizes.packedBytes), unitLimits(sizes, options)), sizes);
  },
  pack: packLzo,
  tokenBytes: (content) => content,
  isFiltered: () => false,
  headOf: (params) => params,
  codeHead(numbers, head, like, content) {
    const hasFirstRun = numbers.flag(head?.hasFirstRun ?? false, FLAG.firstRun, like?.hasFirstRun === false ? 0 : 1);
    const usesNear = numbers.flag(head?.usesNear ?? false, FLAG.near, like?.usesNear === false ? 0 : 1);
    const exceptions = codeExceptions(
      numbers,
      head?.exceptions ?? null,
      Math.min(content.length, LIMITS.unit_blocks_max),
    );
    return { hasFirstRun, usesNear, exceptions };
  },
  codeTail: (_numbers, head) => head,
};

/** No known writer has one. */
function codeExceptions(numbers: NumberCoder, given: readonly number[] | null, max: number): readonly number[] {
  const count = codeBounded(numbers, given?.length ?? 0, max, NUMBER.exceptions);
  const exceptions: number[] = [];
  for (let i = 0, next = 0; i < count; i++) {
    const gap = codeBounded(numbers, (given?.[i] ?? next) - next, max, NUMBER.gap);
    exceptions.push(next + gap);
    next += gap + 1;
  }
  return exceptions;
}
