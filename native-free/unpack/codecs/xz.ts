/**
 * xz streams as units: check, blocks and filters are known before the tokens, which are about filtered bytes; chunks come
 * behind. A block like the source's costs some flags that soon cost nothing.
 * @module
 */
import { LIMITS } from '../../limits.ts';
import type { NumberCoder } from '../../model/number-coder.ts';
import { malformed } from '../tokens.ts';
import { checkedUnit, unitLimits, type UnitCodec } from '../unit-codec.ts';
import { headerBytesMin, type XzBlockHead, type XzBranchFilter } from '../xz/layout.ts';
import { filteredBytes, packXz, unpackXz, type XzParams } from '../xz/xz.ts';
import { codeBounded, codeExpected } from './fields.ts';
import { LZMA_RULES } from './lzma.ts';
import { codeChunks } from './lzma2-chunks.ts';

/** Of a block, what is known before its tokens. */
export interface XzBlockShape extends XzBlockHead {
  readonly contentBytes: number;
}

export interface XzHead {
  readonly check: number;
  readonly blocks: readonly XzBlockShape[];
}

const CHECK_CRC32 = 1;
const FILTERS_MAX = 3;
const CHUNK_BYTES = 2 ** 16;
/** Kinds; those of chunks come behind them (lzma2-chunks.ts). */
const NUMBER = { field: 0, filters: 1, filterId: 2, filterStart: 3, room: 4 };
const FLAG = { field: 0, lengths: 1, filters: 2, start: 3 };
const field = (context: number, max: number) => ({ flag: FLAG.field, number: NUMBER.field, context, max });
const CHECK = field(0, 15);
const COUNT = field(1, LIMITS.xz_blocks_max);
const DICTIONARY = field(2, 40);
/** What mksquashfs writes for blocks of 128 KiB. */
const USUAL: XzBlockShape = {
  headerBytes: 20,
  hasPackedBytes: true,
  hasContentBytes: true,
  filters: [],
  dictionaryCode: 10,
  contentBytes: 2 ** 17,
};

export const xzCodec: UnitCodec<XzParams, XzHead> = {
  name: 'xz',
  rules: LZMA_RULES,
  unpack(packed, sizes, _before, options) {
    return checkedUnit('xz', unpackXz(packed.subarray(0, sizes.packedBytes), unitLimits(sizes, options)), sizes);
  },
  pack: packXz,
  tokenBytes(content, { blocks }) {
    if (!hasFilters(blocks)) return content;
    const bytes = new Uint8Array(content.length);
    let from = 0;
    for (const { contentBytes, filters } of blocks) {
      bytes.set(filteredBytes(content.subarray(from, from + contentBytes), filters), from);
      from += contentBytes;
    }
    return bytes;
  },
  isFiltered: ({ blocks }) => hasFilters(blocks),
  headOf: ({ check, blocks }) => ({ check, blocks: blocks.map(({ chunks: _, ...shape }) => shape) }),
  codeHead(numbers, head, like, content) {
    const check = codeExpected(numbers, head?.check ?? 0, like?.check ?? CHECK_CRC32, CHECK);
    const first = like?.blocks[0] ?? USUAL;
    const isOne = like === null || like.blocks.length <= 1;
    const expected = content.length === 0 ? 0 : isOne ? 1 : Math.ceil(content.length / Math.max(1, first.contentBytes));
    const count = codeExpected(numbers, head?.blocks.length ?? 0, expected, COUNT);
    if (count > LIMITS.xz_blocks_max || (count === 0 && content.length > 0))
      malformed('xz', `${count} blocks for ${content.length} bytes`);
    const blocks: XzBlockShape[] = [];
    for (let left = content.length; blocks.length < count;) {
      const given = head?.blocks[blocks.length] ?? null;
      const isLast = blocks.length === count - 1;
      const shape = codeBlock(numbers, given, blocks.at(-1) ?? first, isLast ? left : null, left);
      left -= shape.contentBytes;
      blocks.push(shape);
    }
    return { check, blocks };
  },
  codeTail(numbers, { check, blocks }, params, like) {
    let before = like?.blocks[0]?.chunks ?? null;
    const coded = blocks.map((shape, i) => {
      const chunks = codeChunks(numbers, params?.blocks[i]?.chunks ?? null, before, shape.contentBytes);
      before = chunks;
      return { ...shape, chunks };
    });
    return { check, blocks: coded };
  },
};

