/**
 * Whole updates over every boot control: what the agent concludes after a reboot from what each boot loader leaves
 * behind. An armed slot that fell back must end the attempt with 40 and not be armed for ever, and a flip that a power
 * cut prevented must be done again and not be taken for a fall back.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { Agent, runCommand, type CommandRunner, type RunResult } from '../../../src/agent/index.ts';
import { isPowerCut } from '../../../src/testing/index.ts';
import { sha256Node } from '../../../src/platform/hash.ts';
import { device, imagePair, makeLab, sameBytes, type Lab, type SimulatedDevice } from '../../support/device/agent.ts';
import { KINDS, Rig } from '../../unit/boot/boot-rigs.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await makeLab(imagePair(70_000, 70_000));
});

class Board {
  readonly it: SimulatedDevice;
  readonly rig: Rig;
  run: CommandRunner = runCommand;
  onState: (state: string) => void = () => undefined;
  /** Slots in the order in which they were booted. */
  readonly booted: string[] = [];

  constructor(it: SimulatedDevice, rig: Rig) {
    this.it = it;
    this.rig = rig;
  }

  agent(): Agent {
    const { clock, network, fs, run } = this.it;
    const boot = this.rig.control({ run: (request) => this.run(request) });
    return new Agent(this.it.config, {
      world: { clock, network, fs, hash: sha256Node, run },
      boot,
      deployments: this.it.deployments,
      onEvent: (event) => {
        this.it.events.push(event);
        if (event.type === 'state') this.onState(event.state);
      },
    });
  }

  boot(): string {
    const slot = this.rig.boot();
    if (slot === null) throw new Error('the device is bricked');
    this.booted.push(slot);
    return slot;
  }

  /** Boots and runs until the attempt has ended; slot B never gets to its agent where it hangs. */
  async untilDone(hangs: boolean): Promise<RunResult> {
    for (let i = 0; i < 20; i++) {
      if (this.boot() === 'B' && hangs) continue;
      const result = await this.agent().run({ once: true });
      if (!['reboot_pending', 'rollback_pending', 'no_update'].includes(result.code)) return result;
    }
    throw new Error(`not done after ${this.booted.join(' ')}`);
  }
}

async function board(kind: (typeof KINDS)[number]): Promise<Board> {
  const it = await device(lab);
  await it.knowsSource();
  it.deployments.assign('2.0');
  return new Board(it, new Rig(kind));
}

describe.each(KINDS.map((kind) => [kind.name, kind] as const))('an update with %s', (_name, kind) => {
  test('is booted, confirmed, and stays', async () => {
    const it = await board(kind);
    expect(await it.agent().run({ once: true })).toMatchObject({ code: 'reboot_pending' });
    expect(await it.untilDone(false)).toMatchObject({ status: 0, code: 'ok' });
    expect(it.booted).toEqual(['B']);
    expect(sameBytes(it.it.slot('b'), lab.target)).toBe(true);
    for (let i = 0; i < 5; i++) {
      expect(it.boot()).toBe('B');
      expect(await it.agent().run({ once: true })).toMatchObject({ code: 'no_update' });
    }
  });

  test('that hangs is given up after its tries, and reported as 40', async () => {
    const it = await board(kind);
    await it.agent().run({ once: true });
    expect(await it.untilDone(true)).toMatchObject({ status: 40, code: 'trial_expired' });
    const trials = it.booted.filter((slot) => slot === 'B').length;
    expect(trials).toBeGreaterThan(0);
    expect(trials).toBeLessThanOrEqual(kind.triesMax + 1);
    expect(it.booted.at(-1)).toBe('A');
    for (let i = 0; i < 5; i++) {
      expect(it.boot()).toBe('A');
      expect(await it.agent().run({ once: true })).toMatchObject({ code: 'no_update' });
    }
  });

  test('whose power is cut anywhere from arming on ends well', async () => {
    // Every call starts a program: every third is cut, and every fifth where the operations are those of another kind.
    const stride = /^(command|uboot with)/.test(kind.name) ? 5 : kind.tools ? 3 : 1;
    let cuts = 0;
    for (; ; cuts += stride) {
      const it = await board(kind);
      const { power, disk, deployments, events } = it.it;
      let arming = false;
      // Calls of tools and of the agent's own files count alike; without tools, the first file of the journal.
      it.onState = (state) => {
        if (state === 'ARM' && !arming) power.cutAt(cuts + 1);
        arming ||= state === 'ARM';
      };
      it.run = (request) => {
        power.use(request.argv.join(' '));
        return runCommand(request);
      };
      const thrown = await it
        .agent()
        .run({ once: true })
        .then(
          () => null,
          (error: unknown) => error,
        );
      if (thrown === null) break;
      expect(isPowerCut(thrown), String(thrown)).toBe(true);
      const at = `cut ${cuts + 1} in ${power.log.at(-1)}`;
      power.restore();
      disk.crash('lost');
      it.run = runCommand;
      expect(await it.untilDone(false), at).toMatchObject({ status: 0 });
      expect(deployments.closed, at).toHaveLength(1);
      expect(
        events.filter((event) => event.type === 'state' && event.state === 'APPLY'),
        at,
      ).toHaveLength(1);
    }
    expect(cuts).toBeGreaterThan(kind.tools ? 8 : 3);
  });
});
