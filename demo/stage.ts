/**
 * The demo's stage: a folder, the programs it starts, and what it says.
 * @module
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UpdateError } from '../native-free/index.ts';

const program = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
export const ENGRAFT = program('../program/engraft.js');
export const DEVICE = program('./device.js');

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
}

/** Temporary folder and child processes; `close` leaves neither. */
export class Stage {
  readonly folder = mkdtempSync(join(tmpdir(), 'engraft-demo-'));
  readonly #children = new Set<ChildProcess>();

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  /** Start a Node program; its stderr (progress bars, notes) is the demo's. */
  start(args: readonly string[], quiet = false): ChildProcess {
    const child = spawn(process.execPath, [...args], { stdio: ['ignore', 'pipe', quiet ? 'ignore' : 'inherit'] });
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    return child;
  }

  /** Run `engraft ARGS --json` to its end and give its document back. Throws when it fails. */
  async engraft(...args: string[]): Promise<Record<string, unknown>> {
    const child = this.start([ENGRAFT, ...args, ...(process.stderr.isTTY === true ? [] : ['--json'])]);
    const { code, stdout } = await finished(child);
    if (code !== 0) throw new UpdateError('bug', `engraft ${args[0]} ended with ${code}: ${stdout.slice(0, 2000)}`);
    return stdout.startsWith('{') ? (JSON.parse(stdout) as Record<string, unknown>) : {};
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Wait for a program to end. */
export function finished(child: ChildProcess): Promise<Finished> {
  return new Promise((resolve, reject) => {
    let stdout = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout }));
  });
}

/** Poll `ready` until it gives something. Throws `bug` after `secondsMax`. */
export async function until<T>(what: string, ready: () => T | null, secondsMax = 120, everyMs = 15): Promise<T> {
  const end = performance.now() + secondsMax * 1000;
  for (;;) {
    const value = ready();
    if (value !== null) return value;
    if (performance.now() > end) throw new UpdateError('bug', `the demo waited ${secondsMax} s for: ${what}`);
    await delay(everyMs);
  }
}

/** A JSON file, or null while it is not there or half-written. */
export function readJson<T>(path: string): T | null {
  if (!existsSync(path)) return null;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return null;
  }
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const startedAt = performance.now();

/** One of the demo's steps begins: which one of how many, and how long it has taken so far. */
export function heading(text: string): void {
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  say(`\n── ${text}  (${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} so far)`);
}

/** What is being worked on now: the demo is never silent for long. */
export function working(text: string): void {
  say(`   … ${text}`);
}

/** The demo checks what it shows: a claim that does not hold ends it with an error. */
export function check(holds: boolean, claim: string): void {
  if (!holds) throw new UpdateError('bug', `the demo expected: ${claim}`);
  say(`   ✓ ${claim}`);
}
