/**
 * What the kernel says about a block device, from trees of files as /sys and /proc have them: whatever is in the way of
 * writing a slot is refused, and the refusal names the slot, the device and what to do.
 */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { UpdateError } from '../../../native-free/status.ts';
import { FileSlots } from '../../../src/agent/slots/slots.ts';
import {
  devicesOverlap,
  readBlockDevice,
  refuseOverlap,
  refuseUnsafe,
  type BlockDeviceInfo,
  type DeviceTree,
} from '../../../src/agent/slots/block-device.ts';
import { MemoryFileSystem } from '../../../src/testing/index.ts';
import { temporaryFolder } from '../../support/release.ts';

const MIB = 1024 * 1024;

/** Two disks: mmcblk0 with three partitions of 64 MiB (p1 is the root), and sda, whole, of 32 MiB. */
class Board {
  readonly folder = temporaryFolder();
  readonly numbers = new Map([
    ['/dev/mmcblk0', '179:0'],
    ['/dev/mmcblk0p1', '179:1'],
    ['/dev/mmcblk0p2', '179:2'],
    ['/dev/mmcblk0p3', '179:3'],
    ['/dev/disk/by-partuuid/b0', '179:3'],
    ['/dev/disk/by-label/root', '179:1'],
    ['/dev/sda', '8:0'],
  ]);
  /** What the root's files are on; another number under an overlay. */
  rootDevice = '179:1';
  readonly mounts = ['27 1 179:1 / / rw,relatime shared:1 - ext4 /dev/root rw', '28 27 0:5 / /proc rw - proc proc rw'];

  constructor() {
    this.#device('mmcblk0', '179:0', 200 * MIB);
    for (const part of [1, 2, 3]) {
      this.#device(`mmcblk0/mmcblk0p${part}`, `179:${part}`, 64 * MIB);
      this.put(`sys/devices/mmcblk0/mmcblk0p${part}/partition`, `${part}\n`);
    }
    this.#device('sda', '8:0', 32 * MIB);
    this.put('proc/swaps', 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n');
    this.put('proc/cmdline', 'console=ttyS0 quiet\n');
  }

  #device(at: string, number: string, bytes: number): void {
    this.put(`sys/devices/${at}/size`, `${bytes / 512}\n`);
    this.put(`sys/devices/${at}/ro`, '0\n');
    this.put(`sys/devices/${at}/dev`, `${number}\n`);
    mkdirSync(join(this.folder, `sys/devices/${at}/holders`));
    mkdirSync(join(this.folder, 'sys/dev/block'), { recursive: true });
    symlinkSync(`../../devices/${at}`, join(this.folder, `sys/dev/block/${number}`));
  }

  put(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  remove(path: string): void {
    rmSync(join(this.folder, path), { recursive: true });
  }

  tree(): DeviceTree {
    this.put('proc/self/mountinfo', `${this.mounts.join('\n')}\n`);
    return {
      ...{ sys: join(this.folder, 'sys'), proc: join(this.folder, 'proc'), dev: '/dev' },
      identify: async (path) => {
        if (path === '/') return { device: null, onDevice: this.rootDevice };
        const device = this.numbers.get(path) ?? null;
        return device === null && path !== '/dev/null' ? null : { device, onDevice: '0:6' };
      },
    };
  }

  read = (path: string): Promise<BlockDeviceInfo | null> => readBlockDevice(path, this.tree());

  async need(path: string): Promise<BlockDeviceInfo> {
    const info = await this.read(path);
    expect(info).not.toBeNull();
    return info!;
  }

  /** The refusal of an image of one MiB into the device as slot B. */
  async refusal(path: string, imageBytes = MIB): Promise<UpdateError> {
    const info = await this.need(path);
    try {
      refuseUnsafe(info, 'B', imageBytes);
    } catch (error) {
      return error as UpdateError;
    }
    throw new Error(`${path} was not refused`);
  }
}

let board: Board;
beforeEach(() => {
  board = new Board();
});

describe('a block device', () => {
  test('that nothing uses is described, and takes an image of its own size', async () => {
    const info = await board.need('/dev/mmcblk0p3');
    expect(info).toEqual({
      ...{ path: '/dev/mmcblk0p3', name: 'mmcblk0p3', number: '179:3', bytes: 64 * MIB },
      ...{ readOnly: false, partitions: [], mounts: [], holders: [], swap: false, root: false },
    });
    expect(() => refuseUnsafe(info, 'B', 64 * MIB)).not.toThrow();
  });

  test('that is too small by one byte is refused with both figures', async () => {
    const refused = await board.refusal('/dev/mmcblk0p3', 64 * MIB + 1);
    expect(refused.code).toBe('slot_too_small');
    expect(refused.message).toMatch(/67108865 bytes; slot B \(\/dev\/mmcblk0p3\) holds 67108864/);
    expect(refused.action).toMatch(/smaller image/);
  });

  test('that is read-only is refused', async () => {
    board.put('sys/devices/mmcblk0/mmcblk0p3/ro', '1\n');
    const refused = await board.refusal('/dev/mmcblk0p3');
    expect(refused.code).toBe('slot_read_only');
    expect(refused.message).toMatch(/slot B \(\/dev\/mmcblk0p3\) is read-only.*--setrw/);
    expect(refused.detail).toMatchObject({ slot: 'B', device: 'mmcblk0p3', number: '179:3' });
  });

  test('that is mounted is refused with the place of the mount', async () => {
    board.mounts.push('40 27 179:3 / /mnt/with\\040blank rw shared:9 - ext4 /dev/mmcblk0p3 rw');
    const refused = await board.refusal('/dev/mmcblk0p3');
    expect(refused.code).toBe('slot_mounted');
    expect(refused.message).toMatch(/mmcblk0p3\) is mounted at \/mnt\/with blank: unmount it/);
    expect(refused.detail).toMatchObject({ mounts: ['/mnt/with blank'] });
  });

  test('that is mounted by a file system with a made-up device number is refused too', async () => {
    board.mounts.push('41 27 0:52 /@data /data rw - btrfs /dev/mmcblk0p3 rw,subvol=/@data');
    expect(await board.refusal('/dev/mmcblk0p3')).toMatchObject({
      code: 'slot_mounted',
      detail: { mounts: ['/data'] },
    });
  });

  test('one of whose partitions is mounted is refused as a whole', async () => {
    board.rootDevice = '0:9';
    board.mounts.push('40 27 179:3 / /mnt rw - ext4 /dev/mmcblk0p3 rw');
    expect(await board.refusal('/dev/mmcblk0')).toMatchObject({ code: 'slot_mounted', detail: { device: 'mmcblk0' } });
  });

  test('that carries a device of the mapper is refused by its name, mounted or not', async () => {
    board.put('sys/devices/mmcblk0/mmcblk0p3/holders/dm-0', '');
    const refused = await board.refusal('/dev/mmcblk0p3');
    expect(refused.code).toBe('slot_mounted');
    expect(refused.message).toMatch(/mmcblk0p3\) is in use by dm-0: detach/);
    expect(refused.detail).toMatchObject({ holders: ['dm-0'] });
    board.rootDevice = '0:9';
    board.mounts.splice(0, 1);
    expect(await board.refusal('/dev/mmcblk0')).toMatchObject({ detail: { holders: ['dm-0'] } });
  });

