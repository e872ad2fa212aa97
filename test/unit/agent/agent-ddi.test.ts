/**
 * The DDI client against answers as hawkBit gives them, and against wrong ones.
 */
import { describe, expect, test } from 'vitest';
import { DdiClient } from '../../../src/agent/index.ts';
import { parseSleep } from '../../../src/agent/service/ddi.ts';
import { MemoryNetwork, type MemoryAnswer } from '../../../src/testing/index.ts';

const BASE = 'http://ota.test/default/controller/v1/dev-1';

/** A text is a body as it is, an object with a `status` an answer as it is, anything else the JSON of a 200. */
function client(answers: Record<string, unknown>) {
  const network = new MemoryNetwork({
    handler: ({ url, method }): MemoryAnswer => {
      const value = answers[`${method} ${url}`];
      if (value === undefined) return { status: 404 };
      if (typeof value === 'object' && value !== null && 'status' in value) return value as MemoryAnswer;
      return { status: 200, body: typeof value === 'string' ? value : JSON.stringify(value) };
    },
  });
  const ddi = new DdiClient({
    ...{ network, serverUrl: 'http://ota.test', tenant: 'default', controllerId: 'dev-1' },
    ...{ token: { kind: 'target', value: 'secret' }, slotClass: 'rootfs' },
  });
  return { ddi, network };
}

const links = (entries: Record<string, string>) => ({
  config: { polling: { sleep: '00:05:00' } },
  _links: Object.fromEntries(Object.entries(entries).map(([name, href]) => [name, { href }])),
});

const METADATA = { product: 'cam', version: '2.0', hardware: 'v1', slotClass: 'rootfs' };
const chunk = (metadata: Record<string, unknown>, name = 'cam') => ({
  ...{ part: 'os', version: '2.0', name, artifacts: [] },
  metadata: Object.entries(metadata).map(([key, value]) => ({ key: `engraft.${key}`, value })),
});
const FORCED = { download: 'forced', update: 'forced', maintenanceWindow: null } as const;
const deployment = (id: unknown, chunks: readonly object[] = [chunk(METADATA)], more: object = {}) => ({
  id,
  deployment: { download: 'forced', update: 'forced', ...more, chunks },
});
const offering = (answer: unknown) =>
  client({
    [`GET ${BASE}`]: links({ deploymentBase: `${BASE}/deploymentBase/5` }),
    [`GET ${BASE}/deploymentBase/5`]: answer,
  });

/** What stands between device and server, and answers in its place. */
const LOGIN = '<!doctype html><title>please log in</title>';
const HTML = { headers: { 'content-type': 'text/html; charset=utf-8' }, body: LOGIN };
const PORTALS: [string, MemoryAnswer][] = [
  ['a login page', { status: 200, ...HTML }],
  ['a login page that says nothing of what it is', { status: 200, body: LOGIN }],
  ['a login page as JSON', { status: 200, headers: { 'content-type': 'application/json' }, body: LOGIN }],
  ['a list', { status: 200, body: '[]' }],
  ['a number', { status: 200, body: '5' }],
  ['a page with a status that nobody uses', { status: 299, body: '{}' }],
  ['a 404 page', { status: 404, ...HTML }],
  ['a 410 page', { status: 410, ...HTML }],
  ['a 403 page', { status: 403, ...HTML }],
  ['a redirect', { status: 302, headers: { location: 'http://portal.test/' } }],
];

