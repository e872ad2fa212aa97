/**
 * What the QEMU scenarios judge with, judged itself: the reader of U-Boot's environment against libubootenv's tools,
 * the write log and the initramfs against bytes of known meaning.
 * @module
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeCard } from '../../../qemu/board.ts';
import { DOCUMENTED_SCRIPT } from '../../../qemu/boot-script.ts';
import { formatCpio } from '../../../qemu/cpio.ts';
import { ENVIRONMENT_BYTES, ENVIRONMENT_OFFSETS, readEnvironment } from '../../../qemu/environment.ts';
import { Medium, readWriteLog, WriteLog } from '../../../qemu/write-log.ts';

const have = (program: string): boolean => spawnSync(program, ['--help'], { stdio: 'ignore' }).error === undefined;
const haveTools = have('fw_printenv') && have('fw_setenv');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'engraft-qemu-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);

describe('the environment on the card', () => {
  test('a new card has slot A bootable, slot B closed, and two whole copies', () => {
    makeCard(at('card'));
    const { copies, active } = readEnvironment(readFileSync(at('card')));
    expect(copies.map(({ valid }) => valid)).toEqual([true, true]);
    expect(active).toBe(copies[1]);
    expect(active?.variables.get('BOOT_ORDER')).toBe('A');
    expect(active?.variables.get('BOOT_B_LEFT')).toBe('0');
  });

  test('the board boots by the script of the document, to the letter', () => {
    const lines = readFileSync(new URL('../../../docs/boot-control.md', import.meta.url), 'utf8').split('\n');
    for (const [name, script] of Object.entries(DOCUMENTED_SCRIPT))
      expect(
        lines.filter((line) => line.startsWith(`${name}=`)),
        name,
      ).toEqual([`${name}=${script}`]);
    makeCard(at('card'));
    const onCard = readEnvironment(readFileSync(at('card'))).active!.variables;
    expect(Object.fromEntries(onCard)).toMatchObject(DOCUMENTED_SCRIPT);
  });

  test('a copy with one flipped bit is not believed, and the other one is used', () => {
    makeCard(at('card'));
    const card = readFileSync(at('card'));
    card[ENVIRONMENT_OFFSETS[1] + 100]! ^= 1;
    const { copies, active } = readEnvironment(card);
    expect(copies.map(({ valid }) => valid)).toEqual([true, false]);
    expect(active).toBe(copies[0]);
    card[ENVIRONMENT_OFFSETS[0]]! ^= 0x80;
    expect(readEnvironment(card).active).toBeNull();
  });

  test('flag 0 is newer than flag 255', () => {
    makeCard(at('card'));
    const card = readFileSync(at('card'));
    card[ENVIRONMENT_OFFSETS[0] + 4] = 0;
    card[ENVIRONMENT_OFFSETS[1] + 4] = 255;
    const { copies, active } = readEnvironment(card);
    expect(active).toBe(copies[0]);
  });

  test.skipIf(!haveTools)('libubootenv reads what we write, and we read what it writes (needs fw_printenv)', () => {
    makeCard(at('card'));
    const size = `0x${ENVIRONMENT_BYTES.toString(16)}`;
    const lines = ENVIRONMENT_OFFSETS.map((offset) => `${at('card')} 0x${offset.toString(16)} ${size}\n`);
    writeFileSync(at('fw_env.config'), lines.join(''));
    const tool = (name: string, ...args: string[]): string =>
      execFileSync(name, ['-c', at('fw_env.config'), ...args], { encoding: 'utf8' });
    expect(tool('fw_printenv', 'BOOT_ORDER', 'BOOT_A_LEFT')).toBe('BOOT_ORDER=A\nBOOT_A_LEFT=3\n');
    tool('fw_setenv', 'BOOT_ORDER', 'B A');
    const { copies, active } = readEnvironment(readFileSync(at('card')));
    expect(active).toBe(copies[0]);
    expect(active?.variables.get('BOOT_ORDER')).toBe('B A');
    expect(copies[1].variables.get('BOOT_ORDER')).toBe('A');
  });
});

/** An entry of the log: sector, sectors, flags, data. */
function entry(sector: number, sectors: number, flags: number, data = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(512);
  [sector, sectors, flags, 0].forEach((value, i) => head.writeBigUInt64LE(BigInt(value), 8 * i));
  return Buffer.concat([head, data]);
}

