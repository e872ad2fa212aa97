/**
 * A data folder that was lost, emptied, damaged, taken from another board or restored from a backup: a slot that nobody
 * has tested is never confirmed, a release that is not healthy goes back, and no device is left without a slot.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { Agent, runCommand, type CommandRunner, type RunResult } from '../../../src/agent/index.ts';
import { errnoError } from '../../../src/testing/index.ts';
import { sha256Node } from '../../../src/platform/hash.ts';
import {
  device,
  imagePair,
  makeLab,
  sameBytes,
  type DeviceOptions,
  type Lab,
  type SimulatedDevice,
} from '../../support/device/agent.ts';
import { KINDS, Rig } from '../../unit/boot/boot-rigs.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await makeLab(imagePair(70_000, 70_000));
});

/** Health of the release that runs, told by its bytes; `checks` counts how often it was asked. */
function health(it: SimulatedDevice, sick: Uint8Array | null): { checks: number } {
  const counted = { checks: 0 };
  it.run = async ({ argv }) => {
    if (argv[0] !== 'check') return { exitCode: 0, timedOut: false, output: '', stdout: '' };
    counted.checks++;
    const slot = /slot=(.)/.exec(new TextDecoder().decode(it.disk.peek('/boot/choice')!))![1]!;
    const fails = sick !== null && sameBytes(it.slot(slot.toLowerCase() as 'a' | 'b'), sick);
    return { exitCode: fails ? 1 : 0, timedOut: false, output: fails ? 'no data partition' : '', stdout: '' };
  };
  return counted;
}

/** Version 2.0 is in slot B, on trial; the agent has not run in it yet. */
async function onTrial(options: DeviceOptions = {}): Promise<SimulatedDevice> {
  const it = await device(lab, options);
  await it.knowsSource();
  it.deployments.assign('2.0');
  expect(await it.once()).toMatchObject({ code: 'reboot_pending' });
  expect(await it.boot()).toBe('B');
  return it;
}

const empty = async (it: SimulatedDevice): Promise<void> => {
  await it.disk.removeFolder('/data');
};

const LOSSES: readonly (readonly [string, (it: SimulatedDevice, before: Uint8Array) => Promise<void> | void])[] = [
  ['missing', (it) => it.disk.unlink('/data/journal')],
  ['in an empty folder', async (it) => { await empty(it); await it.disk.makeFolder('/data'); }], // prettier-ignore
  ['in a folder that is gone', empty],
  ['damaged', (it) => it.disk.place('/data/journal', new Uint8Array([1, 2, 3]))],
  ['cut off', (it) => it.disk.place('/data/journal', it.disk.peek('/data/journal')!.slice(0, 200))],
  ["another board's", async (it) => it.disk.place('/data/journal', await foreignJournal())],
  ['one of before the update', (it, before) => it.disk.place('/data/journal', before)],
];

/** Of a board with another id, which has confirmed its slot B. */
async function foreignJournal(): Promise<Uint8Array> {
  const other = await device(lab, { controllerId: 'dev-2' });
  await other.knowsSource();
  other.deployments.assign('2.0');
  expect(await other.untilDone()).toMatchObject({ status: 0 });
  return other.disk.peek('/data/journal')!;
}

const earlier = async (): Promise<Uint8Array> => {
  const it = await device(lab);
  await it.knowsSource();
  await it.once();
  return it.disk.peek('/data/journal')!;
};

