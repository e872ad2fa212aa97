/**
 * Readiness and watchdog: what is sent, to a receiver that is not ours, and when it is not.
 */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { nodeClock, runCommand, type CommandRequest, type Network } from '../../../src/agent/index.ts';
import { Notifier, notifierOf } from '../../../src/agent/life/notify.ts';
import { Pulse, watchWorld } from '../../../src/agent/life/watchdog.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { FakeClock, MemoryNetwork } from '../../../src/testing/index.ts';
import { sha256Node as hash } from '../../support/images.ts';
import { notifyReceiver, receiverMissing } from './agent-life-receiver.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

const bounds = (ms: number) => ({
  ...{ idleMs: ms, answerMs: ms, exchangeMs: ms },
  floor: { bytesPerSecond: 1000, windowMs: ms },
});

describe('the pulse', () => {
  const at = { nowMs: 0 };
  const pulse = (boundMs = 100): Pulse => {
    at.nowMs = 0;
    return new Pulse({ boundMs, nowMs: () => at.nowMs });
  };
  const never = new Promise<void>(() => {
    // Never settles.
  });

  test('stops when nothing has happened for longer than its bound', () => {
    const it = pulse();
    at.nowMs = 100;
    expect(it.alive).toBe(true);
    at.nowMs = 101;
    expect(it.alive).toBe(false);
    it.beat();
    expect(it.alive).toBe(true);
  });

  test('lets a wait take as long as it said, and the bound beyond', async () => {
    const it = pulse();
    void it.during(1000, () => never);
    at.nowMs = 1100;
    expect(it.alive).toBe(true);
    at.nowMs = 1101;
    expect(it).toMatchObject({ alive: false, silentMs: 101 });
    await it.during(5, async () => undefined);
    expect(it.alive).toBe(true);
  });

  test('counts a wait that fails as progress', async () => {
    const it = pulse();
    at.nowMs = 500;
    await expect(it.during(1, () => Promise.reject(new UpdateError('link_failed', 'x')))).rejects.toThrow('x');
    expect(it.alive).toBe(true);
  });

  const network = new MemoryNetwork({ handler: () => ({ status: 200, body: new Uint8Array(100_000) }) });
  const parts = { clock: new FakeClock(), network, hash, run: runCommand };

  test('hears of pieces from the network, of bytes hashed, of commands and of pauses', async () => {
    const it = pulse();
    const world = watchWorld(it, parts, bounds(30));
    const beats = async (work: () => unknown): Promise<void> => {
      at.nowMs += 1000;
      expect(it.alive).toBe(false);
      await work();
      expect(it.alive).toBe(true);
    };
    await beats(() => world.hash().update(new Uint8Array(3)));
    await beats(() => world.clock.sleep(1));
    await beats(() => world.run({ argv: ['true'], deadlineMs: 9000 }));
    const response = await world.network.request({ method: 'GET', url: 'http://x/', bulk: true });
    let bytes = 0;
    for await (const piece of response.body) {
      at.nowMs += 1000;
      expect(it.alive).toBe(false);
      bytes += piece.length;
    }
    expect(bytes).toBe(100_000);
    expect(it.alive).toBe(true);
  });

  describe.each([true, false])('watching a body that drips (a payload: %s)', (bulk) => {
    /** Bytes one by one, each after 10 ms; the agent's clock moves with them. */
    const dripping = (bytes: number): Network => ({
      request: async () => ({
        status: 200,
        header: () => null,
        discard: async () => undefined,
        body: (async function* () {
          for (let i = 0; i < bytes; i++) {
            at.nowMs += 10;
            yield new Uint8Array(1);
          }
        })(),
      }),
    });

    test('is not kept alive by it: only what comes at the lowest rate is progress', async () => {
      const it = pulse(100);
      const world = watchWorld(it, { ...parts, network: dripping(100) }, bounds(300));
      const response = await world.network.request({ method: 'GET', url: 'http://x/', bulk });
      const alive: boolean[] = [];
      for await (const _ of response.body) alive.push(it.alive);
      // The bound, for which the reader may be silent; while a piece is waited for there are 300 ms more.
      expect(alive.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => true));
      expect(alive.slice(45)).toEqual(Array.from({ length: 55 }, () => false));
      // That it is over is progress.
      expect(it.alive).toBe(true);
    });
  });

  test('does not take a reader that never comes back for a slow network', async () => {
    const it = pulse();
    const response = await watchWorld(it, parts, bounds(5000)).network.request({ method: 'GET', url: 'http://x/' });
    for await (const _ of response.body) break;
    at.nowMs += 101;
    expect(it.alive).toBe(false);
  });

  test('leaves what it watches as it was', async () => {
    const world = watchWorld(pulse(), parts, bounds(30));
    const digest = world.hash();
    digest.update(new Uint8Array([1, 2, 3]));
    const plain = hash();
    plain.update(new Uint8Array([1, 2, 3]));
    expect(digest.digest()).toEqual(plain.digest());
    const response = await world.network.request({ method: 'GET', url: 'http://x/' });
    expect(response.status).toBe(200);
    await response.discard();
  });
});

