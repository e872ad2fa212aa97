/**
 * zstd frames, each a unit.
 * @module
 */
import { CODEC_ID } from '../../../format/unit-map.ts';
import { LIMITS } from '../../../limits.ts';
import { malformed } from '../../../unpack/tokens.ts';
import { BLOCK_BYTES_MAX } from '../../../unpack/zstd/codes.ts';
import { readFrameHead } from '../../../unpack/zstd/frame.ts';
import { BLOCK } from '../../../unpack/zstd/params.ts';
import { unpackZstd } from '../../../unpack/zstd/zstd.ts';
import { beginsWith, streamFinder, type StreamFinder } from './stream.ts';

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const BLOCK_HEAD_BYTES = 3;
const CHECKSUM_BYTES = 4;
/** A magic and the longest head. */
const HEAD_BYTES_MAX = 18;
/** What it takes to look at a block's head. */
const BLOCK_STEPS = 4;
const CONTENT_PER_STEP = 4;

interface Walked {
  readonly packedBytes: number;
  /** As the head says, else as much as so many blocks may make. */
  readonly contentBytesMax: number;
}

/** What the frame's head and those of its blocks say. @throws UpdateError unit_malformed */
function walk(bytes: Uint8Array, offset: number, spend: (steps: number) => void): Walked {
  const { head, contentBytes, end } = readFrameHead(bytes.subarray(offset, offset + HEAD_BYTES_MAX));
  let at = offset + end;
  let blocks = 0;
  for (let isLast = false; !isLast; blocks++) {
    spend(BLOCK_STEPS);
    if (at + BLOCK_HEAD_BYTES > bytes.length) malformed('zstd', `the frame is cut off at byte ${at}`);
    const blockHead = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    const [type, size] = [(blockHead >> 1) & 3, blockHead >> 3];
    if (type > BLOCK.compressed || size > BLOCK_BYTES_MAX) malformed('zstd', `there is no such block at byte ${at}`);
    isLast = (blockHead & 1) === 1;
    at += BLOCK_HEAD_BYTES + (type === BLOCK.rle ? 1 : size);
  }
  const packedBytes = at + (head.hasChecksum ? CHECKSUM_BYTES : 0) - offset;
  if (packedBytes > bytes.length - offset) malformed('zstd', 'the frame is cut off');
  const contentBytesMax = Math.min(contentBytes ?? Infinity, blocks * BLOCK_BYTES_MAX);
  return { packedBytes, contentBytesMax };
}

export const zstd: StreamFinder = streamFinder(
  'zstd',
  (bytes, offset) => beginsWith(bytes, offset, MAGIC),
  (bytes, offset, effort) => {
    const { packedBytes, contentBytesMax } = walk(bytes, offset, (steps) => effort.spend(steps));
    const limits = { contentBytesMax: Math.min(contentBytesMax, LIMITS.unit_content_bytes_max) };
    effort.spend((packedBytes + limits.contentBytesMax) / CONTENT_PER_STEP);
    const { content } = unpackZstd(bytes.subarray(offset, offset + packedBytes), limits);
    const unit = { offset, packedBytes, contentBytes: content.length, codec: CODEC_ID.zstd };
    return { units: [unit], end: offset + packedBytes };
  },
);
