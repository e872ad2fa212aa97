/**
 * The unit map: which parts of an image are compressed streams, and in which order their contents are laid out.
 *
 * A *unit* is a compressed stream that lies in the image or in the content of another unit. The *virtual stream* is what
 * deltas are made of: pieces of unit contents and of raw image bytes, in an order in which a file is one run of bytes
 * whatever blocks it was cut into. A device knows units and codecs, and nothing of file systems (decision 0127).
 * @module
 */

/** Numbers of codecs; part of the format. */
export const CODEC_ID = {
  /** Raw deflate, or some blocks of it: a long stream is several units. */
  deflate: 1,
  /** A zlib stream with header and checksum. */
  zlib: 2,
  /** An xz stream: blocks, filters, checks, index. */
  xz: 3,
  /** A .lzma file: 13 bytes of header before the stream. */
  lzma: 4,
  /** An LZ4 block. */
  lz4: 5,
  /** A zstd frame. */
  zstd: 6,
  /** An LZO1X block. */
  lzo: 7,
  /** What erofs makes of LZMA: no header, its first byte says lc, lp and pb. */
  microLzma: 8,
} as const;

/** One compressed stream. */
export interface Unit {
  /** Index of the unit in whose content it lies, always a smaller one; -1: in the image. */
  readonly parent: number;
  /** Where it begins there; of the image, what it skips does not count. */
  readonly offset: number;
  readonly packedBytes: number;
  readonly contentBytes: number;
  /** One of CODEC_ID. */
  readonly codec: number;
  /** It goes on in the middle of the stream of the unit before it, which has the same parent. Deflate only. */
  readonly continues: boolean;
  /** Target only: the unit of the source whose packed bytes it has; -1: it is replayed. */
  readonly copyOf: number;
}

/** Bytes of the virtual stream. */
export interface VirtualPiece {
  /** Whose content they are; -1: bytes of the image. */
  readonly unit: number;
  readonly offset: number;
  readonly length: number;
  /**
   * It follows the piece before without a gap; else it begins, after zeros, at the next multiple of four, or, bytes of the
   * image, where its offset has the same remainder.
   */
  readonly joined: boolean;
  /** So many zeros more stand before it: a hole of a file. */
  readonly zeros: number;
}

/**
 * Bytes of the image that its units pass over, as if they were not there: headers of flash blocks, which cut a volume in
 * pieces wherever its streams begin and end (decision 0133). They are raw.
 */
export interface Skip {
  readonly offset: number;
  readonly length: number;
}

/** Units by parent and offset: those of the image first, in its order, each before the units in its content. */
export interface UnitMap {
  /** In the order of the image. */
  readonly skips: readonly Skip[];
  readonly units: readonly Unit[];
  readonly pieces: readonly VirtualPiece[];
}

export const ALIGNMENT = 4;

/** Between two skips there are so many bytes at least: each part of a unit may be a read of the device. */
export const SKIPS_APART_BYTES = 1024;

/** Units in units. */
export const UNIT_DEPTH_MAX = 3;

/**
 * Content of the unit before that tokens of one that continues it may refer to. It is coded again with the segment, which
 * otherwise could not begin there; no unit lies in it.
 */
export const HISTORY_BYTES = 32_768;
