/**
 * The literals section of a block (RFC 8878, 3.1.1.3.1): read, and written again.
 * @module
 */
import type { BitWriter } from '../deflate/bit-writer.ts';
import { malformed } from '../tokens.ts';
import { BLOCK_BYTES_MAX } from './codes.ts';
import { codesOf, decodeStream, encodeStream, HuffmanDecoding, loadDecoding } from './huffman.ts';
import { readTree, writeTree, type HuffmanTree } from './tree.ts';

export const LITERALS = { raw: 0, rle: 1, compressed: 2, treeless: 3 } as const;

/** What a block's writer chose of its literals. */
export interface LiteralsParams {
  /** One of LITERALS. */
  readonly mode: number;
  /** How wide the lengths before them are; where they are compressed, 0 is one stream and all others four. */
  readonly sizeFormat: number;
  /** Only where they are compressed with a code of their own. */
  readonly tree: HuffmanTree | null;
}

/** Bits of a length, by size format, of literals that are not compressed, and that are. */
const PLAIN_SIZE_BITS = [5, 12, 5, 20];
const SIZE_BITS = [10, 10, 14, 18];
const STREAMS = 4;
const JUMP_BYTES = 6;

/** Bytes before the literals. */
const headBytes = (mode: number, sizeFormat: number): number =>
  mode < LITERALS.compressed ? [1, 2, 1, 3][sizeFormat]! : [3, 3, 4, 5][sizeFormat]!;

/** A reader with its code, which treeless literals go on with. */
export class LiteralsReader {
  readonly #decoding = new HuffmanDecoding();
  readonly #buffer = new Uint8Array(BLOCK_BYTES_MAX);
  #hasTree = false;
  /** What the last section said. */
  literals: Uint8Array = new Uint8Array(0);
  params: LiteralsParams = { mode: LITERALS.raw, sizeFormat: 0, tree: null };

  /**
   * The section at the start of a block, and where it ends.
   * @throws UpdateError unit_malformed
   */
  read(block: Uint8Array, end: number): number {
    const mode = block[0]! & 3;
    const sizeFormat = (block[0]! >> 2) & 3;
    const at = headBytes(mode, sizeFormat);
    if (at > end) malformed('zstd', 'the literals of a block are cut off');
    if (mode >= LITERALS.compressed) return this.#readCompressed(block, at, end, mode, sizeFormat);
    const head = block[0]! | (at > 1 ? block[1]! << 8 : 0) | (at > 2 ? block[2]! << 16 : 0);
    // One bit says that the length has five; the other of the two is its lowest.
    const size = (sizeFormat & 1) === 0 ? block[0]! >> 3 : head >> 4;
    const sectionEnd = at + (mode === LITERALS.rle ? 1 : size);
    if (size > BLOCK_BYTES_MAX || sectionEnd > end) malformed('zstd', 'the literals of a block are cut off');
    this.literals =
      mode === LITERALS.rle ? this.#buffer.fill(block[at]!, 0, size).subarray(0, size) : block.subarray(at, sectionEnd);
    this.params = { mode, sizeFormat: (sizeFormat & 1) === 0 ? 0 : sizeFormat, tree: null };
    return sectionEnd;
  }

