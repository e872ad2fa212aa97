/**
 * LZMA2: chunks of LZMA or of stored bytes, taken apart and put together again.
 *
 * After "LZMA2" in the LZMA SDK (Lzma2Dec.c) and section 5.3.1 of the xz file format 1.1.0. The chunks' packed lengths
 * are no parameters: they follow from coding the tokens again.
 * @module
 */
import { malformed, TokenList, type Unpacked } from '../tokens.ts';
import { ChunkList, CONTROL, CONTROL_RESET_ALL } from './chunks.ts';
import { LzmaDecoder, reachOf, type LzmaLimits } from './decoder.ts';
import { LzmaEncoder } from './encoder.ts';
import type { LzmaModel } from './model.ts';

/** What an LZMA chunk's two lengths can say. */
const LZMA_CONTENT_BYTES_MAX = 2 ** 21;
const LZMA_PACKED_BYTES_MAX = 2 ** 16;
const STORED_BYTES_MAX = 2 ** 16;
const LZMA_HEAD_BYTES = 5;
const STORED_HEAD_BYTES = 3;

export interface Lzma2Params {
  readonly chunks: ChunkList;
}

const isLzma = (control: number): boolean => control >= CONTROL.lzma;
const makesDictionary = (control: number): boolean => control === CONTROL.storedAnew || control >= CONTROL_RESET_ALL;
const setsProperties = (control: number): boolean => control >= CONTROL.resetProperties;

/** Does what a chunk says before its first symbol. */
function beginChunk(model: LzmaModel, control: number, properties: number): void {
  if (setsProperties(control)) model.setProperties(properties);
  if (control >= CONTROL.resetState) model.reset();
}

/**
 * The chunks of the stream that begins at `at`, without decoding any: how much they unpack to is known before it is
 * allocated. Returns the position after the end of the stream.
 * @throws UpdateError unit_malformed
 */
export function scanChunks(packed: Uint8Array, at: number, contentBytesMax: number, chunks: ChunkList): number {
  let total = 0;
  let needsDictionary = true;
  let needsProperties = true;
  for (let next = at; ;) {
    const control = packed[next];
    if (control === undefined) malformed('lzma2', `the stream is cut off at byte ${next}`);
    if (control === CONTROL.end) return next + 1;
    const head = packed.subarray(next, next + LZMA_HEAD_BYTES + 1);
    if (isLzma(control) ? head.length <= LZMA_HEAD_BYTES : head.length < STORED_HEAD_BYTES)
      malformed('lzma2', `the chunk at byte ${next} is cut off`);
    if (!isLzma(control) && control > CONTROL.stored) malformed('lzma2', `no chunk begins with ${control}`);
    const kind = isLzma(control) ? control & CONTROL_RESET_ALL : control;
    if (needsDictionary && !makesDictionary(kind)) malformed('lzma2', 'the first chunk makes no dictionary');
    needsProperties ||= makesDictionary(kind);
    needsDictionary = false;
    if (isLzma(kind) && needsProperties && !setsProperties(kind)) malformed('lzma2', 'a chunk has no properties');
    needsProperties &&= !isLzma(kind);
    const [low, packedBytes] = [(head[1]! << 8) + head[2]! + 1, (head[3]! << 8) + head[4]! + 1];
    const content = isLzma(kind) ? ((control & 31) << 16) + low : low;
    total += content;
    if (total > contentBytesMax) malformed('lzma2', `the content is over ${contentBytesMax} bytes`);
    chunks.push(kind, content, setsProperties(kind) ? head[5]! : 0);
    next += isLzma(kind) ? LZMA_HEAD_BYTES + (setsProperties(kind) ? 1 : 0) + packedBytes : STORED_HEAD_BYTES + content;
  }
}

/**
 * The LZMA2 stream at the start of `packed`, up to its end; what follows is not looked at.
 * @throws UpdateError unit_malformed for everything that is not such a stream within the limits
 */
export function unpackLzma2(packed: Uint8Array, limits: LzmaLimits): Unpacked<Lzma2Params> {
  const chunks = new ChunkList(limits.contentBytesMax);
  const packedBytes = scanChunks(packed, 0, limits.contentBytesMax, chunks);
  const content = new Uint8Array(chunks.total);
  const tokens = new TokenList(limits.tokensMax ?? limits.contentBytesMax);
  decodeChunks({ packed, at: 0, chunks, content, dictionaryBytes: reachOf(limits) }, tokens);
  return { content, tokens, params: { chunks }, packedBytes };
}

