/**
 * The emulated board's storage: a disk with the partitions slot A, slot B, tools and data, and a card with the boot
 * loader's environment.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync, writeSync, readFileSync, ftruncateSync } from 'node:fs';
import { UpdateError } from '../native-free/status.ts';
import { FACTORY_ENVIRONMENT } from './boot-script.ts';
import { ENVIRONMENT_OFFSETS, formatEnvironment } from './environment.ts';
import { toolPath } from './images.ts';
import { sha256Hex } from '../src/platform/hash.ts';

const MIB = 1024 * 1024;

export interface Partition {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
}

/** In the order of their numbers: /dev/vda1 and so on. */
const PARTITIONS = layOut([
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

/** The card of a new board: slot A is good, slot B is empty. `changes` are variables that this board has otherwise. */
export function makeCard(into: string, changes: Readonly<Record<string, string>> = {}): void {
  const card = Buffer.alloc(CARD_BYTES);
  ENVIRONMENT_OFFSETS.forEach((offset, i) =>
    formatEnvironment({ ...FACTORY_ENVIRONMENT, ...changes }, i + 1).copy(card, offset),
  );
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
  if (bytes.length > partition.bytes)
    throw new UpdateError('limit_exceeded', `${image} is larger than ${partition.name}`);
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
  return sha256Hex(content);
}
