/**
 * .lzma files, which have no magic: a header that makes sense, a start that decodes, and an end where there has to be one.
 * @module
 */
import { CODEC_ID } from '../../../format/unit-map.ts';
import { LIMITS } from '../../../limits.ts';
import { LzmaDecoder } from '../../../unpack/lzma/decoder.ts';
import { unpackLzma } from '../../../unpack/lzma/lzma1.ts';
import { LENGTH_MAX } from '../../../unpack/lzma/model.ts';
import { malformed, TokenList } from '../../../unpack/tokens.ts';
import { streamFinder, wordAt, type StreamFinder } from './stream.ts';
import type { Effort } from './effort.ts';

const HEADER_BYTES = 13;
const PROPERTIES_MAX = 224;
const LC_VALUES = 9;
const LP_VALUES = 5;
/** What encoders keep to: more makes tables that no small decoder has room for. */
const LC_LP_MAX = 4;
const DICTIONARY_BYTES_MIN = 4096;
const SIZE_UNKNOWN = 2 ** 32 - 1;
/** So much content of what may be no stream is decoded first: random bytes fail in the first few. */
const TRIAL_BYTES = 4096;

/** Zero is left out: nobody writes it, and zeros are everywhere. */
export function isLzmaStart(first: number, second: number): boolean {
  if (second !== 0 || first === 0 || first > PROPERTIES_MAX) return false;
  return (first % LC_VALUES) + (Math.floor(first / LC_VALUES) % LP_VALUES) <= LC_LP_MAX;
}

/** 2^n, or that and half of it; or all ones, which some encoders say for a whole address space. */
function isDictionary(bytes: number): boolean {
  if (bytes < DICTIONARY_BYTES_MIN) return false;
  const odd = bytes >>> (31 - Math.clz32(bytes & -bytes));
  return odd === 1 || odd === 3 || bytes === SIZE_UNKNOWN;
}

function looksLikeLzma(bytes: Uint8Array, offset: number): boolean {
  if (!isLzmaStart(bytes[offset]!, bytes[offset + 1]!) || bytes[offset + HEADER_BYTES] !== 0) return false;
  if (!isDictionary(wordAt(bytes, offset + 1))) return false;
  const [low, high] = [wordAt(bytes, offset + 5), wordAt(bytes, offset + 9)];
  const isKnown = high === 0 && low > 0 && low <= LIMITS.unit_content_bytes_max;
  // A code of zeros is zeros for ever, and the content of no encoder, which would have made a match of them.
  return (isKnown || (low === SIZE_UNKNOWN && high === SIZE_UNKNOWN)) && wordAt(bytes, offset + HEADER_BYTES + 1) !== 0;
}

/** @throws UpdateError unit_malformed */
function tryStart(bytes: Uint8Array, offset: number): void {
  const decoder = new LzmaDecoder();
  decoder.model.setProperties(bytes[offset]!);
  decoder.model.reset();
  decoder.range.start(bytes, offset + HEADER_BYTES, bytes.length);
  const content = new Uint8Array(TRIAL_BYTES);
  const stop = TRIAL_BYTES - LENGTH_MAX;
  const range = { content, start: 0, dictionaryBytes: TRIAL_BYTES, from: 0, stop, end: TRIAL_BYTES, mayEnd: true };
  decoder.run(range, new TokenList(TRIAL_BYTES));
}

function read(bytes: Uint8Array, offset: number, effort: Effort) {
  const size = wordAt(bytes, offset + 5);
  const contentBytesMax = size === SIZE_UNKNOWN ? LIMITS.unit_content_bytes_max : size;
  if (contentBytesMax > TRIAL_BYTES) {
    effort.spend(TRIAL_BYTES);
    tryStart(bytes, offset);
  }
  effort.spend(contentBytesMax);
  const { content, packedBytes } = unpackLzma(bytes.subarray(offset), { contentBytesMax });
  if (content.length === 0) malformed('lzma', 'there is nothing in it');
  const unit = { offset, packedBytes, contentBytes: content.length, codec: CODEC_ID.lzma };
  return { units: [unit], end: offset + packedBytes };
}

export const lzma: StreamFinder = streamFinder('lzma', looksLikeLzma, read);
