/**
 * The agent within its limits: hours, budgets, cancellation in the middle of a chunk run and of a long wait, and
 * content that is wrong though it looks right.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { LIMITS } from '../../native-free/limits.ts';
import type { NetworkRequest } from '../../src/agent/index.ts';
import { ByteLedger } from '../../src/agent/records/ledger.ts';
import { sha256Node } from '../support/images.ts';
import {
  assignedDevice,
  device,
  imagePair,
  isBlob,
  makeLab,
  sameBytes,
  type DeviceOptions,
  type Lab,
  type SimulatedDevice,
} from '../support/device/agent.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await makeLab();
});

const assigned = (options?: DeviceOptions): Promise<SimulatedDevice> => assignedDevice(lab, options);

/** Answers blobs with garbage while `holds`, with status, range, length and type as they should be. */
const garbling = (holds: () => boolean) => (request: NetworkRequest) => {
  const answer = lab.answer(request);
  if (!isBlob(request) || !(answer.body instanceof Uint8Array) || !holds()) return answer;
  return { ...answer, body: answer.body.map((byte) => byte ^ 0xff) };
};

const HOUR_MS = 3_600_000;
/** The simulated clock to this time of the day, UTC. */
const setTime = (it: SimulatedDevice, hour: number): void => {
  const now = it.clock.now();
  it.clock.advance(Math.floor(now / (24 * HOUR_MS)) * 24 * HOUR_MS + 24 * HOUR_MS + hour * HOUR_MS - now);
};

describe('allowed hours', () => {
  test('hold the download back, and it goes through when they begin', async () => {
    const it = await assigned({ toml: { limits: 'allowed_hours = "22:00-06:00"' } });
    setTime(it, 12);
    const opensAtMs = it.clock.now() + 10 * HOUR_MS;
    await expect(it.once()).rejects.toMatchObject({ code: 'outside_hours', detail: { opensAtMs } });
    expect(it.network.bytesOf('/blobs/')).toBe(0);
    expect(it.deployments.closed).toEqual([]);
    it.clock.advance(10 * HOUR_MS);
    expect(await it.untilDone()).toMatchObject({ status: 0 });
  });

  test('that end during the download stop it at a chunk; it goes on the next night and nothing crosses twice', async () => {
    const it = await assigned({
      toml: { limits: 'allowed_hours = "22:00-06:00"' },
      answer: (request) => {
        // The first blob request after the header takes until past six.
        if (isBlob(request) && request.headers?.['range'] !== undefined) it.clock.advance(3 * HOUR_MS);
        return lab.answer(request);
      },
    });
    setTime(it, 1);
    await expect(it.once()).rejects.toMatchObject({ code: 'outside_hours' });
    expect(it.journal().state).toBe('APPLY');
    const first = it.network.bytesOf('/blobs/');
    expect(first).toBeGreaterThan(0);
    await expect(it.once()).rejects.toMatchObject({ code: 'outside_hours' });
    expect(it.network.bytesOf('/blobs/')).toBe(first);
    setTime(it, 22);
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
    // What stood in the socket when the hours ended is all that may come again.
    expect(it.network.bytesOf('/blobs/')).toBeLessThanOrEqual(it.journal().last!.plan!.payload.bytes + 16 * 1024);
  });

  test('that end with the last segment hold nothing back, since nothing is left to download', async () => {
    const it = await assigned({ toml: { limits: 'allowed_hours = "22:00-06:00"' } });
    setTime(it, 1);
    const push = it.events.push.bind(it.events);
    it.events.push = (event) => {
      if (event.type === 'state' && event.state === 'VERIFY') it.clock.advance(6 * HOUR_MS);
      return push(event);
    };
    expect(await it.once()).toMatchObject({ status: 0, code: 'reboot_pending' });
  });

  test('that end while the link is down stop the waiting', async () => {
    const it = await assigned({
      toml: { limits: 'allowed_hours = "22:00-06:00"' },
      plan: (request) => (isBlob(request) ? { refuse: true } : {}),
    });
    setTime(it, 5);
    it.clock.advance(59.5 * 60_000);
    await expect(it.once()).rejects.toMatchObject({ code: 'outside_hours' });
  });
});

