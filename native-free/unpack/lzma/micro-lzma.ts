/**
 * What erofs makes of LZMA: no header, and in place of a stream's first byte, which is 0, its properties inverted. How
 * long the content is stands elsewhere.
 * @module
 */
import { malformed, type TokenList, type Unpacked, type UnpackLimits } from '../tokens.ts';
import { packRawLzma, unpackRawLzma } from './lzma1.ts';

/** Distances may be as long as the content. */
const DICTIONARY_BYTES = 2 ** 32 - 1;

export interface MicroLzmaParams {
  /** lc, lp and pb in one byte. */
  readonly properties: number;
  /** The format has none; some writers make one all the same. */
  readonly hasEndMarker: boolean;
}

/** @throws UpdateError unit_malformed unless it has exactly `contentBytes` of content */
export function unpackMicroLzma(
  packed: Uint8Array,
  limits: UnpackLimits,
  contentBytes: number,
): Unpacked<MicroLzmaParams> {
  if (packed.length === 0 || packed[0] === 0) malformed('lzma', 'this is no LZMA without a header');
  const stream = packed.slice();
  stream[0] = 0;
  const head = { properties: 255 - packed[0]!, dictionaryBytes: DICTIONARY_BYTES };
  const { params, ...rest } = unpackRawLzma(stream, limits, head, contentBytes);
  return { ...rest, params: { properties: head.properties, hasEndMarker: params.hasEndMarker } };
}

/** @throws UpdateError unit_malformed if content and tokens do not belong together */
export function packMicroLzma(content: Uint8Array, tokens: TokenList, params: MicroLzmaParams): Uint8Array {
  const packed = packRawLzma(content, tokens, { ...params, dictionaryBytes: DICTIONARY_BYTES });
  packed[0] = 255 - params.properties;
  return packed;
}
