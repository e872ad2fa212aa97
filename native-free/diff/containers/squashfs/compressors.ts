/**
 * What squashfs compresses with: which codec a block of it is, and how a block of metadata is read.
 * @module
 */
import { decompress } from 'fzstd';
import { CODEC_ID } from '../../../format/unit-map.ts';
import { unpackZlib } from '../../../unpack/deflate/wrappers.ts';
import { unpackLz4 } from '../../../unpack/lz4.ts';
import { unpackLzma } from '../../../unpack/lzma/lzma1.ts';
import { malformed } from '../../../unpack/tokens.ts';
import { unpackXz } from '../../../unpack/xz/xz.ts';
import { Fields } from '../fields.ts';

export interface Compressor {
  /** One of CODEC_ID. */
  readonly codec: number;
  /**
   * Content of at most `bytesMax` bytes.
   * @throws UpdateError unit_malformed
   */
  read(packed: Uint8Array, bytesMax: number): Uint8Array;
}

/** By the superblock's number. A compressor that has no entry here makes an image that is no container: so far LZO's. */
export const COMPRESSORS: Readonly<Record<number, Compressor | undefined>> = {
  1: {
    codec: CODEC_ID.zlib,
    read: (packed, contentBytesMax) => unpackZlib(packed, { contentBytesMax }).content,
  },
  2: { codec: CODEC_ID.lzma, read: (packed, contentBytesMax) => unpackLzma(packed, limitsOf(contentBytesMax)).content },
  // 3 is LZO: unpackLzo of ../../../unpack/lzo.ts, with CODEC_ID.lzo
  4: { codec: CODEC_ID.xz, read: (packed, contentBytesMax) => unpackXz(packed, limitsOf(contentBytesMax)).content },
  5: { codec: CODEC_ID.lz4, read: (packed, contentBytesMax) => unpackLz4(packed, { contentBytesMax }).content },
  6: { codec: CODEC_ID.zstd, read: readZstd },
};

/** Metadata never reaches back further than it is long. */
const limitsOf = (contentBytesMax: number): { contentBytesMax: number; dictionaryBytesMax: number } => ({
  contentBytesMax,
  dictionaryBytesMax: contentBytesMax,
});

const ZSTD_MAGIC = 0xfd2fb528;

/** One frame of zstd whose header says how long its content is, as squashfs's all do. */
function readZstd(packed: Uint8Array, bytesMax: number): Uint8Array {
  const content = new Uint8Array(zstdContentBytes(new Fields(packed, 'zstd'), bytesMax));
  // The library compares its output with a number, for which JavaScript would write all of it out as text.
  Object.defineProperty(content, Symbol.toPrimitive, { value: () => NaN });
  try {
    decompress(packed, content);
  } catch (error) {
    malformed('zstd', error instanceof Error ? error.message : String(error));
  }
  return content;
}

function zstdContentBytes(fields: Fields, bytesMax: number): number {
  const flags = fields.u8(4);
  const isSingle = (flags & 0x20) !== 0;
  const sizeField = flags >> 6;
  if (fields.u32(0) !== ZSTD_MAGIC || (flags & 3) !== 0 || (sizeField === 0 && !isSingle))
    fields.fault('it is no frame that says its size');
  const at = isSingle ? 5 : 6;
  const sizes = [() => fields.u8(at), () => fields.u16(at) + 256, () => fields.u32(at), () => fields.u64(at)];
  const bytes = sizes[sizeField]!();
  if (bytes > bytesMax) fields.fault(`${bytes} bytes, over ${bytesMax}`);
  return bytes;
}
