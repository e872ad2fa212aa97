/**
 * The patcher in the runtimes it is for: Node, Bun, Deno and QuickJS (which has nothing but the language).
 *
 * The vectors are made here, by the encoder of the checkout, and travel inside the bundle.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Zstd } from '@hpcc-js/wasm-zstd';
import { build, type Format } from 'esbuild';
import { getQuickJS } from 'quickjs-emscripten';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../corpus/manifest.ts';
import { LIMITS, toHex } from '../../native-free/index.ts';
import { deltaPayload, editedPair, fullPayload, sha256 } from '../support/images.ts';
import type { Vectors } from './patcher-suite.ts';

const ROOT = repositoryRoot();
const CHECKS = 12;
const run = promisify(execFile);

let folder: string;
let vectors: Vectors;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'engraft-runtime-'));
  const pair = editedPair(9, 8192, 5);
  const zstd = await Zstd.load();
  vectors = {
    source: toHex(pair.source),
    target: toHex(pair.target),
    targetDigest: toHex(sha256(pair.target)),
    delta: toHex(deltaPayload(pair, LIMITS.segment_bytes_min)),
    full: toHex(fullPayload(pair.target, LIMITS.segment_bytes_min, (bytes) => zstd.compress(bytes, 19))),
  };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** One file with the suite, the core and the vectors; `tail` says what to do with the promise `suite`. */
async function bundle(format: Format, tail: string): Promise<string> {
  const result = await build({
    stdin: {
      contents: `import { runPatcherSuite } from './patcher-suite.ts';
const suite = runPatcherSuite(${JSON.stringify(vectors)});
${tail}`,
      resolveDir: join(ROOT, 'test', 'runtime'),
      loader: 'ts',
    },
    bundle: true,
    write: false,
    format,
    target: 'es2022',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['import'],
    logLevel: 'error',
  });
  return result.outputFiles[0]!.text;
}

/** Run the suite in a program that takes a module file and prints with console.log. */
async function runIn(name: string, program: string, args: string[]): Promise<string[]> {
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, await bundle('esm', 'suite.then((names) => console.log(JSON.stringify(names)));'));
  const env = { ...process.env, DENO_DIR: join(folder, 'deno'), DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' };
  const { stdout } = await run(program, [...args, file], { env });
  return JSON.parse(stdout) as string[];
}

/** Run the suite in QuickJS: a script, a global for the result, and its job queue turned by hand. */
async function runInQuickJs(): Promise<string[]> {
  const quickJs = await getQuickJS();
  const context = quickJs.newContext();
  try {
    const tail = `suite.then(
  (names) => { globalThis.outcome = JSON.stringify({ names }); },
  (error) => { globalThis.outcome = JSON.stringify({ error: String(error && error.message) }); },
);`;
    context.unwrapResult(context.evalCode(await bundle('iife', tail))).dispose();
    while (context.runtime.hasPendingJob()) context.unwrapResult(context.runtime.executePendingJobs(1000));
    const handle = context.getProp(context.global, 'outcome');
    const outcome = JSON.parse(context.getString(handle)) as { names?: string[]; error?: string };
    handle.dispose();
    if (outcome.names === undefined) throw new Error(outcome.error ?? 'the suite never ended');
    return outcome.names;
  } finally {
    context.dispose();
  }
}

const binary = (name: string): string => join(ROOT, 'node_modules', '.bin', name);

describe('the patcher', () => {
  it.for([
    ['Node', process.execPath, []],
    ['Bun', binary('bun'), ['run']],
    ['Deno', binary('deno'), ['run', '--no-prompt', '--no-remote', '--no-npm', '--no-config']],
  ] as const)('passes its suite in %s', async ([name, program, args], { skip }) => {
    skip(!existsSync(program), `npm ci installed no ${name} for this platform`);
    const names = await runIn(name, program, [...args]);
    expect(names).toHaveLength(CHECKS);
    console.log(`${name}: ${names.length} checks passed`);
  });

  it('passes its suite in QuickJS', async () => {
    const names = await runInQuickJs();
    expect(names).toHaveLength(CHECKS);
    console.log(`QuickJS: ${names.length} checks passed`);
  });

  it('would notice a patcher that gives wrong bytes', async () => {
    const good = vectors;
    vectors = { ...good, target: good.target.replace(/^../, (first) => (first === '00' ? '01' : '00')) };
    try {
      await expect(runInQuickJs()).rejects.toThrow(/expected/);
    } finally {
      vectors = good;
    }
  });
});
