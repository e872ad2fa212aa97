/**
 * One rig for each backend of the boot control: fake tools in a folder of their own, and a model of the boot loader
 * that reads what they keep. The models are written from what the boot scripts in docs/boot-control.md do, and share no
 * code with the agent.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeBootControl } from '../../../src/agent/boot/backends.ts';
import {
  runCommand,
  nodeFileSystem,
  type BootControl,
  type CommandRunner,
  type FileSystem,
} from '../../../src/agent/index.ts';
import type { BootConfig } from '../../../src/agent/config/boot.ts';
import { EFIBOOTMGR, FW_PRINTENV, FW_SETENV, GRUB_EDITENV, HOOK, installTool, type Mode } from './boot-fakes.ts';

type Chosen = string | null;

interface Kind {
  readonly name: string;
  /** False where it works on files alone. */
  readonly tools: boolean;
  readonly triesMax: number;
  /**
   * For how many boots that nobody confirms a closed slot stays closed. The file backend keeps it in the order, where it
   * looks like one whose tries are used up as soon as those of the other are.
   */
  readonly closedFor: number;
  /** A board whose slot A is good and whose slot B is closed. */
  prepare(folder: string): void;
  config(folder: string, deadlineMs: number): BootConfig;
  /** One boot: which slot, null when there is none. */
  choose(folder: string): Chosen;
}

export class Rig {
  readonly kind: Kind;
  readonly folder = mkdtempSync(join(tmpdir(), 'engraft-boot-'));
  #boots = 0;

  constructor(kind: Kind) {
    this.kind = kind;
    this.misbehave('well');
    kind.prepare(this.folder);
    this.boot();
  }

  misbehave(mode: Mode): void {
    writeFileSync(join(this.folder, 'mode'), mode);
  }

  /** Its tools are gone. */
  uninstall(): void {
    for (const name of ['fw_printenv', 'fw_setenv', 'grub-editenv', 'efibootmgr', 'hook']) {
      rmSync(join(this.folder, name), { force: true });
    }
  }

  control(world: { fs?: FileSystem; run?: CommandRunner; deadlineMs?: number } = {}): BootControl {
    const config = this.kind.config(this.folder, world.deadlineMs ?? 10_000);
    return makeBootControl(config, ['A', 'B'], { fs: world.fs ?? nodeFileSystem, run: world.run ?? runCommand });
  }

  boot(): Chosen {
    const slot = this.kind.choose(this.folder);
    const id = `boot-${++this.#boots}`;
    writeFileSync(join(this.folder, 'cmdline'), `console=ttyS0 root=/dev/x engraft.slot=${slot} quiet\n`);
    writeFileSync(join(this.folder, 'boot_id'), `${id}\n`);
    writeFileSync(join(this.folder, 'choice'), `slot=${slot}\nboot_id=${id}\n`);
    return slot;
  }
}

const lines = (path: string): Map<string, string> =>
  new Map(
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
  );

const store = (path: string, values: ReadonlyMap<string, string>): void =>
  writeFileSync(path, [...values].map(([name, value]) => `${name}=${value}\n`).join(''));

const running = (folder: string) => ({
  cmdlineFile: join(folder, 'cmdline'),
  bootIdFile: join(folder, 'boot_id'),
  roots: {},
});

/** RAUC's variables for U-Boot. When no slot has a try left, all of the order get theirs back. */
function chooseByLeft(path: string): Chosen {
  const variables = lines(path);
  const order = (variables.get('BOOT_ORDER') ?? 'A B').split(' ').filter((slot) => slot !== '');
  const left = (slot: string): number => Number(variables.get(`BOOT_${slot}_LEFT`) ?? 0);
  if (order.every((slot) => left(slot) <= 0)) for (const slot of order) variables.set(`BOOT_${slot}_LEFT`, '3');
  const slot = order.find((each) => left(each) > 0);
  if (slot === undefined) return null;
  variables.set(`BOOT_${slot}_LEFT`, String(left(slot) - 1));
  store(path, variables);
  return slot;
}

