/**
 * The boot control for U-Boot on libubootenv's real tools: a redundant environment in a file, damaged and cut as flash
 * is. The variables are judged by a reader of our own, not by the tools that wrote them.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { makeBootControl } from '../../src/agent/boot/backends.ts';
import { nodeFileSystem, runCommand, type BootControl, type CommandRequest } from '../../src/agent/index.ts';

const has = (program: string, ...args: string[]): boolean => spawnSync(program, args).error === undefined;
const haveTools = has('fw_printenv', '-V') && has('fw_setenv', '-V');
const haveMaker = has('mkenvimage', '-V');
const why = haveTools ? '' : ' (skipped: fw_printenv and fw_setenv of libubootenv-tool are not installed)';

const COPY_BYTES = 0x2000;
const OFFSETS = [0, 0x8000] as const;
const FIRST = 'arch=arm\nbootcmd=run engraft_choose; run engraft_boot\nBOOT_ORDER=A\nBOOT_A_LEFT=3\nBOOT_B_LEFT=0\n';

interface Board {
  readonly store: string;
  readonly config: string;
  control(options?: {
    bootcount?: boolean;
    separator?: '=' | ' ';
    onRun?: (request: CommandRequest) => void;
  }): BootControl;
}

/** A board whose two copies both hold the first environment, as a factory writes it. */
function board(): Board {
  const folder = mkdtempSync(join(tmpdir(), 'engraft-uboot-'));
  const at = (name: string): string => join(folder, name);
  writeFileSync(at('env'), Buffer.alloc(0x10000, 0xff));
  writeFileSync(
    at('fw_env.config'),
    OFFSETS.map((offset) => `${at('env')} 0x${offset.toString(16)} 0x2000\n`).join(''),
  );
  writeFileSync(at('first'), FIRST);
  if (haveMaker) {
    // U-Boot's own tool writes the factory's environment: what libubootenv makes of it is part of the test.
    const made = spawnSync('mkenvimage', ['-r', '-s', String(COPY_BYTES), '-o', at('image'), at('first')]);
    expect(made.status, String(made.stderr)).toBe(0);
    const store = readFileSync(at('env'));
    for (const offset of OFFSETS) readFileSync(at('image')).copy(store, offset);
    writeFileSync(at('env'), store);
  } else {
    const made = spawnSync('fw_setenv', ['-c', at('fw_env.config'), '-f', at('first'), 'made', '1']);
    expect(made.status, String(made.stderr)).toBe(0);
  }
  writeFileSync(at('cmdline'), 'root=PARTUUID=5e7a-02 rw\n');
  writeFileSync(at('boot_id'), 'b1\n');
  return {
    store: at('env'),
    config: at('fw_env.config'),
    control: ({ bootcount = false, separator = '=', onRun } = {}) =>
      makeBootControl(
        {
          backend: 'uboot',
          printenv: ['fw_printenv'],
          setenv: ['fw_setenv'],
          configFile: at('fw_env.config'),
          scriptSeparator: separator,
          bootcount,
          tries: 3,
          deadlineMs: 20_000,
          running: {
            cmdlineFile: at('cmdline'),
            bootIdFile: at('boot_id'),
            roots: { A: 'PARTUUID=5e7a-02', B: 'PARTUUID=5e7a-03' },
          },
        },
        ['A', 'B'],
        {
          fs: nodeFileSystem,
          run: (request) => {
            onRun?.(request);
            return runCommand(request);
          },
        },
      ),
  };
}

interface Copy {
  readonly whole: boolean;
  readonly flag: number;
  readonly variables: ReadonlyMap<string, string>;
}

/** A CRC-32 over the data, one byte that says which copy is newer, then texts that end with a zero byte each. */
function readCopies(store: string): [Copy, Copy] {
  const bytes = readFileSync(store);
  const copyAt = (offset: number): Copy => {
    const copy = bytes.subarray(offset, offset + COPY_BYTES);
    const text = copy.toString('latin1', 5, copy.indexOf('\0\0', 5));
    return {
      whole: copy.readUInt32LE(0) === crc32(copy.subarray(5)),
      flag: copy[4]!,
      variables: new Map(text.split('\0').map((pair) => [pair.split('=')[0]!, pair.slice(pair.indexOf('=') + 1)])),
    };
  };
  return [copyAt(OFFSETS[0]), copyAt(OFFSETS[1])];
}

/** The index of the copy that U-Boot uses: the newer one, where flags count modulo 256. */
function activeOf([first, second]: readonly [Copy, Copy]): number {
  if (!first.whole || !second.whole) return first.whole ? 0 : second.whole ? 1 : -1;
  const ahead = (second.flag - first.flag) & 0xff;
  return ahead > 0 && ahead < 0x80 ? 1 : 0;
}

function damage(store: string, copy: number): void {
  const bytes = readFileSync(store);
  bytes[OFFSETS[copy]! + 20]! ^= 0xff;
  writeFileSync(store, bytes);
}

