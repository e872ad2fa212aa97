/**
 * LZMA2: chunks of LZMA or of stored bytes, taken apart and put together again.
 *
 * After "LZMA2" in the LZMA SDK (Lzma2Dec.c) and section 5.3.1 of the xz file format 1.1.0. The chunks' packed lengths
 * are no parameters: they follow from coding the tokens again.
 * @module
 */
import { malformed, OP, TokenList, type Unpacked } from '../tokens.ts';
import {
  ChunkList,
  CONTROL,
  CONTROL_RESET_ALL,
  isLzma,
  LZMA_CONTENT_BYTES_MAX,
  LZMA_PACKED_BYTES_MAX,
  makesDictionary,
  RUN_CONTENT_BYTES_MAX,
  RUN_REACHED_BYTES_MAX,
  setsProperties,
  STORED_BYTES_MAX,
} from './chunks.ts';
import { LzmaDecoder, reachOf, type LzmaLimits } from './decoder.ts';
import { LzmaEncoder } from './encoder.ts';
import type { LzmaModel } from './model.ts';
import { RANGE_START_BYTES } from './range-decoder.ts';

const LZMA_HEAD_BYTES = 5;
const STORED_HEAD_BYTES = 3;

export interface Lzma2Params {
  readonly chunks: ChunkList;
}

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
  const params = decodeChunks({ packed, at: 0, chunks, content, dictionaryBytes: reachOf(limits) }, tokens);
  return { content, tokens, params, packedBytes };
}

/** A scanned stream that begins at `at`, and where its content goes. */
interface ScannedStream {
  readonly packed: Uint8Array;
  readonly at: number;
  readonly chunks: ChunkList;
  readonly content: Uint8Array;
  readonly dictionaryBytes: number;
}

/**
 * What is left of the chunks once it is known which of them end where they had to.
 * @throws UpdateError unit_malformed
 */
export function decodeChunks(stream: ScannedStream, tokens: TokenList): Lzma2Params {
  const { packed, at, chunks, content, dictionaryBytes } = stream;
  const decoder = new LzmaDecoder();
  const kept = new ChunkList(chunks.count);
  let next = at;
  let start = 0;
  for (let i = 0, from = 0; i < chunks.count; i++) {
    const control = chunks.control[i]!;
    const properties = chunks.properties[i]!;
    const end = from + chunks.contentBytes[i]!;
    if (makesDictionary(control)) start = from;
    if (isLzma(control)) {
      const packedBytes = (packed[next + 3]! << 8) + packed[next + 4]! + 1;
      next += LZMA_HEAD_BYTES + (setsProperties(control) ? 1 : 0);
      beginChunk(decoder.model, control, properties);
      decoder.range.start(packed, next, next + packedBytes);
      decoder.run({ content, start, dictionaryBytes, from, stop: end, end, mayEnd: false }, tokens);
      if (endsNaturally(decoder, next, from, end, content.length, tokens)) kept.pushNatural(control, properties);
      else kept.push(control, end - from, properties);
      next += packedBytes;
      if (!decoder.range.finishes() || decoder.range.at !== next)
        malformed('lzma2', `chunk ${i} does not end where its stream ends`);
    } else {
      kept.push(control, end - from, 0);
      tokens.pushLiterals(end - from);
      next += STORED_HEAD_BYTES;
      content.set(packed.subarray(next, next + end - from), from);
      next += end - from;
    }
    from = end;
  }
  kept.close();
  return { chunks: kept };
}

/** Whether a chunk that began at `begin` of the packed bytes was ended by its length, as a run's are. */
function endsNaturally(
  { range, lastSymbolAt }: LzmaDecoder,
  begin: number,
  from: number,
  end: number,
  contentEnd: number,
  tokens: TokenList,
): boolean {
  // What the decoder has read is what its encoder had reached, and the bytes that begin a stream.
  const readMax = begin + RUN_REACHED_BYTES_MAX + RANGE_START_BYTES;
  const isFull = range.at > readMax || end - from >= RUN_CONTENT_BYTES_MAX;
  const last = tokens.lengthAt(tokens.count - 1);
  const wasFull = lastSymbolAt > readMax || end - last - from >= RUN_CONTENT_BYTES_MAX;
  return !wasFull && (isFull || end === contentEnd);
}

/**
 * The stream that was unpacked to these, byte for byte.
 * @throws UpdateError unit_malformed if content, tokens and chunks do not belong together
 */