const FILE: Kind = {
  name: 'file',
  tools: false,
  triesMax: 3,
  closedFor: 3,
  prepare: (folder) => writeFileSync(join(folder, 'state'), 'BOOT_ORDER=A B\nBOOT_A_LEFT=3\nBOOT_B_LEFT=0\n'),
  config: (folder) => ({
    backend: 'file',
    stateFile: join(folder, 'state'),
    choiceFile: join(folder, 'choice'),
    tries: 3,
  }),
  choose: (folder) => chooseByLeft(join(folder, 'state')),
};

const uboot = (bootcount: boolean): Kind => ({
  name: bootcount ? 'uboot with bootcount' : 'uboot',
  tools: true,
  triesMax: 3,
  closedFor: 12,
  prepare: (folder) => {
    installTool(folder, 'fw_printenv', FW_PRINTENV);
    installTool(folder, 'fw_setenv', FW_SETENV);
    const text = 'arch=arm\nBOOT_ORDER=A\nBOOT_A_LEFT=3\nBOOT_B_LEFT=0\nbootcmd=run x; y=1\n';
    writeFileSync(join(folder, 'state'), text);
  },
  config: (folder, deadlineMs) => ({
    backend: 'uboot',
    printenv: [join(folder, 'fw_printenv')],
    setenv: [join(folder, 'fw_setenv')],
    configFile: null,
    scriptSeparator: '=',
    bootcount,
    tries: 3,
    deadlineMs,
    running: running(folder),
  }),
  choose: (folder) => {
    const path = join(folder, 'state');
    const counted = lines(path);
    // U-Boot's own count, with a limit of 2: altbootcmd gives the first slot of the order up.
    if (bootcount && counted.get('upgrade_available') === '1') {
      const boots = Number(counted.get('bootcount')) + 1;
      counted.set('bootcount', String(boots));
      if (boots > 2) {
        const first = counted.get('BOOT_ORDER')!.split(' ')[0]!;
        counted.set(`BOOT_${first}_LEFT`, '0').set('upgrade_available', '0').set('bootcount', '0');
      }
      store(path, counted);
    }
    return chooseByLeft(path);
  },
});

const GRUB: Kind = {
  name: 'grub',
  tools: true,
  triesMax: 1,
  closedFor: 12,
  prepare: (folder) => {
    installTool(folder, 'grub-editenv', GRUB_EDITENV);
    writeFileSync(join(folder, 'grubenv'), 'saved_entry=0\nORDER=A B\nA_OK=1\nA_TRY=0\nB_OK=0\nB_TRY=0\n');
  },
  config: (folder, deadlineMs) => ({
    backend: 'grub',
    editenv: [join(folder, 'grub-editenv')],
    blockFile: join(folder, 'grubenv'),
    deadlineMs,
    running: running(folder),
  }),
  choose: (folder) => {
    const path = join(folder, 'grubenv');
    const block = lines(path);
    const order = (block.get('ORDER') ?? 'A B').split(' ');
    const good = (slot: string): boolean => block.get(`${slot}_OK`) === '1';
    const free = (slot: string): boolean => good(slot) && block.get(`${slot}_TRY`) === '0';
    if (!order.some(free)) for (const slot of order.filter(good)) block.set(`${slot}_TRY`, '0');
    const slot = order.find(free);
    if (slot === undefined) return null;
    store(path, block.set(`${slot}_TRY`, '1'));
    return slot;
  },
};

