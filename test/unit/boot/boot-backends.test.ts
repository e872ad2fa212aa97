/**
 * Every backend of the boot control, over fake tools that run as real processes, against a model of its boot loader:
 * the same behaviour from all of them, a slot to boot after a power cut anywhere, and a clear error when a tool fails.
 */
import { describe, expect, test } from 'vitest';
import { runCommand, nodeFileSystem, type BootControl, type CommandRunner } from '../../../src/agent/index.ts';
import { isPowerCut, Power, watchFileSystem } from '../../../src/testing/index.ts';
import { KINDS, Rig } from './boot-rigs.ts';

/** More than any boot loader here has tries. */
const MANY = 5;

/** What the agent does at every start in a slot that is not on trial. */
async function confirm(control: BootControl): Promise<void> {
  const { running, order, tries } = await control.read();
  if (order[0] === running && tries[running]! < control.triesMax) await control.markGood(running);
}

/** Boots that nobody confirms. */
const boots = (rig: Rig, times = rig.kind.closedFor): string[] =>
  Array.from({ length: times }, () => rig.boot() ?? 'none');

describe.each(KINDS.map((kind) => [kind.name, kind] as const))('boot control by %s', (_name, kind) => {
  test('knows which slot runs, and a boot from the next one', async () => {
    const rig = new Rig(kind);
    const first = await rig.control().read();
    expect(first.running).toBe('A');
    expect(first.order[0]).toBe('A');
    expect(first.tries['B']).toBe(0);
    expect(rig.control().triesMax).toBe(kind.triesMax);
    rig.boot();
    expect((await rig.control().read()).bootId).not.toBe(first.bootId);
  });

  test('confirms the running slot at every start, so that it never runs out of tries', async () => {
    const rig = new Rig(kind);
    for (let i = 0; i < MANY; i++) {
      const control = rig.control();
      await confirm(control);
      expect((await control.read()).tries['A']).toBe(kind.triesMax);
      expect(rig.boot()).toBe('A');
    }
  });

  test('never boots a closed slot, however often the good one hangs', async () => {
    const rig = new Rig(kind);
    const control = rig.control();
    await control.arm('B');
    await control.markUnbootable('B');
    expect(await control.read()).toMatchObject({ running: 'A', tries: { B: 0 } });
    expect(new Set(boots(rig))).toEqual(new Set(['A']));
  });

  test('arms a slot, which then has its tries', async () => {
    const rig = new Rig(kind);
    const control = rig.control();
    await control.arm('B');
    const armed = await control.read();
    expect(armed.order[0]).toBe('B');
    expect(armed.tries['B']).toBe(kind.triesMax);
    expect(rig.boot()).toBe('B');
    await rig.control().markGood('B');
    expect(await rig.control().read()).toMatchObject({ running: 'B' });
    for (let i = 0; i < MANY; i++) {
      expect(rig.boot()).toBe('B');
      await confirm(rig.control());
    }
  });

  test('falls back by itself from a slot that is never confirmed, and shows that its tries are used up', async () => {
    const rig = new Rig(kind);
    await rig.control().arm('B');
    const slots: (string | null)[] = [];
    for (let slot = rig.boot(); slot === 'B' && slots.length < MANY; slot = rig.boot()) slots.push(slot);
    expect(slots.length).toBeGreaterThan(0);
    expect(slots.length).toBeLessThan(4);
    const after = await rig.control().read();
    expect(after).toMatchObject({ running: 'A', tries: { B: 0 } });
    const control = rig.control();
    await control.rollBack('B', 'A');
    // It has used tries up until somebody was there to go back. A program of the board keeps its count to itself.
    if (kind.name !== 'command') expect((await control.read()).tries['A']).toBe(control.triesMax);
    for (let i = 0; i < MANY; i++) {
      expect(rig.boot()).toBe('A');
      await confirm(rig.control());
    }
  });

  test('rolls back from the slot on trial, which is closed then', async () => {
    const rig = new Rig(kind);
    await rig.control().arm('B');
    expect(rig.boot()).toBe('B');
    expect((await rig.control().read()).tries['A']).toBeGreaterThan(0);
    await rig.control().rollBack('B', 'A');
    expect(new Set(boots(rig))).toEqual(new Set(['A']));
    expect(await rig.control().read()).toMatchObject({ running: 'A', tries: { B: 0 } });
  });

  test('takes an armed slot back before the reboot', async () => {
    const rig = new Rig(kind);
    const control = rig.control();
    await control.arm('B');
    await control.rollBack('B', 'A');
    expect((await control.read()).order[0]).toBe('A');
    expect(new Set(boots(rig))).toEqual(new Set(['A']));
  });

  test('neither arms nor closes the running slot', async () => {
    const control = new Rig(kind).control();
    await expect(control.arm('A')).rejects.toMatchObject({ code: 'slot_active' });
    await expect(control.markUnbootable('A')).rejects.toMatchObject({ code: 'slot_active' });
  });

  test('may be told everything twice', async () => {
    const rig = new Rig(kind);
    await rig.control().arm('B');
    await rig.control().arm('B');
    expect(rig.boot()).toBe('B');
    await rig.control().markGood('B');
    await rig.control().markGood('B');
    expect(rig.boot()).toBe('B');
    await rig.control().markUnbootable('A');
    await rig.control().markUnbootable('A');
    expect(new Set(boots(rig))).toEqual(new Set(['B']));
  });
});

interface Change {
  readonly name: string;
  /** Brings a rig to where the change begins. */
  begin(rig: Rig): Promise<void>;
  act(control: BootControl): Promise<void>;
  /** Slots that may be booted after a power cut in it. */
  readonly may: readonly string[];
  readonly done: string;
}