  test('that a loop device lies on is refused: the kernel would not', async () => {
    board.put('sys/block/loop4/loop/backing_file', '/dev/mmcblk0p3\n');
    board.put('sys/block/loop5/loop/backing_file', '/some/file (deleted)\n');
    mkdirSync(join(board.folder, 'sys/block/loop6'));
    expect(await board.refusal('/dev/mmcblk0p3')).toMatchObject({
      code: 'slot_mounted',
      detail: { holders: ['loop4'] },
    });
    expect((await board.need('/dev/mmcblk0p2')).holders).toEqual([]);
  });

  test('that is swap space is refused', async () => {
    board.put('proc/swaps', 'Filename Type Size Used Priority\n/dev/mmcblk0p3 partition 65532 0 -2\n');
    const refused = await board.refusal('/dev/mmcblk0p3');
    expect(refused.code).toBe('slot_mounted');
    expect(refused.message).toMatch(/mmcblk0p3\) is used as swap space.*swapoff/);
  });
});

describe('the running root', () => {
  test('is refused, as is the disk that it is on', async () => {
    const refused = await board.refusal('/dev/mmcblk0p1');
    expect(refused.code).toBe('slot_active');
    expect(refused.message).toMatch(/slot B \(\/dev\/mmcblk0p1\) holds the running root.*another device/);
    expect(await board.refusal('/dev/mmcblk0')).toMatchObject({ code: 'slot_active' });
  });

  test.each(['/dev/mmcblk0p3', 'PARTUUID=b0'])(
    'under an overlay is found by the kernel command line: %s',
    async (root) => {
      board.rootDevice = '0:21';
      board.mounts.splice(0, 1, '27 1 0:21 / / rw - overlay overlay rw');
      board.put('proc/cmdline', `console=ttyS0 root=${root} rootwait\n`);
      expect(await board.refusal('/dev/mmcblk0p3')).toMatchObject({ code: 'slot_active' });
      expect((await board.need('/dev/mmcblk0p1')).root).toBe(false);
    },
  );
});

describe('a path', () => {
  test('with nothing, or with something that is no block device, has no description', async () => {
    expect(await board.read('/dev/mmcblk0p9')).toBeNull();
    expect(await board.read('/dev/null')).toBeNull();
  });

  test('whose device vanishes while it is looked at is refused: nothing is known to be safe', async () => {
    board.remove('sys/dev/block/179:3');
    await expect(board.read('/dev/mmcblk0p3')).rejects.toMatchObject({
      code: 'slot_unreadable',
      message: expect.stringContaining('/dev/mmcblk0p3'),
    });
  });

  test.each(['lots', ''])('whose size reads as "%s" is refused', async (size) => {
    board.put('sys/devices/mmcblk0/mmcblk0p3/size', `${size}\n`);
    await expect(board.read('/dev/mmcblk0p3')).rejects.toMatchObject({ code: 'slot_unreadable' });
  });

  test('cannot be judged without the list of mounts', async () => {
    const tree = board.tree();
    board.remove('proc/self/mountinfo');
    await expect(readBlockDevice('/dev/mmcblk0p3', tree)).rejects.toMatchObject({ code: 'slot_unreadable' });
  });
});

