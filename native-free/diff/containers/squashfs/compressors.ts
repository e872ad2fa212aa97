/**
 * What squashfs compresses with: which codec a block of it is, and how a block of metadata is read.
 * @module
 */
import { CODEC_ID } from '../../../format/unit-map.ts';
import { unpackZlib } from '../../../unpack/deflate/wrappers.ts';
import { unpackLz4 } from '../../../unpack/lz4.ts';
import { unpackLzo } from '../../../unpack/lzo.ts';
import { unpackLzma } from '../../../unpack/lzma/lzma1.ts';
import { unpackXz } from '../../../unpack/xz/xz.ts';
import { unpackZstd } from '../../../unpack/zstd/zstd.ts';

export interface Compressor {
  /** One of CODEC_ID. */
  readonly codec: number;
  /**
   * Content of at most `bytesMax` bytes.
   * @throws UpdateError unit_malformed
   */
  read(packed: Uint8Array, bytesMax: number): Uint8Array;
}

/** By the superblock's number. An image by another compressor is no container. */
export const COMPRESSORS: Readonly<Record<number, Compressor | undefined>> = {
  1: {
    codec: CODEC_ID.zlib,
    read: (packed, contentBytesMax) => unpackZlib(packed, { contentBytesMax }).content,
  },
  2: { codec: CODEC_ID.lzma, read: (packed, contentBytesMax) => unpackLzma(packed, limitsOf(contentBytesMax)).content },
  3: { codec: CODEC_ID.lzo, read: (packed, contentBytesMax) => unpackLzo(packed, { contentBytesMax }).content },
  4: { codec: CODEC_ID.xz, read: (packed, contentBytesMax) => unpackXz(packed, limitsOf(contentBytesMax)).content },
  5: { codec: CODEC_ID.lz4, read: (packed, contentBytesMax) => unpackLz4(packed, { contentBytesMax }).content },
  6: { codec: CODEC_ID.zstd, read: (packed, contentBytesMax) => unpackZstd(packed, { contentBytesMax }).content },
};

/** Metadata never reaches back further than it is long. */
const limitsOf = (contentBytesMax: number): { contentBytesMax: number; dictionaryBytesMax: number } => ({
  contentBytesMax,
  dictionaryBytesMax: contentBytesMax,
});