const onTrial = async (rig: Rig): Promise<void> => {
  await rig.control().arm('B');
  rig.boot();
};

const CHANGES: readonly Change[] = [
  {
    name: 'closing',
    begin: (rig) => rig.control().arm('B'),
    act: (it) => it.markUnbootable('B'),
    may: ['A', 'B'],
    done: 'A',
  },
  {
    name: 'closing what is closed',
    begin: async () => undefined,
    act: (it) => it.markUnbootable('B'),
    may: ['A'],
    done: 'A',
  },
  { name: 'arming', begin: async () => undefined, act: (it) => it.arm('B'), may: ['A', 'B'], done: 'B' },
  { name: 'confirming', begin: onTrial, act: (it) => it.markGood('B'), may: ['A', 'B'], done: 'B' },
  { name: 'rolling back', begin: onTrial, act: (it) => it.rollBack('B', 'A'), may: ['A', 'B'], done: 'A' },
];

/** A world whose power fails in the operation with this number: a call of a tool, or a change of a file. */
function powered(power: Power): { fs: typeof nodeFileSystem; run: CommandRunner } {
  const changing = new Set(['write', 'sync', 'rename', 'unlink', 'syncFolder']);
  const fs = watchFileSystem(nodeFileSystem, ({ name, path }) => {
    if (changing.has(name)) power.use(`${name} ${path}`);
  });
  const run: CommandRunner = async (request) => {
    power.use(request.argv.join(' '));
    return runCommand(request);
  };
  return { fs, run };
}

describe.each(KINDS.map((kind) => [kind.name, kind] as const))('a power cut with %s', (_name, kind) => {
  test.each(CHANGES.map((change) => [change.name, change] as const))(
    'anywhere in %s leaves a slot',
    async (_what, change) => {
      let cuts = 0;
      for (; ; cuts++) {
        const rig = new Rig(kind);
        await change.begin(rig);
        const power = new Power();
        power.cutAt(cuts + 1);
        const thrown = await change.act(rig.control(powered(power))).then(
          () => null,
          (error: unknown) => error,
        );
        if (thrown === null) {
          expect(rig.boot()).toBe(change.done);
          break;
        }
        expect(isPowerCut(thrown)).toBe(true);
        const at = `cut ${cuts + 1}: ${power.log.at(-1)}`;
        expect(change.may, at).toContain(rig.boot());
        // Nobody confirms anything, as if B hung and A had a loose plug: A is reached, again and again.
        const later = boots(rig, 12);
        expect(later, at).not.toContain('none');
        // A slot that was confirmed is good, whatever it does afterwards.
        if (change.name === 'confirming') continue;
        expect(later.slice(0, 6), at).toContain('A');
        expect(later.slice(6), at).toContain('A');
      }
      // Closing what is closed writes nothing.
      expect(cuts).toBeGreaterThan(kind.tools ? 1 : change.may.length - 2);
    },
  );

  test.runIf(kind.tools)("in the middle of a tool's own write leaves a slot", async () => {
    for (const change of CHANGES) {
      const rig = new Rig(kind);
      await change.begin(rig);
      rig.misbehave('torn');
      await change.act(rig.control()).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'boot_tool_failed', outcome: 30 });
      });
      rig.misbehave('well');
      expect(change.may, change.name).toContain(rig.boot());
      expect(boots(rig, 6), change.name).not.toContain('none');
    }
  });
});

const TOOLED = KINDS.filter(({ tools }) => tools);

describe.each(TOOLED.map((kind) => [kind.name, kind] as const))('a tool of %s', (_name, kind) => {
  const attempts = (control: BootControl): [string, () => Promise<unknown>][] => [
    ['read', () => control.read()],
    ['arm', () => control.arm('B')],
    ['markGood', () => control.markGood('A')],
  ];

  test('that writes nothing and says that it did is not believed', async () => {
    const rig = new Rig(kind);
    rig.misbehave('deaf');
    await expect(rig.control().arm('B')).rejects.toMatchObject({ code: 'boot_readback', outcome: 30 });
    rig.misbehave('well');
    await onTrial(rig);
    rig.misbehave('deaf');
    if (!kind.name.startsWith('command')) {
      await expect(rig.control().markGood('B')).rejects.toMatchObject({ code: 'boot_readback' });
    }
    rig.misbehave('well');
    await rig.control().markGood('B');
    rig.misbehave('deaf');
    await expect(rig.control().rollBack('B', 'A')).rejects.toMatchObject({ code: 'boot_readback' });
  });

  test('that fails is quoted', async () => {
    const rig = new Rig(kind);
    rig.misbehave('fail');
    for (const [what, attempt] of attempts(rig.control())) {
      const failed = attempt();
      await expect(failed, what).rejects.toMatchObject({ code: 'boot_tool_failed', outcome: 30, retryable: true });
      await expect(failed, what).rejects.toThrow(/ended with 1: .*Cannot access MTD device/s);
    }
  });

  test('that hangs is ended', async () => {
    const rig = new Rig(kind);
    rig.misbehave('hang');
    const started = performance.now();
    await expect(rig.control({ deadlineMs: 200 }).read()).rejects.toThrow(/did not end within 0.2 s/);
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test('that answers nonsense is not taken at its word', async () => {
    const rig = new Rig(kind);
    rig.misbehave('garbage');
    for (const [what, attempt] of attempts(rig.control())) {
      await expect(attempt(), what).rejects.toMatchObject({ code: 'boot_unreadable' });
    }
  });

  test('that is not installed is named', async () => {
    const rig = new Rig(kind);
    rig.uninstall();
    const failed = rig.control().read();
    await expect(failed).rejects.toMatchObject({ code: 'boot_tool_failed' });
    await expect(failed).rejects.toThrow(/could not be started.*ENOENT/);
  });
});
