/**
 * Chunks of an LZMA2 stream as numbers. What liblzma writes of compressible content is one run of chunks (lzma/chunks.ts)
 * and costs a flag.
 * @module
 */
import { LIMITS } from '../../limits.ts';
import type { NumberCoder } from '../../model/number-coder.ts';
import {
  ChunkList,
  CONTROL,
  CONTROL_RESET_ALL,
  isLzma,
  LZMA_CONTENT_BYTES_MAX,
  setsProperties,
  STORED_BYTES_MAX,
} from '../lzma/chunks.ts';
import { malformed } from '../tokens.ts';
import { codeBounded, codeExpected } from './fields.ts';
import { USUAL_PROPERTIES } from './lzma.ts';

/** Kinds of numbers and of flags, behind those of the head (xz.ts). */
const NUMBER = { count: 5, shape: 6, reset: 7, properties: 8, repeats: 9, bytes: 10 };
const FLAG = { usual: 5, properties: 6 };
const SHAPE = { run: 0, lzma: 1, stored: 2 };
const PROPERTIES = { flag: FLAG.properties, number: NUMBER.properties, context: 0, max: 255 };

/** Codes the chunks of `contentBytes` (null: decodes them); `like` are those of another stream. */
export function codeChunks(
  numbers: NumberCoder,
  chunks: ChunkList | null,
  like: ChunkList | null,
  contentBytes: number,
): ChunkList {
  const properties =
    like !== null && like.count > 0 && isLzma(like.control[0]!) ? like.properties[0]! : USUAL_PROPERTIES;
  const usual = new ChunkList(1);
  if (contentBytes > 0) usual.push(CONTROL_RESET_ALL, 0, properties, 0);
  if (numbers.flag(chunks !== null && isSame(chunks, usual), FLAG.usual, contentBytes > 0 ? 1 : 0)) return usual;
  if (chunks !== null && chunks.count > LIMITS.unit_blocks_max) malformed('lzma2', `it has ${chunks.count} chunks`);
  const count = codeBounded(numbers, chunks?.count ?? 0, LIMITS.unit_blocks_max, NUMBER.count);
  const coded = new ChunkList(count);
  const state = { numbers, properties, reset: 3, left: contentBytes };
  for (let i = 0; i < count; i++) codeChunk(state, chunks, coded, i === count - 1);
  return coded;
}

function isSame(a: ChunkList, b: ChunkList): boolean {
  if (a.count !== b.count) return false;
  for (let i = 0; i < a.count; i++) {
    const isEqual = a.control[i] === b.control[i] && a.contentBytes[i] === b.contentBytes[i];
    if (!isEqual || a.properties[i] !== b.properties[i] || a.repeats[i] !== b.repeats[i]) return false;
  }
  return true;
}

interface ChunkState {
  readonly numbers: NumberCoder;
  /** The last that were set. */
  properties: number;
  /** What the next LZMA chunk has to reset: 0 nothing, 1 the state, 2 properties as well, 3 all. */
  reset: number;
  /** Bytes of content that may still come. */
  left: number;
}

function codeChunk(state: ChunkState, chunks: ChunkList | null, coded: ChunkList, isLast: boolean): void {
  const { numbers } = state;
  const at = coded.count;
  const given = chunks?.control[at] ?? 0;
  const givenBytes = chunks?.contentBytes[at] ?? 0;
  const before = at === 0 ? 3 : shapeOf(coded, at - 1);
  const shape = codeBounded(numbers, chunks === null ? 0 : shapeOf(chunks, at), SHAPE.stored, NUMBER.shape, before);
  const resets = isLzma(given) ? (given - CONTROL.lzma) >> 5 : given === CONTROL.storedAnew ? 1 : 0;
  const mask = shape === SHAPE.stored ? 1 : 3;
  const reset = codeBounded(numbers, resets, mask, NUMBER.reset, shape, state.reset);
  const control = shape === SHAPE.stored ? CONTROL.stored - reset : CONTROL.lzma + (reset << 5);
  if (setsProperties(control))
    state.properties = codeExpected(numbers, chunks?.properties[at] ?? 0, state.properties, PROPERTIES);
  const properties = setsProperties(control) ? state.properties : 0;
  if (shape === SHAPE.run) {
    const repeats = chunks?.repeats[at] ?? 1;
    coded.push(control, 0, properties, isLast ? 0 : 1 + codeBounded(numbers, repeats - 1, state.left, NUMBER.repeats));
  } else {
    const most = Math.min(state.left, shape === SHAPE.stored ? STORED_BYTES_MAX : LZMA_CONTENT_BYTES_MAX);
    const bytes = 1 + codeBounded(numbers, givenBytes - 1, most - 1, NUMBER.bytes, shape, before);
    state.left -= bytes;
    coded.push(control, bytes, properties);
  }
  if (shape !== SHAPE.stored) state.reset = 0;
  else state.reset = control === CONTROL.storedAnew ? 2 : Math.max(state.reset, 1);
}

function shapeOf(chunks: ChunkList, at: number): number {
  if (!isLzma(chunks.control[at]!)) return SHAPE.stored;
  return chunks.contentBytes[at] === 0 ? SHAPE.run : SHAPE.lzma;
}
