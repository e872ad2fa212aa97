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
import { isDevicePath } from './filesystem.ts';
import type { FileHandle, FileStat, FileSystem, OpenMode } from './filesystem.ts';

/** Not every platform has O_NOFOLLOW. */
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | (constants.O_NOFOLLOW ?? 0);
const FLAGS: Record<OpenMode, string | number> = { read: 'r', update: 'r+', create: CREATE };

async function open(path: string, mode: OpenMode): Promise<FileHandle> {
  const handle = await nodeFs.open(path, await flagsOf(path, mode), 0o600);
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

/** stat says 0 for a block device, and node:fs has neither ioctl nor lseek. */
async function sizeOf(handle: nodeFs.FileHandle): Promise<number> {
  const stat = await handle.stat({ bigint: true });
  if (!stat.isBlockDevice()) return Number(stat.size);
  return (await sizeInSysfs(stat.rdev)) ?? probeSize(handle);
}

async function sizeInSysfs(device: bigint): Promise<number | null> {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn);
  let text: string;
  try {
    text = await nodeFs.readFile(`/sys/dev/block/${major}:${minor}/size`, 'utf8');
  } catch {
    return null;
  }
  // Always in units of 512, whatever the device's sectors are.
  return /^\d+\n?$/.test(text) ? 512 * Number(text) : null;
}

/** Without sysfs the size is what can be read, found by halving. Reads behind the end give nothing and cost no I/O. */
async function probeSize(handle: nodeFs.FileHandle): Promise<number> {
  const probe = new Uint8Array(1);
  const readable = async (at: number): Promise<boolean> => (await handle.read(probe, 0, 1, at)).bytesRead === 1;
  if (!(await readable(0))) return 0;
  let low = 0;
  let high = 2 ** 46;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await readable(middle)) low = middle;
    else high = middle;
  }
  return high;
}

/**
 * Folder by folder: Node's own recursive mkdir says ENOENT where the disk is full, and tries to make what is there.
 */
async function makeFolder(path: string): Promise<void> {
  const found = await stat(path);
  if (found?.kind === 'folder') return;
  const parent = dirname(path);
  if (found === null && parent !== path) await makeFolder(parent);
  try {
    await nodeFs.mkdir(path);
  } catch (error) {
    // Somebody else may have made it meanwhile.
    if (ioCode(error) !== 'EEXIST' || (await stat(path))?.kind !== 'folder') throw error;
  }
}

async function stat(path: string): Promise<FileStat | null> {
  try {
    const found = await nodeFs.stat(path);
    const kind = found.isFile() ? 'file' : found.isDirectory() ? 'folder' : found.isBlockDevice() ? 'block' : 'other';
    return { bytes: found.size, kind };
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
  makeFolder: (path) => makeFolder(resolve(path)),
  removeFolder: (path) => nodeFs.rm(path, { recursive: true, force: true }),
  list,
  stat,
  freeBytes,
  copyMode,
  syncFolder,
};
