/**
 * Helpers for tests of the engine: applying a payload in memory, workers and bsdiff children that misbehave.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { applyPayload, bytesSource, memorySink, memorySource, parseHeader } from '../../native-free/index.ts';
import { builtFile } from '../../src/engine/workers/built-file.ts';
import { sha256Node } from './images.ts';

/** What a payload makes of a source. */
export async function applied(payload: Uint8Array, source: Uint8Array): Promise<Uint8Array> {
  const target = new Uint8Array(parseHeader(payload).targetBytes);
  const options = { payload: bytesSource(payload), source: memorySource(source), sink: memorySink(target) };
  for await (const event of applyPayload({ ...options, hash: sha256Node })) void event;
  return target;
}

let written = 0;

/**
 * A worker module in `folder` whose default function has this body; `task` is the task, `run` the real worker.
 */
export function workerWith(folder: string, body: string): string {
  const path = join(folder, `worker-${written++}.mjs`);
  const real = pathToFileURL(builtFile('workers/worker')).href;
  writeFileSync(path, `import run from ${JSON.stringify(real)};\nexport default async function (task) {\n${body}\n}\n`);
  return path;
}

/** A bsdiff child in `folder` that does this with its `job`. */
export function childWith(folder: string, body: string): string {
  const path = join(folder, `child-${written++}.mjs`);
  const head = `import { writeFileSync } from 'node:fs';\nprocess.once('message', (job) => {\n`;
  writeFileSync(path, `${head}${body}\n});\nsetInterval(() => undefined, 1000);\n`);
  return path;
}

/** Why bsdiff-node cannot be used here, or null. */
export function bsdiffMissing(): string | null {
  try {
    createRequire(import.meta.url)('bsdiff-node');
    return null;
  } catch (error) {
    return `bsdiff-node does not load: ${(error as Error).message.split('\n')[0]}`;
  }
}

/** Whether a process is there and not a zombie. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !existsSync('/proc/self/stat') || existsSync(`/proc/${pid}/exe`);
}