function hasFilters(blocks: readonly XzBlockShape[]): boolean {
  return blocks.some(({ filters }) => filters.length > 0);
}

/** One block against another that should resemble it; `contentBytes` where it is known, else there are `left` at most. */
function codeBlock(
  numbers: NumberCoder,
  given: XzBlockShape | null,
  expected: XzBlockShape,
  contentBytes: number | null,
  left: number,
): XzBlockShape {
  const size = given?.contentBytes ?? 0;
  const coded = contentBytes ?? codeExpected(numbers, size, Math.min(expected.contentBytes, left), field(3, left));
  const shape = given ?? expected;
  const hasPackedBytes = numbers.flag(shape.hasPackedBytes, FLAG.lengths, 0, expected.hasPackedBytes ? 1 : 0);
  const hasContentBytes = numbers.flag(shape.hasContentBytes, FLAG.lengths, 1, expected.hasContentBytes ? 1 : 0);
  const dictionaryCode = codeExpected(numbers, shape.dictionaryCode, expected.dictionaryCode, DICTIONARY);
  const filters = codeFilters(numbers, given?.filters ?? null, expected.filters);
  const head = { headerBytes: 0, hasPackedBytes, hasContentBytes, filters, dictionaryCode, contentBytes: coded };
  // A header is as long as its fields need, where its writer had to reckon with the content not getting smaller.
  const room = numbers.signed((shape.headerBytes - usualHeaderBytes(head)) / 4, NUMBER.room, roomOf(expected));
  return { ...head, headerBytes: usualHeaderBytes(head) + 4 * room };
}

const roomOf = (shape: XzBlockShape): number =>
  Math.min(15, Math.max(0, 8 + (shape.headerBytes - usualHeaderBytes(shape)) / 4));

/** liblzma's bound for LZMA2 is all chunks stored. */
function usualHeaderBytes(shape: XzBlockShape): number {
  const { contentBytes } = shape;
  const packedBytes = contentBytes + 3 * Math.ceil(contentBytes / CHUNK_BYTES) + 1;
  return headerBytesMin(shape, { packedBytes, contentBytes });
}

function codeFilters(
  numbers: NumberCoder,
  given: readonly XzBranchFilter[] | null,
  expected: readonly XzBranchFilter[],
): readonly XzBranchFilter[] {
  const context = expected.length === 0 ? 0 : expected[0]!.id;
  if (numbers.flag(given !== null && isSame(given, expected), FLAG.filters, context)) return expected;
  const count = codeBounded(numbers, given?.length ?? 0, FILTERS_MAX, NUMBER.filters, context);
  const filters: XzBranchFilter[] = [];
  for (let i = 0; i < count; i++) {
    const filter = given?.[i] ?? null;
    const id = codeBounded(numbers, filter?.id ?? 0, 255, NUMBER.filterId, context);
    const hasStart = numbers.flag(filter !== null && filter.start !== null, FLAG.start);
    filters.push({
      id,
      start: hasStart ? codeBounded(numbers, filter?.start ?? 0, 2 ** 32 - 1, NUMBER.filterStart) : null,
    });
  }
  return filters;
}

function isSame(a: readonly XzBranchFilter[], b: readonly XzBranchFilter[]): boolean {
  return a.length === b.length && a.every(({ id, start }, i) => id === b[i]!.id && start === b[i]!.start);
}
