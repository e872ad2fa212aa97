/**
 * Noticing early that no delta can be smaller than the full payload: nothing of the source was found in the target, and
 * the target does not compress. Coding literals is what takes long then, and all of it would be for nothing.
 *
 * Deltas that gain anything are never given up: a single byte that a sample saves, or a share of the target that covers
 * name, is enough to go on as ever.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import { type Matched } from '../../native-free/diff/stages.ts';
import { rangesOf } from '../../native-free/diff/images.ts';
import { compressFull, inLanes, sampleLiterals, type Job, type SourceImage } from './job.ts';

/** Of each segment, its first bytes are coded. */
const SAMPLE_BYTES = 64 * 1024;
/** Below this, a whole delta takes seconds at most. */
const TARGET_BYTES_MIN = 2 * 2 ** 20;
/** Less than what a delta's header and plan cost. */
const COVERED_BYTES_MAX = 64;
/** What a full payload has to be larger than, as a share of the target. */
const FULL_SHARE = 0.98;

/** The refusal, or null when a delta may be worth its while. */
export async function worthless(job: Job, image: SourceImage, matched: Matched): Promise<UpdateError | null> {
  const { length } = job.target;
  const covered = matched.covers.length.reduce((sum, bytes) => sum + bytes, 0);
  if (length < TARGET_BYTES_MIN || covered > COVERED_BYTES_MAX) return null;
  let gained = false;
  await inLanes(
    rangesOf(length, job.segmentBytes),
    job.workers,
    async ({ start }) => {
      const end = Math.min(length, start + SAMPLE_BYTES);
      if ((await sampleLiterals(job, image, start, end)) < end - start) gained = true;
    },
    () => gained,
  );
  if (gained || (await compressFull(job, FULL_SHARE * length)) !== null) return null;
  return new UpdateError(
    'delta_not_smaller',
    `nothing of the source was found in the target, and the ${length} bytes of the target do not compress: a delta cannot be ` +
      'smaller than the full payload',
    { detail: { targetBytes: length } },
  );
}
