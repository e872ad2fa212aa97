/**
 * What the operating system's errors mean, in one place for all rooms: a full disk is `disk_full` wherever it is met.
 *
 * Some errors say more than the place where they were met does (a disk that is full, a process without descriptors);
 * these always have their own code. Others only say more than a general code does: a slot that answers EIO is
 * `slot_unreadable`, a file of which nothing else is known is `storage_failed`.
 * @module
 */
import type { StatusCode } from './status-table.ts';

/** Whatever was being done. */
const ALWAYS: Readonly<Partial<Record<string, StatusCode>>> = {
  ENOSPC: 'disk_full',
  EDQUOT: 'disk_full',
  SQLITE_FULL: 'disk_full',
  EMFILE: 'resources_exhausted',
  ENFILE: 'resources_exhausted',
  ENOMEM: 'resources_exhausted',
  SQLITE_NOMEM: 'resources_exhausted',
};

/** Where the caller knows no more than that a file could not be read or written. */
const IN_GENERAL: Readonly<Partial<Record<string, StatusCode>>> = {
  EROFS: 'disk_read_only',
  SQLITE_READONLY: 'disk_read_only',
  EIO: 'storage_failed',
  EUCLEAN: 'storage_failed',
  EREMOTEIO: 'storage_failed',
  ENODEV: 'storage_failed',
  ENXIO: 'storage_failed',
  ESTALE: 'storage_failed',
  SQLITE_IOERR: 'storage_failed',
  EACCES: 'access_denied',
  EPERM: 'access_denied',
};

const GENERAL: ReadonlySet<StatusCode> = new Set<StatusCode>(['input_unreadable', 'output_unwritable', 'bug']);

/** The operating system's name for what went wrong ('ENOSPC', 'EIO', ...), or ''. */
export function ioCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** The code for an error of the operating system met in work that fails with `code`. */
export function codeOfErrno(errno: string, code: StatusCode): StatusCode {
  // SQLite says more behind its first two words: SQLITE_IOERR_WRITE.
  const name = errno.startsWith('SQLITE_') ? errno.split('_').slice(0, 2).join('_') : errno;
  const always = ALWAYS[name];
  if (always !== undefined) return always;
  if (code === 'slot_unwritable' && name === 'EROFS') return 'slot_read_only';
  const general = GENERAL.has(code) ? IN_GENERAL[name] : undefined;
  return general ?? (code === 'bug' && errno.startsWith('SQLITE_') ? 'store_failed' : code);
}

/** Errors of the system that may be gone when the same call is made again, whatever it was made for. */
export const PASSING_ERRNOS: ReadonlySet<string> = new Set([
  ...Object.keys(ALWAYS),
  ...Object.keys(IN_GENERAL),
  ...['EAGAIN', 'EINTR', 'EBUSY', 'ETIMEDOUT', 'ETXTBSY'],
]);