describe('a poll', () => {
  test('without anything to do', async () => {
    const { ddi, network } = client({ [`GET ${BASE}`]: links({}) });
    expect(await ddi.poll()).toEqual({ deployment: null, cancel: null, sleepMs: 300_000, attributesWanted: false });
    expect(network.requests[0]!.headers!['authorization']).toBe('TargetToken secret');
  });

  test('takes from a deployment which release it is, and hears that attributes are wanted', async () => {
    const { ddi } = client({
      [`GET ${BASE}`]: links({ deploymentBase: `${BASE}/deploymentBase/5?c=1`, configData: `${BASE}/configData` }),
      [`GET ${BASE}/deploymentBase/5?c=1`]: deployment('5'),
    });
    const poll = await ddi.poll();
    expect(poll).toMatchObject({ attributesWanted: true });
    expect(poll.deployment).toEqual({ actionId: '5', release: METADATA, words: FORCED });
  });

  test('takes of several classes of one release the one of the device', async () => {
    const boot = { ...METADATA, slotClass: 'boot' };
    const { ddi } = offering(deployment('5', [chunk(boot), chunk(METADATA)]));
    expect((await ddi.poll()).deployment).toMatchObject({ release: METADATA });
  });

  test.each([
    [{ update: 'skip' }, { update: 'skip' }],
    [
      { download: 'attempt', update: 'attempt' },
      { download: 'attempt', update: 'attempt' },
    ],
    [{ maintenanceWindow: 'unavailable', update: 'skip' }, { maintenanceWindow: 'unavailable' }],
    [{ maintenanceWindow: 'available' }, { maintenanceWindow: 'available', update: 'forced' }],
    [{ download: undefined, update: null, maintenanceWindow: null }, FORCED],
    [
      { download: 'later', update: 7 },
      { download: 'skip', update: 'skip' },
    ],
    [{ maintenanceWindow: 'soon' }, { maintenanceWindow: 'unavailable' }],
  ])('reads the words %j', async (said, words) => {
    const { ddi } = offering(deployment('5', undefined, said));
    expect((await ddi.poll()).deployment!.words).toMatchObject(words);
  });

  test.each([
    ['no metadata of ours', [chunk({})], /"cam" has no metadata of ours/],
    ['a version with a slash', [chunk({ ...METADATA, version: '../../x' })], /no metadata of ours/],
    ['a foreign chunk beside ours', [chunk(METADATA), chunk({}, 'bApp')], /one of its 2 chunks "bApp"/],
    ['two releases', [chunk(METADATA), chunk({ ...METADATA, version: '3.0' })], /two releases: cam 2.0 .* cam 3.0/],
    ['no chunks', [], /no chunks/],
  ])('that gets %s tells which action that is, and why it is refused', async (_what, chunks, why) => {
    const { ddi } = offering(deployment('5', chunks));
    expect((await ddi.poll()).deployment).toMatchObject({
      ...{ actionId: '5', release: null },
      foreign: expect.stringMatching(why) as unknown,
    });
  });

  test('finds a cancellation', async () => {
    const { ddi } = client({
      [`GET ${BASE}`]: links({ cancelAction: `${BASE}/cancelAction/9` }),
      [`GET ${BASE}/cancelAction/9`]: { id: '9', cancelAction: { stopId: '5' } },
    });
    expect((await ddi.poll()).cancel).toEqual({ cancelId: '9', stopId: '5' });
  });

  test('never sends its token to another host', async () => {
    const { ddi, network } = client({
      [`GET ${BASE}`]: links({ deploymentBase: 'http://evil.test/default/controller/v1/dev-1/deploymentBase/5' }),
      [`GET ${BASE}/deploymentBase/5`]: deployment('5'),
    });
    expect((await ddi.poll()).deployment?.actionId).toBe('5');
    expect(network.requests.every(({ url }) => url.startsWith('http://ota.test/'))).toBe(true);
  });

  test.each<[string, unknown]>([
    ['no id', deployment(undefined)],
    ['an id with a slash', deployment('../5')],
    ['no deployment', { id: '5' }],
    ...PORTALS.filter(([, { status }]) => status !== 302),
  ])('whose deployment is %s says so', async (_what, answer) => {
    await expect(offering(answer).ddi.poll()).rejects.toMatchObject({ code: 'content_wrong' });
  });

  test.each(PORTALS)('answered with %s has not been answered', async (_what, answer) => {
    const { ddi } = client({ [`GET ${BASE}`]: answer });
    const code = answer.status === 302 ? 'http_status' : 'content_wrong';
    await expect(ddi.poll()).rejects.toMatchObject({ code, retryable: true });
  });

  test.each([
    ['nothing', { status: 200 }],
    ['an object that is no answer to a poll', { error: 'please log in' }],
    ['an empty object', {}],
    ['a link that is no address', links({ deploymentBase: 'http://[bad' })],
    ['a link without an address', { config: {}, _links: { deploymentBase: {} } }],
  ])('answered with %s has not been answered', async (_what, answer) => {
    const { ddi } = client({ [`GET ${BASE}`]: answer });
    await expect(ddi.poll()).rejects.toMatchObject({ code: 'content_wrong' });
  });

  test.each([404, 410])('whose action is gone meanwhile (%i) has nothing to do', async (status) => {
    const gone = { status, headers: { 'content-type': 'application/problem+json' }, body: '{"code":"entity_unknown"}' };
    expect((await offering(gone).ddi.poll()).deployment).toBeNull();
    const { ddi } = client({
      [`GET ${BASE}`]: links({ cancelAction: `${BASE}/cancelAction/9` }),
      [`GET ${BASE}/cancelAction/9`]: { status },
    });
    expect((await ddi.poll()).cancel).toBeNull();
  });

  test('that gets another status says which', async () => {
    await expect(client({}).ddi.poll()).rejects.toMatchObject({ code: 'http_status', detail: { httpStatus: 404 } });
  });

  test('that is refused for want of a token says where the token belongs', async () => {
    const message = expect.stringMatching(/401 .*target_token or gateway_token in \[server\]/) as unknown;
    await expect(client({ [`GET ${BASE}`]: { status: 401 } }).ddi.poll()).rejects.toMatchObject({ message });
  });
});

