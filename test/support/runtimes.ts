/**
 * The runtimes that native-free is for: programs that take a module file, and QuickJS, which has nothing but the language.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build, type Format } from 'esbuild';
import { getQuickJS } from 'quickjs-emscripten';
import { repositoryRoot } from '../../corpus/manifest.ts';

const ROOT = repositoryRoot();
const binary = (name: string): string => join(ROOT, 'node_modules', '.bin', name);

export const PROGRAMS = [
  ['Node', process.execPath, []],
  ['Bun', binary('bun'), ['run']],
  ['Deno', binary('deno'), ['run', '--no-prompt', '--no-remote', '--no-npm', '--no-config']],
] as const;
export type Program = (typeof PROGRAMS)[number];

/** Why this program cannot be run here, or ''. */
export const missing = ([name, program]: Program): string =>
  existsSync(program) ? '' : `npm ci installed no ${name} for this platform`;

export interface Script {
  /** TypeScript that exports `result`, a promise; imports are relative to `folder` of the checkout. */
  readonly contents: string;
  readonly folder: string;
  /** Files of the checkout by the names under which the script imports them. */
  readonly alias?: Record<string, string>;
}

async function bundle({ contents, folder, alias = {} }: Script, format: Format, tail: string): Promise<string> {
  const result = await build({
    stdin: { contents: `${contents}\n${tail}`, resolveDir: join(ROOT, folder), loader: 'ts' },
    alias: Object.fromEntries(Object.entries(alias).map(([name, file]) => [name, join(ROOT, file)])),
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

/** Run a script in a program of its own, with `scratch` for its files; gives what `result` resolves with, as JSON. */
export async function runInProgram([name, program, args]: Program, script: Script, scratch: string): Promise<unknown> {
  const file = join(scratch, `${name}.mjs`);
  await writeFile(file, await bundle(script, 'esm', 'result.then((value) => console.log(JSON.stringify(value)));'));
  const env = { ...process.env, DENO_DIR: join(scratch, 'deno'), DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' };
  const { stdout } = await promisify(execFile)(program, [...args, file], { env });
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as unknown;
}

/** The same in QuickJS: a script, a global for the result, and its job queue turned by hand. */
export async function runInQuickJs(script: Script): Promise<unknown> {
  const quickJs = await getQuickJS();
  const context = quickJs.newContext();
  try {
    const tail = `result.then(
  (value) => { globalThis.outcome = JSON.stringify({ value }); },
  (error) => { globalThis.outcome = JSON.stringify({ error: String(error && error.message) }); },
);`;
    context.unwrapResult(context.evalCode(await bundle(script, 'iife', tail))).dispose();
    while (context.runtime.hasPendingJob()) context.unwrapResult(context.runtime.executePendingJobs(1000));
    const handle = context.getProp(context.global, 'outcome');
    const outcome = JSON.parse(context.getString(handle)) as { value?: unknown; error?: string };
    handle.dispose();
    if (outcome.error !== undefined || outcome.value === undefined) throw new Error(outcome.error ?? 'it never ended');
    return outcome.value;
  } finally {
    context.dispose();
  }
}
