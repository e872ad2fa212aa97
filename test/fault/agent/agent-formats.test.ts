/**
 * Payloads of formats that an agent does not read: known from signed metadata nothing of them is fetched, found in a header
 * they are never fetched again, and in either case the next best payload is taken in the same attempt.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { CODEC } from '../../../native-free/index.ts';
import { DECODER_FEATURES } from '../../../native-free/format/features.ts';
import { sha256Hex } from '../../support/images.ts';
import { publisher } from '../../support/release.ts';
import { relisted, type Listed, type Relisted } from '../../support/device/relisted.ts';
import {
  assignedDevice,
  device,
  imagePair,
  labOf,
  makeLab,
  sameBytes,
  type DeviceOptions,
  type Lab,
  type SimulatedDevice,
} from '../../support/device/agent.ts';

const OLD = DECODER_FEATURES.filter(({ codec }) => codec !== CODEC.units);
const FULL_ONLY = DECODER_FEATURES.filter(({ kind }) => kind === 'full');
const VERSION_AT = 8;
const KIND_AT = 9;
const CODEC_AT = 10;

let lab: Lab;
beforeAll(async () => {
  lab = await makeLab();
});

type Change = (listed: Listed) => readonly Relisted[];

/** The same releases, with another word on the deltas of 2.0. */
async function changedLab(change: Change): Promise<Lab> {
  const only: Change = (listed) => (listed.path.startsWith('cam/2.0/') ? change(listed) : [{}]);
  return labOf(await relisted(lab.publisher, only), lab);
}

const deltas =
  (change: Change): Change =>
  (listed) =>
    listed.custom.kind === 'delta' ? change(listed) : [{}];

const withByte = (payload: Uint8Array, at: number, value: number): Uint8Array => {
  const changed = payload.slice();
  changed[at] = value;
  return changed;
};

const deltaBlob = async ({ publisher: { repository } }: Lab): Promise<string> =>
  (await repository.state()).catalog.releases[1]!.payloads.find(({ kind }) => kind === 'delta')!.sha256;

async function updated(changed: Lab, options: DeviceOptions = {}): Promise<SimulatedDevice> {
  const it = await assignedDevice(changed, options);
  expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
  expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
  return it;
}

/** As an operator hears of it: while it goes on, and in the report. */
function expectTold(it: SimulatedDevice, format: string): void {
  const told = expect.stringContaining(`format ${format}; this device reads `);
  expect(it.deployments.news.filter(({ code }) => code === 2010)).toMatchObject([{ message: told }]);
  expect(it.deployments.closed.at(-1)).toMatchObject({ outcome: { code: 'ok' } });
  expect(it.deployments.closed.at(-1)!.details.join('')).toContain(`format ${format}; this device reads `);
  expect(it.journal().last?.fellBack).toEqual(told);
  const noted = it.events.some((event) => event.type === 'note' && event.error?.code === 'payload_version');
  expect(noted).toBe(true);
}

describe('signed metadata that say', () => {
  test.each([
    ['version 6', { payloadVersion: 6 }, '6-delta'],
    ['a codec that is not known', { codec: 9 }, '5-codec9'],
  ])('%s of a delta: not a byte of it is fetched', async (_, said, format) => {
    // What a later version may say of itself is nothing that this one judges.
    const later = { decoderMemoryBytes: 2 ** 50, headerBytes: -1, source: 'elsewhere' };
    const changed = await changedLab(deltas(({ custom }) => [{ custom: { ...custom, ...said, ...later } }]));
    const it = await updated(changed);
    expect(it.journal().last?.plan).toMatchObject({ kind: 'full' });
    expect(it.network.bytesOf(await deltaBlob(lab))).toBe(0);
    expectTold(it, format);
    expect(it.journal().unread).toEqual({});
  });

  test('version 6 of a delta, to a device that has forgotten what it runs', async () => {
    const changed = await changedLab(deltas(({ custom }) => [{ custom: { ...custom, payloadVersion: 6, source: 1 } }]));
    const it = await device(changed);
    it.deployments.assign('2.0');
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(it.journal().last?.plan).toMatchObject({ kind: 'full' });
  });

  test('something that is no format', async () => {
    const changed = await changedLab(deltas(({ custom }) => [{ custom: { ...custom, codec: 'three' } }]));
    const it = await assignedDevice(changed);
    expect(await it.untilDone()).toMatchObject({
      code: 'metadata_malformed',
      message: expect.stringContaining('codec'),
    });
  });

  test('nothing of formats: the delta is taken, as its header says that it can be read', async () => {
    const silent = ({ payloadVersion: _, codec: __, ...custom }: Listed['custom']) => custom;
    const it = await updated(await changedLab(({ custom }) => [{ custom: silent(custom) }]));
    expect(it.journal().last).toMatchObject({ plan: { kind: 'delta', format: null }, fellBack: null });
  });

  test('another codec than the header, though both can be read', async () => {
    const changed = await changedLab(deltas(({ custom }) => [{ custom: { ...custom, codec: CODEC.units } }]));
    const it = await assignedDevice(changed);
    expect(await it.untilDone()).toMatchObject({
      code: 'metadata_malformed',
      message: expect.stringContaining('codec'),
    });
  });

  test('version 6 of the full payload, which no device may be left without', async () => {
    const changed = await changedLab(({ custom }) => [{ custom: { ...custom, payloadVersion: 6 } }]);
    const it = await assignedDevice(changed);
    for (let round = 0; round < 5; round++) {
      it.deployments.assign('2.0', `action-${round}`);
      expect(await it.untilDone()).toMatchObject({ status: 20, code: 'payload_version' });
    }
    expect(it.network.bytesOf('/blobs/')).toBe(0);
    // Another agent may read it: the release is not used up.
    expect(it.journal().tried).toEqual({});
  });
});

