/**
 * What the kernel says about a block device, so that a slot is never written that something else uses.
 *
 * Node cannot ask a device itself (no BLKGETSIZE64, no BLKROGET), sysfs and procfs can be read like files. They show
 * this process's mount namespace only; the open for update is exclusive as well (node-filesystem.ts), which the kernel
 * refuses for every device in use, whoever mounted it and however late. This check comes first because it can say
 * *what* is in the way.
 *
 * Reading the running slot through its device while it is mounted read-only is coherent: nothing changes below the
 * device's page cache (a journal that the mount replays goes through that cache). Mounted writable it is not: file data
 * bypass the device's cache, so that stale or half-new bytes may be read. The digest of every segment catches that.
 * @module
 */
import * as nodeFs from 'node:fs/promises';
import { ioCode } from '../../../native-free/errno.ts';
import { ioError } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { deviceNumber } from '../../platform/files/device-size.ts';

export interface BlockDeviceInfo {
  /** The path that was asked for; may be a link. */
  readonly path: string;
  /** Kernel's name, such as `mmcblk0p2`. */
  readonly name: string;
  /** `MAJOR:MINOR`. */
  readonly number: string;
  readonly bytes: number;
  readonly readOnly: boolean;
  /** Numbers of its partitions, when it is a whole disk. */
  readonly partitions: readonly string[];
  /** Where it, or one of its partitions, is mounted. */
  readonly mounts: readonly string[];
  /** Devices built upon it or one of its partitions (dm-crypt, dm-verity, LVM, RAID, loop), by name. */
  readonly holders: readonly string[];
  readonly swap: boolean;
  /** It, or one of its partitions, holds the root file system that is running now. */
  readonly root: boolean;
}

/** Where the kernel's files are, and how a path becomes a device number. Replaced in tests. */
export interface DeviceTree {
  readonly sys: string;
  readonly proc: string;
  readonly dev: string;
  /** Null when nothing is there. `device` is set for a block device only. */
  identify(path: string): Promise<{ readonly device: string | null; readonly onDevice: string } | null>;
}

const realDeviceTree: DeviceTree = {
  sys: '/sys',
  proc: '/proc',
  dev: '/dev',
  async identify(path) {
    try {
      const stat = await nodeFs.stat(path, { bigint: true });
      return { device: stat.isBlockDevice() ? deviceNumber(stat.rdev) : null, onDevice: deviceNumber(stat.dev) };
    } catch (error) {
      if (ioCode(error) === 'ENOENT' || ioCode(error) === 'ENOTDIR') return null;
      throw error;
    }
  },
};

/**
 * Facts about the block device at `path` (links are followed); null when there is none at this path.
 * Throws `slot_unreadable` when the kernel's files cannot be read or make no sense: then nothing is known to be safe.
 */
export async function readBlockDevice(
  path: string,
  tree: DeviceTree = realDeviceTree,
): Promise<BlockDeviceInfo | null> {
  try {
    const found = await tree.identify(path);
    if (found === null || found.device === null) return null;
    return await describe(path, found.device, tree);
  } catch (error) {
    throw ioError(error, 'slot_unreadable', `cannot find out about the block device ${path}`);
  }
}

async function describe(path: string, number: string, tree: DeviceTree): Promise<BlockDeviceInfo> {
  const folder = `${tree.sys}/dev/block/${number}`;
  const real = await nodeFs.realpath(folder);
  const isPartition = (await readText(`${real}/partition`)) !== null;
  const parts = isPartition ? [] : await partitionsOf(real);
  const own = new Set([number, ...parts.map((part) => part.number)]);
  const holders = new Set<string>();
  for (const each of [real, ...parts.map((part) => part.folder)]) {
    for (const holder of await namesIn(`${each}/holders`)) holders.add(holder);
  }
  for (const loop of await loopsOn(own, tree)) holders.add(loop);
  return {
    path,
    name: real.slice(real.lastIndexOf('/') + 1),
    number,
    // Always in units of 512, whatever the sector size.
    bytes: 512 * (await readNumber(`${real}/size`)),
    readOnly: (await readNumber(`${real}/ro`)) !== 0,
    partitions: parts.map((part) => part.number),
    mounts: await mountsOf(own, tree),
    holders: [...holders].sort(),
    swap: await isSwap(own, tree),
    root: await isRoot(own, tree),
  };
}

interface Partition {
  readonly folder: string;
  readonly number: string;
}

async function partitionsOf(disk: string): Promise<Partition[]> {
  const found: Partition[] = [];
  for (const name of await namesIn(disk)) {
    const folder = `${disk}/${name}`;
    if ((await readText(`${folder}/partition`)) === null) continue;
    const number = await readText(`${folder}/dev`);
    if (number !== null) found.push({ folder, number: number.trim() });
  }
  return found;
}

/**
 * A loop device is in nobody's `holders` and does not take what it lies on exclusively: the kernel would let a slot be
 * written below a file system that is mounted through one.
 */
async function loopsOn(own: ReadonlySet<string>, tree: DeviceTree): Promise<string[]> {
  const found: string[] = [];
  for (const name of await namesIn(`${tree.sys}/block`)) {
    if (!/^loop\d+$/.test(name)) continue;
    const backing = (await readText(`${tree.sys}/block/${name}/loop/backing_file`))?.trim() ?? '';
    if (!backing.startsWith('/')) continue;
    const device = (await tree.identify(backing))?.device;
    if (device !== null && device !== undefined && own.has(device)) found.push(name);
  }
  return found;
}

