/**
 * Makes, applies and proves our own patch as a user would: `engraft diff` and `engraft apply`, each a process of its
 * own, so that CPU and memory are those of everything that it takes. Where no delta is smaller than the full payload,
 * that payload is what a device would get, and is measured instead.
 * @module
 */
import { rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { repositoryRoot } from '../../corpus/index.ts';
import { runMeasuredNode, type Finished, type Usage } from '../measured-process.ts';
import { digestOfFile, type PeerFiles } from '../peers/index.ts';
import type { OurOutcome } from './results.ts';
import type { ToolBytes } from './stored.ts';

const FLOOR_RUNS = 5;

const program = (): string => join(repositoryRoot(), 'dist', 'program', 'engraft.js');

/** Make a patch, apply it and compare the result with the target's digest. Never throws. */
export async function runOurs(
  files: PeerFiles,
  targetSha256: string,
  { workers, unpack = true }: { readonly workers: number; readonly unpack?: boolean },
): Promise<OurOutcome> {
  const { source, target, patch, output } = files;
  const folder = dirname(patch);
  const clear = (): void => [patch, output].forEach((file) => rmSync(file, { force: true }));
  clear();
  try {
    const make = (...more: string[]): Promise<Finished> =>
      runMeasuredNode(
        [program(), 'diff', source, target, '-o', patch, `--workers=${workers}`, '--json', ...more],
        folder,
      );
    const diff = await make(...(unpack ? [] : ['--no-unpack'])).catch((error: Error) => {
      if (!error.message.includes('"delta_not_smaller"')) throw error;
      return make('--full');
    });
    const bytes = statSync(patch).size;
    const apply = await runMeasuredNode([program(), 'apply', source, patch, '-o', output, '--json'], folder);
    if (digestOfFile(output) !== targetSha256) return { state: 'failed', reason: 'it made another target' };
    return { state: 'proved', bytes, diff: usageOf(diff), apply: usageOf(apply), ...parseDiffReport(diff.stdout) };
  } catch (error) {
    return { state: 'failed', reason: messageIn((error as Error).message) };
  } finally {
    clear();
  }
}

/** The message of a JSON error document of ours, else all of the words. */
function messageIn(words: string): string {
  const quoted = /"message": ("(?:[^"\\]|\\.)*")/.exec(words)?.[1];
  return quoted === undefined ? words : (JSON.parse(quoted) as string);
}

/** The facts of `engraft diff --json`; costs only where it prints some. */
export function parseDiffReport(text: string): Pick<OurOutcome, 'facts' | 'costs'> {
  const { kind, covers, coveredBytes, decoderMemoryBytes, units, costs } = JSON.parse(text) as NonNullable<
    OurOutcome['facts']
  > & { costs?: Record<string, unknown> };
  const facts = { kind, covers, coveredBytes, decoderMemoryBytes, ...(units && { units }) };
  const counted = Object.entries(costs ?? {}).filter(([, bytes]) => typeof bytes === 'number');
  return counted.length === 0 ? { facts } : { facts, costs: Object.fromEntries(counted) as ToolBytes };
}

/** What a Node process takes that does nothing: the median CPU time and the largest peak of some runs. */
export async function emptyProcess(folder: string): Promise<Usage> {
  const runs: Usage[] = [];
  for (let i = 0; i < FLOOR_RUNS; i++) runs.push(usageOf(await runMeasuredNode(['-e', ''], folder)));
  const median = (field: keyof Usage): number =>
    runs.map((run) => run[field]).sort((a, b) => a - b)[Math.floor(FLOOR_RUNS / 2)]!;
  const peakBytes = Math.max(...runs.map((run) => run.peakBytes));
  return { cpuSeconds: median('cpuSeconds'), wallSeconds: median('wallSeconds'), peakBytes };
}

const usageOf = ({ cpuSeconds, wallSeconds, peakBytes }: Usage): Usage => ({ cpuSeconds, wallSeconds, peakBytes });
