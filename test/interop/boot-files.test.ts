/**
 * Boot controls on the real tools of GRUB, EFI and systemd: GRUB's environment block in a file, the order in which
 * systemd's own code sorts our entries, and what efibootmgr says on a machine without EFI.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeBootControl } from '../../src/agent/boot/backends.ts';
import type { BootConfig } from '../../src/agent/config/boot.ts';
import { nodeFileSystem, runCommand, type BootControl } from '../../src/agent/index.ts';

const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
const skipped = (program: string): string => (has(program) ? '' : ` (skipped: ${program} is not installed)`);

function newFolder(slot = 'A'): string {
  const folder = mkdtempSync(join(tmpdir(), 'engraft-boot-files-'));
  writeFileSync(join(folder, 'cmdline'), `quiet rauc.slot=${slot}\n`);
  writeFileSync(join(folder, 'boot_id'), 'b1\n');
  return folder;
}

const kernel = (folder: string) => ({
  deadlineMs: 20_000,
  running: { cmdlineFile: join(folder, 'cmdline'), bootIdFile: join(folder, 'boot_id'), roots: {} },
});

const control = (config: BootConfig): BootControl =>
  makeBootControl(config, ['A', 'B'], { fs: nodeFileSystem, run: runCommand });

describe.skipIf(!has('grub-editenv'))(`GRUB's environment block${skipped('grub-editenv')}`, () => {
  const grub = (folder: string): BootControl =>
    control({ backend: 'grub', editenv: ['grub-editenv'], blockFile: join(folder, 'grubenv'), ...kernel(folder) });
  const edit = (folder: string, ...args: string[]): string => {
    const done = spawnSync('grub-editenv', [join(folder, 'grubenv'), ...args], { encoding: 'utf8' });
    expect(done.status, done.stderr).toBe(0);
    return done.stdout;
  };

  test('keeps what is armed, confirmed and rolled back, and the variables of others', async () => {
    const folder = newFolder();
    edit(folder, 'create');
    edit(folder, 'set', 'saved_entry=gnulinux', 'ORDER=A B', 'A_OK=1', 'A_TRY=1', 'B_OK=0', 'B_TRY=0');
    expect(await grub(folder).read()).toMatchObject({ running: 'A', order: ['A', 'B'], tries: { A: 0, B: 0 } });
    await grub(folder).markGood('A');
    await grub(folder).arm('B');
    expect(await grub(folder).read()).toMatchObject({ order: ['B', 'A'], tries: { A: 1, B: 1 } });
    await grub(folder).rollBack('B', 'A');
    expect(edit(folder, 'list').split('\n').sort().join(' ').trim()).toBe(
      'A_OK=1 A_TRY=0 B_OK=0 B_TRY=0 ORDER=A B saved_entry=gnulinux',
    );
    // GRUB itself reads 1024 bytes that begin with this line.
    const block = readFileSync(join(folder, 'grubenv'));
    expect(block).toHaveLength(1024);
    expect(block.toString('latin1').startsWith('# GRUB Environment Block\n')).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['boot_id', 'cmdline', 'grubenv']);
  });

  test('works from a block that was just made', async () => {
    const folder = newFolder();
    edit(folder, 'create');
    expect(await grub(folder).read()).toMatchObject({ running: 'A', order: ['A'], tries: { A: 0, B: 0 } });
    await grub(folder).markGood('A');
    await grub(folder).arm('B');
    expect(edit(folder, 'list')).toContain('ORDER=B A\n');
  });

  test('that is missing, empty or no block is named', async () => {
    const folder = newFolder();
    await expect(grub(folder).read()).rejects.toMatchObject({ code: 'boot_unreadable' });
    await expect(grub(folder).read()).rejects.toThrow(/grubenv is missing or empty/);
    // The tool itself would have made one, in a place that GRUB may never look at.
    expect(existsSync(join(folder, 'grubenv'))).toBe(false);
    writeFileSync(join(folder, 'grubenv'), 'A_OK=1\n');
    await expect(grub(folder).read()).rejects.toThrow(/invalid environment block/);
    writeFileSync(join(folder, 'grubenv'), '');
    await expect(grub(folder).arm('B')).rejects.toMatchObject({ code: 'boot_unreadable' });
  });

  test('that is full stays as it is', async () => {
    const folder = newFolder();
    edit(folder, 'create');
    edit(folder, 'set', 'ORDER=A B', 'A_OK=1', 'A_TRY=0', `rest=${'x'.repeat(890)}`);
    const before = readFileSync(join(folder, 'grubenv'));
    await expect(grub(folder).arm('B')).rejects.toThrow(/environment block too small/);
    expect(readFileSync(join(folder, 'grubenv')).equals(before)).toBe(true);
  });
});

describe.skipIf(!has('efibootmgr'))(`efibootmgr${skipped('efibootmgr')}`, () => {
  test.skipIf(existsSync('/sys/firmware/efi/efivars'))('without EFI variables says so', async () => {
    const folder = newFolder();
    const efi = control({ backend: 'efi', efibootmgr: ['efibootmgr'], labels: {}, ...kernel(folder) });
    await expect(efi.read()).rejects.toMatchObject({ code: 'boot_tool_failed', outcome: 30 });
    await expect(efi.read()).rejects.toThrow(/EFI variables are not supported/);
  });
});

/** bootctl only takes a mounted partition, so that the folder becomes one in a namespace of its own. */
const MENU = 'mount --bind "$1" "$1" && exec bootctl --esp-path="$1" list --no-pager --json=short';
const mayMount = spawnSync('unshare', ['--mount', 'true']).status === 0;
const noMenu = mayMount ? skipped('bootctl') : ' (skipped: no mount namespace may be made here)';

