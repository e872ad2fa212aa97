/**
 * The way of a payload from the link to the decoder, as one stream-chain pipeline:
 *
 *   runs → link | spool → meter → chunks → verify → keep → (ByteSource) → applyPayload → slot
 *
 * It is `stream-chain/core`, the variant on plain async iteration: a stage runs only when the decoder asks, so
 * nothing is read ahead into memory, I/O happens in one order that a simulation can replay, and leaving the loop
 * closes the connection. While the decoder is busy the kernel's socket buffer keeps the link moving.
 *
 * A chunk is verified here, before it is kept, because here a wrong one can still be fetched again. The core checks
 * it once more: it trusts no caller, and hashing a patch twice costs less than a millisecond per megabyte.
 * @module
 */
import { chainUnchecked } from 'stream-chain/core';
import { bytesEqual, digestOf } from '../../native-free/hash.ts';
import type { ByteSource, HashFactory } from '../../native-free/io.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';
import type { PayloadHeader } from '../../native-free/format/payload-header.ts';
import { chunkRange, chunksNeeded, runsOf, type Run } from './chunks.ts';
import type { PayloadLink } from './link.ts';
import type { Meter } from './meter.ts';
import type { Spool } from './spool.ts';

/** Part of a chunk run. A plain object: stream-chain would iterate anything with a `next` method. */
interface Piece {
  readonly origin: 'link' | 'spool';
  readonly offset: number;
  readonly bytes: Uint8Array;
}

interface Chunk {
  readonly origin: 'link' | 'spool';
  readonly index: number;
  readonly bytes: Uint8Array;
}

export interface PipelineOptions {
  readonly link: PayloadLink;
  readonly spool: Spool;
  readonly meter: Pick<Meter, 'take' | 'noteRefetch'>;
  readonly hash: HashFactory;
  readonly header: PayloadHeader;
  /** The header's bytes: the decoder reads the payload from its first byte. */
  readonly headerBytes: Uint8Array;
  readonly resumeSegment: number;
  /** The first segment that is not wanted; default: all are. */
  readonly endSegment?: number;
  /** How often a chunk with a wrong digest is fetched again before `chunk_digest`. Default 5. */
  readonly refetchesMax?: number;
  /** Called after a chunk from the link was kept; may throw to stop there: nothing that came is lost then. */
  readonly betweenChunks?: () => Promise<void>;
  readonly signal?: AbortSignal;
}

/** runs → pieces: open a range on the link, or load a chunk from the spool (a torn one comes from the link). */
function openRun(options: PipelineOptions) {
  const { spool, header, meter } = options;
  return async function* (run: Run): AsyncGenerator<Piece, void, void> {
    let offset = chunkRange(header, run.first).from;
    if (run.origin === 'spool') {
      const bytes = await spool.chunk(run.first, header.chunkDigests[run.first]!);
      if (bytes !== null) {
        yield { origin: 'spool', offset, bytes };
        return;
      }
      const { from, to } = chunkRange(header, run.first);
      meter.noteRefetch(to - from);
    }
    const { to } = chunkRange(header, run.end - 1);
    while (offset < to) {
      for await (const piece of trustedPieces(options, offset, to)) {
        yield piece;
        offset += piece.bytes.length;
      }
    }
  };
}

/**
 * Pieces of the range that end at chunk borders. Ends early when a chunk turned out to be wrong: the rest of that
 * connection is dropped, so that a portal costs the chunk that gave it away and no more.
 */
async function* trustedPieces(
  { link, meter, header, signal }: PipelineOptions,
  from: number,
  to: number,
): AsyncGenerator<Piece, void, void> {
  const { distrusted } = link;
  let offset = from;
  for await (const bytes of link.fetch({ from, to })) {
    for (let at = 0; at < bytes.length;) {
      const chunk = chunkRange(header, Math.floor((offset - header.headerBytes) / LIMITS.chunk_bytes));
      const part = bytes.subarray(at, at + Math.min(chunk.to - offset, bytes.length - at));
      yield { origin: 'link', offset, bytes: part };
      offset += part.length;
      at += part.length;
      if (link.distrusted === distrusted) continue;
      meter.noteRefetch(bytes.length - at);
      await meter.take(bytes.length - at, signal);
      return;
    }
  }
}

