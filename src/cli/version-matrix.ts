/**
 * `engraft diff FOLDER`: what every update between the versions in a folder would cost, and the patches if asked for.
 *
 * Versions are the files of the folder in the order of their names, numbers counted as numbers. From each to each later
 * one there is a patch; in place of one that gains nothing stands the full payload.
 *
 * @module
 */
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UpdateError, type StatusCode } from '../../native-free/status.ts';
import type { DeltaEngine, EngineProgress, MakeOptions, PayloadResult } from '../engine/index.ts';
import { replaceFile } from '../platform/files/atomic-file.ts';
import { unreadable, writeError } from '../platform/files/io-errors.ts';
import type { SparseImage } from '../../native-free/diff/fills/sparse-image.ts';
import { readSparseImage } from '../platform/files/sparse-input.ts';
import type { PayloadPlace } from './terminal/phases.ts';
import { formatCount, formatTable } from './terminal/text.ts';

export interface MatrixVersion {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: Uint8Array;
  readonly fullBytes: number;
  /** The kept payload, if any. */
  readonly output: string | null;
}

export interface MatrixPair {
  readonly source: string;
  readonly target: string;
  /** Null when there is no delta. */
  readonly bytes: number | null;
  readonly output: string | null;
  /** Why there is none. */
  readonly code: StatusCode | null;
  readonly reason: string | null;
}

export interface VersionMatrix {
  readonly folder: string;
  readonly versions: readonly MatrixVersion[];
  readonly pairs: readonly MatrixPair[];
}

export interface MatrixWork {
  readonly folder: string;
  /** Where payloads are kept, as TARGET/full.engraft and TARGET/from-SOURCE.engraft. */
  readonly output: string | undefined;
  readonly engine: DeltaEngine;
  readonly options: MakeOptions & { readonly signal: AbortSignal };
  readonly onProgress: (event: EngineProgress, place: PayloadPlace) => void;
  readonly onRemark: (text: string) => void;
}

/** Names of the versions in a folder. Throws UpdateError `input_unreadable`, `usage_invalid` for fewer than two. */
export async function versionsIn(folder: string): Promise<string[]> {
  let found: Buffer[];
  try {
    found = await readdir(folder, { encoding: 'buffer' });
  } catch (error) {
    throw unreadable(folder, error);
  }
  const names: string[] = [];
  for (const bytes of found) {
    const name = bytes.toString();
    if (!Buffer.from(name).equals(bytes)) {
      throw new UpdateError('usage_invalid', `${folder} has a file whose name is not UTF-8: '${name}'`);
    }
    if (name.startsWith('.')) continue;
    const facts = await stat(join(folder, name)).catch((error: unknown) => {
      throw unreadable(join(folder, name), error);
    });
    if (facts.isFile()) names.push(name);
  }
  if (names.length >= 2) return names.sort(byVersion);
  throw new UpdateError('usage_invalid', `${folder} has ${names.length} files; a matrix needs two versions or more`);
}

/** 'v2' before 'v10'. Not by the locale, so that every machine has the same order. */
export function byVersion(a: string, b: string): number {
  const parts = (text: string): string[] => text.match(/\d+|\D+/g) ?? [];
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [x, y] = [left[i]!, right[i]!];
    const bothNumbers = /^\d/.test(x) && /^\d/.test(y);
    const difference = bothNumbers ? Number(BigInt(x) > BigInt(y)) - Number(BigInt(x) < BigInt(y)) : 0;
    if (difference !== 0) return difference;
    if (x !== y && !bothNumbers) return x < y ? -1 : 1;
  }
  return left.length - right.length || (a < b ? -1 : Number(a > b));
}

/** Make all payloads, one after the other. A pair that fails is noted; a version that does, or a signal, ends it all. */
export async function makeMatrix(work: MatrixWork): Promise<VersionMatrix> {
  const names = await versionsIn(work.folder);
  const versions: MatrixVersion[] = [];
  const pairs: MatrixPair[] = [];
  const count = (names.length * (names.length + 1)) / 2;
  let index = 0;
  const place = (kind: 'delta' | 'full', name: string): MakeOptions => {
    const at = { kind, name, index: index++, count };
    return { ...work.options, onProgress: (event) => work.onProgress(event, at) };
  };
  for (const [i, target] of names.entries()) {
    const image = readSparseImage(join(work.folder, target));
    const full = await work.engine.full(image, place('full', target));
    versions.push({
      name: target,
      bytes: image.map.imageBytes,
      sha256: full.header.targetDigest,
      fullBytes: full.payload.length,
      output: await keep(work, full, target, 'full'),
    });
    for (const source of names.slice(0, i)) {
      pairs.push(await makePair(work, { source, target, image }, place('delta', `${source} to ${target}`)));
    }
  }
  return { folder: work.folder, versions, pairs };
}

async function makePair(
  work: MatrixWork,
  { source, target, image }: { source: string; target: string; image: SparseImage },
  options: MakeOptions,
): Promise<MatrixPair> {
  let made: PayloadResult;
  try {
    made = await work.engine.delta(readSparseImage(join(work.folder, source)), image, options);
  } catch (error) {
    if (!UpdateError.is(error) || work.options.signal.aborted) throw error;
    return { source, target, bytes: null, output: null, code: error.code, reason: error.message };
  }
  const output = await keep(work, made, target, `from-${source}`);
  return { source, target, bytes: made.payload.length, output, code: null, reason: null };
}

async function keep(work: MatrixWork, made: PayloadResult, target: string, name: string): Promise<string | null> {
  if (work.output === undefined) return null;
  const folder = join(work.output, target);
  const path = join(folder, `${name}.engraft`);
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw writeError(error, folder);
  });
  await replaceFile(path, made.payload, { signal: work.options.signal, onRemark: work.onRemark });
  return path;
}

/** Pairs that failed for another reason than that a delta gains nothing. */
export function failuresOf({ pairs }: VersionMatrix): MatrixPair[] {
  return pairs.filter(({ code }) => code !== null && code !== 'delta_not_smaller');
}

/** Sources down, targets across, and each target's full payload. */
export function matrixText(matrix: VersionMatrix): string {
  const { versions, pairs } = matrix;
  const cell = (source: string, target: string): string => {
    const pair = pairs.find((each) => each.source === source && each.target === target);
    if (pair === undefined) return '';
    return pair.bytes !== null ? formatCount(pair.bytes) : pair.code === 'delta_not_smaller' ? 'full' : 'failed';
  };
  const targets = versions.slice(1);
  const rows = [
    ['', ...targets.map(({ name }) => `to ${name}`)],
    ...versions.slice(0, -1).map(({ name }) => [`from ${name}`, ...targets.map((target) => cell(name, target.name))]),
    ['full payload', ...targets.map(({ fullBytes }) => formatCount(fullBytes))],
    ['image', ...targets.map(({ bytes }) => formatCount(bytes))],
  ];
  const [first] = versions;
  const lines = [formatTable(rows), `bytes; the full payload of ${first!.name} has ${formatCount(first!.fullBytes)}`];
  for (const { source, target, code, reason } of failuresOf(matrix)) {
    lines.push(`no patch from ${source} to ${target}: ${reason} (${code})`);
  }
  return lines.join('\n');
}
