/**
 * Real image pairs for the demo, the benchmarks and the tests: `corpusPair(name)` gives the paths of both images,
 * fetched when needed and always checked against their digests.
 * @module
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UpdateError } from '../native-free/status.ts';
import { extractDebian, extractNpm } from './extract.ts';
import { cacheFolder, findPair, repositoryRoot, type CorpusImage, type CorpusPair } from './manifest.ts';
import { Packages } from './packages.ts';

export { cacheFolder, corpusPairs, findPair, repositoryRoot } from './manifest.ts';
export type { CorpusPair } from './manifest.ts';

/** The small pair that is part of the repository, beside squashfs images with it: there without any network. */
export const SMALL_PAIR = 'watcher-arm64';

/** Paths of both images. */
export interface PairPaths {
  readonly source: string;
  readonly target: string;
}

export interface CorpusPairOptions {
  /** False: look only at the repository and the cache, never at the network. Default true. */
  readonly fetch?: boolean;
  /** Told why a pair cannot be had. */
  readonly onMiss?: (reason: string) => void;
}

/**
 * Both images of a pair, digests checked. Null when it is not cached and cannot be fetched (no network, no apt, not
 * built yet). Throws `usage_invalid` for a name that the corpus does not have.
 */
export async function corpusPair(name: string, options: CorpusPairOptions = {}): Promise<PairPaths | null> {
  const pair = findPair(name);
  const cached = await cachedPair(pair);
  if (cached !== null) return cached;
  if (options.fetch === false) {
    options.onMiss?.(`${name} is not in ${pairFolder(pair)}; npm run corpus -- ${name} fetches it`);
    return null;
  }
  const packages = new Packages();
  try {
    return await fetchPair(pair, packages);
  } catch (error) {
    options.onMiss?.(error instanceof Error ? error.message : String(error));
    return null;
  } finally {
    await packages.close();
  }
}

/** The pair where it is already there with the right digests, else null. */
export async function cachedPair(pair: CorpusPair): Promise<PairPaths | null> {
  const paths = pathsIn(pairFolder(pair));
  const good = (await matches(paths.source, pair.source)) && (await matches(paths.target, pair.target));
  return good ? paths : null;
}

/**
 * Fetch a pair into the cache. Each image appears under its final name only when its digest is right, so that two
 * fetches at once do no harm. Throws UpdateError: `link_failed`, `content_wrong`.
 */
export async function fetchPair(pair: CorpusPair, packages: Packages): Promise<PairPaths> {
  const folder = join(cacheFolder(), 'corpus', pair.name);
  await mkdir(folder, { recursive: true });
  const paths = pathsIn(folder);
  for (const side of ['source', 'target'] as const) {
    const image = pair[side];
    if (await matches(paths[side], image)) continue;
    const partial = join(folder, `${side}.${randomUUID()}.partial`);
    try {
      await extract(packages, pair, image, partial);
      if (!(await matches(partial, image))) throw await wrongImage(pair, side, partial);
      await rename(partial, paths[side]);
    } finally {
      await rm(partial, { force: true });
    }
  }
  return paths;
}

function extract(packages: Packages, pair: CorpusPair, image: CorpusImage, into: string): Promise<void> {
  const { from } = image;
  if ('npm' in from) return extractNpm(packages, from, into);
  if ('deb' in from) return extractDebian(packages, from, into);
  if ('made' in from) {
    throw new UpdateError('input_unreadable', `${pair.name} is part of the repository; corpus/${from.made} says more`);
  }
  const hint = `build it with npm run corpus -- --rootfs-tar PATH ${pair.name}`;
  throw new UpdateError('input_unreadable', `${pair.name} is built from two root file systems: ${hint}`);
}

async function wrongImage(pair: CorpusPair, side: 'source' | 'target', file: string): Promise<UpdateError> {
  const { bytes, sha256 } = pair[side];
  const found = `${(await stat(file)).size} bytes with SHA-256 ${await digestOfFile(file)}`;
  return new UpdateError(
    'content_wrong',
    `${pair.name}.${side}: expected ${bytes} bytes with SHA-256 ${sha256}, got ${found}`,
  );
}

function pairFolder(pair: CorpusPair): string {
  if (pair.committed !== undefined) return join(repositoryRoot(), 'corpus', pair.committed);
  return join(cacheFolder(), 'corpus', pair.name);
}

function pathsIn(folder: string): PairPaths {
  return { source: join(folder, 'source'), target: join(folder, 'target') };
}

async function matches(file: string, image: CorpusImage): Promise<boolean> {
  const found = await stat(file).catch(() => null);
  if (found === null || found.size !== image.bytes) return false;
  return (await digestOfFile(file)) === image.sha256;
}

/** SHA-256 of a file, as lower-case hexadecimal. */
async function digestOfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  return hash.digest('hex');
}
