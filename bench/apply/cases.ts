/**
 * The ways of getting a target onto the disk that `npm run bench` compares. Each writes the whole target to a file and,
 * where the tool can, checks it; none syncs, so that the disk is not what is measured.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { applyBsdiff40 } from '../../native-free/compat/index.ts';
import { applyPayload, bytesSource, sha256Pure, type ApplyOptions } from '../../native-free/index.ts';
import { fileSink, fileSource, sha256Node, type DeltaEngine } from '../../src/index.ts';
import { modelCoder } from '../../src/wasm/index.ts';
import type { Case } from '../harness.ts';
import { digestOfFile, onPath } from '../peers/index.ts';

type Tools = Pick<ApplyOptions, 'hash' | 'models'>;

export interface ApplyInputs {
  readonly sourcePath: string;
  readonly targetPath: string;
  readonly folder: string;
  readonly delta: Uint8Array;
  /** The same in the fast profile. */
  readonly fast: Uint8Array;
  readonly full: Uint8Array;
  /** A BSDIFF40 patch in a file, where some bsdiff could make one. */
  readonly bsdiffPath: string | null;
}

/** As on Node: native SHA-256, models in WebAssembly. */
const NATIVE: Tools = { hash: sha256Node, models: modelCoder };

const COPY_PIECE_BYTES = 1 << 20;

/** Make the inputs: both payloads with the engine, and Debian's bsdiff patch where that is installed. */
export async function makeInputs(
  engine: DeltaEngine,
  paths: { source: string; target: string },
  folder: string,
): Promise<ApplyInputs> {
  const [source, target] = [readFileSync(paths.source), readFileSync(paths.target)];
  const { full, delta } = await engine.make(source, target);
  if (delta === null) throw new Error('this pair has no delta that is smaller than its full payload');
  const fast = await engine.delta(source, target, { profile: 'fast' });
  const bsdiffPath = onPath('bsdiff') ? join(folder, 'bsdiff40') : null;
  if (bsdiffPath !== null) execFileSync('bsdiff', [paths.source, paths.target, bsdiffPath]);
  return {
    sourcePath: paths.source,
    targetPath: paths.target,
    folder,
    delta: delta.payload,
    fast: fast.payload,
    full: full.payload,
    bsdiffPath,
  };
}

/** All cases, the ceiling first. */
export function applyCases(inputs: ApplyInputs): Case[] {
  const bytes = readFileSync(inputs.targetPath).length;
  const output = join(inputs.folder, 'output');
  const cases: Case[] = [
    { name: 'plain copy + SHA-256 (the ceiling)', bytes, run: () => copyAndHash(inputs.targetPath, output) },
    { name: 'engraft delta', bytes, run: () => applyEngraft(inputs, inputs.delta, NATIVE, output) },
    { name: 'engraft delta, profile fast', bytes, run: () => applyEngraft(inputs, inputs.fast, NATIVE, output) },
    {
      name: 'engraft delta, all in JavaScript',
      bytes,
      run: () => applyEngraft(inputs, inputs.delta, { hash: sha256Pure }, output),
    },
    { name: 'engraft full', bytes, run: () => applyEngraft(inputs, inputs.full, NATIVE, output) },
  ];
  const { bsdiffPath } = inputs;
  if (bsdiffPath === null) return cases;
  cases.push({
    name: 'engraft reading BSDIFF40, + SHA-256',
    bytes,
    run: () => applyForeign(inputs, bsdiffPath, output),
  });
  if (onPath('bspatch')) {
    const run = (): unknown => execFileSync('bspatch', [inputs.sourcePath, output, bsdiffPath]);
    cases.push({ name: 'bspatch, with its process start, no digest', bytes, run });
  }
  return cases;
}

/** Run every case once and compare what it wrote with the target. Throws for the first that differs. */
export async function proveCases(cases: readonly Case[], inputs: ApplyInputs): Promise<void> {
  const expected = digestOfFile(inputs.targetPath);
  const output = join(inputs.folder, 'output');
  for (const item of cases) {
    writeFileSync(output, '');
    await item.run();
    if (digestOfFile(output) !== expected) throw new Error(`${item.name} wrote something else than the target`);
  }
}

function copyAndHash(from: string, to: string): string {
  const hash = createHash('sha256');
  const piece = Buffer.alloc(COPY_PIECE_BYTES);
  const [input, output] = [openSync(from, 'r'), openSync(to, 'w')];
  for (let count = readSync(input, piece); count > 0; count = readSync(input, piece)) {
    const part = piece.subarray(0, count);
    hash.update(part);
    writeSync(output, part);
  }
  closeSync(input);
  closeSync(output);
  return hash.digest('hex');
}

async function applyEngraft(inputs: ApplyInputs, payload: Uint8Array, tools: Tools, to: string): Promise<void> {
  const source = fileSource(inputs.sourcePath);
  const output = openSync(to, 'w');
  try {
    const events = applyPayload({ payload: bytesSource(payload), source, sink: fileSink(output, to), ...tools });
    while (!(await events.next()).done);
  } finally {
    closeSync(output);
    source.close();
  }
}

async function applyForeign(inputs: ApplyInputs, patchPath: string, to: string): Promise<void> {
  const source = fileSource(inputs.sourcePath);
  const output = openSync(to, 'w');
  const hash = createHash('sha256');
  try {
    for await (const piece of applyBsdiff40({ patch: readFileSync(patchPath), source })) {
      hash.update(piece);
      writeSync(output, piece);
    }
    hash.digest();
  } finally {
    closeSync(output);
    source.close();
  }
}