export function packLzma2(content: Uint8Array, tokens: TokenList, params: Lzma2Params): Uint8Array {
  const encoder = new LzmaEncoder(content.length >> 1);
  encodeLzma2(encoder, content, tokens, params);
  if (encoder.next !== tokens.count) malformed('lzma2', `${tokens.count - encoder.next} tokens are left over`);
  return encoder.range.written().slice();
}

/**
 * Appends a stream to what the encoder has written; its next tokens are used.
 * @throws UpdateError unit_malformed
 */
export function encodeLzma2(encoder: LzmaEncoder, content: Uint8Array, tokens: TokenList, params: Lzma2Params): void {
  const { chunks } = params;
  const place: ChunkPlace = { content, tokens, start: 0, from: 0, hasProperties: false };
  for (let i = 0; i < chunks.count; i++) {
    const control = chunks.control[i]!;
    const properties = chunks.properties[i]!;
    const bytes = chunks.contentBytes[i]!;
    const repeats = chunks.repeats[i]!;
    if (bytes > 0) {
      if (bytes > content.length - place.from) malformed('lzma2', `chunk ${i} goes past the content's end`);
      if (isLzma(control)) encodeChunk(encoder, place, control, properties, bytes);
      else storeChunk(encoder, place, control, bytes);
      continue;
    }
    if (!isLzma(control)) malformed('lzma2', `chunk ${i} is empty`);
    for (let n = 0; repeats === 0 ? place.from < content.length : n < repeats; n++)
      encodeChunk(encoder, place, n === 0 ? control : CONTROL.lzma, properties, 0);
  }
  if (place.from !== content.length) malformed('lzma2', 'the chunks are not those of the content');
  encoder.range.append(Uint8Array.of(CONTROL.end));
}

/** How far a stream has been written. */
interface ChunkPlace {
  readonly content: Uint8Array;
  readonly tokens: TokenList;
  start: number;
  from: number;
  hasProperties: boolean;
}

/** A chunk of LZMA; of 0 bytes, one that ends where liblzma would end it. */
function encodeChunk(
  encoder: LzmaEncoder,
  place: ChunkPlace,
  control: number,
  properties: number,
  bytes: number,
): void {
  const { range, model } = encoder;
  const { content, from } = place;
  if (makesDictionary(control)) place.start = from;
  place.hasProperties = setsProperties(control) || (place.hasProperties && !makesDictionary(control));
  if (!place.hasProperties) malformed('lzma2', `the chunk at byte ${from} has no properties`);
  const head = range.length;
  range.append(new Uint8Array(LZMA_HEAD_BYTES));
  if (setsProperties(control)) range.append(Uint8Array.of(properties));
  beginChunk(model, control, properties);
  const begin = range.length;
  range.start();
  const end = bytes > 0 ? from + bytes : content.length;
  const stop = bytes > 0 ? end : Math.min(end, from + RUN_CONTENT_BYTES_MAX);
  const reachedMax = bytes > 0 ? Infinity : begin + RUN_REACHED_BYTES_MAX;
  const { start } = place;
  place.from = encoder.run({ content, start, from, stop, end, reachedMax }, place.tokens);
  range.finish();
  const size = place.from - from - 1;
  const packed = range.length - begin - 1;
  if (size < 0 || size >= LZMA_CONTENT_BYTES_MAX || packed >= LZMA_PACKED_BYTES_MAX)
    malformed('lzma2', `the chunk at byte ${from} has ${size + 1} bytes, and ${packed + 1} packed`);
  const fields = Uint8Array.of(control | (size >> 16), (size >> 8) & 255, size & 255, packed >> 8, packed & 255);
  range.overwrite(head, fields);
}

function storeChunk(encoder: LzmaEncoder, place: ChunkPlace, control: number, bytes: number): void {
  const { range } = encoder;
  const { content, from, tokens } = place;
  if (bytes > STORED_BYTES_MAX) malformed('lzma2', `the stored chunk at byte ${from} has ${bytes} bytes`);
  if (makesDictionary(control)) {
    place.start = from;
    place.hasProperties = false;
  }
  range.append(Uint8Array.of(control, (bytes - 1) >> 8, (bytes - 1) & 255));
  for (const end = encoder.next + bytes; encoder.next < end; encoder.next++)
    if (encoder.next >= tokens.count || tokens.opAt(encoder.next) !== OP.literal)
      malformed('lzma2', `the stored chunk at byte ${from} has tokens that are no literals`);
  place.from += bytes;
  range.append(content.subarray(from, place.from));
}
