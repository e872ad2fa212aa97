/**
 * bsdiff-node as a second matcher: the control stream of its patch names covers.
 *
 * Whatever goes wrong with it (not built here, too slow, killed, a damaged patch) is told as a reason, and the
 * caller goes on with its own matcher.
 *
 * @module
 */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { joinCovers } from '../../../native-free/diff/match/join-covers.ts';
import { coversWhere, type CoverList } from '../../../native-free/format/cover.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { after } from '../../platform/timers.ts';
import { abortedError, throwIfAborted } from '../admission.ts';
import { builtFile } from '../workers/built-file.ts';
import type { CpuMeter } from '../workers/runner.ts';

interface BsdiffJob {
  readonly source: Uint8Array;
  readonly target: Uint8Array;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly cpu: CpuMeter;
  /** Another child, for tests. */
  readonly childFile?: string | undefined;
}

type BsdiffMatch = { readonly covers: CoverList } | { readonly reason: string };

/** bsdiff compares suffixes of a run byte by byte: two runs of this length cost about a second, and it is quadratic. */
const RUN_BYTES_MAX = 64 * 1024;

/** Length of the longest run of one byte value, at least up to `enough`. */
export function longestRun(bytes: Uint8Array, enough: number): number {
  let longest = 0;
  // A run of `enough` bytes covers a multiple of half of it: look there only, then measure.
  const step = Math.max(1, Math.floor(enough / 2));
  for (let at = 0; at < bytes.length && longest < enough; at += step) {
    const value = bytes[at]!;
    let low = at;
    let high = at + 1;
    while (low > 0 && bytes[low - 1] === value && high - low < enough) low--;
    while (high < bytes.length && bytes[high] === value && high - low < enough) high++;
    longest = Math.max(longest, high - low);
  }
  return longest;
}

/** Why this pair is not for bsdiff, or null. */
export function bsdiffUnsuited(source: Uint8Array, target: Uint8Array): string | null {
  if (source.length === 0 || target.length === 0) return 'an image is empty';
  const padded = [source, target].every((image) => longestRun(image, RUN_BYTES_MAX) >= RUN_BYTES_MAX);
  return padded
    ? `both images have padding of ${RUN_BYTES_MAX / 1024} KiB or more, on which bsdiff is quadratic`
    : null;
}

/**
 * Covers by bsdiff, or the reason why there are none.
 * Throws UpdateError `aborted` only.
 */
export async function matchByBsdiff(job: BsdiffJob): Promise<BsdiffMatch> {
  throwIfAborted(job.signal);
  const unsuited = bsdiffUnsuited(job.source, job.target);
  if (unsuited !== null) return { reason: unsuited };
  let folder: string | undefined;
  try {
    folder = await mkdtemp(join(tmpdir(), 'engraft-bsdiff-'));
    const paths = { source: join(folder, 'source'), target: join(folder, 'target'), patch: join(folder, 'patch') };
    await writeFile(paths.source, job.source, { mode: 0o600 });
    await writeFile(paths.target, job.target, { mode: 0o600 });
    const reason = await runChild(job, paths);
    throwIfAborted(job.signal);
    if (reason !== null) return { reason };
    const { size } = await stat(paths.patch);
    if (size > LIMITS.foreign_patch_bytes_max) return { reason: `its patch of ${size} bytes is too large to read` };
    return await coversOf(await readFile(paths.patch), job);
  } catch (error) {
    throwIfAborted(job.signal);
    return { reason: error instanceof Error ? error.message : String(error) };
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** The covers of its patch, brought into the order and bounds that our own have. */
async function coversOf(patch: Uint8Array, job: BsdiffJob): Promise<BsdiffMatch> {
  const { bsdiffCovers } = await import('../../../native-free/compat/index.ts');
  const { covers, targetBytes } = bsdiffCovers(patch, { sourceBytes: job.source.length });
  if (targetBytes !== job.target.length) return { reason: 'its patch is for a target of another size' };
  const { sourceOffset, length } = covers;
  const usable = coversWhere(covers, (i) => {
    const end = sourceOffset[i]! + length[i]!;
    return sourceOffset[i]! >= 0 && end <= job.source.length && length[i]! > 0;
  });
  return { covers: joinCovers([usable]) };
}

/** Run the child to its end. Null when it made a patch, else the reason. */
async function runChild(
  job: BsdiffJob,
  paths: { source: string; target: string; patch: string },
): Promise<string | null> {
  const child = fork(job.childFile ?? builtFile('bsdiff/child'), [], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  let late = false;
  const timer = after(job.timeoutMs, () => {
    late = true;
    kill();
  });
  job.signal?.addEventListener('abort', kill, { once: true });
  try {
    const ended = ending(child, job.cpu);
    child.send(paths, () => undefined);
    const reason = await ended;
    if (job.signal?.aborted === true) throw abortedError(job.signal);
    return late ? `bsdiff was stopped after ${job.timeoutMs} ms` : reason;
  } finally {
    timer.cancel();
    job.signal?.removeEventListener('abort', kill);
    kill();
  }
}

/** Resolves when the child is gone: an answer alone could come from a child that still holds its memory. */
function ending(child: ChildProcess, cpu: CpuMeter): Promise<string | null> {
  return new Promise((resolve) => {
    let answer: { ok: boolean; reason?: string; cpuSeconds?: number } | undefined;
    child.on('message', (message) => {
      answer = message as typeof answer;
      cpu.seconds += answer?.cpuSeconds ?? 0;
      child.kill('SIGKILL');
    });
    child.on('error', (error) => resolve(`bsdiff could not be started: ${error.message}`));
    child.on('exit', (code, signal) => {
      if (answer?.ok === true) resolve(null);
      else if (answer !== undefined) resolve(`bsdiff failed: ${answer.reason ?? 'no reason given'}`);
      else resolve(`bsdiff ended without an answer (${signal ?? `exit code ${code}`})`);
    });
  });
}