describe('a cancellation', () => {
  test('in the middle of a long wait is seen within the polling time', async () => {
    const begun: number[] = [];
    const it = await assigned({
      toml: { limits: 'backoff_first_ms = 3000000\nbackoff_most_ms = 3000000', server: '' },
      plan: (request) => {
        if (!isBlob(request)) return {};
        if (it.network.bytesOf('/blobs/') === 0) return { dropAfterBytes: 50_000 };
        return { refuse: true };
      },
    });
    // A poll that is not answered leaves the wait as it is.
    const poll = it.deployments.poll.bind(it.deployments);
    let asked = 0;
    it.deployments.poll = async () => {
      if (it.states().at(-1) === 'WAIT_NET') {
        begun.push(it.clock.now());
        if (++asked < 5) throw new Error('no answer');
        it.deployments.cancelId = 'c-1';
      }
      return poll();
    };
    expect(await it.once()).toMatchObject({ status: 10, code: 'cancelled' });
    expect(begun).toHaveLength(5);
    expect(begun.at(-1)! - begun[0]!).toBeLessThanOrEqual(5000);
    expect(it.deployments.cancelAnswers).toEqual([true]);
  });

  test('between two chunks stops there', async () => {
    const pair = imagePair(200_000, 190_000);
    const big = await makeLab(pair, false);
    const it = await device(big, {
      answer: (request) => {
        if (isBlob(request)) it.clock.advance(2000);
        return big.answer(request);
      },
    });
    await it.knowsSource();
    it.deployments.assign('2.0');
    const emit = it.events.push.bind(it.events);
    it.events.push = (event) => {
      // As soon as the first payload bytes have come.
      if (event.type === 'bytes' && event.wireBytes > LIMITS.chunk_bytes) {
        it.deployments.cancelId = 'c-1';
        it.clock.advance(2000);
      }
      return emit(event);
    };
    expect(await it.once()).toMatchObject({ status: 10, code: 'cancelled' });
    expect(it.network.bytesOf('/blobs/')).toBeLessThan(3 * LIMITS.chunk_bytes);
  });

  test('is no end of waiting, but an answer of the server is: the link is back', async () => {
    let down = 3;
    const it = await assigned({
      toml: { limits: 'backoff_first_ms = 3000000\nbackoff_most_ms = 3000000' },
      plan: (request) => (isBlob(request) && down-- > 0 ? { refuse: true } : {}),
    });
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(it.clock.sleeps.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(20_000);
  });

  test('an overloaded server is given all of its time', async () => {
    let busy = 2;
    const it = await assigned({
      toml: { limits: 'backoff_first_ms = 3000000\nbackoff_most_ms = 3000000' },
      answer: (request) => (isBlob(request) && busy-- > 0 ? { status: 503 } : lab.answer(request)),
    });
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(it.clock.sleeps.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThan(2 * 300_000);
  });
});

describe('wrong bytes under the right headers', () => {
  test('cost one chunk, not the rest of the connection, and never reach the slot', async () => {
    let requests = 0;
    const it = await assigned({ answer: garbling(() => ++requests === 2) });
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
    const { plan, refetchedBytes } = it.journal().last!;
    const extra = it.network.bytesOf('/blobs/') - plan!.payload.bytes;
    expect(extra).toBeGreaterThan(0);
    // The chunk that gave it away, and what was read off the socket with its end.
    expect(extra).toBeLessThanOrEqual(LIMITS.chunk_bytes + 16 * 1024);
    expect(refetchedBytes).toBe(extra);
    expect(it.states()).not.toContain('REPAIR');
  });

  test('that go on for seconds are waited out, longer and longer', async () => {
    const it: SimulatedDevice = await assigned({ answer: garbling(() => it.clock.now() < until) });
    const until = it.clock.now() + 3_000;
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    const waits = it.events.flatMap((event) => (event.type === 'wait' ? [event.failures] : []));
    expect(waits.length).toBeGreaterThan(1);
    expect(waits).toEqual(waits.map((_, i) => i + 1));
  });

  test('that stay end the attempt with 20, after a bounded number of bytes', async () => {
    const it = await assigned({ answer: garbling(() => true) });
    expect(await it.once()).toMatchObject({ status: 20, code: 'header_digest' });
    expect(it.network.bytesOf('/blobs/')).toBeLessThan(6 * 64 * 1024);
    expect(it.slot('b').length).toBe(0);
  });
});

describe('the budget of an attempt', () => {
  test('counts what a kill kept out of the journal', async () => {
    const it = await assigned({ toml: { limits: 'budget_bytes = 100000000' } });
    // The power goes with three chunks read and no segment done.
    let pieces = 0;
    const request = it.network.request.bind(it.network);
    it.network.request = async (asked) => {
      const response = await request(asked);
      if (!isBlob(asked)) return response;
      async function* body(): AsyncGenerator<Uint8Array> {
        for await (const piece of response.body) {
          if (++pieces === 4) it.power.cutAt(1);
          it.power.use('receive');
          yield piece;
        }
      }
      return { ...response, body: body() };
    };
    await expect(it.once()).rejects.toThrow(/power was cut/);
    const { attempt } = it.journal();
    it.power.restore();
    it.disk.crash('lost');
    const ledger = new ByteLedger({ fs: it.disk, hash: sha256Node, clock: it.clock, path: '/data/ledger' });
    const counted = await ledger.attemptBytes(`${attempt!.actionId}@${attempt!.startedAtMs}`);
    expect(counted).toBeGreaterThanOrEqual(it.network.bytesOf('/blobs/') - 16 * 1024);
    expect(counted).toBeGreaterThan(attempt!.wireBytes);
    it.network.request = request;
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(it.journal().last!.wireBytes).toBeGreaterThanOrEqual(it.network.bytesOf('/blobs/'));
  });
});

describe('the budget of a month', () => {
  let bytes: number;
  /** What an update from 1.0 to 2.0 costs besides its payload, and a little more; less than a chunk. */
  const AROUND = 50_000;
  let first: SimulatedDevice;
  beforeAll(async () => {
    const free = await assigned();
    await free.untilDone();
    bytes = free.journal().last!.plan!.payload.bytes;
    first = await assigned({ toml: { limits: `budget_bytes_per_month = ${bytes + AROUND}` } });
  });

  test('is enough for one update, and not for a second one in the same month: 10, before a byte of it', async () => {
    expect(await first.untilDone()).toMatchObject({ status: 0 });
    const again = await assigned({ toml: { limits: `budget_bytes_per_month = ${bytes + AROUND}` } });
    again.disk.place('/data/ledger', first.disk.peek('/data/ledger')!);
    expect(await again.once()).toMatchObject({ status: 10, code: 'over_budget' });
    expect(again.network.bytesOf('/blobs/')).toBe(0);
  });

  test('counts metadata besides the payload', async () => {
    const ledger = new ByteLedger({ fs: first.disk, hash: sha256Node, clock: first.clock, path: '/data/ledger', monthBytesMax: 1 }); // prettier-ignore
    expect(await ledger.monthBytes()).toBeGreaterThan(
      first.network.bytesOf('/blobs/') + first.network.bytesOf('/tuf/'),
    );
    expect(await ledger.monthBytes()).toBeLessThan(bytes + AROUND);
  });

  test('stops a download that costs more than was planned: 10, and what is there stays for the next attempt', async () => {
    let requests = 0;
    const it = await assigned({
      toml: { limits: `budget_bytes_per_month = ${bytes + AROUND}` },
      // A chunk is wrong, and has to come again.
      answer: garbling(() => ++requests === 2),
    });
    expect(await it.once()).toMatchObject({ status: 10, code: 'over_budget' });
    expect(it.network.bytesOf('/blobs/')).toBeGreaterThan(LIMITS.chunk_bytes);
    expect(it.bootState()).toMatch(/BOOT_ORDER=A\b/);
    expect(it.journal().partial).not.toBeNull();
  });
});
