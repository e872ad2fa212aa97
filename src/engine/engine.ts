/**
 * The engine: payloads from images, on a pool of worker threads.
 *
 * A job is admitted when its memory is free, then goes through index, match, encode, comparison with the full payload
 * and proof. Nothing that was not proved is handed out, and no delta that is not smaller than the full payload, unless it
 * is far smaller than the target. The same images give the same bytes for any number of workers.
 *
 * @module
 */
import { availableParallelism } from 'node:os';
import { setMaxListeners } from 'node:events';
import { segmentBytesFor } from '../../native-free/diff/write/encode-segment.ts';
import { PROFILE_SEGMENT_BYTES, type Profile } from '../../native-free/format/profile.ts';
import type { CoverList } from '../../native-free/format/cover.ts';
import { parseHeader, type PayloadHeader } from '../../native-free/format/payload-header.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';
import { shareImage } from '../platform/files/node-io.ts';
import { sha256Of } from '../platform/hash.ts';
import { abortedError, MemoryGate, throwIfAborted } from './admission.ts';
import {
  bsdiffMemoryBytes,
  checkImageSize,
  checkMemory,
  defaultMemoryBytesMax,
  jobMemoryBytes,
  WORKER_FLOOR_BYTES,
} from './memory-plan.ts';
import { checkObject } from '../../native-free/views.ts';
import { sparseImage, type ImageLike, type SparseImage } from '../../native-free/diff/fills/sparse-image.ts';
import { withoutFills } from '../../native-free/format/fill-map.ts';
import { matchByBsdiff } from './bsdiff/matcher.ts';
import { ownDelta, plainDelta, type OwnDelta } from './own-delta.ts';
import { builtFile } from './workers/built-file.ts';
import {
  analyse,
  compressFull,
  encodeDelta,
  inLanes,
  prove,
  type DeltaCosts,
  type EngineProgress,
  type Job,
  type SourceImage,
} from './job.ts';
import type { UnitReport } from './unit-counts.ts';
import { InlineTasks } from './workers/inline.ts';
import { WorkerPool } from './workers/pool.ts';
import type { TaskRunner } from './workers/runner.ts';

export type Matcher = 'own' | 'bsdiff';

export interface EngineOptions {
  /** Worker threads; default: one for each processor. The bytes do not depend on it. */
  readonly workers?: number;
  /** What all jobs together may take, worker threads included; default: three quarters of the memory. */
  readonly memoryBytesMax?: number;
  /**
   * Images up to this size are worked on by the caller's thread, where other threads could not help. It is busy then for
   * seconds at 1 MiB, and an abort waits for the end of a step. Default 0: never.
   */
  readonly inlineBytesMax?: number;
  /** Another compiled worker module; for tests that need one that misbehaves. */
  readonly workerFile?: string;
  /** Another bsdiff child; for the same kind of tests. */
  readonly bsdiffChildFile?: string;
}

export interface MakeOptions {
  /** Who finds the covers; 'both' encodes both and takes the smaller. Default 'own'. */
  readonly matcher?: Matcher | 'both';
  /** A power of two within LIMITS; default by the target's size. */
  readonly segmentBytes?: number;
  readonly signal?: AbortSignal;
  /** Bytes of the phase that runs; with `make`, phases of the two payloads run side by side. */
  readonly onProgress?: (progress: EngineProgress) => void;
  /** What deltas are made for. Default `small`: the fewest bytes. */
  readonly profile?: Profile;
  /** Count what each part of a delta costs: slower, the same bytes. */
  readonly metered?: boolean;
  /** Default true: look inside of compressed images. False gives larger deltas, for comparison. */
  readonly unpack?: boolean;
  /** After this bsdiff is killed and our own matcher takes over. Default two minutes. */
  readonly bsdiffTimeoutMs?: number;
}

export interface PayloadResult {
  readonly kind: 'delta' | 'full';
  readonly payload: Uint8Array;
  readonly header: PayloadHeader;
  /** SHA-256 of the header bytes; belongs into signed metadata. */
  readonly headerDigest: Uint8Array;
  /** SHA-256 of the whole payload. */
  readonly payloadDigest: Uint8Array;
  /** Delta only: who found the covers. */
  readonly matcher?: Matcher;
  /** Why bsdiff, though asked for, was not used. */
  readonly fellBack?: string;
  readonly covers?: number;
  /** Target bytes that covers name. */
  readonly coveredBytes?: number;
  /** Delta only, when metered: bytes by part. */
  readonly costs?: DeltaCosts;
  /** Delta only, where images were taken apart. */
  readonly units?: UnitReport;
  /** CPU seconds of threads and children on this payload (elapsed time of tasks where the system does not tell). */
  readonly cpuSeconds: number;
}

