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
  EBADMSG: 'storage_failed',
  ENODATA: 'storage_failed',
  ENOLINK: 'storage_failed',
  EBADE: 'storage_failed',
  ETIME: 'storage_failed',
  ENOMEDIUM: 'storage_failed',
  EHWPOISON: 'storage_failed',
  ENODEV: 'storage_failed',
  ENXIO: 'storage_failed',
  ESTALE: 'storage_failed',
  SQLITE_IOERR: 'storage_failed',
  EACCES: 'access_denied',
  EPERM: 'access_denied',
};

const GENERAL: ReadonlySet<StatusCode> = new Set<StatusCode>(['input_unreadable', 'output_unwritable', 'bug']);

/** Errors that Node has no name for: it gives 'Unknown system error -122' as their code. By Linux's numbers. */
export const UNNAMED: Readonly<Partial<Record<number, readonly [name: string, words: string]>>> = {
  52: ['EBADE', 'invalid exchange'],
  62: ['ETIME', 'timer expired'],
  67: ['ENOLINK', 'link has been severed'],
  74: ['EBADMSG', 'bad message (a checksum is wrong)'],
  116: ['ESTALE', 'stale file handle'],
  117: ['EUCLEAN', 'structure needs cleaning'],
  122: ['EDQUOT', 'disk quota exceeded'],
  123: ['ENOMEDIUM', 'no medium found'],
  133: ['EHWPOISON', 'memory page has hardware error'],
};

/** The operating system's name for what went wrong ('ENOSPC', 'EIO', ...), or ''. */
export function ioCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== 'string') return '';
  const number = /^Unknown system error -(\d+)$/.exec(code)?.[1];
  return (number === undefined ? undefined : UNNAMED[Number(number)]?.[0]) ?? code;
}

/** What went wrong, in words. Of errors that Node has no name for it gives the number, twice. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/Unknown system error -(\d+)(?:: Unknown system error -\1)?/, (said, number: string) => {
    return UNNAMED[Number(number)]?.join(': ') ?? said;
  });
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
