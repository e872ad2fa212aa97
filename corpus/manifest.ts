/**
 * The list of real image pairs that engraft is measured on: `pairs.json`, read and checked.
 *
 * Facts live in the JSON file (names, sizes, digests, where the bytes come from), so that other tools can read them;
 * this file gives them types and finds them from the sources as well as from `dist/`.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UpdateError } from '../native-free/status.ts';

/** A file of an npm package, or the whole package file. */
export interface NpmOrigin {
  readonly npm: string;
  readonly file?: string;
  readonly whole?: true;
  readonly then?: 'unzip-first';
}

/** A file or a folder of a Debian package, or the whole package file. */
export interface DebianOrigin {
  readonly deb: string;
  readonly version: string;
  readonly architecture: string;
  readonly file?: string;
  readonly tree?: string;
  readonly whole?: true;
  readonly then?: 'gzip-9n';
  /** Address of the package in the archive's pool, for when the mirror's indexes lag behind. */
  readonly pool?: string;
}

/** A file system image built from a tar of two root file systems that is not part of the repository. */
export interface RootfsOrigin {
  readonly rootfs: string;
}

/** An image that was made once and is part of the repository; the file below corpus/ says how. */
export interface MadeOrigin {
  readonly made: string;
}

export type Origin = NpmOrigin | DebianOrigin | RootfsOrigin | MadeOrigin;

export interface CorpusImage {
  readonly bytes: number;
  readonly sha256: string;
  readonly from: Origin;
}

export interface CorpusPair {
  readonly name: string;
  readonly family: 'exec' | 'kernel' | 'firmware' | 'archive' | 'data' | 'rootfs';
  readonly arch: string;
  readonly language: string | null;
  readonly step: string;
  /** Folder below corpus/ that holds `source` and `target`, for a pair that is part of the repository. */
  readonly committed?: string;
  readonly source: CorpusImage;
  readonly target: CorpusImage;
}

/** The checkout: the nearest folder above this file with our package.json, from the sources and from dist/ alike. */
export function repositoryRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    if (existsSync(join(folder, 'package.json')) && existsSync(join(folder, 'corpus', 'pairs.json'))) return folder;
    const above = dirname(folder);
    if (above === folder) throw new UpdateError('input_unreadable', 'corpus/pairs.json was not found above this file');
    folder = above;
  }
}

/** Where fetched images are kept: ENGRAFT_CACHE, or `.cache` in the checkout. */
export function cacheFolder(): string {
  const chosen = process.env['ENGRAFT_CACHE'];
  return chosen === undefined || chosen === '' ? join(repositoryRoot(), '.cache') : resolve(chosen);
}

let known: readonly CorpusPair[] | undefined;

/** All pairs, in the order of the file. Throws `config_invalid` when the file is damaged. */
export function corpusPairs(): readonly CorpusPair[] {
  known ??= parsePairs(readFileSync(join(repositoryRoot(), 'corpus', 'pairs.json'), 'utf8'));
  return known;
}

/** One pair by name. Throws `usage_invalid` with the names there are. */
export function findPair(name: string): CorpusPair {
  const pair = corpusPairs().find((candidate) => candidate.name === name);
  if (pair !== undefined) return pair;
  const names = corpusPairs().map((candidate) => candidate.name);
  throw new UpdateError('usage_invalid', `the corpus has no pair "${name}"; it has ${names.join(', ')}`);
}

/** Parse and check the text of pairs.json. Throws `config_invalid` naming the pair and the field. */
function parsePairs(text: string): readonly CorpusPair[] {
  const fail = (what: string): never => {
    throw new UpdateError('config_invalid', `corpus/pairs.json: ${what}`);
  };
  const { pairs } = JSON.parse(text) as { pairs: CorpusPair[] };
  if (!Array.isArray(pairs)) return fail('"pairs" is not a list');
  const names = new Set<string>();
  for (const pair of pairs) {
    if (!/^[a-z0-9-]+$/.test(pair.name ?? ''))
      fail(`"${pair.name}" is no name of lower-case letters, digits and dashes`);
    if (names.has(pair.name)) fail(`"${pair.name}" is listed twice`);
    names.add(pair.name);
    for (const side of ['source', 'target'] as const) {
      const image = pair[side];
      if (!Number.isSafeInteger(image?.bytes) || image.bytes <= 0) fail(`${pair.name}.${side}.bytes is no size`);
      if (!/^[0-9a-f]{64}$/.test(image.sha256 ?? '')) fail(`${pair.name}.${side}.sha256 is no digest`);
      if (!isOrigin(image.from)) fail(`${pair.name}.${side}.from names no npm, deb, rootfs or made origin`);
    }
  }
  return pairs;
}

function isOrigin(from: Origin | undefined): boolean {
  if (from === undefined) return false;
  if ('rootfs' in from) return typeof from.rootfs === 'string';
  if ('made' in from) return typeof from.made === 'string';
  if ('npm' in from) return (from.file === undefined) !== (from.whole === undefined);
  return 'deb' in from && [from.file, from.tree, from.whole].filter((part) => part !== undefined).length === 1;
}
