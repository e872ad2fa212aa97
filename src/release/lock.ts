/**
 * A lock that dies with its holder.
 *
 * A lock file with a process id in it goes stale, and taking over a stale one is a race. An exclusive transaction on
 * a small SQLite file is a lock of the operating system's: released when the holder ends in whatever way. It is tried
 * without waiting inside SQLite, because that would block this process's event loop, and with it a holder in the same
 * process.
 * @module
 */
import { closeSync, openSync } from 'node:fs';
import Libsql from 'libsql';
import { ioCode } from '../../native-free/errno.ts';
import { ioError } from '../../native-free/io-error.ts';
import { UpdateError } from '../../native-free/status.ts';
import { monotonicMs, pause } from '../platform/timers.ts';

export interface LockOptions {
  /** How long to wait for another holder; default ten minutes. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

const RETRY_MS = 50;

/**
 * Runs `work` while holding the lock at `path` (a file that is made if need be and stays).
 * @throws UpdateError repository_busy after `waitMs`, aborted, output_unwritable when the file cannot be made
 */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const release = await acquire(path, options);
  try {
    return await work();
  } finally {
    release();
  }
}

async function acquire(path: string, options: LockOptions): Promise<() => void> {
  const until = monotonicMs() + (options.waitMs ?? 600_000);
  for (;;) {
    if (options.signal?.aborted) throw new UpdateError('aborted', 'cancelled while waiting for the repository lock');
    const release = tryAcquire(path);
    if (release !== null) return release;
    if (monotonicMs() >= until) {
      throw new UpdateError('repository_busy', `another process holds ${path}`, { detail: { path } });
    }
    await pause(RETRY_MS);
  }
}

function tryAcquire(path: string): (() => void) | null {
  let database: Libsql.Database | undefined;
  try {
    database = new Libsql(path, { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database?.close();
    const code = String((cause as { code?: unknown }).code ?? '');
    if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) return null;
    throw ioError(reasonOf(cause, path), 'output_unwritable', `cannot take the lock ${path}`, { path });
  }
  const held = database;
  return () => {
    held.exec('ROLLBACK');
    held.close();
  };
}

/** SQLite does not say why it cannot open a file; the system does. */
function reasonOf(cause: unknown, path: string): unknown {
  if (!ioCode(cause).startsWith('SQLITE_CANTOPEN')) return cause;
  try {
    closeSync(openSync(path, 'a'));
    return cause;
  } catch (error) {
    return error;
  }
}