/** mountinfo and swaps write blanks, tabs, line ends and backslashes as octal numbers. */
const unescape = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));

async function mountsOf(own: ReadonlySet<string>, tree: DeviceTree): Promise<string[]> {
  const text = await needText(`${tree.proc}/self/mountinfo`);
  const points = new Set<string>();
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    if (fields.length < 6) continue;
    const source = unescape(fields[fields.indexOf('-') + 2] ?? '');
    // btrfs and other file systems of several devices have made-up numbers; their source is the device.
    const madeUp = fields[2]!.startsWith('0:') && source.startsWith('/');
    const number = madeUp ? ((await tree.identify(source))?.device ?? '') : fields[2]!;
    if (own.has(number)) points.add(unescape(fields[4]!));
  }
  return [...points];
}

async function isSwap(own: ReadonlySet<string>, tree: DeviceTree): Promise<boolean> {
  const text = (await readText(`${tree.proc}/swaps`)) ?? '';
  for (const line of text.split('\n').slice(1)) {
    const path = unescape(line.split(/\s/)[0]!);
    if (path === '') continue;
    const device = (await tree.identify(path))?.device;
    if (device !== null && device !== undefined && own.has(device)) return true;
  }
  return false;
}

/** Under an overlay the root has a made-up number; the kernel's command line still names the device. */
async function isRoot(own: ReadonlySet<string>, tree: DeviceTree): Promise<boolean> {
  const root = await tree.identify('/');
  if (root !== null && own.has(root.onDevice)) return true;
  const named = /(?:^|\s)root=(\S+)/.exec((await readText(`${tree.proc}/cmdline`)) ?? '')?.[1];
  if (named === undefined) return false;
  const [, kind, value] = /^(PARTUUID|PARTLABEL|UUID|LABEL)=(.+)$/.exec(named) ?? [];
  const path = kind === undefined ? named : `${tree.dev}/disk/by-${kind.toLowerCase()}/${value}`;
  if (!path.startsWith('/')) return false;
  const device = (await tree.identify(path))?.device;
  return device !== null && device !== undefined && own.has(device);
}

async function readText(path: string): Promise<string | null> {
  try {
    return await nodeFs.readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(ioCode(error))) return null;
    throw error;
  }
}

async function needText(path: string): Promise<string> {
  const text = await readText(path);
  if (text === null) throw new UpdateError('slot_unreadable', `${path} does not exist: is it mounted?`);
  return text;
}

async function readNumber(path: string): Promise<number> {
  const text = await needText(path);
  const value = Number(text.trim() === '' ? NaN : text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new UpdateError('slot_unreadable', `${path} holds '${text.trim()}' and should hold a number`);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await nodeFs.readdir(folder);
  } catch (error) {
    if (ioCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Are these the same device, or one a partition of the other? */
export function devicesOverlap(a: BlockDeviceInfo, b: BlockDeviceInfo): boolean {
  return a.number === b.number || a.partitions.includes(b.number) || b.partitions.includes(a.number);
}

/**
 * Throws `slot_active`, `slot_mounted`, `slot_read_only` or `slot_too_small` when an image of `imageBytes` must not or
 * cannot be written to the device, naming what is in the way. `slot` is null where the device is nobody's slot.
 */
export function refuseUnsafe(info: BlockDeviceInfo, slot: string | null, imageBytes = 0): void {
  const { path, name, number, mounts, holders } = info;
  const place = `${path}${path.endsWith(`/${name}`) ? '' : `, which is ${name}`}`;
  const what = slot === null ? place : `slot ${slot} (${place})`;
  const detail = { slot, path, device: name, number };
  if (info.root) {
    const message = `${what} holds the running root file system: name another device${slot === null ? '' : ' for it in the configuration'}`;
    throw new UpdateError('slot_active', message, { detail });
  }
  if (mounts.length > 0) {
    throw new UpdateError('slot_mounted', `${what} is mounted at ${mounts.join(', ')}: unmount it first`, {
      detail: { ...detail, mounts },
    });
  }
  if (info.swap) {
    throw new UpdateError('slot_mounted', `${what} is used as swap space: turn that off first (swapoff)`, { detail });
  }
  if (holders.length > 0) {
    throw new UpdateError('slot_mounted', `${what} is in use by ${holders.join(', ')}: detach that first`, {
      detail: { ...detail, holders },
    });
  }
  if (info.readOnly) {
    const message = `${what} is read-only (ro is set for the device): see how it is attached, and blockdev --setrw`;
    throw new UpdateError('slot_read_only', message, { detail });
  }
  if (imageBytes <= info.bytes) return;
  throw new UpdateError('slot_too_small', `the image has ${imageBytes} bytes; ${what} holds ${info.bytes}`, {
    detail: { ...detail, imageBytes, capacityBytes: info.bytes },
  });
}

/** Throws `slot_active` when the slot to be written is the running one under another name. */
export function refuseOverlap(info: BlockDeviceInfo, slot: string, running: BlockDeviceInfo, name: string): void {
  if (!devicesOverlap(info, running)) return;
  throw new UpdateError(
    'slot_active',
    `slot ${slot} (${info.path}) and the running slot ${name} (${running.path}) overlap on one device ` +
      `(${info.name}, ${running.name}): give each slot its own in the configuration`,
    { detail: { slot, path: info.path, device: info.name, running: name } },
  );
}
