/**
 * The steps of one job on the worker pool: index, match, encode, compress, prove. How the work is cut never depends
 * on the number of workers, so neither do the bytes.
 *
 * @module
 */
import { assembleDelta, assembleFull } from '../../native-free/diff/assemble.ts';
import { encodePlan } from '../../native-free/diff/encode-plan.ts';
import { joinCovers } from '../../native-free/diff/join-covers.ts';
import type { Cover, CoverList } from '../../native-free/format/cover.ts';
import { sha256Node } from './node-io.ts';
import type { TaskContext, WorkerPool } from './pool.ts';

export type Phase = 'index' | 'match' | 'encode' | 'full' | 'prove';

/** `done` and `total` are bytes of the image that the phase works through. */
export interface EngineProgress {
  readonly phase: Phase;
  readonly done: number;
  readonly total: number;
}

/** Target bytes that one matching task looks at. Part of what decides a patch's bytes: changing it changes patches. */
export const MATCH_WINDOW_BYTES = 4 * 2 ** 20;

/** What every step needs to know of its job. */
export interface Job extends TaskContext {
  readonly pool: WorkerPool;
  readonly workers: number;
  readonly onProgress: (progress: EngineProgress) => void;
  readonly segmentBytes: number;
  readonly target: Uint8Array;
  readonly targetDigest: Uint8Array;
}

/** A source with its digest. */
export interface SourceImage {
  readonly source: Uint8Array;
  readonly sourceDigest: Uint8Array;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** [0, total) in steps; the last range may be shorter. */
function rangesOf(total: number, stepBytes: number): Range[] {
  const ranges: Range[] = [];
  for (let start = 0; start < total; start += stepBytes) {
    ranges.push({ start, end: Math.min(total, start + stepBytes) });
  }
  return ranges;
}

/**
 * Perform all items, a few at a time, results in the items' order. After a failure nothing new begins, and the
 * failure is thrown when what had begun is over (so that its memory is free). `enough` ends it early.
 */
async function inLanes<I, R>(
  items: readonly I[],
  lanes: number,
  perform: (item: I) => Promise<R>,
  enough: (result: R, item: I) => boolean = () => false,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  let stop = false;
  const lane = async (): Promise<void> => {
    while (!stop && next < items.length) {
      const i = next++;
      try {
        results[i] = await perform(items[i]!);
        if (enough(results[i]!, items[i]!)) stop = true;
      } catch (error) {
        stop = true;
        throw error;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(lanes, items.length) }, lane));
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
  return results;
}

/** A progress reporter that adds up bytes. */
function counter(job: Job, phase: Phase, total: number): (bytes: number) => void {
  let done = 0;
  job.onProgress({ phase, done, total });
  return (bytes) => {
    done += bytes;
    job.onProgress({ phase, done, total });
  };
}

/** Covers by our own matcher: suffix array of the source, then windows of the target. */
export async function matchOwn(job: Job, source: Uint8Array): Promise<CoverList> {
  if (source.length === 0 || job.target.length === 0) return joinCovers([]);
  const indexed = counter(job, 'index', source.length);
  const index = await job.pool.run({ kind: 'index', source }, job);
  indexed(source.length);
  const matched = counter(job, 'match', job.target.length);
  const windows = rangesOf(job.target.length, MATCH_WINDOW_BYTES);
  const covers = await inLanes(windows, job.workers + 1, async ({ start, end }): Promise<Cover[]> => {
    const found = await job.pool.run({ kind: 'match', index, target: job.target, start, end }, job);
    matched(end - start);
    return found;
  });
  return joinCovers(covers);
}

/** Covers in shared memory, so that a task does not copy them. */
function shareCovers(list: CoverList): CoverList {
  const share = (values: Float64Array): Float64Array => {
    const shared = new Float64Array(new SharedArrayBuffer(values.byteLength));
    shared.set(values);
    return shared;
  };
  return {
    count: list.count,
    sourceOffset: share(list.sourceOffset),
    targetOffset: share(list.targetOffset),
    length: share(list.length),
  };
}

/** A delta payload from covers; not proved. */
export async function encodeDelta(job: Job, image: SourceImage, covers: CoverList): Promise<Uint8Array> {
  const { target, segmentBytes } = job;
  const encoded = counter(job, 'encode', target.length);
  const shared = shareCovers(covers);
  const parts = await inLanes(rangesOf(target.length, segmentBytes), job.workers + 1, async ({ start, end }) => {
    const task = { kind: 'encode', source: image.source, target, covers: shared, start, end } as const;
    const part = await job.pool.run(task, job);
    encoded(end - start);
    return part;
  });
  return assembleDelta({
    sourceBytes: image.source.length,
    sourceDigest: image.sourceDigest,
    targetBytes: target.length,
    targetDigest: job.targetDigest,
    segmentBytes,
    plan: encodePlan(covers),
    coverCount: covers.count,
    segments: parts.map((part) => part.encoded),
    segmentDigests: parts.map((part) => part.digest),
    hash: sha256Node,
  });
}

/**
 * A full payload; not proved. Null as soon as it is known to be larger than `stopOverBytes`: to know that a delta is
 * smaller, the first few segments of the full payload are enough.
 */
export async function compressFull(job: Job, stopOverBytes = Infinity): Promise<Uint8Array | null> {
  const { target, segmentBytes } = job;
  const compressed = counter(job, 'full', target.length);
  let encodedBytes = 0;
  const parts = await inLanes(
    rangesOf(target.length, segmentBytes),
    job.workers + 1,
    async ({ start, end }) => {
      const part = await job.pool.run({ kind: 'full', target, start, end }, job);
      compressed(end - start);
      return part;
    },
    (part) => {
      encodedBytes += part.encoded.length;
      return encodedBytes > stopOverBytes;
    },
  );
  if (encodedBytes > stopOverBytes) return null;
  return assembleFull({
    targetBytes: target.length,
    targetDigest: job.targetDigest,
    segmentBytes,
    segments: parts.map((part) => part.encoded),
    segmentDigests: parts.map((part) => part.digest),
    hash: sha256Node,
  });
}

/** How often the progress of a proof is looked at. */
const PROVE_POLL_MS = 200;

/** Apply a payload in a worker and compare. Throws UpdateError `proof_failed`. */
export async function prove(job: Job, source: Uint8Array, payload: Uint8Array): Promise<void> {
  const total = job.target.length;
  const doneKib = new Int32Array(new SharedArrayBuffer(4));
  const tell = (done: number): void => job.onProgress({ phase: 'prove', done, total });
  tell(0);
  const timer = setInterval(() => tell(Math.min(total, Atomics.load(doneKib, 0) * 1024)), PROVE_POLL_MS);
  try {
    await job.pool.run({ kind: 'prove', payload, source, target: job.target, doneKib }, job);
  } finally {
    clearInterval(timer);
  }
  tell(total);
}
