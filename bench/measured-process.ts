/**
 * Runs a program and says what it took: CPU seconds (user and system, all its threads and the children it waited for),
 * wall seconds and the peak resident set. Linux only; elsewhere CPU and memory are 0.
 *
 * CPU is the growth of this process's own counter of children that have ended (/proc/self/stat, in ticks of 10 ms), so
 * only one program may run at a time. The peak is VmHWM of /proc/PID/status, which never falls: read every 2 ms, it can
 * only miss what a program added in its last 2 ms. `resourceUsage().maxRSS` would not do: the kernel hands it on from
 * the parent through fork and exec. Node processes are asked themselves at their end (report-usage.ts), to the
 * microsecond and the page.
 * @module
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { repositoryRoot } from '../corpus/index.ts';
import type { ReportedUsage } from './report-usage.ts';

/** One program to run. */
export interface Step {
  readonly program: string;
  readonly args: readonly string[];
  /** Where its standard output goes; without it, into the result. */
  readonly stdoutFile?: string;
}

export interface Usage {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly peakBytes: number;
}

export interface Finished extends Usage {
  readonly stdout: string;
}

const POLL_MS = 2;
/** USER_HZ, which Linux keeps at 100 for every program that reads /proc. */
const TICKS_PER_SECOND = 100;
const MESSAGE_CHARS_MAX = 1000;

/** Run a program to its end. Throws with its last words when it cannot be started or does not end with 0. */
export async function runMeasured({ program, args, stdoutFile }: Step, env = process.env): Promise<Finished> {
  const ticksBefore = childTicks();
  const startedAt = performance.now();
  const output = stdoutFile === undefined ? null : openSync(stdoutFile, 'w');
  try {
    const child = spawn(program, args, { env, stdio: ['ignore', output ?? 'pipe', 'pipe'] });
    const text = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name]?.setEncoding('utf8').on('data', (piece: string) => {
        text[name] += piece;
      });
    const ended = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(code ?? signal));
    });
    const peakBytes = child.pid === undefined ? 0 : await watchPeak(child.pid, ended);
    const code = await ended;
    const wallSeconds = (performance.now() - startedAt) / 1000;
    if (code !== 0) throw new Error(`${basename(program)} ended with ${code}: ${lastWords(text.stderr, text.stdout)}`);
    const cpuSeconds = (childTicks() - ticksBefore) / TICKS_PER_SECOND;
    return { cpuSeconds, wallSeconds, peakBytes, stdout: text.stdout };
  } finally {
    if (output !== null) closeSync(output);
  }
}

/** Run a Node program; `folder` takes the short-lived file with its own report. */
export async function runMeasuredNode(args: readonly string[], folder: string): Promise<Finished> {
  const file = join(folder, 'usage.json');
  rmSync(file, { force: true });
  const preload = pathToFileURL(join(repositoryRoot(), 'dist', 'bench', 'report-usage.js')).href;
  const env = { ...process.env, ENGRAFT_USAGE_FILE: file };
  const finished = await runMeasured({ program: process.execPath, args: ['--import', preload, ...args] }, env);
  if (!existsSync(file)) return finished;
  const { peakKib, cpuMicros } = JSON.parse(readFileSync(file, 'utf8')) as ReportedUsage;
  return { ...finished, cpuSeconds: cpuMicros / 1e6, peakBytes: peakKib * 1024 };
}

/** What steps that ran one after another took together. */
export function addUsage(parts: readonly Usage[]): Usage {
  const sum = (field: 'cpuSeconds' | 'wallSeconds'): number => parts.reduce((total, part) => total + part[field], 0);
  return {
    cpuSeconds: sum('cpuSeconds'),
    wallSeconds: sum('wallSeconds'),
    peakBytes: Math.max(0, ...parts.map((part) => part.peakBytes)),
  };
}

async function watchPeak(pid: number, ended: Promise<unknown>): Promise<number> {
  let [peak, over] = [0, false];
  const stop = (): void => {
    over = true;
  };
  ended.then(stop, stop);
  while (!over) {
    peak = Math.max(peak, peakOf(`/proc/${pid}/status`));
    await sleep(POLL_MS);
  }
  return peak;
}

function peakOf(statusFile: string): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(textOf(statusFile))?.[1] ?? 0) * 1024;
}

/** Ticks of all children that this process has waited for: fields 16 and 17 of /proc/self/stat. */
function childTicks(): number {
  const stat = textOf('/proc/self/stat');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[13] ?? 0) + Number(fields[14] ?? 0);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function lastWords(...texts: readonly string[]): string {
  const said = texts.map((text) => text.trim()).filter((text) => text !== '');
  return said.length === 0 ? 'it said nothing' : said[0]!.slice(-MESSAGE_CHARS_MAX);
}