describe.skipIf(!haveTools)(`libubootenv's tools${why}`, () => {
  test('keep what is armed, confirmed and rolled back', async () => {
    const it = board();
    const control = it.control();
    expect(await control.read()).toMatchObject({ running: 'A', bootId: 'b1', order: ['A'], tries: { A: 3, B: 0 } });
    await control.arm('B');
    expect(await control.read()).toMatchObject({ order: ['B', 'A'], tries: { A: 3, B: 3 } });
    await control.rollBack('B', 'A');
    expect(await control.read()).toMatchObject({ order: ['A'], tries: { A: 3, B: 0 } });
    const copies = readCopies(it.store);
    const active = copies[activeOf(copies)]!;
    expect(Object.fromEntries(active.variables)).toMatchObject({
      arch: 'arm',
      bootcmd: 'run engraft_choose; run engraft_boot',
      BOOT_ORDER: 'A',
      BOOT_A_LEFT: '3',
      BOOT_B_LEFT: '0',
    });
  });

  test('write the copy that is not in use, once for each step', async () => {
    const it = board();
    const writes: string[] = [];
    const control = it.control({
      onRun: ({ argv }) => argv[0] === 'fw_setenv' && writes.push(argv.slice(3).join(' ')),
    });
    const before = readFileSync(it.store);
    const used = activeOf(readCopies(it.store));
    await control.arm('B');
    expect(writes).toEqual(['BOOT_B_LEFT 3', 'BOOT_ORDER B A']);
    // After two writes the copy that was in use is overwritten, too; after one it is untouched.
    const single = board();
    await single.control().markGood('A');
    expect(readFileSync(single.store).equals(before)).toBe(true);
    const other = board();
    await other.control({ bootcount: true }).markGood('A');
    const range = [OFFSETS[used]!, OFFSETS[used]! + COPY_BYTES] as const;
    expect(
      readFileSync(other.store)
        .subarray(...range)
        .equals(before.subarray(...range)),
    ).toBe(true);
    expect(readFileSync(other.store).equals(before)).toBe(false);
  });

  test('use the other copy when the newer one is damaged, and repair it with the next write', async () => {
    const it = board();
    await it.control().arm('B');
    const active = activeOf(readCopies(it.store));
    damage(it.store, active);
    // The older copy is from before the flip: the tries were given, the order was not.
    expect(await it.control().read()).toMatchObject({ order: ['A'], tries: { A: 3, B: 3 } });
    await it.control().arm('B');
    const copies = readCopies(it.store);
    expect(copies.map(({ whole }) => whole)).toEqual([true, true]);
    expect(copies[activeOf(copies)]!.variables.get('BOOT_ORDER')).toBe('B A');
  });

  test('report two damaged copies instead of beginning anew', async () => {
    const it = board();
    damage(it.store, 0);
    damage(it.store, 1);
    const before = readFileSync(it.store);
    await expect(it.control().read()).rejects.toMatchObject({ code: 'boot_tool_failed', outcome: 30 });
    await expect(it.control().read()).rejects.toThrow(/fw_printenv.*Cannot read environment/s);
    await expect(it.control().arm('B')).rejects.toMatchObject({ code: 'boot_tool_failed' });
    expect(readFileSync(it.store).equals(before)).toBe(true);
  });

  test('set the boot count together with the flip, in one write', async () => {
    const it = board();
    const scripts: (string | undefined)[] = [];
    const control = it.control({
      bootcount: true,
      onRun: ({ argv, input }) => argv.includes('-s') && scripts.push(input),
    });
    await control.arm('B');
    expect(scripts).toEqual(['bootcount=0\nupgrade_available=1\nBOOT_ORDER=B A\n']);
    const variables = (): Record<string, string> => {
      const copies = readCopies(it.store);
      return Object.fromEntries(copies[activeOf(copies)]!.variables);
    };
    expect(variables()).toMatchObject({ bootcount: '0', upgrade_available: '1', BOOT_ORDER: 'B A' });
    spawnSync('fw_setenv', ['-c', it.config, 'bootcount', '2']);
    await control.markGood('B');
    expect(variables()).toMatchObject({ bootcount: '0', upgrade_available: '0', BOOT_ORDER: 'B A' });
  });

  test('skip script lines of the other form in silence, which is noticed', async () => {
    const it = board();
    const control = it.control({ bootcount: true, separator: ' ' });
    await expect(control.arm('B')).rejects.toMatchObject({ code: 'boot_readback' });
    expect((await it.control().read()).order).toEqual(['A']);
  });

  test('say which file is missing', async () => {
    const it = board();
    writeFileSync(it.config, `${it.store}.gone 0x0 0x2000\n`);
    await expect(it.control().read()).rejects.toMatchObject({ code: 'boot_tool_failed' });
  });

  test('killed at any moment of a write leave one whole copy, with the order as before or after', async () => {
    const it = board();
    await it.control().arm('B');
    let cut = 0;
    // A busy machine may let forty writes end before they are killed.
    for (let i = 0; i < 40 || (cut === 0 && i < 400); i++) {
      const order = i % 2 === 0 ? 'A B' : 'B A';
      const child = spawn('fw_setenv', ['-c', it.config, 'BOOT_ORDER', order], { stdio: 'ignore' });
      const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
      setTimeout(() => child.kill('SIGKILL'), (i % 40) / 4);
      if ((await ended)[1] === 'SIGKILL') cut++;
      const copies = readCopies(it.store);
      const active = activeOf(copies);
      expect(active, `cut ${i}`).not.toBe(-1);
      expect(['A B', 'B A'], `cut ${i}`).toContain(copies[active]!.variables.get('BOOT_ORDER'));
      const { order: read } = await it.control().read();
      expect(read.join(' '), `cut ${i}`).toBe(copies[active]!.variables.get('BOOT_ORDER'));
    }
    expect(cut).toBeGreaterThan(0);
  });
});