function logOf(...entries: Buffer[]): Buffer {
  const header = Buffer.alloc(512);
  header.writeBigUInt64LE(0x6a736677736872n, 0);
  header.writeBigUInt64LE(1n, 8);
  header.writeUInt32LE(512, 24);
  return Buffer.concat([header, ...entries]);
}

describe('the write log', () => {
  const twoWrites = (): Buffer =>
    logOf(entry(1, 1, 0, Buffer.alloc(512, 7)), entry(0, 0, 1), entry(2, 2, 0, Buffer.alloc(1024, 9)));

  test('writes and flushes come in order, and a replay of a prefix puts the bytes where they belong', () => {
    writeFileSync(at('log'), twoWrites());
    const log = new WriteLog(at('log'));
    expect(log.entries.map(({ kind, offset, bytes }) => [kind, offset, bytes])).toEqual([
      ['write', 512, 512],
      ['flush', 0, 0],
      ['write', 1024, 1024],
    ]);
    expect([0, 1, 2, 3].map((count) => log.flushedBefore(count))).toEqual([0, 0, 2, 2]);
    const medium = new Medium(Buffer.alloc(2560));
    log.apply(medium, 0);
    log.apply(medium, 2, 512);
    expect([...medium.bytes].filter((_, i) => i % 512 === 0)).toEqual([0, 7, 9, 0, 0]);
  });

  test('what was tried on a medium is taken back', () => {
    writeFileSync(at('log'), logOf(entry(1, 1, 0, Buffer.alloc(512, 7)), entry(1, 1, 0, Buffer.alloc(512, 8))));
    const log = new WriteLog(at('log'));
    const medium = new Medium(Buffer.alloc(1024, 1));
    const seen = medium.try(() => {
      log.apply(medium, 0);
      log.apply(medium, 1);
      return medium.bytes[600];
    });
    expect([seen, medium.bytes[600]]).toEqual([8, 1]);
    log.apply(medium, 0);
    expect(medium.bytes[600]).toBe(7);
  });

  test('only entries whose data is in the file yet are counted', () => {
    writeFileSync(at('log'), twoWrites());
    const log = new WriteLog(at('log'));
    expect([512, 1536, 2048, 3000, 3584].map((size) => log.entriesWithin(size))).toEqual([0, 1, 2, 2, 3]);
  });

  test('a discard leaves zeros', () => {
    writeFileSync(at('log'), logOf(entry(0, 2, 4), entry(0, 0, 1)));
    const log = new WriteLog(at('log'));
    const medium = new Medium(Buffer.alloc(1536, 1));
    log.apply(medium, 0);
    expect([...medium.bytes].filter((_, i) => i % 512 === 0)).toEqual([0, 0, 1]);
    expect(log.entries[1]?.kind).toBe('flush');
  });

  test('the log of a device that was never flushed has no superblock yet, and is read all the same', () => {
    writeFileSync(at('log'), Buffer.concat([Buffer.alloc(512), entry(1, 1, 0, Buffer.alloc(512, 7))]));
    expect(readWriteLog(at('log')).map(({ kind, offset }) => [kind, offset])).toEqual([['write', 512]]);
  });

  test('what is no log is refused', () => {
    writeFileSync(at('log'), Buffer.alloc(1024, 3));
    expect(() => readWriteLog(at('log'))).toThrow(/no write log/);
  });
});

describe('the initramfs', () => {
  const archive = (): Buffer =>
    formatCpio([
      { path: 'bin', kind: 'folder', content: null },
      { path: 'bin/tool', kind: 'file', content: Buffer.from('#!') },
      { path: 'bin/name', kind: 'link', content: 'tool' },
    ]);

  test('headers and data begin at multiples of four, and the trailer ends it', () => {
    const bytes = archive();
    expect(bytes.length % 4).toBe(0);
    const found: number[] = [];
    for (let i = bytes.indexOf('070701'); i >= 0; i = bytes.indexOf('070701', i + 1)) found.push(i % 4);
    expect(found).toEqual([0, 0, 0, 0]);
    expect(bytes.includes('TRAILER!!!')).toBe(true);
    expect(archive().equals(bytes)).toBe(true);
  });

  test.skipIf(!have('cpio'))('cpio lists what is in it (needs cpio)', () => {
    const listed = execFileSync('cpio', ['-tv'], {
      input: archive(),
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    expect(listed).toMatch(/^drwxr-xr-x.* bin\n-rwxr-xr-x.* 2 .* bin\/tool\nlrwxrwxrwx.* bin\/name -> tool\n$/);
  });
});
