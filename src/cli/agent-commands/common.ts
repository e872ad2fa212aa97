/**
 * What the agent's commands share: reading the configuration, and one agent at a time on a data folder.
 * @module
 */
import { createHash } from 'node:crypto';
import { link, mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { UpdateError } from '../../../native-free/status.ts';
import type { AgentConfig } from '../../agent/index.ts';
import { pause } from '../../platform/timers.ts';
import type { CommonOptions } from '../frame.ts';

export interface AgentCommandOptions extends CommonOptions {
  readonly config: string;
}

export const DEFAULT_CONFIG = '/etc/engraft/agent.toml';

/** Throws `input_unreadable` or `config_invalid`. */
export async function readConfig(path: string): Promise<AgentConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new UpdateError('input_unreadable', `cannot read the configuration ${path}`, { detail: { path }, cause });
  }
  const { parseConfig } = await import('../../agent/config.ts');
  return parseConfig(text, dirname(resolve(path)), path);
}

/** When a process began, in clock ticks since boot; tells a process from a later one with the same number. */
async function startOf(pid: number, proc: string): Promise<string | null> {
  try {
    const stat = await readFile(`${proc}/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

/** The kernel's name for this boot; null without procfs. A device that boots always alike gives the same numbers. */
async function bootIdOf(proc: string): Promise<string | null> {
  try {
    const text = (await readFile(`${proc}/sys/kernel/random/boot_id`, 'utf8')).trim();
    return /^[\w-]+$/.test(text) ? text : null;
  } catch {
    return null;
  }
}

async function holderIsAlive(text: string, proc: string): Promise<boolean> {
  const [pid, start, boot] = text.trim().split(' ');
  const number = Number(pid);
  if (!Number.isSafeInteger(number) || number <= 0) return false;
  const bootNow = await bootIdOf(proc);
  // Nobody lives through a power cut, whoever has the number now.
  if (boot !== undefined && bootNow !== null && boot !== bootNow) return false;
  const now = await startOf(number, proc);
  if (now !== null) return now === start;
  try {
    process.kill(number, 0);
    return start === 'unknown';
  } catch {
    return false;
  }
}

/**
 * Run `work` as the only agent on this data folder: two of them would write one slot. The lock of a process that was
 * killed, or of an earlier boot, is taken over. `proc` is replaced in tests. Throws `agent_running`.
 */
export async function withAgentLock<T>(dataFolder: string, work: () => Promise<T>, proc = '/proc'): Promise<T> {
  const path = join(dataFolder, 'agent.lock');
  await mkdir(dataFolder, { recursive: true });
  const [start, boot] = [await startOf(process.pid, proc), await bootIdOf(proc)];
  const mine = `${process.pid} ${start ?? 'unknown'}${boot === null ? '' : ` ${boot}`}\n`;
  const claim = `${path}.${process.pid}`;
  await writeFile(claim, mine, { mode: 0o600 });
  try {
    await inTurn(dataFolder, () => takeLock(path, claim, dataFolder, proc));
  } finally {
    await rm(claim, { force: true });
  }
  try {
    return await work();
  } finally {
    // Never somebody else's, whatever has happened to ours.
    if ((await readFile(path, 'utf8').catch(() => '')) === mine) await rm(path, { force: true });
  }
}

const TURNS_MAX = 250;
const TURN_MS = 20;

/**
 * One process at a time judges and takes over a lock: of two that find the same stale one, the second would remove what
 * the first has put in its place. The turn is an abstract socket, which the kernel takes back from whoever dies. Where
 * there are none (outside of Linux) it goes without.
 */
async function inTurn(dataFolder: string, work: () => Promise<void>): Promise<void> {
  const digest = createHash('sha256')
    .update(await realpath(dataFolder))
    .digest('hex');
  for (let tries = 0; ; tries++) {
    const server = createServer();
    const code = await new Promise<string | null>((resolve) => {
      server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
      server.listen(`\0engraft-agent-${digest}`, () => resolve(null));
    });
    if (code !== 'EADDRINUSE' || tries === TURNS_MAX) {
      try {
        return await work();
      } finally {
        if (code === null) server.close();
      }
    }
    await pause(TURN_MS);
  }
}

async function takeLock(path: string, claim: string, dataFolder: string, proc: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      // A link appears with its content, so nobody ever sees a lock without a holder.
      await link(claim, path);
      return;
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      if (code !== 'EEXIST') throw new UpdateError('output_unwritable', `cannot write ${path}`, { cause });
      const holder = await readFile(path, 'utf8').catch(() => '');
      if (tries > 0 || (await holderIsAlive(holder, proc))) {
        const message = `another agent (process ${holder.trim().split(' ')[0]}) uses ${dataFolder}`;
        throw new UpdateError('agent_running', message, { detail: { path, holder: holder.trim() } });
      }
      await rm(path, { force: true });
    }
  }
}
