/**
 * LZMA streams of one piece: with the 13 bytes of the .lzma format before them (kernels, uImage, squashfs-lzma), or with
 * properties that some container says.
 *
 * After the LZMA specification of the LZMA SDK, "lzma file format": properties, dictionary, size or all ones, stream;
 * an end marker where the size is not known, and in some files where it is.
 * @module
 */
import { malformed, TokenList, type Unpacked } from '../tokens.ts';
import { LzmaDecoder, reachOf, type LzmaLimits } from './decoder.ts';
import { LzmaEncoder } from './encoder.ts';
import { LENGTH_MAX } from './model.ts';

const HEAD_BYTES = 13;
const WORD = 2 ** 32;
const SIZE_UNKNOWN_WORD = WORD - 1;
const FIRST_CONTENT_BYTES = 2 ** 16;

export interface RawLzmaParams {
  /** lc, lp and pb in one byte. */
  readonly properties: number;
  readonly dictionaryBytes: number;
  readonly hasEndMarker: boolean;
}

export interface LzmaParams extends RawLzmaParams {
  /** Does the header say how long the content is? */
  readonly hasSize: boolean;
}

/**
 * A .lzma file at the start of `packed`; what follows is not looked at.
 * @throws UpdateError unit_malformed for everything that is not such a file within the limits
 */
export function unpackLzma(packed: Uint8Array, limits: LzmaLimits): Unpacked<LzmaParams> {
  if (packed.length < HEAD_BYTES) malformed('lzma', 'the header is cut off');
  const word = (at: number): number =>
    packed[at]! + packed[at + 1]! * 2 ** 8 + packed[at + 2]! * 2 ** 16 + packed[at + 3]! * 2 ** 24;
  const [low, high] = [word(5), word(9)];
  const hasSize = low !== SIZE_UNKNOWN_WORD || high !== SIZE_UNKNOWN_WORD;
  const stream = packed.subarray(HEAD_BYTES);
  const head = { properties: packed[0]!, dictionaryBytes: word(1) };
  const { params, packedBytes, ...rest } = unpackRawLzma(stream, limits, head, hasSize ? high * WORD + low : null);
  return { ...rest, params: { ...params, hasSize }, packedBytes: packedBytes + HEAD_BYTES };
}

/**
 * A stream alone; `contentBytes` is null where only an end marker tells.
 * @throws UpdateError unit_malformed for everything that is not such a stream within the limits
 */
export function unpackRawLzma(
  packed: Uint8Array,
  limits: LzmaLimits,
  { properties, dictionaryBytes }: Pick<RawLzmaParams, 'properties' | 'dictionaryBytes'>,
  contentBytes: number | null,
): Unpacked<RawLzmaParams> {
  const { contentBytesMax } = limits;
  if (contentBytes !== null && contentBytes > contentBytesMax)
    malformed('lzma', `the content has ${contentBytes} bytes, over ${contentBytesMax}`);
  const tokens = new TokenList(limits.tokensMax ?? contentBytesMax);
  const decoder = new LzmaDecoder();
  decoder.model.setProperties(properties);
  decoder.model.reset();
  decoder.range.start(packed, 0, packed.length);
  const reach = reachOf(limits, dictionaryBytes);
  const content = decodeAll(decoder, contentBytes, limits, reach, tokens);
  if (!decoder.range.finishes()) malformed('lzma', 'the stream does not end with its content');
  const params = { properties, dictionaryBytes, hasEndMarker: decoder.ended };
  return { content, tokens, params, packedBytes: decoder.range.at };
}

/** Content of a known size in one go; else it grows until the end marker comes, or it gets over the bound. */
function decodeAll(
  decoder: LzmaDecoder,
  contentBytes: number | null,
  { contentBytesMax, isExact = false }: LzmaLimits,
  dictionaryBytes: number,
  tokens: TokenList,
): Uint8Array {
  let content = new Uint8Array(contentBytes ?? Math.min(contentBytesMax, isExact ? Infinity : FIRST_CONTENT_BYTES));
  for (let from = 0; ;) {
    const end = content.length;
    const isLast = contentBytes !== null || end === contentBytesMax;
    // The last symbol before growing must find room whatever its length.
    const stop = isLast ? end : end - LENGTH_MAX;
    from = decoder.run({ content, start: 0, dictionaryBytes, from, stop, end, mayEnd: true }, tokens);
    if (!decoder.ended && isLast) {
      const mustEnd = contentBytes === null || !decoder.range.finishes();
      if (mustEnd && !decoder.readsEnd(from)) malformed('lzma', `the content goes on after ${from} bytes`);
    }
    if (decoder.ended || isLast) {
      if (contentBytes !== null && from !== contentBytes) malformed('lzma', `the content ends after ${from} bytes`);
      return from === content.length ? content : content.slice(0, from);
    }
    const grown = new Uint8Array(Math.min(contentBytesMax, content.length * 2));
    grown.set(content);
    content = grown;
  }
}

/**
 * The .lzma file that was unpacked to these, byte for byte.
 * @throws UpdateError unit_malformed if content and tokens do not belong together
 */
export function packLzma(content: Uint8Array, tokens: TokenList, params: LzmaParams): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES);
  const view = new DataView(head.buffer);
  head[0] = params.properties;
  view.setUint32(1, params.dictionaryBytes, true);
  view.setUint32(5, params.hasSize ? content.length : SIZE_UNKNOWN_WORD, true);
  view.setUint32(9, params.hasSize ? Math.floor(content.length / WORD) : SIZE_UNKNOWN_WORD, true);
  return packAfter(head, content, tokens, params);
}

/**
 * The stream that was unpacked to these, byte for byte.
 * @throws UpdateError unit_malformed if content and tokens do not belong together
 */
export function packRawLzma(content: Uint8Array, tokens: TokenList, params: RawLzmaParams): Uint8Array {
  return packAfter(new Uint8Array(0), content, tokens, params);
}

function packAfter(head: Uint8Array, content: Uint8Array, tokens: TokenList, params: RawLzmaParams): Uint8Array {
  const encoder = new LzmaEncoder(content.length >> 1);
  const { model, range } = encoder;
  range.append(head);
  model.setProperties(params.properties);
  model.reset();
  range.start();
  const end = content.length;
  encoder.run({ content, start: 0, from: 0, stop: end, end, reachedMax: Infinity }, tokens);
  if (encoder.next !== tokens.count) malformed('lzma', `${tokens.count - encoder.next} tokens are left over`);
  if (params.hasEndMarker) encoder.end(content.length);
  range.finish();
  return range.written().slice();
}