describe('two slots', () => {
  const overlap = async (a: string, b: string): Promise<boolean> => {
    const [first, second] = [await board.need(a), await board.need(b)];
    expect(devicesOverlap(second, first)).toBe(devicesOverlap(first, second));
    return devicesOverlap(first, second);
  };

  test('overlap when they are one device by two names, or a disk and its partition', async () => {
    expect(await overlap('/dev/mmcblk0p3', '/dev/disk/by-partuuid/b0')).toBe(true);
    expect(await overlap('/dev/mmcblk0', '/dev/mmcblk0p3')).toBe(true);
    expect(await overlap('/dev/mmcblk0p2', '/dev/mmcblk0p3')).toBe(false);
    expect(await overlap('/dev/mmcblk0', '/dev/sda')).toBe(false);
  });

  test('that overlap are refused, and both are named', async () => {
    const [target, running] = [await board.need('/dev/disk/by-partuuid/b0'), await board.need('/dev/mmcblk0p3')];
    const refuse = (): void => refuseOverlap(target, 'B', running, 'A');
    expect(refuse).toThrow(/slot B \(.*b0\) and the running slot A \(\/dev\/mmcblk0p3\) overlap.*each slot its own/);
    expect(refuse).toThrow(expect.objectContaining({ code: 'slot_active' }));
  });
});

describe('slots on devices', () => {
  /** Files stand for the devices' content; what the kernel knows comes from the board. */
  function slotsAt(paths: Record<string, string>): { slots: FileSlots; disk: MemoryFileSystem } {
    const disk = new MemoryFileSystem();
    for (const path of Object.values(paths)) disk.place(path, new Uint8Array(10));
    const stat = disk.stat.bind(disk);
    disk.stat = async (path) => {
      const found = await stat(path);
      return found !== null && board.numbers.has(path) ? { bytes: 0, kind: 'block' } : found;
    };
    return { slots: new FileSlots({ fs: disk, paths, inspect: board.read }), disk };
  }

  test('are checked before an update, and once more before the first write', async () => {
    const { slots } = slotsAt({ A: '/dev/mmcblk0p2', B: '/dev/mmcblk0p3' });
    await slots.check('B', MIB, 'A');
    await (await slots.sink('B', 'A')).close();
    board.mounts.push('40 27 179:3 / /mnt rw - ext4 /dev/mmcblk0p3 rw');
    await expect(slots.check('B', MIB, 'A')).rejects.toMatchObject({ code: 'slot_mounted' });
    await expect(slots.sink('B', 'A')).rejects.toMatchObject({ code: 'slot_mounted' });
  });

  test.each([
    ['the same path twice', '/dev/mmcblk0p3'],
    ['one device by two names', '/dev/disk/by-partuuid/b0'],
  ])('that are %s are refused before an update and before the first write', async (_what, other) => {
    const { slots } = slotsAt({ A: '/dev/mmcblk0p3', B: other });
    await expect(slots.check('B', MIB, 'A')).rejects.toMatchObject({ code: 'slot_active' });
    await expect(slots.sink('B', 'A')).rejects.toMatchObject({ code: 'slot_active' });
  });

  test('that vanished are missing, and nothing is made in their place', async () => {
    const { slots, disk } = slotsAt({ A: '/dev/mmcblk0p2', B: '/dev/mmcblk0p3' });
    board.numbers.delete('/dev/mmcblk0p3');
    await disk.unlink('/dev/mmcblk0p3');
    const missing = { code: 'slot_missing', message: expect.stringContaining('/dev/mmcblk0p3') };
    await expect(slots.check('B', MIB, 'A')).rejects.toMatchObject(missing);
    await expect(slots.sink('B', 'A')).rejects.toMatchObject(missing);
    expect(await disk.list('/dev')).toEqual(['mmcblk0p2']);
  });

  test('whose name in /dev is taken by a regular file are missing, and the file stays as it is', async () => {
    const { slots, disk } = slotsAt({ A: '/dev/mmcblk0p2', B: '/dev/mmcblk0p7' });
    const missing = { code: 'slot_missing', message: expect.stringMatching(/mmcblk0p7\) is a regular file/) };
    await expect(slots.check('B', MIB, 'A')).rejects.toMatchObject(missing);
    await expect(slots.sink('B', 'A')).rejects.toMatchObject(missing);
    expect(disk.peek('/dev/mmcblk0p7')).toEqual(new Uint8Array(10));
    const shared = slotsAt({ A: '/dev/mmcblk0p2', B: '/dev/shm/slot' });
    await shared.slots.check('B', MIB, 'A');
  });
});
