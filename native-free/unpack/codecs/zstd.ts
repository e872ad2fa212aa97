/**
 * zstd frames as units: the frame's head is known before the tokens; of blocks, only what the reference implementation
 * would not have made of these tokens is said.
 * @module
 */
import { LIMITS } from '../../limits.ts';
import type { NumberCoder } from '../../model/number-coder.ts';
import { malformed } from '../tokens.ts';
import { checkedUnit, unitLimits, type UnitCodec } from '../unit-codec.ts';
import { MATCH_MAX, MATCH_MIN } from '../zstd/codes.ts';
import { usualSizeCode, windowBytesOf, type FrameHead } from '../zstd/frame.ts';
import { blocksAllowed, type ZstdParams } from '../zstd/params.ts';
import { packZstd, unpackZstd } from '../zstd/zstd.ts';
import { codeBounded, codeExpected } from './fields.ts';
import { BlockCoder } from './zstd-block.ts';
import { codeBlockEnds } from './zstd-ends.ts';
import { FLAG, NUMBER } from './zstd-kinds.ts';

const DISTANCE_MAX = 2 ** 32 - 4;
const WINDOW = { flag: FLAG.head, number: NUMBER.head, context: 2, max: 255 };
const SIZE_CODE = { flag: FLAG.head, number: NUMBER.head, context: 3, max: 3 };
/** What mksquashfs writes. */
const USUAL: FrameHead = { hasChecksum: false, sizeCode: 2, window: null };

export const zstdCodec: UnitCodec<ZstdParams, FrameHead> = {
  name: 'zstd',
  rules: {
    matchMin: MATCH_MIN,
    matchMax: MATCH_MAX,
    distanceMax: DISTANCE_MAX,
    reps: [1, 4, 8],
    hasShortRep: false,
  },
  unpack(packed, sizes, _before, options) {
    return checkedUnit('zstd', unpackZstd(packed.subarray(0, sizes.packedBytes), unitLimits(sizes, options)), sizes);
  },
  pack: packZstd,
  tokenBytes: (content) => content,
  isFiltered: () => false,
  headOf: ({ head }) => head,
  codeHead(numbers, head, like, content) {
    const expected = like?.head ?? USUAL;
    const hasChecksum = numbers.flag(head?.hasChecksum ?? false, FLAG.head, 0, expected.hasChecksum ? 1 : 0);
    const hasWindow = numbers.flag(
      head !== null && head.window !== null,
      FLAG.head,
      1,
      expected.window === null ? 0 : 1,
    );
    const window = hasWindow ? codeExpected(numbers, head?.window ?? 0, expected.window ?? 0, WINDOW) : null;
    const isSaid = expected.sizeCode > 0 || expected.window === null;
    const usual = isSaid ? usualSizeCode(content.length) : 0;
    return { hasChecksum, window, sizeCode: codeExpected(numbers, head?.sizeCode ?? 0, usual, SIZE_CODE) };
  },
  codeTail(numbers, head, params, like, content, tokens) {
    const plain = codePlain(numbers, params?.plain ?? null, Math.min(tokens.count, LIMITS.unit_blocks_max));
    const regionBytes = windowBytesOf(head, content.length);
    let empty = 0;
    const blocks = new BlockCoder(numbers, content, tokens, plain);
    codeBlockEnds({ numbers, tokens, contentBytes: content.length, regionBytes }, params, like, (contentBytes) => {
      const i = blocks.coded.length;
      if (contentBytes === 0) empty++;
      if (!blocksAllowed(i + 1, empty))
        malformed('zstd', `${empty} of ${i + 1} blocks are empty, or there are too many`);
      blocks.code(contentBytes, params?.blocks[i] ?? null);
    });
    return { head, plain, blocks: blocks.coded };
  },
};

/** Matches that are said in full and need not be: none, from any writer that is known. */
function codePlain(numbers: NumberCoder, plain: readonly number[] | null, max: number): readonly number[] {
  const count = codeBounded(numbers, plain?.length ?? 0, max, NUMBER.plain);
  const coded: number[] = [];
  for (let i = 0, next = 0; i < count; i++) {
    const gap = codeBounded(numbers, (plain?.[i] ?? next) - next, max, NUMBER.plain, 1);
    coded.push(next + gap);
    next += gap + 1;
  }
  return coded;
}
