/**
 * The power is cut in every single operation of an update: storage, network, timers. After it the boot loader boots,
 * the agent runs, and the update must end as if nothing had happened.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { LIMITS } from '../../../native-free/limits.ts';
import { isPowerCut } from '../../../src/testing/index.ts';
import {
  device,
  imagePair,
  makeLab,
  sameBytes,
  type DeviceOptions,
  type Lab,
  type SimulatedDevice,
} from '../../support/device/agent.ts';

let lab: Lab;
let deltaLab: Lab;
beforeAll(async () => {
  lab = await makeLab(imagePair(140_000, 70_000), false);
  deltaLab = await makeLab(imagePair(140_000, 70_000));
});

interface Campaign {
  readonly lab: Lab;
  readonly options?: DeviceOptions;
  readonly outcome: number;
  readonly unsynced: 'kept' | 'lost';
  readonly step?: number;
}

async function prepared({ lab: of, options }: Campaign): Promise<SimulatedDevice> {
  const it = await device(of, options);
  if (of === deltaLab) await it.knowsSource();
  it.deployments.assign('2.0');
  return it;
}

/** Boots and runs of a device until it rests; a cut in between ends them. Throws when nothing boots. */
async function live(it: SimulatedDevice): Promise<void> {
  for (let runs = 0; runs < 12; runs++) {
    const result = await it.once();
    if (result.code === 'no_update' && it.journal().state === 'IDLE') return;
    if (/^(reboot|rollback)_pending$/.test(result.code) && (await it.boot()) === null) throw new Error('bricked');
  }
  throw new Error('the agent never came to rest');
}

function check(it: SimulatedDevice, campaign: Campaign, at: string): void {
  const { source, target } = campaign.lab;
  const file = campaign.options?.fileTarget === true;
  if (!file) expect(sameBytes(it.slot('a'), source), at).toBe(true);
  expect(
    it.deployments.closed.map(({ outcome }) => outcome.status),
    at,
  ).toContain(campaign.outcome);
  expect(new Set(it.deployments.closed.map(({ outcome }) => outcome.status)).size, at).toBe(1);
  if (campaign.outcome === 0) {
    expect(sameBytes(it.slot(file ? 'a' : 'b'), target), at).toBe(true);
    if (!file) expect(it.bootState(), at).toMatch(/BOOT_ORDER=B A/);
  } else if (file) expect(sameBytes(it.slot('a'), source), at).toBe(true);
  else expect(it.bootState(), at).toMatch(/BOOT_ORDER=A\n/);
}

async function counters(it: SimulatedDevice): Promise<number> {
  return (await it.agent().status()).counters?.['rollback.cam.rootfs'] ?? 0;
}

/** Returns how many operations an undisturbed life has. */
async function cutEverywhere(campaign: Campaign): Promise<number> {
  const whole = await prepared(campaign);
  whole.power.restore();
  await live(whole);
  const operations = whole.power.operations;
  check(whole, campaign, 'without a cut');
  const undisturbed = whole.network.bytesOf('/blobs/');
  for (let cut = 1; cut <= operations; cut += campaign.step ?? 1) {
    const it = await prepared(campaign);
    it.power.cutAt(cut);
    let failed: unknown = null;
    try {
      await live(it);
    } catch (error) {
      failed = error;
    }
    const at = `cut ${cut} of ${operations} in ${it.power.log.at(-1)}`;
    expect(isPowerCut(failed) || it.power.isOff, `${at}: ${String(failed)}`).toBe(true);
    it.power.restore();
    it.disk.crash(campaign.unsynced);
    if (campaign.options?.fileTarget !== true) expect(await it.boot(), at).not.toBeNull();
    const before = await counters(it);
    await live(it).catch((error: unknown) => {
      throw new Error(`${at}: ${String(error)}`, { cause: error });
    });
    check(it, campaign, at);
    expect(await counters(it), at).toBeGreaterThanOrEqual(before);
    // What a cut costs: the chunk in flight, and, when unsynced files are lost, the undecoded chunks and the header.
    const lost = campaign.unsynced === 'kept' ? 1 : 3;
    expect(it.network.bytesOf('/blobs/'), at).toBeLessThanOrEqual(undisturbed + lost * LIMITS.chunk_bytes);
  }
  return operations;
}

describe('an update cut in every operation', () => {
  test.each(['kept', 'lost'] as const)('ends well, unsynced writes %s', async (unsynced) => {
    expect(await cutEverywhere({ lab, outcome: 0, unsynced })).toBeGreaterThan(100);
  });

  test('by delta, in every seventh', async () => {
    expect(await cutEverywhere({ lab: deltaLab, outcome: 0, unsynced: 'lost', step: 7 })).toBeGreaterThan(100);
  });

  test.each(['kept', 'lost'] as const)('of a file target, unsynced writes %s', async (unsynced) => {
    const campaign = { lab, outcome: 0, unsynced, options: { fileTarget: true }, step: 2 };
    expect(await cutEverywhere(campaign)).toBeGreaterThan(100);
  });
});

describe('a rollback cut in every operation', () => {
  const unhealthy = async () => ({ exitCode: 1, timedOut: false, output: '', stdout: '' });

  test.each(['kept', 'lost'] as const)('ends in the first slot, unsynced writes %s', async (unsynced) => {
    await cutEverywhere({ lab, outcome: 40, unsynced, options: { run: unhealthy }, step: 2 });
  });

  test('of a file target ends with the first file', async () => {
    await cutEverywhere({ lab, outcome: 40, unsynced: 'lost', options: { run: unhealthy, fileTarget: true }, step: 3 });
  });
});
