/**
 * Taking images apart on the worker pool: containers are looked for and streams are unpacked in portions, so that all
 * workers help with one image.
 * @module
 */
import type { Images } from '../../native-free/diff/images.ts';
import { Exploration } from '../../native-free/diff/units/exploration.ts';
import type { Explored } from '../../native-free/diff/units/explored.ts';
import type { ExploredImage } from '../../native-free/diff/units/select.ts';
import { portions, portionsOf, type StreamRun } from '../../native-free/diff/units/stream-runs.ts';
import { withoutUnits } from '../../native-free/diff/units/trial.ts';
import type { UnpackedPair } from '../../native-free/diff/units/unpack-pair.ts';
import { sharedBytes } from '../platform/files/node-io.ts';
import { counter, inLanes, type Job } from './job.ts';
import type { FoundUnits } from './unit-counts.ts';

/** Both images taken apart, and what was found in them. */
export interface Unpacked {
  readonly pair: UnpackedPair;
  readonly found: FoundUnits;
}

/** Null where there is nothing to take apart. `dear`: units of the target, by what was explored, that are to stay packed. */
export async function unpack(job: Job, images: Images, dear: ReadonlySet<number>): Promise<Unpacked | null> {
  const done = counter(job, 'unpack', images.source.length + images.target.length);
  const explored = async (image: Uint8Array): Promise<ExploredImage> => {
    return { image, explored: await exploreImage(job, image, done) };
  };
  const [source, all] = await inLanes([images.source, images.target], 2, explored);
  const target = { image: images.target, explored: withoutUnits(all!.explored, dear) };
  const bytes = ({ image, explored: { units } }: ExploredImage): number =>
    units.reduce((sum, { content }) => sum + content.length, image.length);
  if (source!.explored.units.length + target.explored.units.length === 0) return null;
  await job.grow({ source: bytes(source!), target: bytes(target) });
  const pair = await job.pool.run({ kind: 'unpack', source: source!, target }, job);
  const { streams, units } = target.explored;
  const containers = { source: source!.explored.containers, target: target.explored.containers };
  return pair && { pair, found: { containers, streams, units: units.length, dear: dear.size } };
}

async function exploreImage(job: Job, image: Uint8Array, done: (bytes: number) => void): Promise<Explored> {
  const { pool, workers } = job;
  const exploration = new Exploration(image, sharedBytes);
  let left = image.length;
  const count = (bytes: number): void => {
    left -= bytes;
    done(bytes);
  };
  // Streams of the image itself are what is counted: those within them take their share of the time.
  for (let isImage = true; exploration.views.length > 0; isImage = false) {
    const searched = portions(exploration.views, ({ length }) => length);
    const found = await inLanes(searched, workers, (views) => pool.run({ kind: 'find', views }, job));
    const runs = portionsOf(exploration.found(found.flat()));
    const unpacked = await inLanes(runs, workers, async (portion) => {
      const part = await pool.run({ kind: 'explore', runs: portion }, job);
      if (isImage) count(packedBytesOf(portion));
      return part;
    });
    exploration.unpacked(unpacked.flat());
  }
  count(left);
  return exploration.explored();
}

function packedBytesOf(runs: readonly StreamRun[]): number {
  return runs.reduce((sum, { units }) => units.reduce((bytes, { packedBytes }) => bytes + packedBytes, sum), 0);
}