describe('a header that says', () => {
  test('a kind of payload that nobody has thought of', async () => {
    const changed = await changedLab(deltas(({ payload }) => [{ payload: withByte(payload, KIND_AT, 3) }]));
    const it = await updated(changed);
    expect(it.journal().last?.plan).toMatchObject({ kind: 'full' });
  });

  const lies: [string, number, number, string][] = [
    ['version 6', VERSION_AT, 6, '6-delta'],
    ['a codec that is not known', CODEC_AT, 9, '5-codec9'],
  ];

  test.each(lies)('%s though metadata say otherwise: once', async (_, at, value, format) => {
    const changed = await changedLab(deltas(({ payload }) => [{ payload: withByte(payload, at, value) }]));
    const it = await updated(changed);
    expect(it.journal().last?.plan).toMatchObject({ kind: 'full' });
    expect(it.states().filter((state) => state === 'PLAN')).toHaveLength(2);
    expectTold(it, format);
    // Nothing is wrong with the slot that ran.
    expect(it.journal().slots['A']).toMatchObject({ version: '1.0' });
  });

  test('version 6: it is not fetched again by later attempts, until the agent reads it', async () => {
    const changed = await changedLab(deltas(({ payload }) => [{ payload: withByte(payload, VERSION_AT, 6) }]));
    const it = await assignedDevice(changed, {
      run: async () => ({ exitCode: 1, timedOut: false, output: '', stdout: '' }),
    });
    expect(await it.untilDone()).toMatchObject({ code: 'health_failed' });
    const [sha256] = Object.keys(it.journal().unread);
    expect(it.journal().unread[sha256!]).toMatchObject({ format: { version: 6, codec: CODEC.mixing } });
    const headerBytes = it.network.bytesOf(sha256!);
    expect(headerBytes).toBeGreaterThan(0);
    it.disk.place('/slots/b', new Uint8Array(0));
    it.deployments.assign('2.0', 'action-2');
    expect(await it.untilDone()).toMatchObject({ code: 'health_failed' });
    expect(it.network.bytesOf(sha256!)).toBe(headerBytes);
    expect(it.journal().last?.plan).toMatchObject({ kind: 'full' });
    // One that says that it reads it tries; that it does not after all is no reason to go on and on.
    it.disk.place('/slots/b', new Uint8Array(0));
    it.decoder = [...DECODER_FEATURES, { version: 6, codec: CODEC.mixing, kind: 'delta' }];
    it.deployments.assign('2.0', 'action-3');
    expect(await it.untilDone()).toMatchObject({ code: 'health_failed' });
    expect(it.network.bytesOf(sha256!)).toBeGreaterThan(headerBytes);
  });

  test('version 6 in the full payload ends the attempt, and is not fetched again', async () => {
    const changed = await changedLab(({ payload }) => [{ payload: withByte(payload, VERSION_AT, 6) }]);
    const it = await assignedDevice(changed);
    expect(await it.untilDone()).toMatchObject({ status: 20, code: 'payload_version' });
    const bytes = it.network.bytesOf('/blobs/');
    expect(Object.keys(it.journal().unread)).toHaveLength(2);
    it.deployments.assign('2.0', 'action-2');
    expect(await it.untilDone()).toMatchObject({ status: 20, code: 'payload_version' });
    expect(it.network.bytesOf('/blobs/')).toBe(bytes);
    expect(it.bootState()).not.toMatch(/BOOT_ORDER=B/);
  });

  test('what an agent before this one could read: the full payload takes over in the middle', async () => {
    const it = await assignedDevice(lab);
    const stop = new AbortController();
    const { push } = it.events;
    it.events.push = (...events) => {
      if (events.some(({ type }) => type === 'progress')) stop.abort();
      return push.apply(it.events, events);
    };
    await expect(it.once(stop.signal)).rejects.toMatchObject({ code: 'aborted' });
    it.events.push = push;
    it.decoder = FULL_ONLY;
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(it.journal().last).toMatchObject({ plan: { kind: 'full' }, fellBack: expect.stringContaining('5-delta') });
    expect(it.journal().slots['A']).toMatchObject({ version: '1.0' });
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
  });
});

