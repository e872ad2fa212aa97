/**
 * LZ4 blocks as units.
 * @module
 */
import { packLz4, unpackLz4, type Lz4Params } from '../lz4.ts';
import { malformed } from '../tokens.ts';
import { checkedUnit, unitLimits, type UnitCodec } from '../unit-codec.ts';
import { PARAM_FLAG, PARAM_NUMBER } from './kinds.ts';

const HALF_MAX = 15;

export const lz4: UnitCodec<Lz4Params, Lz4Params> = {
  name: 'lz4',
  rules: { matchMin: 4, matchMax: 2 ** 31 - 1, distanceMax: 65_535, reps: [], hasShortRep: false },
  unpack(packed, sizes, _before, options) {
    const unit = packed.subarray(0, sizes.packedBytes);
    return checkedUnit('lz4', unpackLz4(unit, unitLimits(sizes, options)), sizes);
  },
  pack: packLz4,
  tokenBytes: (content) => content,
  isFiltered: () => false,
  headOf: (params) => params,
  codeHead(numbers, head) {
    const endsInLiterals = numbers.flag(head?.endsInLiterals ?? false, PARAM_FLAG.end, 1);
    const spareHalf = endsInLiterals ? numbers.code(head?.spareHalf ?? 0, PARAM_NUMBER.other) : 0;
    if (spareHalf > HALF_MAX) malformed('lz4', 'half a byte has four bits');
    return { endsInLiterals, spareHalf };
  },
  codeTail: (_numbers, head) => head,
};