describe('the environment of a service', () => {
  const parts = { run: runCommand, onProblem: () => undefined };

  test('is read once and not left to hooks', () => {
    const env = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '3000000', WATCHDOG_PID: '7', PATH: '/bin' };
    expect(notifierOf(env, 7, parts)).not.toBeNull();
    expect(env).toEqual({ PATH: '/bin' });
    expect(notifierOf(env, 7, parts)).toBeNull();
  });

  test.each([
    ['none is asked for', undefined, undefined, 0],
    ['it is meant for another process', '90000', '8', 0],
    ['it is nonsense', 'soon', '7', 0],
    ['it is meant for us', '90000', '7', 1],
    ['it names no process', '90000', undefined, 1],
  ])('feeds a watchdog or not: %s', async (_what, usec, pid, least) => {
    const sent: string[] = [];
    const run = async ({ argv }: CommandRequest) => {
      sent.push(argv[1]!);
      return { exitCode: 0, timedOut: false, output: '', stdout: '' };
    };
    const env = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: usec, WATCHDOG_PID: pid };
    const it = notifierOf(env, 7, { ...parts, run })!;
    it.beatWith(new Pulse({ boundMs: 60_000 }));
    await delay(80);
    it.stopBeating();
    await it.flush();
    expect(sent.length).toBeGreaterThanOrEqual(least);
    if (least === 0) expect(sent).toEqual([]);
  });
});

describe('a notifier', () => {
  test('that cannot send says so once, and the agent goes on', async () => {
    const problems: UpdateError[] = [];
    const options = {
      socket: '/no/such/socket',
      watchdogMs: 30,
      onProblem: (error: UpdateError) => problems.push(error),
    };
    const it = new Notifier({ ...options, run: ({ argv, ...rest }) => runCommand({ ...rest, argv: ['/no/such/notify', ...argv] }) }); // prettier-ignore
    await it.ready();
    it.beatWith(new Pulse({ boundMs: 60_000 }));
    await delay(100);
    await it.stopping();
    expect(problems).toMatchObject([{ code: 'hook_failed' }]);
  });
});

describe.skipIf(receiverMissing !== null)(`with a receiver in Python ${receiverMissing ?? ''}`, () => {
  test('readiness, status, beats and stopping arrive, in this order', async () => {
    const receiver = await notifyReceiver(children);
    const problems: unknown[] = [];
    const it = new Notifier({ run: runCommand, socket: receiver.socket, watchdogMs: 150, onProblem: (error) => problems.push(error) }); // prettier-ignore
    await it.ready();
    await it.status('APPLY\n  now');
    it.beatWith(new Pulse({ boundMs: 60_000 }));
    await expect.poll(() => receiver.count('WATCHDOG=1'), { timeout: 20_000 }).toBeGreaterThanOrEqual(3);
    await it.stopping();
    const beats = receiver.count('WATCHDOG=1');
    await delay(300);
    expect(receiver.messages.filter((each) => each !== 'WATCHDOG=1')).toEqual([
      'READY=1',
      'STATUS=APPLY now',
      'STOPPING=1',
    ]);
    expect(receiver.count('WATCHDOG=1')).toBe(beats);
    expect(problems).toEqual([]);
  });

  test('an agent that gets nowhere stops feeding, and feeds again when it moves', async () => {
    const receiver = await notifyReceiver(children);
    const problems: UpdateError[] = [];
    const it = new Notifier({ run: runCommand, socket: receiver.socket, watchdogMs: 90, onProblem: (error) => problems.push(error) }); // prettier-ignore
    const pulse = new Pulse({ boundMs: 300 });
    const world = watchWorld(pulse, { clock: nodeClock, network: new MemoryNetwork({ handler: () => ({ status: 404 }) }), hash, run: runCommand }, bounds(100)); // prettier-ignore
    it.beatWith(pulse);
    // A long pause is no standstill.
    await world.clock.sleep(900);
    const whilePausing = receiver.count('WATCHDOG=1');
    expect(whilePausing).toBeGreaterThanOrEqual(2);
    // The event loop turns, and nothing happens.
    await delay(900);
    const late = receiver.count('WATCHDOG=1');
    await delay(600);
    expect(receiver.count('WATCHDOG=1')).toBe(late);
    expect(problems).toMatchObject([{ message: expect.stringMatching(/no progress/) as unknown }]);
    world.hash().update(new Uint8Array(1));
    await expect.poll(() => receiver.count('WATCHDOG=1'), { timeout: 10_000 }).toBeGreaterThan(late);
    await it.stopping();
  });
});
