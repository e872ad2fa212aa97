/**
 * What the agent's commands share: reading the configuration, and one agent at a time on a data folder.
 * @module
 */
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { UpdateError } from '../../../native-free/status.ts';
import type { AgentConfig } from '../../agent/index.ts';
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

/** When this process began, in clock ticks since boot; tells a process from a later one with the same number. */
async function startOf(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

async function holderIsAlive(text: string): Promise<boolean> {
  const [pid, start] = text.trim().split(' ');
  const number = Number(pid);
  if (!Number.isSafeInteger(number) || number <= 0) return false;
  const now = await startOf(number);
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
 * killed is taken over. Throws `agent_running`.
 */
export async function withAgentLock<T>(dataFolder: string, work: () => Promise<T>): Promise<T> {
  const path = join(dataFolder, 'agent.lock');
  await mkdir(dataFolder, { recursive: true });
  const mine = `${process.pid} ${(await startOf(process.pid)) ?? 'unknown'}\n`;
  const claim = `${path}.${process.pid}`;
  await writeFile(claim, mine, { mode: 0o600 });
  try {
    await takeLock(path, claim, dataFolder);
  } finally {
    await rm(claim, { force: true });
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function takeLock(path: string, claim: string, dataFolder: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      // A link appears with its content, so nobody ever sees a lock without a holder.
      await link(claim, path);
      return;
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      if (code !== 'EEXIST') throw new UpdateError('output_unwritable', `cannot write ${path}`, { cause });
      const holder = await readFile(path, 'utf8').catch(() => '');
      if (tries > 0 || (await holderIsAlive(holder))) {
        const message = `another agent (process ${holder.trim().split(' ')[0]}) uses ${dataFolder}`;
        throw new UpdateError('agent_running', message, { detail: { path, holder: holder.trim() } });
      }
      await rm(path, { force: true });
    }
  }
}