const EFI: Kind = {
  name: 'efi',
  tools: true,
  triesMax: 1,
  closedFor: 12,
  prepare: (folder) => {
    installTool(folder, 'efibootmgr', EFIBOOTMGR);
    const text = `Timeout: 1 seconds
BootOrder: 0003,0000
Boot0000* UiApp\tFvVol(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1)
Boot0003* engraft A\tHD(1,GPT,5e7a0000)/File(\\EFI\\a.efi)
Boot000A* engraft B
`;
    writeFileSync(join(folder, 'state'), text);
  },
  config: (folder, deadlineMs) => ({
    backend: 'efi',
    efibootmgr: [join(folder, 'efibootmgr')],
    labels: {},
    deadlineMs,
    running: running(folder),
  }),
  choose: (folder) => {
    const path = join(folder, 'state');
    const text = readFileSync(path, 'utf8');
    const next = /^BootNext: (.*)$/m.exec(text)?.[1];
    const order = /^BootOrder: (.*)$/m.exec(text)?.[1]?.split(',') ?? [];
    const slots: Record<string, string> = { '0003': 'A', '000A': 'B' };
    const number = [...(next === undefined ? [] : [next]), ...order].find((each) => each in slots);
    const rest = text.replace(/^BootNext: .*\n/m, '').replace(/^BootCurrent: .*\n/m, '');
    writeFileSync(path, number === undefined ? rest : `BootCurrent: ${number}\n${rest}`);
    return number === undefined ? null : slots[number]!;
  },
};

const SYSTEMD: Kind = {
  name: 'systemd-boot',
  tools: false,
  triesMax: 3,
  closedFor: 12,
  prepare: (folder) => {
    mkdirSync(join(folder, 'entries'));
    writeFileSync(join(folder, 'entries', 'engraft-1-A.conf'), 'title A\n');
    writeFileSync(join(folder, 'entries', 'engraft-9-B.conf.closed'), 'title B\n');
    writeFileSync(join(folder, 'entries', 'memtest.efi'), '');
  },
  config: (folder) => ({
    backend: 'systemd-boot',
    entriesFolder: join(folder, 'entries'),
    prefix: 'engraft',
    tries: 3,
    running: running(folder),
  }),
  choose: (folder) => {
    const entries = join(folder, 'entries');
    const found = readdirSync(entries)
      .map((name) => /^engraft-(\d+)-(.)(\+(\d+)-(\d+))?\.conf$/.exec(name))
      .filter((match) => match !== null)
      .map(([name, generation, slot, counter, left, done]) => ({
        name,
        slot: slot!,
        generation: Number(generation),
        counted: counter !== undefined,
        left: Number(left),
        done: Number(done),
      }));
    const spent = (each: { counted: boolean; left: number }): number => (each.counted && each.left === 0 ? 1 : 0);
    const [first] = found.sort((a, b) => spent(a) - spent(b) || b.generation - a.generation);
    if (first === undefined) return null;
    if (first.counted && first.left > 0) {
      const name = `engraft-${first.generation}-${first.slot}+${first.left - 1}-${first.done + 1}.conf`;
      renameSync(join(entries, first.name), join(entries, name));
    }
    return first.slot;
  },
};

const hook = (tellsTries: boolean): Kind => ({
  name: tellsTries ? 'command with tries' : 'command',
  tools: true,
  triesMax: tellsTries ? 2 : 1,
  closedFor: 12,
  prepare: (folder) => {
    installTool(folder, 'hook', HOOK);
    writeFileSync(join(folder, 'state'), 'ORDER=A\nLEFT_A=2\nLEFT_B=0\nCURRENT=A\n');
  },
  config: (folder, deadlineMs) => ({
    backend: 'command',
    command: [join(folder, 'hook')],
    tries: tellsTries ? 2 : null,
    deadlineMs,
    running: running(folder),
  }),
  choose: (folder) => {
    const path = join(folder, 'state');
    const state = lines(path);
    const order = state
      .get('ORDER')!
      .split(' ')
      .filter((slot) => slot !== '');
    const left = (slot: string): number => Number(state.get(`LEFT_${slot}`));
    if (order.every((slot) => left(slot) === 0)) for (const slot of order) state.set(`LEFT_${slot}`, '2');
    const slot = order.find((each) => left(each) > 0);
    if (slot === undefined) return null;
    store(path, state.set(`LEFT_${slot}`, String(left(slot) - 1)).set('CURRENT', slot));
    return slot;
  },
});

export const KINDS: readonly Kind[] = [FILE, uboot(false), uboot(true), GRUB, EFI, SYSTEMD, hook(true), hook(false)];
