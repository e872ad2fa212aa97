/**
 * bzip2 decompression, one block at a time.
 *
 * Written here because BSDIFF40 needs three streams read side by side with bounded memory, on any runtime, and no
 * dependency-free JavaScript decoder does that (decision 0010). After the format's description in Seward's bzip2 1.0:
 * Huffman groups, move-to-front, zero runs, inverse Burrows-Wheeler transform, run lengths. "Randomised" blocks, which
 * no encoder has written since 1997, are refused.
 * @module
 */
import { UpdateError } from '../status.ts';

const BLOCK_MAGIC = [0x314159, 0x265359] as const;
const END_MAGIC = [0x177245, 0x385090] as const;
const GROUP_SYMBOLS = 50;
const CODE_BITS_MAX = 20;
const SELECTORS_MAX = 18_002;
/** Streams without a block, one behind the other: nobody writes more than one. */
const EMPTY_STREAMS_MAX = 100;

/** CRC-32 of bzip2: polynomial 0x04c11db7, most significant bit first. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  return crc >>> 0;
});

function bad(what: string): never {
  throw new UpdateError('foreign_malformed', `bzip2: ${what}`);
}

class BitReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #buffer = 0;
  #count = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Up to 24 bits, most significant first. */
  bits(count: number): number {
    while (this.#count < count) {
      if (this.#at >= this.#bytes.length) bad(`the stream ends at byte ${this.#at}, inside a block`);
      this.#buffer = ((this.#buffer << 8) | this.#bytes[this.#at++]!) & 0x7fffffff;
      this.#count += 8;
    }
    this.#count -= count;
    return (this.#buffer >>> this.#count) & ((1 << count) - 1);
  }

  word(): number {
    return ((this.bits(16) << 16) | this.bits(16)) >>> 0;
  }

  /** Drops the rest of the current byte; true if nothing follows. */
  alignedAtEnd(): boolean {
    this.#count -= this.#count % 8;
    return this.#count === 0 && this.#at >= this.#bytes.length;
  }
}

/** Canonical Huffman code: limits and bases by length. */
class HuffmanTable {
  readonly #limit = new Int32Array(CODE_BITS_MAX + 2).fill(-1);
  readonly #base = new Int32Array(CODE_BITS_MAX + 2);
  readonly #symbols: Uint16Array;
  readonly #shortest: number;

  constructor(lengths: Uint8Array) {
    const counts = new Int32Array(CODE_BITS_MAX + 2);
    for (const length of lengths) counts[length]!++;
    this.#symbols = new Uint16Array(lengths.length);
    let index = 0;
    for (let length = 1; length <= CODE_BITS_MAX; length++) {
      lengths.forEach((value, symbol) => {
        if (value === length) this.#symbols[index++] = symbol;
      });
    }
    let code = 0;
    let first = 0;
    for (let length = 1; length <= CODE_BITS_MAX; length++) {
      this.#base[length] = first - code;
      code += counts[length]!;
      first += counts[length]!;
      this.#limit[length] = code - 1;
      if (code > 1 << length) bad('a Huffman code is over-subscribed');
      code <<= 1;
    }
    this.#shortest = lengths.reduce((least, length) => Math.min(least, length), CODE_BITS_MAX);
  }

  symbol(reader: BitReader): number {
    let code = reader.bits(this.#shortest);
    for (let length = this.#shortest; ;) {
      const index = this.#base[length]! + code;
      if (code <= this.#limit[length]!) return this.#symbols[index]!;
      if (++length > CODE_BITS_MAX) bad('a Huffman code is unknown');
      code = (code << 1) | reader.bits(1);
    }
  }
}

/** A sequential reader of the plaintext of a bzip2 file. Memory: 4 bytes a block byte, at most 3.6 MB. */
export class Bzip2Reader {
  readonly #reader: BitReader;
  #chain: Uint32Array = new Uint32Array(0);
  #state: 'start' | 'blocks' | 'end' = 'start';
  #left = 0;
  #position = 0;
  #run = 0;
  #last = -1;
  #repeat = 0;
  #crc = 0xffffffff;
  #expectedCrc = 0;
  #streamCrc = 0;

  constructor(bytes: Uint8Array) {
    this.#reader = new BitReader(bytes);
  }

  /**
   * Fills `into` as far as the plaintext goes; less than its length only at the end.
   * @throws UpdateError foreign_malformed
   */
  read(into: Uint8Array): number {
    let done = 0;
    while (done < into.length) {
      const count = this.some(into.subarray(done));
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  /**
   * The start of `into`, from one block: the work of one call is bounded. Returns how many bytes; 0 at the end.
   * @throws UpdateError foreign_malformed
   */
  some(into: Uint8Array): number {
    if (into.length === 0) return 0;
    while (this.#left === 0 && this.#repeat === 0) if (!this.#nextBlock()) return 0;
    return this.#fromBlock(into);
  }

  /** Like `some`, but begins no further block: 0 at the end of the one at hand. */
  restOfBlock(into: Uint8Array): number {
    return this.#fromBlock(into);
  }

  /**
   * To be called at the end of a block, when no more is wanted: checks the block, and the stream if that ends here. What
   * follows is not looked at. Nothing is checked of a stream that nothing was read of.
   * @throws UpdateError foreign_malformed
   */
  finish(): void {
    if (this.#state !== 'blocks') return;
    this.#finishBlock();
    if (this.#atBlock()) return;
    if (this.#reader.word() !== this.#streamCrc) bad('the stream does not have its checksum');
  }

  #fromBlock(into: Uint8Array): number {
    let done = 0;
    while (done < into.length && this.#left + this.#repeat > 0) {
      if (this.#repeat === 0) {
        done += this.#emit(into, done);
        continue;
      }
      const count = Math.min(this.#repeat, into.length - done);
      into.fill(this.#last, done, done + count);
      for (let i = 0; i < count; i++) this.#check(this.#last);
      this.#repeat -= count;
      done += count;
    }
    return done;
  }

  #check(byte: number): void {
    this.#crc = ((this.#crc << 8) ^ CRC_TABLE[(this.#crc >>> 24) ^ byte]!) >>> 0;
  }

  /** Undoes the outer run lengths: after four equal bytes comes a count of further ones. */
  #emit(into: Uint8Array, start: number): number {
    let at = start;
    while (this.#left > 0 && at < into.length && this.#repeat === 0) {
      const entry = this.#chain[this.#position]!;
      const byte = entry & 255;
      this.#position = entry >>> 8;
      this.#left--;
      if (this.#run === 4) {
        this.#repeat = byte;
        this.#run = 0;
        // Equal bytes after the count begin a new run.
        if (byte === 0) continue;
        break;
      }
      this.#run = byte === this.#last ? this.#run + 1 : 1;
      this.#last = byte;
      this.#check(byte);
      into[at++] = byte;
    }
    return at - start;
  }

  #finishBlock(): void {
    const crc = ~this.#crc >>> 0;
    if (crc !== this.#expectedCrc) bad('a block does not have its checksum');
    this.#streamCrc = (((this.#streamCrc << 1) | (this.#streamCrc >>> 31)) ^ crc) >>> 0;
  }

  #nextBlock(): boolean {
    if (this.#state === 'end') return false;
    if (this.#state === 'start') this.#startStream();
    else this.#finishBlock();
    for (let empty = 0; !this.#atBlock(); empty++) {
      if (empty > EMPTY_STREAMS_MAX) bad('too many streams without a block');
      if (this.#reader.word() !== this.#streamCrc) bad('the stream does not have its checksum');
      if (this.#reader.alignedAtEnd()) {
        this.#state = 'end';
        return false;
      }
      this.#startStream();
    }
    this.#readBlock();
    return true;
  }

  /** True at a block, false at the end of a stream. */
  #atBlock(): boolean {
    const magic = [this.#reader.bits(24), this.#reader.bits(24)];
    if (magic[0] === BLOCK_MAGIC[0] && magic[1] === BLOCK_MAGIC[1]) return true;
    if (magic[0] !== END_MAGIC[0] || magic[1] !== END_MAGIC[1]) bad('a block has a wrong magic number');
    return false;
  }

  #startStream(): void {
    const [b, z, h, level] = [0, 0, 0, 0].map(() => this.#reader.bits(8)) as [number, number, number, number];
    if (b !== 0x42 || z !== 0x5a || h !== 0x68 || level < 0x31 || level > 0x39) bad('this is no bzip2 stream');
    const size = (level - 0x30) * 100_000;
    if (this.#chain.length < size) this.#chain = new Uint32Array(size);
    this.#state = 'blocks';
    this.#streamCrc = 0;
  }

  #readBlock(): void {
    const reader = this.#reader;
    this.#expectedCrc = reader.word();
    if (reader.bits(1) !== 0) bad('randomised blocks are not supported');
    const origin = reader.bits(24);
    const used = readUsedBytes(reader);
    const { selectors, tables } = readTables(reader, used.length + 2);
    const length = this.#readSymbols(used, selectors, tables);
    if (origin >= length) bad('a block begins outside of itself');
    invertTransform(this.#chain, length);
    this.#position = this.#chain[origin]! >>> 8;
    this.#left = length;
    this.#run = 0;
    this.#last = -1;
    this.#crc = 0xffffffff;
  }

  /** Huffman codes, zero runs and move-to-front, into the low bytes of the chain. Returns the block's length. */
  #readSymbols(used: Uint8Array, selectors: Uint8Array, tables: readonly HuffmanTable[]): number {
    const chain = this.#chain;
    const end = used.length + 1;
    const front = used.slice();
    let length = 0;
    let runBit = 1;
    let run = 0;
    for (let symbolIndex = 0; ; symbolIndex++) {
      const group = Math.floor(symbolIndex / GROUP_SYMBOLS);
      if (group >= selectors.length) bad('a block has more symbols than selectors');
      const symbol = tables[selectors[group]!]!.symbol(this.#reader);
      if (symbol <= 1) {
        run += runBit << symbol;
        runBit <<= 1;
        if (run > chain.length - length) bad('a run leaves its block');
        continue;
      }
      chain.fill(front[0]!, length, length + run);
      length += run;
      run = 0;
      runBit = 1;
      if (symbol === end) return length;
      if (length >= chain.length) bad('a block is longer than its stream allows');
      const byte = front[symbol - 1]!;
      front.copyWithin(1, 0, symbol - 1);
      front[0] = byte;
      chain[length++] = byte;
    }
  }
}

/** Bytes that occur in the block, in order; a two-level bitmap of 16 times 16. */
function readUsedBytes(reader: BitReader): Uint8Array {
  const rows = reader.bits(16);
  const used: number[] = [];
  for (let row = 0; row < 16; row++) {
    if (((rows >> (15 - row)) & 1) === 0) continue;
    const columns = reader.bits(16);
    for (let column = 0; column < 16; column++)
      if (((columns >> (15 - column)) & 1) !== 0) used.push(row * 16 + column);
  }
  if (used.length === 0) bad('a block uses no bytes');
  return Uint8Array.from(used);
}

function readTables(reader: BitReader, symbols: number): { selectors: Uint8Array; tables: HuffmanTable[] } {
  const groups = reader.bits(3);
  const count = reader.bits(15);
  if (groups < 2 || groups > 6 || count === 0) bad('a block has an impossible number of tables');
  const selectors = new Uint8Array(Math.min(count, SELECTORS_MAX));
  const front = Uint8Array.from({ length: groups }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    let index = 0;
    while (reader.bits(1) === 1) if (++index >= groups) bad('a selector names no table');
    const table = front[index]!;
    front.copyWithin(1, 0, index);
    front[0] = table;
    // Old encoders wrote more selectors than can be used; they are read and dropped.
    if (i < selectors.length) selectors[i] = table;
  }
  const tables = Array.from({ length: groups }, () => {
    const lengths = new Uint8Array(symbols);
    let length = reader.bits(5);
    for (let symbol = 0; symbol < symbols; symbol++) {
      for (;;) {
        if (length < 1 || length > CODE_BITS_MAX) bad('a code has an impossible length');
        if (reader.bits(1) === 0) break;
        length += reader.bits(1) === 0 ? 1 : -1;
      }
      lengths[symbol] = length;
    }
    return new HuffmanTable(lengths);
  });
  return { selectors, tables };
}

/** Turns the last column into a chain: the low byte is the character, the rest the index of the one after it. */
function invertTransform(chain: Uint32Array, length: number): void {
  const starts = new Uint32Array(257);
  for (let i = 0; i < length; i++) starts[(chain[i]! & 255) + 1]!++;
  for (let byte = 0; byte < 256; byte++) starts[byte + 1]! += starts[byte]!;
  for (let i = 0; i < length; i++) {
    const byte = chain[i]! & 255;
    const to = starts[byte]!++;
    chain[to] = (chain[to]! & 255) | (i << 8);
  }
}
