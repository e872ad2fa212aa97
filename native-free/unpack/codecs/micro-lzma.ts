/**
 * LZMA as erofs has it, as units.
 * @module
 */
import { packMicroLzma, unpackMicroLzma, type MicroLzmaParams } from '../lzma/micro-lzma.ts';
import { checkedUnit, unitLimits, type UnitCodec } from '../unit-codec.ts';
import { codeExpected } from './fields.ts';
import { LZMA_RULES, USUAL_PROPERTIES } from './lzma.ts';

const PROPERTIES = { flag: 0, number: 0, context: 0, max: 255 };
const ENDING = 1;

export const microLzmaCodec: UnitCodec<MicroLzmaParams, MicroLzmaParams> = {
  name: 'micro-lzma',
  rules: LZMA_RULES,
  unpack(packed, sizes, _before, options) {
    const unit = packed.subarray(0, sizes.packedBytes);
    return checkedUnit('lzma', unpackMicroLzma(unit, unitLimits(sizes, options), sizes.contentBytes), sizes);
  },
  pack: packMicroLzma,
  tokenBytes: (content) => content,
  isFiltered: () => false,
  headOf: (params) => params,
  codeHead(numbers, head, like) {
    const expected = like?.properties ?? USUAL_PROPERTIES;
    return {
      properties: codeExpected(numbers, head?.properties ?? 0, expected, PROPERTIES),
      hasEndMarker: numbers.flag(head?.hasEndMarker ?? false, ENDING, 0, like?.hasEndMarker === true ? 1 : 0),
    };
  },
  codeTail: (_numbers, head) => head,
};