describe.each(LOSSES)('a slot on trial with its journal %s', (_name, lose) => {
  test('is tested, confirmed, and reported as finished', async () => {
    const it = await onTrial();
    await lose(it, await earlier());
    const asked = health(it, null);
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    expect(asked.checks).toBeGreaterThan(0);
    expect(it.deployments.closed).toMatchObject([{ outcome: { status: 0 } }]);
    expect(it.bootState()).toMatch(/BOOT_ORDER=B A\n(.*\n)?BOOT_B_LEFT=3/);
    const checks = asked.checks;
    for (let i = 0; i < 5; i++) {
      expect(await it.boot()).toBe('B');
      expect(await it.once()).toMatchObject({ code: 'no_update' });
    }
    expect(asked.checks).toBe(checks);
  });

  test('goes back when it is not healthy: 40, once, with nothing downloaded again', async () => {
    const it = await onTrial();
    await lose(it, await earlier());
    const asked = health(it, lab.target);
    expect(await it.once()).toMatchObject({ status: 40, code: 'rollback_pending' });
    expect(it.deployments.closed).toEqual([]);
    // Whoever starts the agent again before the reboot changes nothing.
    expect(await it.once()).toMatchObject({ status: 40, code: 'rollback_pending' });
    expect(asked.checks).toBe(1);
    expect(await it.boot()).toBe('A');
    const bytes = it.network.bytesOf('/blobs/');
    expect(await it.untilDone()).toMatchObject({ status: 40, code: 'health_failed' });
    expect(it.network.bytesOf('/blobs/')).toBe(bytes);
    expect(it.deployments.closed).toMatchObject([{ outcome: { status: 40, code: 'health_failed' } }]);
    for (let i = 0; i < 8; i++) {
      expect(await it.boot()).toBe('A');
      expect(await it.once()).toMatchObject({ code: 'no_update' });
    }
  });

  test('stays when it is not healthy and there is nothing to go back to, and says so', async () => {
    const it = await onTrial();
    await lose(it, await earlier());
    closeSlot(it, 'A');
    const asked = health(it, lab.target);
    expect(await it.untilDone()).toMatchObject({ status: 40, code: 'no_way_back' });
    expect(it.deployments.closed).toMatchObject([{ outcome: { status: 40, code: 'no_way_back' } }]);
    const checks = asked.checks;
    for (let i = 0; i < 8; i++) {
      expect(await it.boot()).toBe('B');
      expect(await it.once()).toMatchObject({ code: 'no_update' });
    }
    // It is tested at every start, until it is healthy.
    expect(asked.checks).toBe(checks + 8);
    health(it, null);
    await it.boot();
    await it.once();
    expect(it.journal().confirmed).toMatchObject({ slot: 'B' });
  });
});

function closeSlot(it: SimulatedDevice, slot: string): void {
  const state = it.bootState().replace(new RegExp(`BOOT_${slot}_LEFT=\\d`), `BOOT_${slot}_LEFT=0`);
  it.disk.place('/boot/state', new TextEncoder().encode(state));
}

test('a trial with its journal in order stays, too, when there is nothing to go back to', async () => {
  const it = await onTrial();
  closeSlot(it, 'A');
  health(it, lab.target);
  expect(await it.once()).toMatchObject({ status: 40, code: 'no_way_back' });
  for (let i = 0; i < 8; i++) {
    expect(await it.boot()).toBe('B');
    await it.once();
  }
  expect(it.deployments.closed).toHaveLength(1);
});

test('a journal that cannot be read is not written over, and the slot is tested all the same', async () => {
  let isBroken = false;
  const it = await onTrial({
    watch: ({ path }) => {
      if (isBroken && path.startsWith('/data')) throw errnoError('EIO', 'injected');
    },
  });
  const before = it.disk.peek('/data/journal');
  isBroken = true;
  health(it, lab.target);
  expect(await it.once()).toMatchObject({ status: 40, code: 'rollback_pending' });
  expect(it.disk.peek('/data/journal')).toEqual(before);
  expect(await it.boot()).toBe('A');
  isBroken = false;
  expect(await it.untilDone()).toMatchObject({ status: 40 });
  expect(it.deployments.closed).toHaveLength(1);
});

test('a release that makes the data partition read-only goes back', async () => {
  let isReadOnly = false;
  const it = await onTrial({
    watch: ({ name, path }) => {
      const changes = ['write', 'truncate', 'rename', 'link', 'unlink', 'makeFolder'].includes(name);
      if (isReadOnly && changes && path.startsWith('/data/')) throw errnoError('EROFS', 'injected');
    },
  });
  isReadOnly = true;
  health(it, lab.target);
  expect(await it.once()).toMatchObject({ status: 40, code: 'rollback_pending' });
  expect(await it.boot()).toBe('A');
  isReadOnly = false;
  expect(await it.untilDone()).toMatchObject({ status: 40 });
  expect(it.deployments.closed).toHaveLength(1);
});

test('a journal of two updates ago does not confirm a slot of the same name', async () => {
  const third = lab.target.slice().reverse();
  await lab.publisher.release(3, { image: third, rollbackIndex: 3 });
  const it = await device(lab);
  await it.knowsSource();
  await it.once();
  const old = it.disk.peek('/data/journal')!;
  it.deployments.assign('2.0');
  expect(await it.untilDone()).toMatchObject({ status: 0 });
  it.deployments.assign('3.0', 'action-2');
  expect(await it.once()).toMatchObject({ code: 'reboot_pending' });
  expect(await it.boot()).toBe('A');
  it.disk.place('/data/journal', old);
  health(it, third);
  expect(await it.once()).toMatchObject({ status: 40, code: 'rollback_pending' });
  expect(await it.boot()).toBe('B');
  expect(await it.untilDone()).toMatchObject({ status: 40, code: 'health_failed' });
});