  #readCompressed(block: Uint8Array, headEnd: number, end: number, mode: number, sizeFormat: number): number {
    const bits = SIZE_BITS[sizeFormat]!;
    const low = (block[0]! | (block[1]! << 8) | (block[2]! << 16) | (block[3]! << 24)) >>> 4;
    const size = low & ((1 << bits) - 1);
    const high = headEnd === 5 ? (low >>> bits) | (block[4]! << (28 - bits)) : low >>> bits;
    const sectionEnd = headEnd + (high & ((1 << bits) - 1));
    if (size === 0 || size > BLOCK_BYTES_MAX || sectionEnd > end)
      malformed('zstd', 'the literals of a block are cut off');
    let at = headEnd;
    let tree: HuffmanTree | null = null;
    if (mode === LITERALS.compressed) {
      const read = readTree(block, at, sectionEnd);
      tree = read.tree;
      at = read.end;
      loadDecoding(this.#decoding, tree.weights);
      this.#hasTree = true;
    } else if (!this.#hasTree) malformed('zstd', 'a block has no code for its literals');
    if (sizeFormat === 0) decodeStream(block, at, sectionEnd, this.#decoding, this.#buffer, 0, size);
    else this.#readStreams(block, at, sectionEnd, size);
    this.literals = this.#buffer.subarray(0, size);
    this.params = { mode, sizeFormat, tree };
    return sectionEnd;
  }

  /** Four streams of equal length but for the last; three packed lengths stand before them. */
  #readStreams(block: Uint8Array, from: number, end: number, size: number): void {
    const part = (size + STREAMS - 1) >> 2;
    if (part * (STREAMS - 1) > size || from + JUMP_BYTES > end)
      malformed('zstd', `${size} literals are not enough for four streams`);
    let at = from + JUMP_BYTES;
    for (let i = 0; i < STREAMS; i++) {
      const jump = from + 2 * i;
      const streamEnd = i === STREAMS - 1 ? end : at + (block[jump]! | (block[jump + 1]! << 8));
      if (streamEnd > end) malformed('zstd', 'the literals of a block are cut off');
      decodeStream(block, at, streamEnd, this.#decoding, this.#buffer, part * i, Math.min(size, part * (i + 1)));
      at = streamEnd;
    }
  }
}

/** A writer with its code. */
export class LiteralsWriter {
  #codes: Uint32Array | null = null;

  /** @throws UpdateError unit_malformed */
  write(writer: BitWriter, literals: Uint8Array, { mode, sizeFormat, tree }: LiteralsParams): void {
    const size = literals.length;
    const plain = mode < LITERALS.compressed;
    const bits = (plain ? PLAIN_SIZE_BITS : SIZE_BITS)[sizeFormat];
    if (bits === undefined || size >= 2 ** bits) malformed('zstd', `${size} literals do not fit their head`);
    if (plain) {
      writer.bits(mode | (sizeFormat << 2), (sizeFormat & 1) === 0 ? 3 : 4);
      // The second format of five bits is the first: its bit is the length's lowest.
      writer.bits(size & 0xffff, Math.min(bits, 16));
      if (bits > 16) writer.bits(size >> 16, bits - 16);
      if (mode === LITERALS.raw) return writer.append(literals);
      if (literals.some((literal) => literal !== literals[0]) || size === 0)
        malformed('zstd', 'literals that are one repeated are not');
      return writer.bits(literals[0]!, 8);
    }
    const head = writer.at;
    for (let i = headBytes(mode, sizeFormat); i > 0; i--) writer.bits(0, 8);
    const begin = writer.at;
    this.#writeCompressed(writer, literals, mode === LITERALS.treeless ? null : tree, sizeFormat === 0);
    const packed = writer.at - begin;
    if (packed >= 2 ** bits) malformed('zstd', `literals of ${packed} bytes do not fit their head`);
    let fields = mode + sizeFormat * 4 + size * 16 + packed * 2 ** (4 + bits);
    for (let at = head; at < begin; at++, fields = Math.floor(fields / 256)) writer.bytes[at] = fields % 256;
  }

  #writeCompressed(writer: BitWriter, literals: Uint8Array, tree: HuffmanTree | null, isOne: boolean): void {
    if (tree !== null) {
      writeTree(writer, tree);
      this.#codes = codesOf(tree.weights);
    }
    if (this.#codes === null) malformed('zstd', 'a block has no code for its literals');
    const size = literals.length;
    if (isOne) return encodeStream(writer, literals, 0, size, this.#codes);
    const part = (size + STREAMS - 1) >> 2;
    if (part * (STREAMS - 1) > size) malformed('zstd', `${size} literals are not enough for four streams`);
    const jumps = writer.at;
    for (let i = 0; i < JUMP_BYTES; i++) writer.bits(0, 8);
    for (let i = 0; i < STREAMS; i++) {
      const begin = writer.at;
      encodeStream(writer, literals, part * i, Math.min(size, part * (i + 1)), this.#codes);
      const packed = writer.at - begin;
      if (i === STREAMS - 1) continue;
      if (packed > 0xffff) malformed('zstd', `a stream of literals has ${packed} bytes`);
      writer.bytes[jumps + 2 * i] = packed;
      writer.bytes[jumps + 2 * i + 1] = packed >> 8;
    }
  }
}
