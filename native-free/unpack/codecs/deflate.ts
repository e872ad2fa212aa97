/**
 * Deflate as units: raw, some blocks of a stream, or within zlib's header and checksum.
 * @module
 */
import { BLOCK, blocksAllowed, type DeflateBlock, type DeflateParams } from '../deflate/deflate.ts';
import { packDeflatePart, unpackDeflatePart, type DeflatePartParams } from '../deflate/part.ts';
import { DISTANCE_MAX, MATCH_MAX, MATCH_MIN } from '../deflate/symbols.ts';
import { packZlib, unpackZlib, zlibHeaderBytes, type WrappedParams } from '../deflate/wrappers.ts';
import { malformed } from '../tokens.ts';
import type { NumberCoder } from '../../model/number-coder.ts';
import { checkedUnit, unitLimits, type UnitCodec } from '../unit-codec.ts';
import { PARAM_FLAG, PARAM_NUMBER } from './kinds.ts';

const RULES = { matchMin: MATCH_MIN, matchMax: MATCH_MAX, distanceMax: DISTANCE_MAX, reps: [], hasShortRep: false };
/** What zlib's own encoder puts into a block: a guess before anything is known. */
const USUAL_TOKENS = 16_383;
const HEADER_BITS_MAX = 4096;
const LEAD_BITS = 3;

/** Bits before the blocks, and blocks, as far as they can be told without tokens. */
export const deflate: UnitCodec<DeflatePartParams, DeflatePartParams> = {
  name: 'deflate',
  rules: RULES,
  unpack: unpackDeflatePart,
  pack: packDeflatePart,
  tokenBytes: (content) => content,
  isFiltered: () => false,
  headOf: (params) => params,
  codeHead(numbers, head, like, content) {
    const leadBits = numbers.code(head?.leadBits ?? 0, PARAM_NUMBER.lead);
    const lead = leadBits === 0 ? 0 : numbers.code(head?.lead ?? 0, PARAM_NUMBER.leadValue, leadBits);
    if (leadBits >= 2 ** LEAD_BITS || lead >= 2 ** leadBits) malformed('deflate', 'a byte has eight bits');
    return { leadBits, lead, ...codeBlocks(numbers, head, like, content.length) };
  },
  codeTail: (_numbers, head) => head,
};

/** A whole stream with header and Adler-32, which follows from the content. */
export const zlib: UnitCodec<WrappedParams, WrappedParams> = {
  name: 'zlib',
  rules: RULES,
  unpack(packed, sizes, _before, options) {
    const unit = packed.subarray(0, sizes.packedBytes);
    return checkedUnit('zlib', unpackZlib(unit, unitLimits(sizes, options), { headers: options.exact }), sizes);
  },
  pack: packZlib,
  tokenBytes: (content) => content,
  isFiltered: () => false,
  headOf: (params) => params,
  codeHead(numbers, head, like, content) {
    const header = codeZlibHeader(numbers, head?.header ?? null, like?.header ?? null);
    return { header, ...codeBlocks(numbers, head, like, content.length) };
  },
  codeTail: (_numbers, head) => head,
};

function codeZlibHeader(numbers: NumberCoder, header: Uint8Array | null, like: Uint8Array | null): Uint8Array {
  const expected = like ?? Uint8Array.of(0x78, 0xda);
  const isSame = header?.every((byte, i) => byte === expected[i]) ?? false;
  if (numbers.flag(isSame, PARAM_FLAG.same, 1)) return expected;
  const bytes = Uint8Array.from(expected, (_, i) => numbers.code(header?.[i] ?? 0, PARAM_NUMBER.byte, i) & 255);
  zlibHeaderBytes(bytes);
  return bytes;
}

/** Blocks in order; the last one's tokens go to the end of the content. */
function codeBlocks(
  numbers: NumberCoder,
  params: DeflateParams | null,
  like: DeflateParams | null,
  contentBytes: number,
): DeflateParams {
  const blocks: DeflateBlock[] = [];
  let usual = tokensOf(like?.blocks ?? [], 0) ?? USUAL_TOKENS;
  let firstToken = 0;
  const isEnd = numbers.flag(params?.blocks.at(-1)?.isLast ?? false, PARAM_FLAG.end);
  for (let more = true; more;) {
    const i = blocks.length;
    if (i >= blocksAllowed(contentBytes) || firstToken > contentBytes)
      malformed('deflate', 'there are too many blocks');
    const block = params?.blocks[i];
    more = numbers.flag(params !== null && i + 1 < params.blocks.length, PARAM_FLAG.more, Math.min(i, 3));
    const before = blocks[i - 1]?.type ?? like?.blocks[0]?.type ?? BLOCK.dynamic;
    const type = numbers.code(block?.type ?? 0, PARAM_NUMBER.type, before);
    const padding = type === BLOCK.stored ? numbers.code(block?.padding ?? 0, PARAM_NUMBER.padding) & 127 : 0;
    const header = type === BLOCK.dynamic ? codeHeader(numbers, block) : {};
    blocks.push({ firstToken, type, isLast: isEnd && !more, padding, ...header });
    if (!more) break;
    const count = params === null ? 0 : params.blocks[i + 1]!.firstToken - firstToken;
    const isUsual = numbers.flag(count === usual, PARAM_FLAG.same, 2, Math.min(i, 3));
    if (!isUsual) usual = numbers.code(count, PARAM_NUMBER.count);
    firstToken += usual;
  }
  const padding = isEnd ? numbers.code(params?.padding ?? 0, PARAM_NUMBER.padding, 1) & 127 : 0;
  return { blocks, padding };
}

function tokensOf(blocks: readonly DeflateBlock[], i: number): number | null {
  return i + 1 < blocks.length ? blocks[i + 1]!.firstToken - blocks[i]!.firstToken : null;
}

/** Only what zlib would not have written. */
function codeHeader(numbers: NumberCoder, block: DeflateBlock | undefined): Pick<DeflateBlock, 'header'> {
  const header = block?.header;
  if (!numbers.flag(header !== undefined, PARAM_FLAG.foreign)) return {};
  const bitCount = numbers.code(header?.bitCount ?? 0, PARAM_NUMBER.size, 1);
  if (bitCount > HEADER_BITS_MAX) malformed('deflate', `a header of ${bitCount} bits`);
  let before = 0;
  const bytes = Uint8Array.from({ length: (bitCount + 7) >> 3 }, (_, i) => {
    before = numbers.code(header?.bytes[i] ?? 0, PARAM_NUMBER.byte, 8 + Math.min(i, 12), before) & 255;
    return before;
  });
  return { header: { bitCount, bytes } };
}
