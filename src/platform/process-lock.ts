/**
 * One agent at a time on a data folder: two of them would write one slot.
 *
 * Two locks. The first is an abstract socket, which the kernel takes back from whoever dies and which needs no storage:
 * with it alone an agent may do what cannot wait for the data partition, such as confirming the slot that runs. The
 * second is a file in the data folder: it is seen across network namespaces and on systems without abstract sockets,
 * and says who holds it. Where the first is held, a data partition that is full or read-only costs the second, not the
 * work. Taking the file over from a dead holder is done by one process at a time, since the socket is taken before it.
 * @module
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { link, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { ioCode } from '../../native-free/errno.ts';
import { ioError } from '../../native-free/io-error.ts';
import { UpdateError } from '../../native-free/status.ts';
import { nodeFileSystem } from './node-filesystem.ts';
import { pause } from './timers.ts';

export interface LockOptions {
  /** Where procfs is; replaced in tests. */
  readonly proc?: string;
  /** Told of a lock file that could not be written or removed; the work goes on. */
  readonly onNote?: (error: UpdateError) => void;
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
 * Run `work` as the only agent on this data folder. The lock of a process that was killed, or of an earlier boot, is
 * taken over. What `work` returns or throws is what comes of it, whatever becomes of the lock afterwards. Throws
 * `agent_running`, and where there are no abstract sockets what the storage says.
 */
export async function withAgentLock<T>(
  dataFolder: string,
  work: () => Promise<T>,
  { proc = '/proc', onNote }: LockOptions = {},
): Promise<T> {
  const socket = await holdSocket(dataFolder, proc);
  try {
    const file = await holdFile(dataFolder, proc).catch((error: unknown) => {
      if (socket === null || !UpdateError.is(error) || error.code === 'agent_running') throw error;
      onNote?.(error);
      return null;
    });
    try {
      return await work();
    } finally {
      await file?.release().catch((error: unknown) => onNote?.(UpdateError.from(error)));
    }
  } finally {
    socket?.close();
  }
}

const TRIES_MAX = 25;
const TRY_MS = 20;

/**
 * Null where there are no abstract sockets. A holder that is just ending is waited for, half a second. Throws
 * `agent_running`.
 */
async function holdSocket(dataFolder: string, proc: string): Promise<Server | null> {
  const digest = createHash('sha256')
    .update(await placeOf(dataFolder))
    .digest('hex');
  for (let tries = 1; ; tries++) {
    const server = createServer((client) => client.destroy());
    const code = await new Promise<string | null>((resolve) => {
      server.once('error', (error) => resolve(ioCode(error) || 'unknown'));
      server.listen(`\0engraft-agent-${digest}`, () => resolve(null));
    });
    if (code === null) return server;
    if (code !== 'EADDRINUSE') return null;
    const holder = await holderOf(lockFile(dataFolder));
    const isAlive = await holderIsAlive(holder, proc);
    if (isAlive || tries === TRIES_MAX) throw running(dataFolder, isAlive ? holder : '');
    await pause(TRY_MS);
  }
}

/** What a lock says of its holder, or ''. Whatever else has that name is not waited for. */
const holderOf = (path: string): Promise<string> =>
  readFile(path, { encoding: 'utf8', flag: constants.O_RDONLY | constants.O_NONBLOCK }).catch(() => '');

const lockFile = (dataFolder: string): string => join(dataFolder, 'agent.lock');

/** By whatever links it is reached, and also before it was made. */
async function placeOf(path: string): Promise<string> {
  const whole = resolve(path);
  const real = await realpath(whole).catch(() => null);
  if (real !== null || dirname(whole) === whole) return real ?? whole;
  return join(await placeOf(dirname(whole)), basename(whole));
}

function running(dataFolder: string, holder: string): UpdateError {
  const [pid] = holder.trim().split(' ');
  const who = pid === undefined || pid === '' ? 'another agent' : `another agent (process ${pid})`;
  return new UpdateError('agent_running', `${who} uses ${dataFolder}`, {
    detail: { path: lockFile(dataFolder), holder: holder.trim() },
  });
}

interface HeldFile {
  release(): Promise<void>;
}

async function holdFile(dataFolder: string, proc: string): Promise<HeldFile> {
  const path = lockFile(dataFolder);
  const [start, boot] = [await startOf(process.pid, proc), await bootIdOf(proc)];
  const mine = `${process.pid} ${start ?? 'unknown'}${boot === null ? '' : ` ${boot}`}\n`;
  const claim = `${path}.${process.pid}`;
  try {
    await nodeFileSystem.makeFolder(dataFolder);
    await writeFile(claim, mine, { mode: 0o600 });
    await takeFile(path, claim, dataFolder, proc);
  } catch (error) {
    throw ioError(error, 'output_unwritable', `cannot write the lock ${path}`, { path });
  } finally {
    await rm(claim, { force: true }).catch(() => undefined);
  }
  return {
    async release() {
      try {
        // Never somebody else's, whatever has happened to ours.
        if ((await readFile(path, 'utf8')) === mine) await rm(path, { force: true });
      } catch (error) {
        if (ioCode(error) === 'ENOENT') return;
        throw ioError(error, 'output_unwritable', `cannot remove the lock ${path}`, { path });
      }
    },
  };
}

async function takeFile(path: string, claim: string, dataFolder: string, proc: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      // A link appears with its content, so nobody ever sees a lock without a holder.
      await link(claim, path);
      return;
    } catch (error) {
      if (ioCode(error) !== 'EEXIST') throw error;
      const holder = await holderOf(path);
      if (tries > 0 || (await holderIsAlive(holder, proc))) throw running(dataFolder, holder);
      await rm(path, { force: true });
    }
  }
}
