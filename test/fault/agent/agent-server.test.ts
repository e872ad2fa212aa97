/**
 * The agent and its server: reports that are not taken, actions that are taken back, words that hold back, metadata that
 * is behind. Polls go on meanwhile, and nothing is ever installed twice.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { UpdateError } from '../../../native-free/status.ts';
import { plainLine, plainLines } from '../../../src/agent/service/texts.ts';
import { isFailedInstall } from '../../../src/agent/payloads/failed-installs.ts';
import { History } from '../../../src/agent/records/history.ts';
import type { ServerWords } from '../../../src/agent/index.ts';
import type { MemoryAnswer } from '../../../src/testing/index.ts';
import { sha256Node } from '../../support/images.ts';
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
} from '../../support/device/agent.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await makeLab(imagePair(150_000, 80_000));
});

const assigned = (options?: DeviceOptions): Promise<SimulatedDevice> => assignedDevice(lab, options);

const status = (httpStatus: number, more: object = {}) =>
  new UpdateError('http_status', `HTTP ${httpStatus}`, { detail: { httpStatus, ...more } });

/** Runs as a service until it has polled this often. */
async function polls(it: SimulatedDevice, count: number, atPoll: (n: number) => void = () => undefined): Promise<void> {
  const stop = new AbortController();
  const poll = it.deployments.poll.bind(it.deployments);
  let n = 0;
  it.deployments.poll = async () => {
    if (++n > count) stop.abort();
    atPoll(n);
    return poll();
  };
  try {
    await expect(it.agent().run({ signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' });
  } finally {
    it.deployments.poll = poll;
  }
}

describe('a report', () => {
  /** In the second slot, healthy or not; what is left is to report. */
  async function tried(healthy: boolean, output = ''): Promise<SimulatedDevice> {
    const it = await assigned();
    await it.once();
    await it.boot();
    it.run = async () => ({ exitCode: healthy ? 0 : 1, timedOut: false, output, stdout: '' });
    if (!healthy) {
      await it.once();
      await it.boot();
    }
    return it;
  }

  test('that is refused for its texts is sent once more without them', async () => {
    const it = await tried(false, '\u001b[31m<script>alert(1)</script>\u0000\ud800');
    const close = it.deployments.close.bind(it.deployments);
    const tries: (readonly string[])[] = [];
    it.deployments.close = async (report) => {
      tries.push(report.details);
      if (report.details.length > 0) throw status(403);
      return close(report);
    };
    expect(await it.once()).toMatchObject({ status: 40, code: 'health_failed', message: expect.not.stringContaining('not reported') as unknown }); // prettier-ignore
    expect(tries).toHaveLength(2);
    expect(tries[0]!.join('')).toContain('‹script›alert(1)‹/script›');
    expect(tries[0]!.join('')).not.toMatch(/[<>&\p{C}]/u);
    expect(it.deployments.closed).toMatchObject([{ outcome: { code: 'health_failed' }, details: [] }]);
  });

  test.each([400, 403, 409, 413, 422])(
    'that is refused with %i stays in the history, and polls go on',
    async (code) => {
      const it = await tried(true);
      let posts = 0;
      it.deployments.close = async () => {
        posts++;
        throw status(code);
      };
      await polls(it, 8);
      expect(posts).toBe(2);
      expect(it.journal()).toMatchObject({ state: 'IDLE', attempt: null, ended: [{ report: 'refused' }] });
      const history = new History({ fs: it.disk, hash: sha256Node, path: '/data/history' });
      expect(await history.entries()).toMatchObject([{ actionId: 'action-1', status: 0 }]);
    },
  );

  test.each([404, 410])('that nobody waits for any more (%i) writes nothing at the polls after it', async (code) => {
    const it = await tried(true);
    it.deployments.close = async () => {
      throw status(code);
    };
    await it.once();
    const { sequence } = it.journal();
    await polls(it, 8);
    expect(it.journal()).toMatchObject({ sequence, ended: [{ report: 'unwanted' }] });
  });

  test.each([401, 408, 421, 423, 425, 429, 500, 503])(
    'that is answered with %i waits, through restarts, while polls go on',
    async (code) => {
      const it = await tried(true);
      const close = it.deployments.close.bind(it.deployments);
      const at: number[] = [];
      it.deployments.close = async () => {
        at.push(it.clock.monotonicMs());
        throw status(code, { retryAfterMs: 900_000 });
      };
      const fetched = it.network.bytesOf('/blobs/');
      await polls(it, 10);
      expect(it.journal().ended).toMatchObject([{ report: 'waiting' }]);
      // Ten polls of five minutes, a report each quarter of an hour.
      expect(at.length).toBeGreaterThanOrEqual(2);
      for (let i = 1; i < at.length; i++) expect(at[i]! - at[i - 1]!).toBeGreaterThanOrEqual(900_000);
      it.deployments.close = close;
      expect(await it.once()).toMatchObject({ code: 'no_update' });
      expect(it.deployments.closed).toMatchObject([{ actionId: 'action-1', outcome: { status: 0 } }]);
      expect(it.network.bytesOf('/blobs/')).toBe(fetched);
    },
  );

  test('that is never taken does not keep the next release away', async () => {
    const it = await tried(true);
    await lab.publisher.release(3, { image: lab.target.map((byte) => byte ^ 3), rollbackIndex: 3 });
    const close = it.deployments.close.bind(it.deployments);
    it.deployments.close = async (report) => {
      if (report.actionId === 'action-1') throw status(500);
      return close(report);
    };
    await it.once();
    it.deployments.assign('3.0', 'action-2');
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(it.deployments.closed).toMatchObject([{ actionId: 'action-2', outcome: { status: 0 } }]);
    expect(it.journal().ended).toMatchObject([{ report: 'waiting' }, { report: 'taken' }]);
  });

  test('that was taken and is asked for again is told again, at most once an hour', async () => {
    const it = await tried(true);
    await it.once();
    it.deployments.assign('2.0');
    const close = it.deployments.close.bind(it.deployments);
    it.deployments.close = async (report) => {
      await close(report);
      it.deployments.assign('2.0');
    };
    const [begin, { sequence }] = [it.clock.monotonicMs(), it.journal()];
    await polls(it, 40);
    const hours = (it.clock.monotonicMs() - begin) / 3_600_000;
    expect(it.deployments.closed.length - 1).toBeGreaterThanOrEqual(2);
    expect(it.deployments.closed.length - 1).toBeLessThanOrEqual(Math.ceil(hours) + 1);
    expect(it.journal().sequence).toBe(sequence);
  });

  test('on an action whose id means another release now is dropped, and that release installed', async () => {
    const it = await tried(false);
    it.deployments.refuseReports = 3;
    await it.once();
    it.run = async () => ({ exitCode: 0, timedOut: false, output: '', stdout: '' });
    it.deployments.assign('1.0');
    const other = await it.untilDone();
    expect(it.deployments.closed).toHaveLength(1);
    expect(it.deployments.closed[0]).toMatchObject({ actionId: 'action-1', release: { version: '1.0' } });
    expect(other.code).toBe('ok');
  });

  test('on an installed release answers a cancellation that came too late', async () => {
    const it = await tried(true);
    it.deployments.refuseReports = 3;
    await it.once();
    it.deployments.cancelId = 'cancel-1';
    await it.once();
    expect(it.deployments.cancelAnswers).toEqual([false]);
    await it.once();
    expect(it.deployments.closed).toMatchObject([{ outcome: { status: 0 } }]);
  });
});

describe('free texts', () => {
  test.each([
    ['<b>bold</b> & more', '‹b›bold‹/b› + more'],
    ['a\u0000b\u001b[1;31mred\u001b[0m\r\nc\td', 'a bred c d'],
    ['\ud800 half, \udc00 half', 'half, half'],
    ['right\u202eleft\u2066x\ufeff', 'right left x'],
    ['\u{1f4a5} and \u{10ffff}', '? and ?'],
    ['Grüße, 日本語', 'Grüße, 日本語'],
  ])('%j are made %j', (text, plain) => {
    expect(plainLine(text)).toBe(plain);
  });

  test('keep their beginning and their end, in lines that hawkBit takes', () => {
    const lines = plainLines(`begin ${'x'.repeat(100_000)} end`);
    expect(lines.length).toBeLessThanOrEqual(4);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(512);
    expect(lines.join('')).toMatch(/^begin x+ … x+ end$/);
    expect(plainLines('')).toEqual([]);
  });
});

describe('an action that is no longer offered', () => {
  const offers: [string, (it: SimulatedDevice) => void][] = [
    ['nothing', (it) => void (it.deployments.assigned = null)],
    ['another action', (it) => it.deployments.assign('1.0', 'action-2')],
    ['another release under its id', (it) => it.deployments.assign('1.0', 'action-1')],
  ];
  test.each(offers)('during the download ends: the server offers %s', async (_what, change) => {
    const it = await assigned({ plan: (request) => (isBlob(request) ? { dropAfterBytes: 20_000 } : {}) });
    const request = it.network.request.bind(it.network);
    let blobs = 0;
    it.network.request = (asked) => {
      if (isBlob(asked) && ++blobs === 3) change(it);
      return request(asked);
    };
    expect(await it.once()).toMatchObject({ status: 10, code: 'withdrawn' });
    expect(sameBytes(it.slot('a'), lab.source)).toBe(true);
    expect(it.bootState()).toMatch(/BOOT_ORDER=A/);
    expect(it.deployments.closed).toEqual([]);
    expect(it.journal()).toMatchObject({ state: 'IDLE', attempt: null, tried: {} });
    // Offered again, it goes on where it stopped.
    it.deployments.assign('2.0');
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(it.network.bytesOf('/blobs/')).toBeLessThan(2 * it.journal().last!.plan!.payload.bytes);
  });

  test('in the last moment before the flip is not armed', async () => {
    const it = await assigned({ toml: { hooks: 'before_arm = [["ready"]]' } });
    let ready = false;
    it.run = async ({ argv }) => ({ exitCode: argv[0] === 'ready' && !ready ? 75 : 0, timedOut: false, output: '', stdout: '' }); // prettier-ignore
    await expect(it.once()).rejects.toMatchObject({ code: 'hook_refused' });
    ready = true;
    it.deployments.assigned = null;
    expect(await it.once()).toMatchObject({ status: 10, code: 'withdrawn' });
    expect(it.bootState()).toMatch(/BOOT_ORDER=A/);
  });

  test('is followed at once by what is offered instead', async () => {
    const it = await assigned({ plan: (request) => (isBlob(request) ? { dropAfterBytes: 20_000 } : {}) });
    const polled: number[] = [];
    const poll = it.deployments.poll.bind(it.deployments);
    it.deployments.poll = async () => {
      polled.push(it.clock.monotonicMs());
      if (it.network.bytesOf('/blobs/') > 30_000 && it.deployments.assigned?.actionId === 'action-1') {
        it.deployments.assign('2.0', 'action-2');
      }
      return poll();
    };
    expect(await it.agent().run()).toMatchObject({ code: 'reboot_pending' });
    expect(it.journal().attempt).toMatchObject({ actionId: 'action-2' });
  });
});

describe('what the server allows', () => {
  const words = (given: Partial<ServerWords>): ServerWords => ({ download: 'forced', update: 'forced', maintenanceWindow: null, ...given }); // prettier-ignore
  async function told(given: Partial<ServerWords>, options: DeviceOptions = {}): Promise<SimulatedDevice> {
    const it = await assigned(options);
    it.deployments.assigned = { ...it.deployments.assigned!, words: words(given) };
    return it;
  }
  const allow = (it: SimulatedDevice, given: Partial<ServerWords> = {}): void => {
    it.deployments.assigned = { ...it.deployments.assigned!, words: words(given) };
  };

  test('no download yet: nothing is fetched, nothing begun', async () => {
    const it = await told({ download: 'skip', update: 'skip' });
    expect(await it.once()).toMatchObject({ code: 'no_update' });
    expect(it.network.bytesOf('/blobs/')).toBe(0);
    allow(it);
    expect(await it.untilDone()).toMatchObject({ status: 0 });
  });

  test.each([
    [{ update: 'skip' }],
    [{ update: 'skip', maintenanceWindow: 'unavailable' }],
    [{ maintenanceWindow: 'unavailable' }],
  ] as const)('%j: it is downloaded and written, and waits before the flip', async (given) => {
    const it = await told(given);
    for (let i = 0; i < 3; i++) await expect(it.once()).rejects.toMatchObject({ code: 'server_holds', outcome: 10 });
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
    expect(it.bootState()).toMatch(/BOOT_ORDER=A/);
    expect(it.deployments.news).toContainEqual(expect.objectContaining({ downloaded: true }));
    expect(it.deployments.closed).toEqual([]);
    const fetched = it.network.bytesOf('/blobs/');
    allow(it, { maintenanceWindow: 'available' });
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(it.network.bytesOf('/blobs/')).toBe(fetched);
  });

  test('a window that was open when the server was last heard is not trusted', async () => {
    const it = await told({ maintenanceWindow: 'available' }, { toml: { hooks: 'before_apply = [["ready"]]' } });
    const poll = it.deployments.poll.bind(it.deployments);
    let silent = false;
    it.deployments.poll = async () => {
      if (silent) throw new UpdateError('link_failed', 'gone');
      return poll();
    };
    const request = it.network.request.bind(it.network);
    it.network.request = (asked) => {
      if (isBlob(asked)) silent = true;
      return request(asked);
    };
    await expect(it.once()).rejects.toMatchObject({ code: 'server_holds' });
    silent = false;
    it.network.request = request;
    expect(await it.untilDone()).toMatchObject({ status: 0 });
  });

  test('hooks hear whether it is forced', async () => {
    const it = await told({ download: 'attempt', update: 'attempt' }, { toml: { hooks: 'before_arm = [["ask"]]' } });
    const heard: (string | undefined)[] = [];
    it.run = async ({ argv, env }) => {
      if (argv[0] === 'ask') heard.push(env?.['ENGRAFT_UPDATE']);
      return { exitCode: 0, timedOut: false, output: '', stdout: '' };
    };
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(heard).toEqual(['attempt']);
  });

  test('a deployment that is not ours is answered, once', async () => {
    const it = await assigned();
    it.deployments.assigned = {
      actionId: 'foreign-1',
      release: null,
      foreign: 'its chunk "bApp" has no metadata of ours',
    };
    const close = it.deployments.close.bind(it.deployments);
    const keep = it.deployments.assigned;
    it.deployments.close = async (report) => {
      await close(report);
      it.deployments.assigned = keep;
    };
    await polls(it, 6);
    expect(it.deployments.closed).toMatchObject([{ actionId: 'foreign-1', release: null, outcome: { status: 20, code: 'deployment_foreign' } }]); // prettier-ignore
    expect(it.deployments.closed[0]!.details.join(' ')).toContain('"bApp" has no metadata of ours');
  });
});

describe('metadata that does not list the release', () => {
  const waiting = { toml: { limits: 'metadata_wait_hours = 6' } };

  test('is waited for, the server told once, and the update done when it comes', async () => {
    const own = await makeLab(imagePair(100_000, 10_000));
    const it = await device(own, waiting);
    it.deployments.assign('3.0');
    for (let i = 0; i < 3; i++) await expect(it.once()).rejects.toMatchObject({ code: 'metadata_behind', outcome: 10, retryable: true }); // prettier-ignore
    expect(it.deployments.news).toMatchObject([{ code: 5090 }]);
    expect(it.deployments.closed).toEqual([]);
    await own.publisher.release(3, { image: own.target.map((byte) => byte ^ 1), rollbackIndex: 3 });
    expect(await it.untilDone()).toMatchObject({ status: 0 });
  });

  test('is asked for again with every try of a service, and given up after the hours that are configured', async () => {
    const it = await assigned(waiting);
    it.deployments.assign('7.0');
    const begin = it.clock.monotonicMs();
    let timestamps = 0;
    const request = it.network.request.bind(it.network);
    it.network.request = (asked) => {
      if (asked.url.endsWith('/timestamp.json')) timestamps++;
      return request(asked);
    };
    const stop = new AbortController();
    const close = it.deployments.close.bind(it.deployments);
    it.deployments.close = async (report) => {
      await close(report);
      stop.abort();
    };
    await expect(it.agent().run({ signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' });
    expect(it.deployments.closed).toMatchObject([{ outcome: { status: 20, code: 'target_unknown' } }]);
    const hours = (it.clock.monotonicMs() - begin) / 3_600_000;
    expect(hours).toBeGreaterThan(5.9);
    expect(hours).toBeLessThan(6.3);
    expect(timestamps).toBeGreaterThan(50);
  });

  test('and a deployment that is withdrawn meanwhile ends', async () => {
    const it = await assigned(waiting);
    it.deployments.assign('7.0');
    await expect(it.once()).rejects.toMatchObject({ code: 'metadata_behind' });
    it.deployments.assigned = null;
    expect(await it.once()).toMatchObject({ code: 'withdrawn' });
  });

  test('that cannot be trusted for a while ends no attempt that has begun', async () => {
    const it = await assigned(waiting);
    it.deployments.assign('7.0');
    await expect(it.once()).rejects.toMatchObject({ code: 'metadata_behind' });
    it.clock.advance(3650 * 86_400_000);
    await expect(it.once()).rejects.toMatchObject({ code: 'metadata_expired' });
    expect(it.deployments.closed).toEqual([]);
    expect(it.journal().attempt).not.toBeNull();
  });
});

describe('attempts are counted', () => {
  test('only when the install failed: outages and cancellations do not use a release up', async () => {
    let dead = true;
    const it = await assigned({
      toml: { limits: 'attempts_max = 2\nretries_max = 1' },
      answer: (request): MemoryAnswer => (dead && isBlob(request) ? { status: 503 } : lab.answer(request)),
    });
    for (let i = 0; i < 6; i++) {
      it.deployments.assign('2.0', `action-${i}`);
      expect(await it.untilDone()).toMatchObject({ status: 10, code: 'retries_exhausted' });
    }
    expect(it.journal().tried).toEqual({});
    dead = false;
    it.deployments.assign('2.0', 'action-9');
    expect(await it.untilDone()).toMatchObject({ status: 0 });
  });

  test.each([
    ['health_failed', 40, 8040, true],
    ['trial_expired', 40, 8050, true],
    ['boot_wrong_slot', 40, 7030, true],
    ['slot_unwritable', 30, 6020, true],
    ['segment_digest', 20, 3020, true],
    ['chunk_digest', 20, 3010, false],
    ['retries_exhausted', 10, 5030, false],
    ['cancelled', 10, 5040, false],
    ['withdrawn', 10, 5080, false],
    ['over_budget', 10, 8010, false],
    ['no_space', 10, 8000, false],
    ['not_compatible', 20, 8070, false],
    ['release_rollback', 20, 4040, false],
    ['ok', 0, 0, false],
  ] as const)('%s: %i', (code, outcome, subStatus, counted) => {
    expect(isFailedInstall({ status: outcome, code, subStatus, message: '' })).toBe(counted);
  });
});

describe('attributes', () => {
  test('say what runs in each slot class: told when it changes, and when the server asks', async () => {
    const it = await assigned();
    await it.once();
    const versions = () => it.deployments.attributes.map((each) => each['engraft.version']);
    expect(versions()).toEqual(['1.0']);
    await it.boot();
    await it.once();
    expect(versions()).toEqual(['1.0', '2.0']);
    expect(it.deployments.attributes[1]).toMatchObject({
      'engraft.product': 'cam',
      'engraft.version.rootfs': '2.0',
      'engraft.slotClass': 'rootfs',
    });
    await polls(it, 5);
    expect(versions()).toHaveLength(2);
    const poll = it.deployments.poll.bind(it.deployments);
    it.deployments.poll = async () => ({ ...(await poll()), attributesWanted: true });
    await it.once();
    expect(versions()).toHaveLength(3);
  });

  test('that the server cannot take stop neither polls nor updates', async () => {
    const it = await assigned();
    let puts = 0;
    it.deployments.sendAttributes = async () => {
      puts++;
      throw status(413);
    };
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    await polls(it, 6);
    expect(puts).toBe(2);
  });
});

test('metadata and payloads come from where the configuration says', async () => {
  const it = await assigned({
    toml: { server: 'metadata_url = "http://cdn.test/x/metadata/"\nblobs_url = "http://cdn.test/x/blobs"' },
    answer: (request) =>
      lab.answer({ ...request, url: request.url.replace('cdn.test/x/metadata', 'ota.test/tuf').replace('cdn.test/x', 'ota.test') }), // prettier-ignore
  });
  expect(await it.untilDone()).toMatchObject({ status: 0 });
  expect(it.network.requests.every(({ url }) => url.startsWith('http://cdn.test/x/'))).toBe(true);
  expect(it.network.requests.some(({ url }) => url.startsWith('http://cdn.test/x/blobs/sha256/'))).toBe(true);
});
