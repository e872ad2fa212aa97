/**
 * Slots with compressed images in them, and what the real engine makes of them.
 */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { DeltaEngine } from '../../../src/engine/index.ts';
import type { PayloadMaker } from '../../../src/release/index.ts';
import { concat, imageBytes, noise, random } from '../images.ts';
import { makeLab, type Lab } from './agent.ts';

interface ImagePair {
  readonly source: Uint8Array;
  readonly target: Uint8Array;
}

type Side = 'source' | 'target';

const committed = (side: Side): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../../corpus/small/watcher-squashfs/${side}`, import.meta.url)));

/** The squashfs pair of the repository: one segment. */
export const squashfsPair = (): ImagePair => ({ source: committed('source'), target: committed('target') });

/** A compressed file of words, of which each 500th names the side. */
function packedWords(side: Side, seed: number): Uint8Array {
  const next = random(seed);
  const words = Array.from({ length: 60_000 }, (_, i) => {
    const word = Math.floor(next() * 50_000).toString(36);
    return i % 500 === 7 ? `${side}-${i}` : word;
  });
  return new Uint8Array(gzipSync(words.join(' ')));
}

/** Bytes that nothing has packed, in the target with news in them. */
function rawBytes(side: Side, seed: number): Uint8Array {
  const bytes = imageBytes(1_900_000, seed);
  if (side === 'target') bytes.set(noise(30_000, seed + 9), 400_000);
  return bytes;
}

/** Size of the last compressed file of `slotPair`, which ends it. */
export const lastFileBytes = (side: Side): number => packedWords(side, 4).length;

/** A squashfs image, and compressed files between bytes that are not: a few segments, with units in each. */
export function slotPair(): ImagePair {
  const of = (side: Side): Uint8Array =>
    concat(committed(side), rawBytes(side, 1), packedWords(side, 3), rawBytes(side, 2), packedWords(side, 4));
  return { source: of('source'), target: of('target') };
}

/** Run `work` with the real engine and its pool, which is closed again. */
export async function withEngine<T>(work: (engine: DeltaEngine) => Promise<T>): Promise<T> {
  const engine = new DeltaEngine({ workers: 2 });
  try {
    return await work(engine);
  } finally {
    await engine.close();
  }
}

/** As `makeLab`, with payloads of the real engine. */
export const unitsLab = (pair: ImagePair): Promise<Lab> =>
  withEngine((engine: PayloadMaker) => makeLab(pair, true, engine));
