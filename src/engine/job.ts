/**
 * The steps of one job on the worker pool: analyse, encode, compress, prove; matching.ts has what lies between. How the
 * work is cut never depends on the number of workers, so neither do the bytes.
 *
 * @module
 */
import { assembleDelta, assembleFull } from '../../native-free/diff/write/assemble.ts';
import type { SparseImage } from '../../native-free/diff/fills/sparse-image.ts';
import type { SegmentCosts } from '../../native-free/diff/write/encode-segment.ts';
import { NO_LAYOUTS, TINY_DELTA_BYTES, type PairedLayouts } from '../../native-free/diff/layout/pair-regions.ts';
import type { FinishedPlan, ImageParts, Matched } from '../../native-free/diff/stages.ts';
import { cutSegments, UNIT_SEGMENT_CONTENT_BYTES } from '../../native-free/diff/units/cut.ts';
import { trialOf, type Trial } from '../../native-free/diff/units/trial.ts';
import { unitPayloadParts, type UnpackedPair } from '../../native-free/diff/units/unpack-pair.ts';
import { VirtualLayout } from '../../native-free/unpack/map/virtual-layout.ts';
import { rangesOf, type TargetRange, type Images } from '../../native-free/diff/images.ts';
import { coverListOf, type CoverList } from '../../native-free/format/cover.ts';
import { withoutFills } from '../../native-free/format/fill-map.ts';
import { plainPlan } from '../../native-free/format/plan.ts';
import { evenSegments, type ImageFills, type SegmentSpan } from '../../native-free/format/payload-header.ts';
import { DEFAULT_SIZES } from '../../native-free/format/model-sizes.ts';
import type { Profile } from '../../native-free/format/profile.ts';
import type { PlanCosts } from '../../native-free/model/plan-coder.ts';
import { every } from '../platform/timers.ts';
import { shareImage } from '../platform/files/node-io.ts';
import { sha256Node } from '../platform/hash.ts';
import { checkProvenWork, proofParts, provenHeader } from './proof-parts.ts';
import { countUnits, type UnitCounts } from './unit-counts.ts';
import type { TaskContext, TaskRunner } from './workers/runner.ts';

/**
 * `retry` and `plain` are deltas that are made beside the first one, where they may be smaller: with some streams left
 * packed, and with all.
 */
export type Phase = 'unpack' | 'analyse' | 'match' | 'encode' | 'retry' | 'plain' | 'full' | 'prove';

/** `done` and `total` are bytes of the image that the phase works through. */
export interface EngineProgress {
  readonly phase: Phase;
  readonly done: number;
  readonly total: number;
}

/** What every step needs to know of its job. */
export interface Job extends TaskContext {
  readonly pool: TaskRunner;
  readonly workers: number;
  readonly onProgress: (progress: EngineProgress) => void;
  readonly segmentBytes: number;
  readonly profile: Profile;
  /** Nobody asked for a segment size: a delta may take a larger one. */
  readonly mayGrowSegments: boolean;
  /** Whether to count what each stream costs. */
  readonly metered: boolean;
  /** Without its fills, as is the source. */
  readonly target: Uint8Array;
  /** Of the whole target. */
  readonly targetDigest: Uint8Array;
  /** Of both images; no source has none. */
  readonly fills: ImageFills;
  /**
   * Waits for the memory that it takes to work on contents of these sizes, which were not known before.
   * @throws UpdateError memory_exceeded when there is not so much, aborted
   */
  readonly grow: (contents: { readonly source: number; readonly target: number }) => Promise<void>;
}

/** A source with its digest. */
export interface SourceImage {
  readonly source: Uint8Array;
  readonly sourceDigest: Uint8Array;
}

/**
 * Perform all items, a few at a time, results in the items' order. After a failure nothing new begins, and the
 * failure is thrown when what had begun is over (so that its memory is free). `enough` ends it early.
 */
