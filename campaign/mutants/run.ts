/**
 * One mutant: its edits made while esbuild bundles the campaign, and the bundle run.
 * @module
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { serialize } from 'node:v8';
import { build, type Plugin } from 'esbuild';
import { SCENARIOS } from '../power/scenarios.ts';
import { makeRepository } from '../power/repository.ts';
import type { Edit, Mutant } from './mutants.ts';
import type { Finding } from './subject.ts';

export type { Finding } from './subject.ts';

export interface Laboratory {
  /** The checkout: sources are bundled from here. */
  readonly root: string;
  readonly folder: string;
  readonly repositoryFile: string;
  close(): void;
}

/** A folder with a repository that all mutants use. */
export async function openLaboratory(root: string): Promise<Laboratory> {
  const folder = mkdtempSync(join(tmpdir(), 'engraft-mutants-'));
  const repositoryFile = join(folder, 'repository');
  writeFileSync(repositoryFile, serialize(await makeRepository()));
  return { root, folder, repositoryFile, close: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Makes the edits, and throws where one does not fit: a mutant that changes nothing would be a survivor by mistake. */
function mutating(root: string, edits: readonly Edit[], used: Set<Edit>): Plugin {
  return {
    name: 'mutant',
    setup(made) {
      made.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const file = relative(root, path).replaceAll('\\', '/');
        let contents = readFileSync(path, 'utf8');
        for (const edit of edits.filter((each) => each.file === file)) {
          contents = applyEdit(contents, edit);
          used.add(edit);
        }
        return { contents, loader: 'ts' };
      });
    },
  };
}

/** Throws unless `from` occurs exactly once. */
export function applyEdit(text: string, { file, from, to }: Edit): string {
  const parts = text.split(from);
  if (parts.length === 2) return parts.join(to);
  throw new Error(`${file} has ${parts.length - 1} times, and should have once: ${from}`);
}

async function bundle({ root, folder }: Laboratory, name: string, edits: readonly Edit[]): Promise<string> {
  const outfile = join(folder, `${name.replace(/[^a-z0-9]+/gi, '-')}.mjs`);
  const used = new Set<Edit>();
  const require =
    "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);";
  await build({
    absWorkingDir: root,
    entryPoints: ['campaign/mutants/subject.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    external: ['pkcs11js'],
    banner: { js: require },
    plugins: [mutating(root, edits, used)],
    logLevel: 'silent',
  });
  const unused = edits.find((edit) => !used.has(edit));
  if (unused !== undefined) throw new Error(`${unused.file} is not part of the campaign`);
  return outfile;
}

export interface RunOptions {
  readonly seconds: number;
  readonly cases?: number;
}

/** Runs the campaign with `mutant` in it; null is the code as it is. */
export async function runMutant(lab: Laboratory, mutant: Mutant | null, options: RunOptions): Promise<Finding> {
  const file = await bundle(lab, mutant?.name ?? 'none', mutant?.edits ?? []);
  const all = SCENARIOS.map(({ name }) => name);
  const first = await runBundle(lab, file, mutant?.scenarios ?? all, options);
  if (first.killed || mutant === null) return first;
  const second = await runBundle(lab, file, all, options);
  return { ...second, cases: first.cases + second.cases };
}

async function runBundle(
  { repositoryFile }: Laboratory,
  file: string,
  scenarios: readonly string[],
  { seconds, cases }: RunOptions,
): Promise<Finding> {
  const args = [
    file,
    repositoryFile,
    scenarios.join(','),
    String(seconds),
    ...(cases === undefined ? [] : [`${cases}`]),
  ];
  try {
    // A mutant may go round in circles: that is found as well.
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 3000 * seconds + 20_000 });
    return JSON.parse(stdout) as Finding;
  } catch (error) {
    const { killed, stderr } = error as { killed?: boolean; stderr?: string };
    const violation = killed === true ? 'it never ended' : `it crashed: ${(stderr ?? '').slice(-400)}`;
    return { killed: true, violation, command: null, cases: 0 };
  }
}