export interface MakeResult {
  readonly full: PayloadResult;
  /** Null when there is no source, or the delta is not smaller than the full payload. */
  readonly delta: PayloadResult | null;
  /** Why there is no delta. */
  readonly deltaRefused?: string;
}

interface MadeDelta {
  readonly payload: Uint8Array;
  readonly covers: CoverList;
  readonly costs: DeltaCosts | null;
  readonly units: UnitReport | null;
  readonly matcher: Matcher;
  readonly fellBack?: string | undefined;
}

const BSDIFF_TIMEOUT_MS = 120_000;

export class DeltaEngine {
  readonly workers: number;
  readonly #pool: WorkerPool;
  readonly #inline = new InlineTasks();
  readonly #gate: MemoryGate;
  readonly #memoryBytesMax: number;
  readonly #inlineBytesMax: number;
  readonly #bsdiffChildFile: string | undefined;
  readonly #closing = new AbortController();

  /** Throws UpdateError `usage_invalid`, or `config_invalid` when run from sources that were not built. */
  constructor(options: EngineOptions = {}) {
    this.workers = options.workers ?? availableParallelism();
    if (!Number.isInteger(this.workers) || this.workers < 1 || this.workers > 256) {
      throw new UpdateError('usage_invalid', `workers must be an integer from 1 to 256, not ${this.workers}`);
    }
    this.#memoryBytesMax = options.memoryBytesMax ?? defaultMemoryBytesMax();
    this.#gate = new MemoryGate(this.#memoryBytesMax - this.workers * WORKER_FLOOR_BYTES);
    this.#pool = new WorkerPool(options.workerFile ?? builtFile('workers/worker'), this.workers);
    this.#inlineBytesMax = options.inlineBytesMax ?? 0;
    this.#bsdiffChildFile = options.bsdiffChildFile;
  }