describe('feedback', () => {
  const AT = Date.UTC(2026, 10, 29, 21, 30);
  const report = (status: 0 | 40) => ({
    ...{ actionId: '5', release: METADATA, atMs: AT, details: ['said so'] },
    outcome: { status, code: status === 0 ? 'ok' : 'health_failed', subStatus: status === 0 ? 0 : 8040, message: 'x' },
  } as const); // prettier-ignore

  test.each([
    [0, 'ok', 'success'],
    [40, 'health_failed', 'failure'],
  ] as const)(
    'of an attempt that ended with %i names the release, and is the same when it is repeated',
    async (status, code, finished) => {
      const { ddi, network } = client({ [`POST ${BASE}/deploymentBase/5/feedback`]: '' });
      await ddi.close(report(status));
      await ddi.close(report(status));
      expect(JSON.parse(network.requests[0]!.body!)).toEqual({
        ...{ id: '5', time: '2026-11-29T21:30:00.000Z', timestamp: AT },
        status: { execution: 'closed', result: { finished }, code: status, details: ['said so'] },
        engraft: { ...METADATA, code, subStatus: status === 0 ? 0 : 8040 },
      });
      expect(network.requests[1]!.body).toBe(network.requests[0]!.body);
    },
  );

  test('without texts has no details', async () => {
    const { ddi, network } = client({ [`POST ${BASE}/deploymentBase/5/feedback`]: '' });
    await ddi.close({ ...report(40), details: [] });
    expect(JSON.parse(network.requests[0]!.body!).status).not.toHaveProperty('details');
  });

  test('to a cancellation', async () => {
    const { ddi, network } = client({ [`POST ${BASE}/cancelAction/9/feedback`]: '' });
    await ddi.answerCancel('9', true, report(40));
    await ddi.answerCancel('9', false, report(0));
    expect(network.requests.map(({ body }) => (JSON.parse(body!) as { status: { execution: string } }).status.execution)).toEqual(['closed', 'rejected']); // prettier-ignore
  });

  test('on the way says so, and that the download is done', async () => {
    const { ddi, network } = client({ [`POST ${BASE}/deploymentBase/5/feedback`]: '' });
    await ddi.proceeding({ ...report(0), code: 0 });
    await ddi.proceeding({ ...report(0), code: 0, downloaded: true });
    expect(network.requests.map(({ body }) => (JSON.parse(body!) as { status: { execution: string } }).status.execution)).toEqual(['proceeding', 'downloaded']); // prettier-ignore
  });

  const KINDS: [string, string, (ddi: DdiClient) => Promise<void>][] = [
    ['a report', 'POST /deploymentBase/5/feedback', (ddi) => ddi.close(report(0))],
    ['news', 'POST /deploymentBase/5/feedback', (ddi) => ddi.proceeding({ ...report(0), code: 0 })],
    ['the answer to a cancellation', 'POST /cancelAction/9/feedback', (ddi) => ddi.answerCancel('9', true, report(0))],
    ['attributes', 'PUT /configData', (ddi) => ddi.sendAttributes({ site: 'roof' })],
  ];
  describe.each(KINDS)('%s', (_kind, request, send) => {
    const key = request.replace(' ', ` ${BASE}`);

    test.each<[string, MemoryAnswer]>([
      ['an empty 200', { status: 200 }],
      ['an empty 204', { status: 204 }],
      ['a 202 with JSON', { status: 202, body: '{"accepted":true}' }],
      ['a 201', { status: 201, headers: { 'content-type': 'application/json' }, body: '' }],
    ])('is taken with %s', async (_what, answer) => {
      await expect(send(client({ [key]: answer }).ddi)).resolves.toBeUndefined();
    });

    test.each(PORTALS)('answered with %s was not taken', async (_what, answer) => {
      const code = answer.status === 302 ? 'http_status' : 'content_wrong';
      await expect(send(client({ [key]: answer }).ddi)).rejects.toMatchObject({ code, retryable: true });
    });

    test('that the server refuses says with what', async () => {
      const answer = { status: 409, headers: { 'content-type': 'application/problem+json' }, body: '{}' };
      const refused = { code: 'http_status', detail: { httpStatus: 409 } };
      await expect(send(client({ [key]: answer }).ddi)).rejects.toMatchObject(refused);
    });
  });
});

test('polling times are read, and rubbish is not', () => {
  expect(parseSleep('01:02:03')).toBe(3_723_000);
  for (const bad of ['1:2:3', '', null, 5, '00:05']) expect(parseSleep(bad)).toBeNull();
});
