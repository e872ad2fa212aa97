/**
 * Blocks of a zstd frame from content and tokens.
 * @module
 */
import type { BitWriter } from '../deflate/bit-writer.ts';
import { malformed, OP, type TokenList } from '../tokens.ts';
import { BLOCK_BYTES_MAX, MATCH_MAX, MATCH_MIN } from './codes.ts';
import { LiteralsWriter } from './literals.ts';
import { Offsets } from './offsets.ts';
import { SequenceList, writeSequences, type Tables } from './sequences.ts';
import { BLOCK, type ZstdBlock } from './params.ts';

const HEAD_BYTES = 3;
const DISTANCE_MAX = 2 ** 32 - 4;

/** What of the tokens a block consists of: its literals in one piece, and its sequences. */
export class BlockTokens {
  readonly sequences = new SequenceList();
  readonly #buffer = new Uint8Array(BLOCK_BYTES_MAX);
  #literals = 0;
  readonly #content: Uint8Array;
  readonly #tokens: TokenList;
  /** How far content and tokens are used. */
  at = 0;
  token = 0;

  constructor(content: Uint8Array, tokens: TokenList) {
    this.#content = content;
    this.#tokens = tokens;
  }

  get literals(): Uint8Array {
    return this.#buffer.subarray(0, this.#literals);
  }

  /** Takes the next block's; `offsets` go on with it. @throws UpdateError unit_malformed */
  take(contentBytes: number, offsets: Offsets): void {
    const content = this.#content;
    const tokens = this.#tokens;
    const { sequences } = this;
    const end = this.at + contentBytes;
    if (contentBytes > BLOCK_BYTES_MAX || end > content.length)
      malformed('zstd', `a block of ${contentBytes} bytes at byte ${this.at} is too long`);
    const buffer = this.#buffer;
    let literals = 0;
    let run = 0;
    let at = this.at;
    let token = this.token;
    sequences.count = 0;
    for (; at < end; token++) {
      if (token === tokens.count) malformed('zstd', `there is no token for byte ${at}`);
      const size = tokens.lengthAt(token);
      const op = tokens.opAt(token);
      if (op === OP.literal) {
        if (size !== 1) malformed('zstd', `the literal ${token} has length ${size}`);
        buffer[literals++] = content[at++]!;
        run++;
        continue;
      }
      const back = tokens.distanceAt(token);
      if (size < MATCH_MIN || size > MATCH_MAX || size > end - at || back < 1 || back > Math.min(at, DISTANCE_MAX))
        malformed('zstd', `token ${token} is none of zstd's (${op}, ${size}, ${back})`);
      sequences.reserve(sequences.count + 1);
      sequences.offsets[sequences.count] = offsets.write(op, back, run > 0);
      sequences.lengths[sequences.count] = size;
      sequences.literals[sequences.count++] = run;
      run = 0;
      at += size;
    }
    this.#literals = literals;
    this.at = at;
    this.token = token;
  }
}

export class BlockWriter {
  readonly #writer: BitWriter;
  readonly #content: Uint8Array;
  readonly #block: BlockTokens;
  readonly #literals = new LiteralsWriter();
  readonly #tables: Tables = [null, null, null];
  readonly #offsets: Offsets;

  constructor(writer: BitWriter, content: Uint8Array, tokens: TokenList, plain: readonly number[]) {
    this.#writer = writer;
    this.#offsets = new Offsets(plain);
    this.#content = content;
    this.#block = new BlockTokens(content, tokens);
  }

  get at(): number {
    return this.#block.at;
  }

  get token(): number {
    return this.#block.token;
  }

  /** @throws UpdateError unit_malformed */
  write(params: ZstdBlock, isLast: boolean): void {
    const writer = this.#writer;
    const head = writer.at;
    const from = this.at;
    this.#block.take(params.contentBytes, this.#offsets);
    for (let i = 0; i < HEAD_BYTES; i++) writer.bits(0, 8);
    if (params.type === BLOCK.compressed) {
      if (params.literals === null) malformed('zstd', 'a compressed block says nothing of its literals');
      this.#literals.write(writer, this.#block.literals, params.literals);
      writeSequences(writer, this.#block.sequences, params.tables, this.#tables);
    } else this.#writePlain(params.type, this.#content.subarray(from, this.at));
    const packed = writer.at - head - HEAD_BYTES;
    const size = params.type === BLOCK.rle ? params.contentBytes : packed;
    if (size > BLOCK_BYTES_MAX) malformed('zstd', `a block has ${size} bytes`);
    const fields = (isLast ? 1 : 0) | (params.type << 1) | (size << 3);
    for (let i = 0; i < HEAD_BYTES; i++) writer.bytes[head + i] = fields >> (8 * i);
  }

  #writePlain(type: number, bytes: Uint8Array): void {
    if (this.#block.sequences.count > 0) malformed('zstd', 'a block that is not compressed has a match');
    if (type === BLOCK.raw) return this.#writer.append(bytes);
    if (type !== BLOCK.rle || bytes.length === 0 || bytes.some((byte) => byte !== bytes[0]))
      malformed('zstd', `a block of type ${type} cannot have its content`);
    this.#writer.bits(bytes[0]!, 8);
  }
}