test('a journal of the update before does not arm once more what it was about to arm then', async () => {
  const third = lab.target.slice().reverse();
  await lab.publisher.release(3, { image: third, rollbackIndex: 3 });
  const it = await device(lab);
  await it.knowsSource();
  it.deployments.assign('2.0');
  expect(await it.once()).toMatchObject({ code: 'reboot_pending' });
  const armed = it.disk.peek('/data/journal')!;
  expect(await it.boot()).toBe('B');
  expect(await it.untilDone()).toMatchObject({ status: 0 });
  it.deployments.assign('3.0', 'action-2');
  expect(await it.once()).toMatchObject({ code: 'reboot_pending' });
  expect(await it.boot()).toBe('A');
  it.disk.place('/data/journal', armed);
  expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
  expect(await it.boot()).toBe('A');
  expect(sameBytes(it.slot('a'), third)).toBe(true);
  expect(it.deployments.closed.at(-1)).toMatchObject({ actionId: 'action-2', outcome: { status: 0 } });
});

test('a file target without its data folder is tested, and goes back', async () => {
  for (const sick of [true, false]) {
    const it = await device(lab, { fileTarget: true });
    await it.knowsSource();
    it.deployments.assign('2.0');
    const fails = (): boolean => sick && sameBytes(it.slot('a'), lab.target);
    let checks = 0;
    it.run = async () => {
      // In the first trial the power fails, and the data folder is gone with it.
      if (++checks === 1) {
        it.power.cutAt(1);
        it.power.use('check');
      }
      return { exitCode: fails() ? 1 : 0, timedOut: false, output: '', stdout: '' };
    };
    await it.once().catch(() => undefined);
    expect(sameBytes(it.slot('a'), lab.target)).toBe(true);
    it.power.restore();
    await empty(it);
    const result = await it.once();
    expect(checks).toBeGreaterThan(1);
    expect(result).toMatchObject(sick ? { status: 40, code: 'health_failed' } : { status: 0, code: 'ok' });
    expect(sameBytes(it.slot('a'), sick ? lab.source : lab.target)).toBe(true);
    expect(it.deployments.closed).toHaveLength(1);
  }
});

/** A device whose boot loader is one of the rigs. */
class Board {
  readonly it: SimulatedDevice;
  readonly rig: Rig;
  slot = 'A';
  checks = 0;
  sick = '';

  constructor(it: SimulatedDevice, kind: (typeof KINDS)[number]) {
    this.it = it;
    this.rig = new Rig(kind);
  }

  boot(): string {
    const slot = this.rig.boot();
    if (slot === null) throw new Error('no slot left');
    return (this.slot = slot);
  }

  async once(): Promise<RunResult> {
    const { clock, network, fs } = this.it;
    const run: CommandRunner = async () => {
      this.checks++;
      return { exitCode: this.slot === this.sick ? 1 : 0, timedOut: false, output: '', stdout: '' };
    };
    const agent = new Agent(this.it.config, {
      world: { clock, network, fs, hash: sha256Node, run },
      boot: this.rig.control({ run: runCommand }),
      deployments: this.it.deployments,
    });
    return agent.run({ once: true });
  }
}

describe.each(KINDS.map((kind) => [kind.name, kind] as const))(
  'with %s, a trial without its journal',
  (_name, kind) => {
    async function trial(sick: string): Promise<Board> {
      const it = await device(lab);
      await it.knowsSource();
      it.deployments.assign('2.0');
      const board = new Board(it, kind);
      expect(await board.once()).toMatchObject({ code: 'reboot_pending' });
      expect(board.boot()).toBe('B');
      await empty(it);
      board.sick = sick;
      return board;
    }

    test('is tested and confirmed when it is healthy', async () => {
      const board = await trial('');
      // Also when the server has nothing more to say.
      board.it.deployments.assigned = null;
      expect(await board.once()).toMatchObject({ code: 'no_update' });
      expect(board.checks).toBe(1);
      for (let i = 0; i < 4; i++) {
        expect(board.boot()).toBe('B');
        await board.once();
      }
      expect(board.checks).toBe(1);
    });

    test('goes back when it is not, and nothing is confirmed', async () => {
      const board = await trial('B');
      expect(await board.once()).toMatchObject({ status: 40, code: 'rollback_pending' });
      expect(board.boot()).toBe('A');
      expect(await board.once()).toMatchObject({ status: 40, code: 'health_failed' });
      for (let i = 0; i < 4; i++) {
        expect(board.boot()).toBe('A');
        await board.once();
      }
      expect(board.it.deployments.closed).toHaveLength(1);
    });

    test('stays when no slot is healthy, however often it boots', async () => {
      const board = await trial('B');
      await board.once();
      expect(board.boot()).toBe('A');
      board.it.deployments.assigned = null;
      board.sick = 'A';
      await empty(board.it);
      for (let i = 0; i < 8; i++) {
        await board.once();
        expect(board.boot()).toBe('A');
      }
    });
  },
);
