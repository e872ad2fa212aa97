/**
 * `[boot]` in the configuration, how the running slot is known, and what is particular to single backends.
 */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeBootControl } from '../../../src/agent/boot/backends.ts';
import { parseFirmware } from '../../../src/agent/boot/efi.ts';
import { runningSlot } from '../../../src/agent/boot/running-slot.ts';
import type { BootConfig } from '../../../src/agent/config/boot.ts';
import { nodeFileSystem, parseConfig, runCommand } from '../../../src/agent/index.ts';
import { EFIBOOTMGR, installTool } from './boot-fakes.ts';

function configured(lines: string): BootConfig {
  const text = `
[device]
controller_id = "d"
product = "cam"
hardware = "v1"
[server]
url = "https://ota.example"
[data]
folder = "data"
[trust]
root = "root.json"
[slots]
A = "/dev/a"
B = "/dev/b"
[boot]
${lines}
`;
  const { place } = parseConfig(text, '/etc/engraft', 'agent.toml');
  if (place.kind !== 'slots') throw new Error('no slots');
  return place.boot;
}

const KERNEL = {
  deadlineMs: 30_000,
  running: { cmdlineFile: '/proc/cmdline', bootIdFile: '/proc/sys/kernel/random/boot_id', roots: {} },
};

describe('[boot]', () => {
  test.each([
    ['', { backend: 'file', tries: 3, stateFile: '/etc/engraft/data/boot-state' }],
    [
      'backend = "uboot"',
      {
        backend: 'uboot',
        printenv: ['fw_printenv'],
        setenv: ['fw_setenv'],
        configFile: null,
        scriptSeparator: '=',
        bootcount: false,
        tries: 3,
        ...KERNEL,
      },
    ],
    [
      'backend = "uboot"\nconfig_file = "fw.config"\nbootcount = "reset"\nscript_lines = "name value"\ntool_seconds = 5\n[boot.root]\nA = "/dev/mmcblk0p2"',
      {
        configFile: '/etc/engraft/fw.config',
        bootcount: true,
        scriptSeparator: ' ',
        deadlineMs: 5000,
        running: { roots: { A: '/dev/mmcblk0p2' } },
      },
    ],
    ['backend = "grub"', { editenv: ['grub-editenv'], blockFile: '/boot/grub/grubenv', ...KERNEL }],
    [
      'backend = "efi"\nlabels = { A = "one", B = "two" }',
      { efibootmgr: ['efibootmgr'], labels: { A: 'one', B: 'two' } },
    ],
    ['backend = "systemd-boot"', { entriesFolder: '/boot/loader/entries', prefix: 'engraft', tries: 3 }],
    ['backend = "command"\ncommand = ["board-boot", "-v"]', { command: ['board-boot', '-v'], tries: null, ...KERNEL }],
  ])('is read, with defaults: %j', (lines, wanted) => {
    expect(configured(lines)).toMatchObject(wanted);
  });

  test.each([
    ['backend = "lilo"', /boot\.backend is 'lilo' and should be one of: file, uboot, grub/],
    ['backend = "uboot"\ntries = 10', /boot\.tries is 10/],
    ['backend = "uboot"\nbootcount = "yes"', /boot\.bootcount/],
    ['backend = "grub"\ntries = 3', /boot\.tries is not a known key/],
    ['backend = "command"', /boot\.command is missing/],
    ['backend = "command"\ncommand = "board-boot"', /boot\.command should be a list/],
    ['backend = "systemd-boot"\nprefix = "a+b"', /boot\.prefix/],
    ['backend = "uboot"\nstate_file = "x"', /boot\.state_file is not a known key/],
  ])('with a mistake names the key: %j', (lines, message) => {
    expect(() => configured(lines)).toThrow(message);
  });

  test.each([
    ['labels = { A = "same", B = "same" }', /different/],
    ['labels = { C = "third" }', /boot\.labels\.C is no slot/],
  ])('with labels that tell no slots apart names them: %j', (lines, message) => {
    const config = configured(`backend = "efi"\n${lines}`);
    expect(() => makeBootControl(config, ['A', 'B'], { fs: nodeFileSystem, run: runCommand })).toThrow(message);
  });
});

function kernelFiles(cmdline: string, bootId = 'b-1\n') {
  const folder = mkdtempSync(join(tmpdir(), 'engraft-kernel-'));
  writeFileSync(join(folder, 'cmdline'), cmdline);
  writeFileSync(join(folder, 'boot_id'), bootId);
  return {
    fs: nodeFileSystem,
    cmdlineFile: join(folder, 'cmdline'),
    bootIdFile: join(folder, 'boot_id'),
    roots: { A: 'PARTUUID=1-02', B: '/dev/mmcblk0p3' },
  };
}

