/**
 * A delta by our own matcher: of contents where images have any, tried again where that may be smaller.
 * @module
 */
import type { Images } from '../../native-free/diff/images.ts';
import type { PairedLayouts } from '../../native-free/diff/layout/pair-regions.ts';
import { smallestOf } from '../../native-free/diff/units/trial.ts';
import { isBeyondBounds, takesTooMuch } from '../../native-free/diff/units/unpack-pair.ts';
import { UpdateError } from '../../native-free/status.ts';
import {
  analyse,
  encodeDelta,
  type EncodedDelta,
  type EngineProgress,
  type Job,
  type Phase,
  type SourceImage,
} from './job.ts';
import { matchOwn } from './matching.ts';
import { unpack } from './unpack.ts';
import { reportOf, type UnitReport } from './unit-counts.ts';
import { worthless } from './worthless.ts';

export interface OwnDelta extends Omit<EncodedDelta, 'units'> {
  /** Null where the images as they are gave the smaller delta. */
  readonly units: UnitReport | null;
}

const NONE: ReadonlySet<number> = new Set();

/** Of contents, if it may and there are any. Not proved; the refusal where none can be worth its while. */
export async function ownDelta(job: Job, image: SourceImage, mayUnpack: boolean): Promise<OwnDelta | UpdateError> {
  const first = mayUnpack ? await deltaOfContents(job, image, NONE) : null;
  if (first === null) return plainDelta(job, image);
  if (UpdateError.is(first)) return plainDelta(asOnePhase(job, 'plain'), image);
  const best = await smallestOf(
    first,
    async (dear) => {
      const again = asOnePhase(job, 'retry');
      const some = await deltaOfContents(again, image, dear);
      const made = some === null || UpdateError.is(some) ? await plainDelta(again, image) : some;
      // What nothing helps was worth making once, and that is kept.
      return UpdateError.is(made) ? first : made;
    },
    async () => {
      const made = await plainDelta(asOnePhase(job, 'plain'), image);
      return UpdateError.is(made) ? null : made;
    },
  );
  if (best.units === null || !takesTooMuch(best.payload)) return best;
  return plainDelta(asOnePhase(job, 'plain'), image);
}

/** Null where nothing can be taken apart; what is in the way where contents are beyond a bound that images may keep. */
async function deltaOfContents(
  job: Job,
  image: SourceImage,
  dear: ReadonlySet<number>,
): Promise<OwnDelta | UpdateError | null> {
  try {
    return await deltaWithinBounds(job, image, dear);
  } catch (error) {
    if (isBeyondBounds(error)) return error;
    throw error;
  }
}

async function deltaWithinBounds(job: Job, image: SourceImage, dear: ReadonlySet<number>): Promise<OwnDelta | null> {
  const unpacked = await unpack(job, imagesOf(job, image), dear);
  if (unpacked === null) return null;
  const { pair, found } = unpacked;
  const layouts = await analyse(job, pair.virtual, pair.parts);
  const matched = await matchOwn(job, pair.virtual, layouts);
  const encoded = await encodeDelta(job, image, matched, pair);
  return { ...encoded, units: reportOf(encoded.units!, found) };
}

/** A delta of the images as they are; not proved. The refusal where none can be worth its while. */
export async function plainDelta(
  job: Job,
  image: SourceImage,
  known: PairedLayouts | null = null,
): Promise<OwnDelta | UpdateError> {
  const refusal = await worthless(job, image);
  if (refusal !== null) return refusal;
  const images = imagesOf(job, image);
  const layouts = known ?? (await analyse(job, images));
  const matched = await matchOwn(job, images, layouts);
  return { ...(await encodeDelta(job, image, matched)), units: null };
}

const imagesOf = ({ target }: Job, { source }: SourceImage): Images => ({ source, target });

/** About when the steps of a delta begin and end. */
const SPANS: Partial<Record<Phase, readonly [from: number, to: number]>> = {
  unpack: [0, 0.1],
  analyse: [0.1, 0.2],
  match: [0.2, 0.6],
  encode: [0.6, 1],
};

/** A further attempt is one phase, whatever its steps: the others never begin again. */
function asOnePhase(job: Job, phase: Phase): Job {
  const total = job.target.length;
  let most = 0;
  const onProgress = (step: EngineProgress): void => {
    const [from, to] = SPANS[step.phase] ?? [0, 0];
    const share = step.total === 0 ? 1 : step.done / step.total;
    most = Math.max(most, Math.floor(total * (from + (to - from) * share)));
    job.onProgress({ phase, done: most, total });
  };
  return { ...job, onProgress };
}