  /**
   * The full payload of a target, proved.
   * Throws UpdateError `limit_exceeded`, `memory_exceeded`, `aborted`, `proof_failed`.
   */
  async full(target: ImageLike, options: MakeOptions = {}): Promise<PayloadResult> {
    return this.#admitted(null, target, options, async (job) => {
      const payload = (await compressFull(job))!;
      await prove(job, null, payload);
      return resultOf(job, payload);
    });
  }

  /**
   * The delta payload that brings a slot from `source` to `target`, proved.
   * Throws UpdateError `delta_not_smaller` when the full payload is as small, unless both are below an eighth of the
   * target, and what `full` throws.
   */
  async delta(source: ImageLike, target: ImageLike, options: MakeOptions = {}): Promise<PayloadResult> {
    return this.#admitted(sparseImage(source, 'source'), target, options, async (job, image) => {
      const delta = await this.#encode(job, image!, options);
      if (UpdateError.is(delta)) throw delta;
      const refused = await refusalOf(job, delta.payload);
      if (refused !== null) throw refused;
      await prove(job, image!.source, delta.payload);
      return resultOf(job, delta.payload, delta);
    });
  }

  /**
   * Both payloads, proved; the delta only where there is a source and it is smaller than the full payload.
   * Throws what `full` throws; a delta that is not smaller is told in the result.
   */
  async make(source: ImageLike | null, target: ImageLike, options: MakeOptions = {}): Promise<MakeResult> {
    return this.#admitted(source && sparseImage(source, 'source'), target, options, async (job, image, stop) => {
      const deltaJob: Job = { ...job, cpu: { seconds: 0 } };
      // The suffix sort keeps one thread busy; compressing keeps the others.
      const [payload, delta] = await sideBySide(
        stop,
        compressFull(job),
        image === null ? Promise.resolve(null) : this.#encode(deltaJob, image, options),
      );
      await prove(job, null, payload!);
      const full = resultOf(job, payload!);
      if (delta === null) return { full, delta: null, deltaRefused: 'there is no source' };
      if (UpdateError.is(delta)) return { full, delta: null, deltaRefused: delta.message };
      const refused = notSmaller(delta.payload, payload!);
      if (refused !== null) return { full, delta: null, deltaRefused: refused.message };
      await prove(deltaJob, image!.source, delta.payload);
      return { full, delta: resultOf(deltaJob, delta.payload, delta) };
    });
  }

  /**
   * Checks that a job of these sizes, fills not counted, may ever run, before its images are read.
   * @throws UpdateError limit_exceeded, memory_exceeded, usage_invalid
   */
  checkSizes(sourceBytes: number, targetBytes: number, options: MakeOptions = {}): void {
    checkImageSize('target', targetBytes);
    checkImageSize('source', sourceBytes);
    checkMemory(this.#needs(sourceBytes, targetBytes, options).memoryBytes, this.workers, this.#memoryBytesMax);
  }

  #needs(sourceBytes: number, targetBytes: number, options: MakeOptions) {
    const usual = PROFILE_SEGMENT_BYTES[options.profile ?? 'small'] ?? segmentBytesFor(targetBytes);
    const segmentBytes = checkedSegmentBytes(options.segmentBytes ?? usual);
    const shape = { ...this.#shapeOf(sourceBytes, targetBytes, options), segmentBytes };
    return { segmentBytes, memoryBytes: jobMemoryBytes(shape) };
  }

  #shapeOf(sourceBytes: number, targetBytes: number, options: MakeOptions) {
    return { sourceBytes, targetBytes, workers: this.workers, matcher: options.matcher ?? 'own' };
  }

  /** Whether threads would cost more than they could save: one segment has nothing to share. */
  #isSmall(sourceBytes: number, targetBytes: number, segmentBytes: number): boolean {
    if (Math.max(sourceBytes, targetBytes) > this.#inlineBytesMax) return false;
    return this.workers === 1 || targetBytes <= segmentBytes;
  }

  /** End all threads; jobs that run end as `aborted`. */
  async close(): Promise<void> {
    this.#closing.abort(new UpdateError('aborted', 'the engine was closed'));
    await this.#pool.close();
  }

  /** Check, wait for memory, share the images, run `work`, give the memory back. */
  async #admitted<R>(
    source: SparseImage | null,
    targetImage: ImageLike,
    options: MakeOptions,
    work: (job: Job, image: SourceImage | null, stop: AbortController) => Promise<R>,
  ): Promise<R> {
    const target = sparseImage(targetImage, 'target');
    const [sourceBytes, targetBytes] = [source?.dense.length ?? 0, target.dense.length];
    checkObject(options, 'options');
    const profile = options.profile ?? 'small';
    this.checkSizes(sourceBytes, targetBytes, options);
    const { segmentBytes, memoryBytes } = this.#needs(sourceBytes, targetBytes, options);
    // One failure stops what runs beside it, so each job has a signal of its own.
    const stop = new AbortController();
    const outer = [this.#closing.signal, ...(options.signal === undefined ? [] : [options.signal])];
    const signal = AbortSignal.any([stop.signal, ...outer]);
    // Every task listens to it; that many listeners are no leak.
    setMaxListeners(0, signal);
    throwIfAborted(signal);
    let release = await this.#gate.acquire(memoryBytes, signal);
    try {
      const shared = { ...target, dense: shareImage(target.dense) };
      const cpu = { seconds: 0 };
      const context = { signal, cpu };
      let isSmall = this.#isSmall(sourceBytes, targetBytes, segmentBytes);
      const pool: TaskRunner = {
        run: (task, of) => (isSmall ? this.#inline : this.#pool).run(task, of),
      };
      const sharedSource = source && { ...source, dense: shareImage(source.dense) };
      const digestOf = (image: SparseImage): Promise<Uint8Array> => pool.run({ kind: 'digest', image }, context);
      const images = sharedSource === null ? [shared] : [shared, sharedSource];
      const [targetDigest, sourceDigest] = await inLanes(images, 2, digestOf);
      const image = sharedSource && { source: sharedSource.dense, sourceDigest: sourceDigest! };
      const onProgress = options.onProgress ?? (() => undefined);
      const { workers } = this;
      const job: Job = {
        ...context,
        pool,
        workers,
        onProgress,
        segmentBytes,
        metered: options.metered ?? false,
        profile,
        mayGrowSegments: options.segmentBytes === undefined && PROFILE_SEGMENT_BYTES[profile] === null,
        target: shared.dense,
        targetDigest: targetDigest!,
        fills: { source: source?.map ?? withoutFills(0), target: target.map },
        grow: async (contents) => {
          const shape = { ...this.#shapeOf(contents.source, contents.target, options), segmentBytes };
          const needed = memoryBytes + jobMemoryBytes(shape);
          // What can never be had leaves the job what it has: it goes on without.
          checkMemory(needed, this.workers, this.#memoryBytesMax);
          isSmall &&= this.#isSmall(contents.source, contents.target, segmentBytes);
          // Given back before more is asked for: two jobs that wait for each other would wait for ever.
          release();
          release = await this.#gate.acquire(needed, signal);
        },
      };
      return await work(job, image, stop);
    } catch (error) {
      // What runs beside a failure dies with it; what it says then (a dead thread, an abort) is only an echo.
      for (const other of outer) if (other.aborted) throw abortedError(other);
      throw UpdateError.from(error);
    } finally {
      stop.abort();
      release();
    }
  }

  /** A delta that is not proved; the refusal where none can be worth its while. */
  async #encode(job: Job, image: SourceImage, options: MakeOptions): Promise<MadeDelta | UpdateError> {
    const matcher = options.matcher ?? 'own';
    const ownOf = (own: OwnDelta | UpdateError, fellBack?: string): MadeDelta | UpdateError =>
      UpdateError.is(own) ? own : { ...own, matcher: 'own', fellBack };
    if (matcher === 'own') return ownOf(await ownDelta(job, image, options.unpack !== false));
    // bsdiff knows nothing of contents, nor does what it is compared with.
    const layouts = await analyse(job, { source: image.source, target: job.target });
    const found = await this.#matchByBsdiff(job, image.source, options);
    if (!('covers' in found)) return ownOf(await plainDelta(job, image, layouts), found.reason);
    const encoded = await encodeDelta(job, image, { layouts, covers: found.covers });
    const bsdiff: MadeDelta = { ...encoded, units: null, matcher: 'bsdiff' };
    const own = matcher === 'both' ? ownOf(await plainDelta(job, image, layouts)) : bsdiff;
    // Of equals our own: the same choice every time.
    return UpdateError.is(own) || bsdiff.payload.length < own.payload.length ? bsdiff : own;
  }

  async #matchByBsdiff(job: Job, source: Uint8Array, options: MakeOptions) {
    const needed = bsdiffMemoryBytes(source.length, job.target.length);
    if (needed > this.#memoryBytesMax) return { reason: `bsdiff would need about ${Math.ceil(needed / 2 ** 20)} MiB` };
    return matchByBsdiff({
      source,
      target: job.target,
      timeoutMs: options.bsdiffTimeoutMs ?? BSDIFF_TIMEOUT_MS,
      signal: job.signal,
      cpu: job.cpu,
      childFile: this.#bsdiffChildFile,
    });
  }
}

/** Both results; or the first failure, once the other, told to stop, is over as well and its memory free. */
async function sideBySide<A, B>(stop: AbortController, first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const failures: unknown[] = [];
  const watched = <T>(work: Promise<T>): Promise<T | undefined> =>
    work.catch((error: unknown) => {
      failures.push(error);
      stop.abort();
      return undefined;
    });
  const [a, b] = await Promise.all([watched(first), watched(second)]);
  if (failures.length > 0) throw failures[0];
  return [a as A, b as B];
}

function checkedSegmentBytes(bytes: number): number {
  const isPowerOfTwo = Number.isInteger(Math.log2(bytes));
  if (isPowerOfTwo && bytes >= LIMITS.segment_bytes_min && bytes <= LIMITS.segment_bytes_max) return bytes;
  const { segment_bytes_min: min, segment_bytes_max: max } = LIMITS;
  throw new UpdateError('usage_invalid', `the segment size must be a power of two from ${min} to ${max}, not ${bytes}`);
}

/** A delta of less than this share of its target is not compared: images hardly ever compress to so little. */
const COMPARED_SHARE = 1 / 8;

/** Why a delta is worth nothing, or null. Compresses as much of the target as it takes to know. */
async function refusalOf(job: Job, delta: Uint8Array): Promise<UpdateError | null> {
  if (delta.length < COMPARED_SHARE * job.target.length) return null;
  const full = await compressFull(job, delta.length, 1);
  return full === null ? null : notSmaller(delta, full);
}

function notSmaller(delta: Uint8Array, full: Uint8Array): UpdateError | null {
  if (delta.length < full.length) return null;
  return new UpdateError(
    'delta_not_smaller',
    `the delta of ${delta.length} bytes is not smaller than the full payload of ${full.length}`,
    { detail: { deltaBytes: delta.length, fullBytes: full.length } },
  );
}

function resultOf(job: Job, payload: Uint8Array, delta?: MadeDelta): PayloadResult {
  const header = parseHeader(payload);
  const facts = {
    kind: header.kind,
    payload,
    header,
    headerDigest: sha256Of(payload.subarray(0, header.headerBytes)),
    payloadDigest: sha256Of(payload),
    cpuSeconds: job.cpu.seconds,
  };
  if (delta === undefined) return facts;
  const coveredBytes = delta.covers.length.reduce((sum, length) => sum + length, 0);
  const { matcher, fellBack } = delta;
  return {
    ...facts,
    matcher,
    covers: delta.covers.count,
    coveredBytes,
    ...(fellBack === undefined ? {} : { fellBack }),
    ...(delta.costs === null ? {} : { costs: delta.costs }),
    ...(delta.units === null ? {} : { units: delta.units }),
  };
}