/** A scanned stream that begins at `at`, and where its content goes. */
interface ScannedStream {
  readonly packed: Uint8Array;
  readonly at: number;
  readonly chunks: ChunkList;
  readonly content: Uint8Array;
  readonly dictionaryBytes: number;
}

/** @throws UpdateError unit_malformed */
export function decodeChunks({ packed, at, chunks, content, dictionaryBytes }: ScannedStream, tokens: TokenList): void {
  const decoder = new LzmaDecoder();
  let next = at;
  let start = 0;
  for (let i = 0, from = 0; i < chunks.count; i++) {
    const control = chunks.control[i]!;
    const end = from + chunks.contentBytes[i]!;
    if (makesDictionary(control)) start = from;
    if (isLzma(control)) {
      const packedBytes = (packed[next + 3]! << 8) + packed[next + 4]! + 1;
      next += LZMA_HEAD_BYTES + (setsProperties(control) ? 1 : 0);
      beginChunk(decoder.model, control, chunks.properties[i]!);
      decoder.range.start(packed, next, next + packedBytes);
      decoder.run({ content, start, dictionaryBytes, from, stop: end, end, mayEnd: false }, tokens);
      next += packedBytes;
      if (decoder.range.at !== next || !decoder.range.isFinished)
        malformed('lzma2', `chunk ${i} does not end where its stream ends`);
    } else {
      next += STORED_HEAD_BYTES;
      content.set(packed.subarray(next, next + end - from), from);
      next += end - from;
    }
    from = end;
  }
}

/**
 * The stream that was unpacked to these, byte for byte.
 * @throws UpdateError unit_malformed if content, tokens and chunks do not belong together
 */
export function packLzma2(content: Uint8Array, tokens: TokenList, params: Lzma2Params): Uint8Array {
  if (params.chunks.total !== content.length) malformed('lzma2', 'the chunks are not those of the content');
  const encoder = new LzmaEncoder(content.length >> 1);
  encodeLzma2(encoder, content, tokens, params);
  if (encoder.next !== tokens.count) malformed('lzma2', `${tokens.count - encoder.next} tokens are left over`);
  return encoder.range.written().slice();
}

/** Appends a stream to what the encoder has written; its next tokens are used. `content` is that of the chunks. */
export function encodeLzma2(encoder: LzmaEncoder, content: Uint8Array, tokens: TokenList, params: Lzma2Params): void {
  const { range, model } = encoder;
  const { chunks } = params;
  let start = 0;
  let hasProperties = false;
  for (let i = 0, from = 0; i < chunks.count; i++) {
    const control = chunks.control[i]!;
    const bytes = chunks.contentBytes[i]!;
    const size = bytes - 1;
    if (size < 0 || size >= (isLzma(control) ? LZMA_CONTENT_BYTES_MAX : STORED_BYTES_MAX))
      malformed('lzma2', `chunk ${i} has ${bytes} bytes`);
    if (makesDictionary(control)) start = from;
    hasProperties &&= !makesDictionary(control);
    if (isLzma(control)) {
      const head = range.length;
      const properties = chunks.properties[i]!;
      hasProperties ||= setsProperties(control);
      if (!hasProperties) malformed('lzma2', `chunk ${i} has no properties`);
      range.append(Uint8Array.of(control | (size >> 16), (size >> 8) & 255, size & 255, 0, 0));
      if (setsProperties(control)) range.append(Uint8Array.of(properties));
      beginChunk(model, control, properties);
      const begin = range.length;
      range.start();
      encoder.run(content, start, from, from + bytes, tokens);
      range.finish();
      const packed = range.length - begin - 1;
      if (packed >= LZMA_PACKED_BYTES_MAX) malformed('lzma2', `chunk ${i} packs to ${packed + 1} bytes`);
      range.overwrite(head + 3, Uint8Array.of(packed >> 8, packed & 255));
    } else {
      range.append(Uint8Array.of(control, size >> 8, size & 255));
      range.append(content.subarray(from, from + bytes));
    }
    from += bytes;
  }
  range.append(Uint8Array.of(CONTROL.end));
}