export async function inLanes<I, R>(
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
export function counter(job: Job, phase: Phase, total: number): (bytes: number) => void {
  let done = 0;
  job.onProgress({ phase, done, total });
  return (bytes) => {
    done += bytes;
    job.onProgress({ phase, done, total });
  };
}

/** The structure of both images. */
export async function analyse(job: Job, images: Images, parts?: ImageParts): Promise<PairedLayouts> {
  const analysed = counter(job, 'analyse', images.source.length);
  const layouts = await job.pool.run({ kind: 'analyse', images, parts }, job);
  analysed(images.source.length);
  return layouts;
}

/** Covers in shared memory, so that a task does not copy them. */
export function shareCovers(list: CoverList): CoverList {
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

/** What each part of a delta costs, in bytes. */
export interface DeltaCosts extends SegmentCosts, PlanCosts {
  header: number;
  /** Unit maps. */
  maps: number;
}

export interface EncodedDelta {
  readonly payload: Uint8Array;
  readonly covers: CoverList;
  readonly costs: DeltaCosts | null;
  /** Null where nothing was taken apart. */
  readonly units: UnitCounts | null;
  readonly trial: Trial | null;
}

/** A delta payload from covers; not proved. Where images were taken apart, `matched` speaks of their contents. */
export async function encodeDelta(
  job: Job,
  image: SourceImage,
  matched: Matched,
  unpacked: UnpackedPair | null = null,
): Promise<EncodedDelta> {
  const images = { source: image.source, target: job.target };
  return unpacked === null
    ? encodePlain(job, image, images, matched)
    : encodeUnits(job, image, images, matched, unpacked);
}

async function encodePlain(job: Job, image: SourceImage, images: Images, matched: Matched): Promise<EncodedDelta> {
  const made = await encodeStructured(job, image, images, matched);
  if (made.payload.length > TINY_DELTA_BYTES) return made;
  const quiet = { ...job, onProgress: () => undefined };
  const bare = await encodeStructured(quiet, image, images, { ...matched, layouts: NO_LAYOUTS });
  return bare.payload.length < made.payload.length ? bare : made;
}

async function encodeStructured(job: Job, image: SourceImage, images: Images, matched: Matched): Promise<EncodedDelta> {
  const { finished, coded } = await planFor(job, images, matched, job.mayGrowSegments ? null : job.segmentBytes);
  const { segmentBytes } = finished;
  const parts = await encodeSegments(job, evenSegments(job.target.length, segmentBytes), (range) =>
    job.pool.run({ kind: 'encode', images, coded, ...range, metered: job.metered }, job),
  );
  const payload = assembleDelta({
    ...knownParts(job, image, finished, parts),
    segmentBytes,
    plan: finished.bytes,
    planNeeds: finished.needs,
    segmentWork: parts.reduce((sum, part) => sum + part.work, 0),
    segments: parts.map((part) => part.encoded),
  });
  const costs = job.metered ? costsOf(finished.costs, parts, payload.length) : null;
  return { payload, covers: coded.plan.covers, costs, units: null, trial: null };
}

async function encodeUnits(
  job: Job,
  image: SourceImage,
  images: Images,
  matched: Matched,
  unpacked: UnpackedPair,
): Promise<EncodedDelta> {
  const { virtual, maps } = unpacked;
  const { finished, coded } = await planFor(job, virtual, matched, UNIT_SEGMENT_CONTENT_BYTES);
  const spans = cutSegments(new VirtualLayout(maps.target, job.target.length));
  const parts = await encodeSegments(job, spans, (range) =>
    job.pool.run({ kind: 'encode-units', images, unpacked, coded, ...range, metered: job.metered }, job),
  );
  const { units, ...rest } = unitPayloadParts(unpacked, finished, spans, parts);
  const payload = assembleDelta({ ...knownParts(job, image, finished, parts), units, ...rest });
  const costs = job.metered ? costsOf({ ...finished.costs, maps: units.mapBytes }, parts, payload.length) : null;
  const sizes = { bytes: payload.length, mapBytes: units.mapBytes, targetBytes: job.target.length };
  const trial = trialOf(unpacked, parts, sizes);
  return { payload, covers: coded.plan.covers, costs, units: countUnits(maps, parts), trial };
}

/** The plan, and what segments are coded with. */
async function planFor(job: Job, images: Images, matched: Matched, segmentBytes: number | null) {
  const wanted = { segmentBytes, profile: job.profile };
  const finished = await job.pool.run({ kind: 'plan', images, matched, wanted }, job);
  const plan = { ...finished.plan, covers: shareCovers(finished.plan.covers) };
  return { finished, coded: { plan, modelSizes: finished.modelSizes } };
}

function encodeSegments<P>(
  job: Job,
  spans: readonly SegmentSpan[],
  encode: (range: TargetRange) => Promise<P>,
): Promise<P[]> {
  const encoded = counter(job, 'encode', job.target.length);
  return inLanes(spans, job.workers + 1, async ({ offset, length }) => {
    const part = await encode({ start: offset, end: offset + length });
    encoded(length);
    return part;
  });
}

/** What a payload says of its images, and of segments whatever they are made of. */
function knownParts(
  job: Job,
  { source, sourceDigest }: SourceImage,
  { modelSizes }: FinishedPlan,
  parts: readonly { readonly digest: Uint8Array }[],
) {
  return {
    ...{ sourceBytes: source.length, sourceDigest, targetBytes: job.target.length, targetDigest: job.targetDigest },
    fills: job.fills,
    ...{ modelSizes, profile: job.profile, segmentDigests: parts.map(({ digest }) => digest), hash: sha256Node },
  };
}

/** What target bytes [start, end) cost as literals; what they are if that gains nothing. */
export async function sampleLiterals(job: Job, image: SourceImage, start: number, end: number): Promise<number> {
  const images = { source: image.source, target: job.target };
  const coded = { plan: plainPlan(coverListOf([])), modelSizes: DEFAULT_SIZES };
  const task = { kind: 'encode', images, coded, start, end, metered: false } as const;
  return (await job.pool.run(task, job)).encoded.length;
}

function costsOf(
  plan: PlanCosts & { readonly maps?: number },
  parts: readonly { readonly costs: SegmentCosts | null; readonly encoded: Uint8Array }[],
  payloadBytes: number,
): DeltaCosts {
  const costs: DeltaCosts = { header: 0, maps: 0, ...plan, flags: 0, misses: 0, literals: 0, tokens: 0, params: 0 };
  let coded = plan.covers + plan.regions + (plan.maps ?? 0);
  for (const part of parts) {
    coded += part.encoded.length;
    for (const name of ['flags', 'misses', 'literals', 'tokens', 'params'] as const)
      costs[name] += part.costs?.[name] ?? 0;
  }
  costs.header = payloadBytes - coded;
  return costs;
}

/**
 * A full payload; not proved. Null as soon as it is known to be larger than `stopOverBytes`: to know that a delta is
 * smaller, the first few segments of the full payload are enough. One `lane` compresses none that is not needed for that.
 */
export async function compressFull(
  job: Job,
  stopOverBytes = Infinity,
  lanes = job.workers + 1,
): Promise<Uint8Array | null> {
  const { target, segmentBytes } = job;
  const compressed = counter(job, 'full', target.length);
  let encodedBytes = 0;
  const parts = await inLanes(
    rangesOf(target.length, segmentBytes),
    lanes,
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
    fills: { source: withoutFills(0), target: job.fills.target },
    segmentBytes,
    segments: parts.map((part) => part.encoded),
    segmentDigests: parts.map((part) => part.digest),
    hash: sha256Node,
  });
}

const NO_IMAGE: SparseImage = { map: withoutFills(0), dense: new Uint8Array(0) };

/** How often the progress of a proof is looked at. */
const PROVE_POLL_MS = 200;

/** Apply a payload on all workers and compare; a full one without a source. Throws UpdateError `proof_failed`. */
export async function prove(job: Job, source: Uint8Array | null, payload: Uint8Array): Promise<void> {
  const { pool, workers, fills } = job;
  const total = job.target.length;
  const header = provenHeader(payload);
  const images = {
    source: source === null ? NO_IMAGE : { map: fills.source, dense: source },
    target: { map: fills.target, dense: job.target },
  };
  const parts = proofParts(header.segments, workers);
  const shared = parts.length === 1 ? payload : shareImage(payload);
  const doneKib = new Int32Array(new SharedArrayBuffer(4));
  const tell = (done: number): void => job.onProgress({ phase: 'prove', done, total });
  tell(0);
  const timer = every(PROVE_POLL_MS, () => tell(Math.min(total, Atomics.load(doneKib, 0) * 1024)));
  try {
    const proven = await inLanes(parts, workers, (part) =>
      pool.run({ kind: 'prove', payload: shared, ...images, doneKib, ...part }, job),
    );
    checkProvenWork(proven, header);
  } finally {
    timer.cancel();
  }
  tell(total);
}
