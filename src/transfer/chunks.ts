/**
 * Which chunks of a payload are wanted, and in which order. Pure arithmetic over the header.
 * @module
 */
import { LIMITS } from '../../native-free/limits.ts';
import { segmentBodyOffset, type PayloadHeader } from '../../native-free/format/payload-header.ts';
import type { ByteRange } from './link.ts';

/** The byte range of chunk `index` in the payload. */
export function chunkRange(header: PayloadHeader, index: number): ByteRange {
  const from = header.headerBytes + index * LIMITS.chunk_bytes;
  return { from, to: Math.min(from + LIMITS.chunk_bytes, header.payloadBytes) };
}

/** Payload offset of the first byte of segment `index`; the payload's end for the index after the last. */
export function segmentOffset(header: PayloadHeader, index: number): number {
  return header.headerBytes + segmentBodyOffset(header, index);
}

/**
 * Chunks the decoder still needs from `resumeSegment` on (up to `endSegment`, which it leaves out): those of the plan,
 * then all from that segment's first.
 */
export function chunksNeeded(header: PayloadHeader, resumeSegment: number, endSegment = Infinity): number[] {
  const planChunks = Math.ceil(header.planBytes / LIMITS.chunk_bytes);
  const first = Math.floor((segmentOffset(header, resumeSegment) - header.headerBytes) / LIMITS.chunk_bytes);
  const needed: number[] = [];
  const done = resumeSegment >= header.segments.length;
  const end =
    endSegment >= header.segments.length
      ? header.chunkDigests.length
      : Math.ceil((segmentOffset(header, endSegment) - header.headerBytes) / LIMITS.chunk_bytes);
  for (let i = 0; i < header.chunkDigests.length; i++) {
    if (i < planChunks || (!done && i >= first && i < end)) needed.push(i);
  }
  return needed;
}

/** Of the chunks that lie wholly before `segment`, those from `from` on that the plan does not need. */
export function chunksFinished(header: PayloadHeader, from: number, segment: number): number[] {
  const planChunks = Math.ceil(header.planBytes / LIMITS.chunk_bytes);
  const end =
    segment >= header.segments.length
      ? header.chunkDigests.length
      : Math.floor((segmentOffset(header, segment) - header.headerBytes) / LIMITS.chunk_bytes);
  const finished: number[] = [];
  for (let i = Math.max(from, planChunks); i < end; i++) finished.push(i);
  return finished;
}

/** Neighbouring chunks from the link are one request; a chunk from the spool stands alone. */
export interface Run {
  readonly origin: 'link' | 'spool';
  readonly first: number;
  /** One after the last. */
  readonly end: number;
}

/** Group `needed` (ascending) into runs by whether the spool has them. */
export function runsOf(needed: readonly number[], spooled: ReadonlySet<number>): Run[] {
  const runs: Run[] = [];
  for (const index of needed) {
    const origin = spooled.has(index) ? 'spool' : 'link';
    const last = runs.at(-1);
    if (last !== undefined && last.origin === 'link' && origin === 'link' && last.end === index) {
      runs[runs.length - 1] = { ...last, end: index + 1 };
    } else runs.push({ origin, first: index, end: index + 1 });
  }
  return runs;
}
