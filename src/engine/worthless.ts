/**
 * Noticing early that no delta can be smaller than the full payload: nothing of the source is in the target, and the
 * target does not compress. Matching and coding are what takes long then, and all of it would be for nothing.
 *
 * What may gain more than a hundredth is never given up: a share of the target that looks like the source, or samples that
 * models make smaller, are enough to go on as ever.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import { rangesOf, type TargetRange } from '../../native-free/diff/images.ts';
import { NoiseTest } from '../../native-free/model/literals/noise.ts';
import { compressFull, inLanes, sampleLiterals, type Job, type SourceImage } from './job.ts';

/** Of each segment, its first bytes are coded; before that, fewer are counted. */
const SAMPLE_BYTES = 64 * 1024;
const COUNTED_BYTES = 2048;
/** How uneven counts may be: as where flags of stored blocks are asked. */
const COUNTED_SLACK = 256;
/** Below this, a whole delta takes seconds at most. */
const TARGET_BYTES_MIN = 2 * 2 ** 20;
/** Less than what a delta's header and plan cost. */
const ALIKE_BYTES_MAX = 64;
/** What models may save of the samples. */
const SAVED_SHARE = 1 / 128;
/** What a full payload has to be larger than, as a share of the target. */
const FULL_SHARE = 0.98;

/** The refusal, or null when a delta may be worth its while. */
export async function worthless(job: Job, image: SourceImage): Promise<UpdateError | null> {
  const { target } = job;
  const { length } = target;
  if (length < TARGET_BYTES_MIN) return null;
  const segments = rangesOf(length, job.segmentBytes);
  if (!isMostlyNoise(target, segments) || !(await resistModels(job, image, segments))) return null;
  const images = { source: image.source, target };
  if ((await job.pool.run({ kind: 'alike', images }, job)) > ALIKE_BYTES_MAX) return null;
  if ((await compressFull(job, FULL_SHARE * length)) !== null) return null;
  return new UpdateError(
    'delta_not_smaller',
    `nothing of the source was found in the target, and the ${length} bytes of the target do not compress: a delta cannot be ` +
      'smaller than the full payload',
    { detail: { targetBytes: length } },
  );
}

/** Costs next to nothing, and is false for nearly all targets. */
function isMostlyNoise(target: Uint8Array, segments: readonly TargetRange[]): boolean {
  const test = new NoiseTest();
  const noisy = segments.filter(({ start, end }) =>
    test.isNoise(target, start, Math.min(end, start + COUNTED_BYTES), COUNTED_SLACK),
  );
  return 2 * noisy.length > segments.length;
}

async function resistModels(job: Job, image: SourceImage, segments: readonly TargetRange[]): Promise<boolean> {
  let sampled = 0;
  for (const { start, end } of segments) sampled += Math.min(SAMPLE_BYTES, end - start);
  let saved = 0;
  const isMuch = (): boolean => saved > SAVED_SHARE * sampled;
  await inLanes(
    segments,
    job.workers,
    async ({ start, end }) => {
      const sample = { start, end: Math.min(end, start + SAMPLE_BYTES) };
      saved += sample.end - sample.start - (await sampleLiterals(job, image, sample.start, sample.end));
    },
    isMuch,
  );
  return !isMuch();
}