describe.skipIf(noMenu !== '')(`systemd's order of our entries${noMenu}`, () => {
  function board(): { folder: string; boot: BootControl; entries: string } {
    const folder = newFolder();
    const entries = join(folder, 'esp', 'loader', 'entries');
    mkdirSync(entries, { recursive: true });
    mkdirSync(join(folder, 'esp', 'EFI'));
    const text = (slot: string): string => `title slot ${slot}\nlinux /${slot}/vmlinuz\noptions engraft.slot=${slot}\n`;
    for (const slot of ['A', 'B']) {
      mkdirSync(join(folder, 'esp', slot));
      writeFileSync(join(folder, 'esp', slot, 'vmlinuz'), '');
    }
    writeFileSync(join(entries, 'engraft-9-A.conf'), text('A'));
    writeFileSync(join(entries, 'engraft-10-B.conf.closed'), text('B'));
    const boot = control({
      backend: 'systemd-boot',
      entriesFolder: entries,
      prefix: 'engraft',
      tries: 3,
      running: kernel(folder).running,
    });
    return { folder, boot, entries };
  }

  /** Titles in the order of the menu, the default first. */
  function menu(folder: string): string[] {
    const done = spawnSync('unshare', ['--mount', 'sh', '-c', MENU, 'menu', join(folder, 'esp')], {
      encoding: 'utf8',
      env: { ...process.env, SYSTEMD_RELAX_ESP_CHECKS: '1' },
    });
    expect(done.status, done.stderr).toBe(0);
    // Before version 254: one object a line.
    const text = done.stdout.startsWith('[') ? done.stdout : `[${done.stdout.trim().split('\n').join(',')}]`;
    return (JSON.parse(text) as { title: string }[]).map(({ title }) => title);
  }

  test('puts an armed slot first, a closed one nowhere, and one without tries last', async () => {
    const { folder, boot, entries } = board();
    expect(menu(folder)).toEqual(['slot A']);
    await boot.arm('B');
    expect(readdirSync(entries)).toEqual(['engraft-11-B+3-0.conf', 'engraft-9-A.conf']);
    expect(menu(folder)).toEqual(['slot B', 'slot A']);
    renameSync(join(entries, 'engraft-11-B+3-0.conf'), join(entries, 'engraft-11-B+0-3.conf'));
    expect(menu(folder)).toEqual(['slot A', 'slot B']);
    expect(await boot.read()).toMatchObject({ running: 'A', order: ['B', 'A'], tries: { A: 3, B: 0 } });
    await boot.rollBack('B', 'A');
    expect(menu(folder)).toEqual(['slot A']);
  });

  test('puts a confirmed slot first, and the other one behind it', async () => {
    const { folder, boot, entries } = board();
    await boot.arm('B');
    renameSync(join(entries, 'engraft-11-B+3-0.conf'), join(entries, 'engraft-11-B+2-1.conf'));
    writeFileSync(join(folder, 'cmdline'), 'engraft.slot=B\n');
    await boot.markGood('B');
    expect(readdirSync(entries)).toEqual(['engraft-11-B.conf', 'engraft-9-A.conf']);
    expect(menu(folder)).toEqual(['slot B', 'slot A']);
    await boot.markUnbootable('A');
    expect(menu(folder)).toEqual(['slot B']);
  });

  test('is what a name under both of which a cut left it means', async () => {
    const { folder, boot, entries } = board();
    await boot.arm('B');
    writeFileSync(join(entries, 'engraft-10-B.conf.closed'), 'title slot B\n');
    expect(await boot.read()).toMatchObject({ order: ['B', 'A'], tries: { B: 3 } });
    await boot.markUnbootable('B');
    expect(readdirSync(entries)).toEqual(['engraft-11-B.conf.closed', 'engraft-9-A.conf']);
    expect(menu(folder)).toEqual(['slot A']);
  });
});
