/**
 * Files that appear under their final name only when they are whole.
 *
 * A temporary file beside the final one is written, synced and renamed, and the folder is synced, so that a reader
 * (or the next boot) sees all of it or none. The temporary file goes away on an error, on an abort and on
 * `process.exit`; only a SIGKILL or a power cut can leave it, and then under a name that says what it is.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { constants, unlinkSync, type Stats } from 'node:fs';
import { access, link, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ioCode } from '../../../native-free/errno.ts';
import type { CancelSignal } from '../../../native-free/io.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { bytesOf, type BytesLike } from '../../../native-free/views.ts';
import { nodeFileSystem } from '../node-filesystem.ts';
import { unwritable, writeError } from './io-errors.ts';
import { outputPlace, type OutputPlace } from './output-place.ts';

/** A file under construction. */
export interface AtomicFile {
  /** Where it is for now. */
  readonly temporaryPath: string;
  readonly handle: FileHandle;
  /** Append all of `bytes`. Throws UpdateError `disk_full` or `output_unwritable`. */
  write(bytes: Uint8Array): Promise<void>;
}

export interface AtomicWriteOptions {
  /** Permission bits of the new file; default: those (and the owner) of the file it replaces, else 0o666 less the umask. */
  readonly mode?: number;
  /** Refuse to replace an existing file (private keys). Default false. */
  readonly exclusive?: boolean;
  /** Checked before the rename: an aborted file never gets its final name. */
  readonly signal?: CancelSignal;
  /** Told what the file that is replaced has had and the new one has not: its owner, other names. */
  readonly onRemark?: (text: string) => void;
}

const unfinished = new Set<string>();
let exitHookInstalled = false;

/** The second Ctrl-C ends the process without unwinding; temporary files are to go all the same. */
function trackUntilFinished(path: string): void {
  if (!exitHookInstalled) {
    exitHookInstalled = true;
    process.on('exit', () => {
      for (const left of unfinished) {
        try {
          unlinkSync(left);
        } catch {
          // Nothing more can be done while exiting.
        }
      }
    });
  }
  unfinished.add(path);
}

/** Sync a folder, so that names in it survive a power cut. A file system that cannot do it is not an error. */
async function syncFolder(path: string): Promise<void> {
  try {
    await nodeFileSystem.syncFolder(path);
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EISDIR', 'EPERM'].includes(ioCode(error))) throw writeError(error, path);
  }
}

/** Refuse what is not a regular file: a rename would destroy it. */
async function finalPlace(path: string, exclusive: boolean): Promise<OutputPlace> {
  const place = await outputPlace(path);
  if (place.before === null) return place;
  if (!place.before.isFile()) throw unwritable(path, 'it exists and is not a regular file');
  if (exclusive) throw unwritable(path, 'it exists and is never overwritten');
  return place;
}

/**
 * What can be known before the work begins, so that an hour of it is not for nothing.
 * Throws what `writeFileAtomically` would, for a name, a folder or permissions that will not do.
 */
export async function checkOutputFile(path: string): Promise<void> {
  const place = await finalPlace(path, false);
  await access(dirname(place.path), constants.W_OK | constants.X_OK).catch((error: unknown) => {
    throw writeError(error, path);
  });
}

/** However long the final name is, the temporary one fits; file systems allow 255 bytes, some 143. */
const NAME_BYTES_KEPT = 64;

function temporaryName(name: string): string {
  let kept = name;
  while (Buffer.byteLength(kept) > NAME_BYTES_KEPT) kept = [...kept].slice(0, -1).join('');
  return `.${kept}.${randomBytes(6).toString('hex')}.tmp`;
}

/**
 * The new file is to be whose the earlier one was and to allow what that allowed; a file that changes hands loses its
 * set-user-ID. Returns what could not be kept, in words.
 */
async function keepTraits(handle: FileHandle, before: Stats): Promise<string[]> {
  const lost: string[] = [];
  const { uid, gid } = await handle.stat();
  let mode = before.mode & 0o7777;
  if (uid !== before.uid || gid !== before.gid) {
    try {
      await handle.chown(before.uid, before.gid);
    } catch (error) {
      if (!['EPERM', 'ENOSYS', 'ENOTSUP', 'EINVAL'].includes(ioCode(error))) throw error;
      mode &= 0o777;
      lost.push(`its owner was ${before.uid}:${before.gid} and is now ${uid}:${gid}`);
    }
  }
  await handle.chmod(mode);
  const others = before.nlink - 1;
  if (others > 0)
    lost.push(`it had ${others} more name${others === 1 ? '' : 's'} (hard links) with the earlier content`);
  return lost;
}

async function appendAll(handle: FileHandle, bytes: Uint8Array, path: string): Promise<void> {
  try {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, null);
      done += bytesWritten;
    }
  } catch (error) {
    throw writeError(error, path);
  }
}

/** Give the synced temporary file its name. */
async function publish(temporary: string, place: string, exclusive: boolean): Promise<void> {
  if (!exclusive) return rename(temporary, place);
  await link(temporary, place);
  await unlink(temporary);
}

/**
 * Write a file through `produce` and give it its final name only when all of it is on the disk.
 *
 * Throws what `produce` throws, else UpdateError `output_unwritable`, `disk_full` or `aborted`; in every case nothing
 * is left under `path` that was not there before.
 */
export async function writeFileAtomically<T>(
  path: string,
  produce: (file: AtomicFile) => Promise<T>,
  options: AtomicWriteOptions = {},
): Promise<T> {
  const exclusive = options.exclusive === true;
  const place = await finalPlace(path, exclusive);
  const folder = dirname(place.path);
  const temporaryPath = join(folder, temporaryName(basename(place.path)));
  const { mode } = options;
  let lost: string[] = [];
  trackUntilFinished(temporaryPath);
  let handle: FileHandle | undefined;
  let producing = false;
  try {
    handle = await open(temporaryPath, 'wx', mode ?? (place.before === null ? 0o666 : 0o600));
    if (mode !== undefined) await handle.chmod(mode);
    else if (place.before !== null) lost = await keepTraits(handle, place.before);
    const opened = handle;
    producing = true;
    const result = await produce({ temporaryPath, handle: opened, write: (bytes) => appendAll(opened, bytes, path) });
    producing = false;
    await handle.sync();
    await handle.close();
    handle = undefined;
    if (options.signal?.aborted === true) throw new UpdateError('aborted', `writing ${path} was stopped`);
    await publish(temporaryPath, place.path, exclusive);
    unfinished.delete(temporaryPath);
    await syncFolder(folder);
    for (const text of lost) options.onRemark?.(`${path}: ${text}`);
    return result;
  } catch (error) {
    await handle?.close().catch(() => undefined);
    await unlink(temporaryPath).catch(() => undefined);
    unfinished.delete(temporaryPath);
    // What the caller's own work threw stays as it is.
    throw producing ? error : writeError(error, path);
  }
}

/** `writeFileAtomically` for bytes that are all there. */
export function replaceFile(path: string, content: BytesLike, options: AtomicWriteOptions = {}): Promise<void> {
  return writeFileAtomically(path, (file) => file.write(bytesOf(content, 'content')), options);
}
