/**
 * The emulated board's storage: a disk with the partitions slot A, slot B, tools and data, and a card with the boot
 * loader's environment, which holds the boot script too.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync, writeSync, readFileSync, ftruncateSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { ENVIRONMENT_OFFSETS, formatEnvironment } from './environment.ts';
import { toolPath } from './images.ts';

const MIB = 1024 * 1024;

export interface Partition {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
}

/** In the order of their numbers: /dev/vda1 and so on. */
export const PARTITIONS = layOut([
  ['slot-a', 56],
  ['slot-b', 56],
  ['tools', 112],
  ['data', 64],
]);
export const [SLOT_A, SLOT_B, TOOLS, DATA] = PARTITIONS as [Partition, Partition, Partition, Partition];
const DISK_BYTES = DATA.offset + DATA.bytes + MIB;
const CARD_BYTES = 4 * MIB;

function layOut(sizes: readonly (readonly [string, number])[]): Partition[] {
  let offset = MIB;
  return sizes.map(([name, mib]) => {
    const partition = { name, offset, bytes: mib * MIB };
    offset += partition.bytes;
    return partition;
  });
}

/**
 * The boot script, in the environment: the first slot of BOOT_ORDER that has tries left is booted, and the try is
 * stored as used before the slot is touched. Variables and meaning are RAUC's; the script is ours. When no slot of
 * the order has a try left, they get theirs back: a board that tries in vain is better than one that stopped. A slot that
 * is being written is not in the order.
 */
const BOOT_SCRIPT: Readonly<Record<string, string>> = {
  bootcmd: 'run engraft_choose; run engraft_boot',
  engraft_choose: [
    'setenv slot',
    'for s in ${BOOT_ORDER}; do if test -z "${slot}"; then',
    'if test "${s}" = A; then setenv left ${BOOT_A_LEFT}; else setenv left ${BOOT_B_LEFT}; fi',
    'if test "${left}" -gt 0; then setenv slot ${s}; fi',
    'fi; done',
    'if test -z "${slot}"; then echo "@boot no slot has a try left"; setenv BOOT_A_LEFT 3; setenv BOOT_B_LEFT 3; saveenv; reset; fi',
  ].join('; '),
  engraft_boot: [
    'setexpr left ${left} - 1',
    'if test "${slot}" = A; then setenv BOOT_A_LEFT ${left}; setenv part 1; else setenv BOOT_B_LEFT ${left}; setenv part 2; fi',
    'echo "@boot slot ${slot}, ${left} tries left after this one, order ${BOOT_ORDER}"',
    'saveenv || reset',
    'virtio scan',
    'setenv bootargs console=ttyAMA0 quiet panic=3 engraft.slot=${slot}',
    'ext4load virtio 0:${part} ${kernel_addr_r} /boot/vmlinuz || reset',
    'ext4load virtio 0:${part} ${ramdisk_addr_r} /boot/initramfs || reset',
    'booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr} || reset',
  ].join('; '),
};

/** What the environment holds besides: addresses in the board's memory, which begins at 0x40000000. */
const BOARD: Readonly<Record<string, string>> = {
  bootdelay: '0',
  kernel_addr_r: '0x44000000',
  ramdisk_addr_r: '0x50000000',
  fdt_high: '0xffffffffffffffff',
  initrd_high: '0xffffffffffffffff',
};

/** The card of a new board: slot A is good, slot B is empty. */
export function makeCard(into: string): void {
  const variables = { ...BOARD, ...BOOT_SCRIPT, BOOT_ORDER: 'A', BOOT_A_LEFT: '3', BOOT_B_LEFT: '0' };
  const card = Buffer.alloc(CARD_BYTES);
  ENVIRONMENT_OFFSETS.forEach((offset, i) => formatEnvironment(variables, i + 1).copy(card, offset));
  const file = openSync(into, 'w');
  writeSync(file, card);
  closeSync(file);
}

/** The disk of a new board from the images of slot A, tools and data. */
export function makeDisk(into: string, images: { slotA: string; tools: string; data: string }): void {
  const file = openSync(into, 'w');
  ftruncateSync(file, DISK_BYTES);
  closeSync(file);
  const args = PARTITIONS.flatMap(({ name, offset, bytes }, i) => {
    const [first, last] = [offset / 512, (offset + bytes) / 512 - 1];
    return ['-n', `${i + 1}:${first}:${last}`, '-c', `${i + 1}:${name}`];
  });
  const guid = '5e7a0000-0000-4000-8000-0000000000ff';
  execFileSync('sgdisk', ['-a', '1', '-U', guid, ...args, into], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: toolPath(),
  });
  putImage(into, SLOT_A, images.slotA);
  putImage(into, TOOLS, images.tools);
  putImage(into, DATA, images.data);
}

function putImage(disk: string, partition: Partition, image: string): void {
  const bytes = readFileSync(image);
  if (bytes.length > partition.bytes) throw new RangeError(`${image} is larger than ${partition.name}`);
  const file = openSync(disk, 'r+');
  writeSync(file, bytes, 0, bytes.length, partition.offset);
  closeSync(file);
}

/** SHA-256 of the first `bytes` of a partition. */
export function digestOf(disk: string, partition: Partition, bytes: number): string {
  const file = openSync(disk, 'r');
  const content = Buffer.alloc(bytes);
  readSync(file, content, 0, bytes, partition.offset);
  closeSync(file);
  return createHash('sha256').update(content).digest('hex');
}