/** Count and slow down what comes from the link. */
function measure({ meter, signal }: PipelineOptions) {
  return async (piece: Piece): Promise<Piece> => {
    if (piece.origin === 'link') await meter.take(piece.bytes.length, signal);
    return piece;
  };
}

/** pieces → chunks. Runs begin and end on chunk borders, so nothing is ever left over. */
function gather({ header }: PipelineOptions) {
  let open: Uint8Array | null = null;
  let filled = 0;
  return function* (piece: Piece): Generator<Chunk, void, void> {
    let { bytes, offset } = piece;
    while (bytes.length > 0) {
      const index = Math.floor((offset - header.headerBytes) / LIMITS.chunk_bytes);
      const range = chunkRange(header, index);
      if (open === null) {
        open = new Uint8Array(range.to - range.from);
        filled = 0;
      }
      const count = Math.min(open.length - filled, bytes.length);
      open.set(bytes.subarray(0, count), filled);
      filled += count;
      offset += count;
      bytes = bytes.subarray(count);
      if (filled < open.length) return;
      const whole = open;
      open = null;
      yield { origin: piece.origin, index, bytes: whole };
    }
  };
}

/** Let a chunk pass when its digest is right; fetch a wrong one again, a bounded number of times. */
function verify({ header, hash, link, meter, signal, refetchesMax = 5 }: PipelineOptions) {
  const right = (chunk: Chunk): boolean => bytesEqual(digestOf(hash, chunk.bytes), header.chunkDigests[chunk.index]!);
  return async (chunk: Chunk): Promise<Chunk> => {
    if (chunk.origin === 'spool') return chunk; // checked as it was loaded
    let current = chunk;
    for (let tries = 0; !right(current); tries++) {
      const range = chunkRange(header, chunk.index);
      const error = new UpdateError(
        'chunk_digest',
        `chunk ${chunk.index} (payload bytes ${range.from} to ${range.to}) has a wrong digest`,
        { detail: { chunk: chunk.index, ...range, fetchedTimes: tries + 1 } },
      );
      if (tries >= refetchesMax) throw error;
      await link.pause(error);
      meter.noteRefetch(range.to - range.from);
      const bytes = await link.fetchAll(range, (count) => meter.take(count, signal));
      current = { ...chunk, bytes };
    }
    link.verified();
    return current;
  };
}

/** Keep what came over the link until its segment is durable. */
function keep({ spool, betweenChunks }: PipelineOptions) {
  return async (chunk: Chunk): Promise<Chunk> => {
    if (chunk.origin === 'spool') return chunk;
    await spool.putChunk(chunk.index, chunk.bytes);
    await betweenChunks?.();
    return chunk;
  };
}

/** The payload as the decoder reads it. Call `close` when done or given up. */
export class PayloadPipeline implements ByteSource {
  readonly #options: PipelineOptions;
  #chunks: AsyncGenerator<Chunk, void, unknown> | null = null;
  #headerGiven = false;
  #skipTo = 0;

  constructor(options: PipelineOptions) {
    this.#options = options;
  }

  /** The pipeline proper; runs nothing before the first pull. */
  async #start(): Promise<AsyncGenerator<Chunk, void, unknown>> {
    const options = this.#options;
    const runs = runsOf(
      chunksNeeded(options.header, options.resumeSegment, options.endSegment),
      await options.spool.chunks(),
    );
    const stages = [openRun(options), measure(options), gather(options), verify(options), keep(options)];
    return chainUnchecked<Run, Chunk>(stages)(runs);
  }

  async read(): Promise<Uint8Array | null> {
    const { header, headerBytes } = this.#options;
    if (!this.#headerGiven) {
      this.#headerGiven = true;
      return headerBytes;
    }
    this.#chunks ??= await this.#start();
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done) return null;
      const { from, to } = chunkRange(header, next.value.index);
      if (to <= this.#skipTo) continue;
      return this.#skipTo > from ? next.value.bytes.subarray(this.#skipTo - from) : next.value.bytes;
    }
  }

  /** Bytes before `offset` are dropped; chunks that lie wholly before it were never asked for. */
  skipTo(offset: number): Promise<void> {
    this.#skipTo = offset;
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.#chunks?.return();
  }
}
