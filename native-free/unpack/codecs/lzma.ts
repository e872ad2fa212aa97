/**
 * .lzma files as units: all params stand in the header, and are known before the tokens.
 * @module
 */
import type { NumberCoder } from '../../model/number-coder.ts';
import { LENGTH_MAX, LENGTH_MIN } from '../lzma/model.ts';
import { packLzma, unpackLzma, type LzmaParams } from '../lzma/lzma1.ts';
import { checkedUnit, unitLimits, type TokenRules, type UnitCodec } from '../unit-codec.ts';
import { codeExpected } from './fields.ts';

export const LZMA_RULES: TokenRules = {
  matchMin: LENGTH_MIN,
  matchMax: LENGTH_MAX,
  distanceMax: 2 ** 32 - 1,
  reps: [1, 1, 1, 1],
  hasShortRep: true,
};

/** What `xz -6 --format=lzma` writes. */
export const USUAL_PROPERTIES = 93;
const USUAL: LzmaParams = {
  properties: USUAL_PROPERTIES,
  dictionaryBytes: 2 ** 23,
  hasEndMarker: true,
  hasSize: false,
};

const PROPERTIES = { flag: 0, number: 0, context: 0, max: 255 };
const DICTIONARY = { flag: 0, number: 1, context: 1, max: 2 ** 32 - 1 };
const ENDING = 1;

export const lzmaCodec: UnitCodec<LzmaParams, LzmaParams> = {
  name: 'lzma',
  rules: LZMA_RULES,
  unpack(packed, sizes, _before, options) {
    return checkedUnit('lzma', unpackLzma(packed.subarray(0, sizes.packedBytes), unitLimits(sizes, options)), sizes);
  },
  pack: packLzma,
  tokenBytes: (content) => content,
  isFiltered: () => false,
  headOf: (params) => params,
  codeHead(numbers: NumberCoder, head: LzmaParams | null, like: LzmaParams | null): LzmaParams {
    const expected = like ?? USUAL;
    const given = head ?? expected;
    return {
      properties: codeExpected(numbers, given.properties, expected.properties, PROPERTIES),
      dictionaryBytes: codeExpected(numbers, given.dictionaryBytes, expected.dictionaryBytes, DICTIONARY),
      hasEndMarker: numbers.flag(given.hasEndMarker, ENDING, 0, expected.hasEndMarker ? 1 : 0),
      hasSize: numbers.flag(given.hasSize, ENDING, 1, expected.hasSize ? 1 : 0),
    };
  },
  codeTail: (_numbers, head) => head,
};
