/**
 * xz streams, each a unit: those of a file with several are several containers.
 * @module
 */
import { CODEC_ID } from '../../../format/unit-map.ts';
import { LIMITS } from '../../../limits.ts';
import { parseXz, unpackXz } from '../../../unpack/xz/xz.ts';
import { beginsWith, streamFinder, type StreamFinder } from './stream.ts';

const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0];
/** Lists of blocks and chunks may go through all bytes that follow, some at a time. */
const PARSE_BYTES_PER_STEP = 8;

export const xz: StreamFinder = streamFinder(
  'xz',
  (bytes, offset) => beginsWith(bytes, offset, MAGIC),
  (bytes, offset, effort) => {
    const rest = bytes.subarray(offset);
    const contentBytesMax = LIMITS.unit_content_bytes_max;
    effort.spend(Math.min(rest.length, contentBytesMax) / PARSE_BYTES_PER_STEP);
    const { packedBytes, contentBytes } = parseXz(rest, contentBytesMax);
    effort.spend(contentBytes);
    unpackXz(rest, { contentBytesMax: contentBytes });
    return { units: [{ offset, packedBytes, contentBytes, codec: CODEC_ID.xz }], end: offset + packedBytes };
  },
);
