/**
 * What is concluded from what boot tools print, where a wrong conclusion would cost a device its way back.
 */
import { describe, expect, test } from 'vitest';
import { makeBootControl } from '../../../src/agent/boot/backends.ts';
import type { BootConfig } from '../../../src/agent/config/boot.ts';
import type { CommandRunner, FileSystem } from '../../../src/agent/index.ts';
import { MemoryFileSystem } from '../../../src/testing/index.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const RUNNING = { cmdlineFile: '/proc/cmdline', bootIdFile: '/proc/id', roots: {} };

async function board(slot: string): Promise<MemoryFileSystem> {
  const fs = new MemoryFileSystem();
  for (const folder of ['/proc', '/boot']) await fs.makeFolder(folder);
  fs.place('/proc/cmdline', bytes(`quiet engraft.slot=${slot}`));
  fs.place('/proc/id', bytes('boot-1'));
  return fs;
}

const control = (config: BootConfig, fs: FileSystem, run: CommandRunner) => makeBootControl(config, ['A', 'B'], { fs, run }); // prettier-ignore
const printing =
  (stdout: string): CommandRunner =>
  async () => ({ exitCode: 0, timedOut: false, output: '', stdout });

describe('GRUB', () => {
  const grub: BootConfig = { backend: 'grub', editenv: ['grub-editenv'], deadlineMs: 1000, blockFile: '/boot/grubenv', running: RUNNING }; // prettier-ignore

  test('a list of nothing is not believed of a block that holds variables: no slot would be bootable', async () => {
    const fs = await board('B');
    fs.place('/boot/grubenv', bytes('# GRUB Environment Block\nORDER=B A\nA_OK=1\nA_TRY=0\nB_OK=1\nB_TRY=1\n####'));
    await expect(control(grub, fs, printing('')).read()).rejects.toMatchObject({ code: 'boot_unreadable' });
  });

  test('a new block has none', async () => {
    const fs = await board('A');
    fs.place('/boot/grubenv', bytes(`# GRUB Environment Block\n${'#'.repeat(999)}`));
    expect(await control(grub, fs, printing('')).read()).toMatchObject({ running: 'A', tries: { A: 0, B: 0 } });
  });
});

describe('EFI', () => {
  test('an armed slot is in BootNext alone, so that nothing is left of it once it was tried', async () => {
    const fs = await board('B');
    let order = ['0002', '0001'];
    let next: string | null = null;
    const run: CommandRunner = async ({ argv }) => {
      if (argv.includes('--bootorder')) order = argv.at(-1)!.split(',');
      if (argv.includes('--bootnext')) next = argv.at(-1)!;
      const stdout = `${next === null ? '' : `BootNext: ${next}\n`}BootCurrent: 0002\nBootOrder: ${order.join(',')}\nBoot0001* engraft A\nBoot0002* engraft B\n`; // prettier-ignore
      return { exitCode: 0, timedOut: false, output: stdout, stdout };
    };
    const config: BootConfig = { backend: 'efi', efibootmgr: ['efibootmgr'], deadlineMs: 1000, labels: {}, running: RUNNING }; // prettier-ignore
    const boot = control(config, fs, run);
    // It holds the release already, so nobody has closed it.
    await boot.arm('A');
    expect({ order, next }).toEqual({ order: ['0002'], next: '0001' });
    expect(await boot.read()).toMatchObject({ order: ['A', 'B'], tries: { A: 1, B: 1 } });
    // The firmware removes BootNext to follow it; the slot hangs, and BootOrder is followed.
    next = null;
    expect(await boot.read()).toMatchObject({ order: ['B'], tries: { A: 0, B: 1 } });
  });
});