describe('an old agent', () => {
  const units = ({ custom, payload }: Listed): Relisted => ({
    custom: { ...custom, codec: CODEC.units },
    payload: withByte(payload, CODEC_AT, CODEC.units),
  });

  test('that is given a delta with units and the full payload takes the full one', async () => {
    const it = await updated(await changedLab(deltas((listed) => [units(listed)])), { decoder: OLD });
    expect(it.journal().last?.plan).toMatchObject({ kind: 'full' });
    expectTold(it, '5-units');
    expect(it.deployments.attributes[0]).toMatchObject({
      'engraft.payloadVersion': '5',
      'engraft.decodes': '5-full 5-delta',
    });
  });

  test('that is given a plain delta beside it takes that, also where the best says nothing', async () => {
    const both = deltas((listed) => [units(listed), { path: `${listed.path}.5-delta` }]);
    const it = await updated(await changedLab(both), { decoder: OLD });
    expect(it.journal().last?.plan).toMatchObject({ kind: 'delta', path: expect.stringMatching(/\.5-delta$/) });
    expectTold(it, '5-units');
    const silent = deltas((listed) => [
      { custom: listed.custom, payload: withByte(listed.payload, CODEC_AT, CODEC.units) },
      { path: `${listed.path}.5-delta` },
    ]);
    const met = await updated(await changedLab(silent), { decoder: OLD });
    expect(met.journal().last?.plan).toMatchObject({ path: expect.stringMatching(/\.5-delta$/) });
  });
});

test('of several deltas that can be read the smallest is taken', async () => {
  const longer = ({ payload }: Listed): Relisted => ({ payload: new Uint8Array([...payload, 0]) });
  const changed = await changedLab(
    deltas((listed) => [
      longer(listed),
      { path: `${listed.path}.5-delta` },
      { ...longer(listed), path: `${listed.path}.5-units` },
    ]),
  );
  const it = await updated(changed);
  expect(it.journal().last?.plan).toMatchObject({ path: expect.stringMatching(/\.5-delta$/) });
});

test('a release of two slot classes goes back to choosing in its second part, and keeps the first', async () => {
  const pair = imagePair();
  const boot = imagePair(120_000, 40_000);
  const made = await publisher();
  for (const [version, image, bootImage] of [
    [1, pair.source, boot.source],
    [2, pair.target, boot.target],
  ] as const) {
    await made.release(version, { image: bootImage, slotClass: 'boot' });
    await made.release(version, { image });
  }
  const changed = await relisted(made, ({ path, custom, payload }) =>
    path.startsWith('cam/2.0/v1/rootfs/delta/') ? [{ custom, payload: withByte(payload, VERSION_AT, 6) }] : [{}],
  );
  const slots = ['a', 'b'].map(
    (slot) => `[slots.${slot.toUpperCase()}]\nrootfs = "/slots/${slot}"\nboot = "/slots/boot-${slot}"`,
  );
  const it = await device(labOf(changed, pair), { slots: slots.join('\n') });
  it.disk.place('/slots/boot-a', boot.source);
  it.disk.place('/slots/boot-b', new Uint8Array(0));
  it.deployments.assign('2.0');
  expect(await it.untilDone()).toMatchObject({ status: 0 });
  expect(sameBytes(it.slot('b'), pair.target)).toBe(true);
  expect(sha256Hex(it.disk.peek('/slots/boot-b')!)).toBe(sha256Hex(boot.target));
  const { verified, plan } = it.journal().last!;
  expect([...verified, plan!].map(({ slotClass, kind }) => `${slotClass} ${kind}`)).toEqual([
    'boot held',
    'rootfs full',
  ]);
});
