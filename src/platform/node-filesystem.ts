/**
 * The real file system, through node:fs/promises.
 *
 * A block device is opened for update exclusively: on Linux O_EXCL without O_CREAT makes the open fail with EBUSY while
 * the device (or a partition of it, or its disk) is mounted, is swap space, or carries another device; and while it is
 * open, nobody can mount it.
 *
 * A named pipe is not opened at all: the open would wait for whoever has the other end, and nothing could end it.
 *
 * Opening for update never makes a file: an image for a device that is not there must not become a regular file of the
 * device's name. Neither does `create` below /dev, nor does it write through a link that lies where a temporary file is
 * to be.
 * @module
 */
import { constants } from 'node:fs';
import * as nodeFs from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ioCode } from '../../native-free/errno.ts';
import { UpdateError } from '../../native-free/status.ts';
import { deviceSize } from './files/device-size.ts';
import { isDevicePath, type FileHandle, type FileStat, type FileSystem, type OpenMode } from './filesystem.ts';

/** Not every platform has O_NOFOLLOW. */
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | (constants.O_NOFOLLOW ?? 0);
const FLAGS: Record<OpenMode, string | number> = { read: 'r', update: 'r+', create: CREATE, new: 'wx' };

async function open(path: string, mode: OpenMode): Promise<FileHandle> {
  const handle = await nodeFs.open(path, await flagsOf(path, mode), mode === 'new' ? 0o644 : 0o600);
  return {
    read: async (into, offset) => (await handle.read(into, 0, into.length, offset)).bytesRead,
    write: async (bytes, offset) => (await handle.write(bytes, 0, bytes.length, offset)).bytesWritten,
    truncate: (bytes) => handle.truncate(bytes),
    sync: () => handle.sync(),
    size: () => sizeOf(handle),
    close: () => handle.close(),
  };
}

async function flagsOf(path: string, mode: OpenMode): Promise<string | number> {
  if (mode === 'create' && isDevicePath(resolve(path))) {
    const message = `${path} would be a regular file in /dev: is the device missing, or meant for [slots]?`;
    throw new UpdateError('slot_missing', message, { detail: { path } });
  }
  const found = await nodeFs.stat(path).catch(() => null);
  if (found?.isFIFO() === true) throw Object.assign(new Error(`${path} is a pipe and no file`), { code: 'EINVAL' });
  const isDevice = mode === 'update' && process.platform === 'linux' && found?.isBlockDevice() === true;
  return isDevice ? constants.O_RDWR | constants.O_EXCL : FLAGS[mode];
}

async function sizeOf(handle: nodeFs.FileHandle): Promise<number> {
  const stat = await handle.stat({ bigint: true });
  return stat.isBlockDevice() ? deviceSize(handle.fd, stat.rdev) : Number(stat.size);
}

/**
 * Folder by folder: Node's own recursive mkdir says ENOENT where the disk is full, and tries to make what is there.
 */
export async function makeFolder(path: string, mode?: number): Promise<void> {
  const folder = resolve(path);
  const found = await stat(folder);
  if (found?.kind === 'folder') return;
  const parent = dirname(folder);
  if (found === null && parent !== folder) await makeFolder(parent, mode);
  try {
    await nodeFs.mkdir(folder, mode);
  } catch (error) {
    // Somebody else may have made it meanwhile.
    if (ioCode(error) !== 'EEXIST' || (await stat(folder))?.kind !== 'folder') throw error;
  }
}

async function stat(path: string): Promise<FileStat | null> {
  try {
    const found = await nodeFs.stat(path);
    const kind = found.isFile() ? 'file' : found.isDirectory() ? 'folder' : found.isBlockDevice() ? 'block' : 'other';
    return { bytes: found.size, kind, modifiedMs: found.mtimeMs };
  } catch (error) {
    if (ioCode(error) === 'ENOENT' || ioCode(error) === 'ENOTDIR') return null;
    throw error;
  }
}

async function list(path: string): Promise<string[]> {
  try {
    return (await nodeFs.readdir(path)).sort();
  } catch (error) {
    if (ioCode(error) === 'ENOENT') return [];
    throw error;
  }
}

async function copyMode(from: string, to: string): Promise<void> {
  let found: Awaited<ReturnType<typeof nodeFs.stat>>;
  try {
    found = await nodeFs.stat(from);
  } catch (error) {
    if (ioCode(error) === 'ENOENT') return;
    throw error;
  }
  // First the owner: changing it clears set-user-ID. Only root may, and FAT knows neither.
  const refused = (error: unknown): void => {
    if (ioCode(error) !== 'EPERM') throw error;
  };
  await nodeFs.chown(to, found.uid, found.gid).catch(refused);
  await nodeFs.chmod(to, found.mode & 0o7777).catch(refused);
}

async function syncFolder(path: string): Promise<void> {
  const handle = await nodeFs.open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await nodeFs.statfs(path);
  return bavail * bsize;
}

export const nodeFileSystem: FileSystem = {
  open,
  rename: (from, to) => nodeFs.rename(from, to),
  link: (from, to) => nodeFs.link(from, to),
  unlink: (path) => nodeFs.rm(path, { force: true }),
  makeFolder,
  removeFolder: (path) => nodeFs.rm(path, { recursive: true, force: true }),
  list,
  stat,
  freeBytes,
  copyMode,
  syncFolder,
};
