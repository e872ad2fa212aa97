/**
 * Running our programs as a user would: a process of their own, from dist/.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';

export const ENGRAFT = fileURLToPath(new URL('../../dist/program/engraft.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** Start `engraft` with these arguments; stdout and stderr are pipes. */
export function start(args: readonly string[], env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [ENGRAFT, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended };
}

/** Run `engraft` to its end. */
export function engraft(...args: string[]): Promise<Ended> {
  return start(args).ended;
}

/** Resolves when `holds` does; rejects after half a minute. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const giveUp = Date.now() + 30_000;
  while (!holds()) {
    if (Date.now() > giveUp) throw new Error(`waited in vain for ${what}`);
    await delay(2);
  }
}