describe('the running slot', () => {
  test.each([
    ['console=ttyS0 rauc.slot=B rw\n', 'B'],
    ['engraft.slot=A rauc.slot=B', 'A'],
    ['engraft.slot=A quiet engraft.slot=B', 'B'],
    ['root=PARTUUID=1-02 rw', 'A'],
    ['ro root=/dev/mmcblk0p3', 'B'],
    ['rauc.slot=B root=PARTUUID=1-02', 'B'],
  ])('is named on the kernel command line: %j', async (cmdline, slot) => {
    expect(await runningSlot(kernelFiles(cmdline))).toEqual({ slot, bootId: 'b-1' });
  });

  test.each(['quiet', 'root=/dev/sda1', 'myrauc.slot=A', ''])('is not guessed: %j', async (cmdline) => {
    await expect(runningSlot(kernelFiles(cmdline))).rejects.toMatchObject({ code: 'boot_unreadable' });
  });

  test('needs a boot id', async () => {
    await expect(runningSlot(kernelFiles('rauc.slot=A', ''))).rejects.toMatchObject({ code: 'boot_unreadable' });
    const gone = { ...kernelFiles('rauc.slot=A'), bootIdFile: join(tmpdir(), 'engraft-no-such-file') };
    await expect(runningSlot(gone)).rejects.toMatchObject({ code: 'boot_unreadable' });
  });

  test.skipIf(process.platform !== 'linux')('comes from files that say they are empty', async () => {
    const files = { ...kernelFiles('rauc.slot=A'), bootIdFile: '/proc/sys/kernel/random/boot_id' };
    const { bootId } = await runningSlot(files);
    expect(bootId).toMatch(/^[0-9a-f-]{36}$/);
    expect((await runningSlot(files)).bootId).toBe(bootId);
  });
});

describe('EFI boot entries', () => {
  const TEXT = `BootCurrent: 0003
Timeout: 1 seconds
BootOrder: 0003,0000,000a
Boot0000* UiApp\tFvVol(7cb8bdc9)
Boot0003* engraft A\tHD(1,GPT,5e7a)/File(\\EFI\\a.efi)
Boot000A  engraft B
`;

  function firmware(text: string, cmdline = 'quiet') {
    const folder = mkdtempSync(join(tmpdir(), 'engraft-efi-'));
    mkdirSync(join(folder, 'tools'));
    const argv = [installTool(join(folder, 'tools'), 'efibootmgr', EFIBOOTMGR)];
    writeFileSync(join(folder, 'tools', 'mode'), 'well');
    writeFileSync(join(folder, 'tools', 'state'), text);
    const { cmdlineFile, bootIdFile } = kernelFiles(cmdline);
    const config: BootConfig = {
      backend: 'efi',
      efibootmgr: argv,
      labels: {},
      deadlineMs: 10_000,
      running: { cmdlineFile, bootIdFile, roots: {} },
    };
    return {
      control: makeBootControl(config, ['A', 'B'], { fs: nodeFileSystem, run: runCommand }),
      state: () => readFileSync(join(folder, 'tools', 'state'), 'utf8'),
    };
  }

  test('are read as both versions of the tool print them', () => {
    expect(parseFirmware(TEXT)).toEqual({
      current: '0003',
      next: null,
      order: ['0003', '0000', '000A'],
      entries: [
        { number: '0000', label: 'UiApp', active: true },
        { number: '0003', label: 'engraft A', active: true },
        { number: '000A', label: 'engraft B', active: false },
      ],
    });
  });

  test('of others keep their place behind the slots', async () => {
    const { control, state } = firmware(TEXT);
    await control.arm('B');
    expect(parseFirmware(state())).toMatchObject({ next: '000A', order: ['0003', '0000'] });
    await control.markUnbootable('B');
    expect(parseFirmware(state())).toMatchObject({ next: null, order: ['0003', '0000'] });
  });

  test('that are inactive are no choice, and become one when armed', async () => {
    const { control, state } = firmware(TEXT);
    expect((await control.read()).tries).toEqual({ A: 1, B: 0 });
    await control.arm('B');
    expect(state()).toMatch(/^Boot000A\* engraft B$/m);
    expect((await control.read()).tries).toEqual({ A: 1, B: 1 });
  });

  test('put the running slot first before the other one is armed', async () => {
    const { control, state } = firmware(TEXT.replace('0003,0000', '0000'));
    await control.arm('B');
    expect(parseFirmware(state())).toMatchObject({ order: ['0003', '0000'] });
  });

  test('that are none of a slot leave it to the kernel command line', async () => {
    const other = TEXT.replace('BootCurrent: 0003', 'BootCurrent: 0000');
    expect((await firmware(other, 'engraft.slot=B').control.read()).running).toBe('B');
    await expect(firmware(other).control.read()).rejects.toThrow(/BootCurrent \(0000\) is no slot's boot entry/);
  });

  test.each([
    ['missing', TEXT.replace('engraft B', 'other'), /no boot entry has the label 'engraft B'/],
    ['double', `${TEXT}Boot0010* engraft B\n`, /more than one boot entry has the label 'engraft B'/],
  ])('that are %s are reported', async (_what, text, message) => {
    await expect(firmware(text).control.arm('B')).rejects.toThrow(message);
  });
});
