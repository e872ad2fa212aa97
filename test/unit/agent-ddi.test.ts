/**
 * The DDI client against answers as hawkBit gives them, and against wrong ones.
 */
import { describe, expect, test } from 'vitest';
import { DdiClient } from '../../src/agent/index.ts';
import { parseSleep } from '../../src/agent/ddi.ts';
import { MemoryNetwork, type MemoryAnswer } from '../../src/testing/index.ts';

const BASE = 'http://ota.test/default/controller/v1/dev-1';

function client(answers: Record<string, unknown>) {
  const network = new MemoryNetwork({
    handler: ({ url, method }): MemoryAnswer => {
      const value = answers[`${method} ${url}`];
      if (value === undefined) return { status: 404 };
      return { status: 200, body: typeof value === 'string' ? value : JSON.stringify(value) };
    },
  });
  const ddi = new DdiClient({
    ...{ network, serverUrl: 'http://ota.test', tenant: 'default', controllerId: 'dev-1' },
    ...{ token: { kind: 'target', value: 'secret' }, attributes: { site: 'roof' } },
  });
  return { ddi, network };
}

const links = (entries: Record<string, string>) => ({
  config: { polling: { sleep: '00:05:00' } },
  _links: Object.fromEntries(Object.entries(entries).map(([name, href]) => [name, { href }])),
});

const METADATA = { product: 'cam', version: '2.0', hardware: 'v1', slotClass: 'rootfs' };
const deployment = (id: unknown, metadata: Record<string, unknown> = METADATA) => ({
  id,
  deployment: {
    ...{ download: 'forced', update: 'forced' },
    chunks: [
      { part: 'bApp', version: '1', name: 'other', artifacts: [] },
      {
        ...{ part: 'os', version: '2.0', name: 'cam', artifacts: [] },
        metadata: Object.entries(metadata).map(([key, value]) => ({ key: `engraft.${key}`, value })),
      },
    ],
  },
});

describe('a poll', () => {
  test('without anything to do', async () => {
    const { ddi, network } = client({ [`GET ${BASE}`]: links({}) });
    expect(await ddi.poll()).toEqual({ deployment: null, cancel: null, sleepMs: 300_000 });
    expect(network.requests[0]!.headers!['authorization']).toBe('TargetToken secret');
  });

  test('takes from a deployment which release it is, and sends attributes when asked', async () => {
    const { ddi, network } = client({
      [`GET ${BASE}`]: links({ deploymentBase: `${BASE}/deploymentBase/5?c=1`, configData: `${BASE}/configData` }),
      [`PUT ${BASE}/configData`]: {},
      [`GET ${BASE}/deploymentBase/5?c=1`]: deployment('5'),
    });
    expect((await ddi.poll()).deployment).toEqual({ actionId: '5', release: METADATA });
    const sent = network.requests.find(({ method }) => method === 'PUT')!;
    expect(JSON.parse(sent.body!)).toEqual({ mode: 'merge', data: { site: 'roof' } });
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

  test.each<[string, unknown, string]>([
    ['an HTML page', '<html>log in</html>', 'content_wrong'],
    ['a list', [], 'content_wrong'],
    ['no id', deployment(undefined), 'content_wrong'],
    ['an id with a slash', deployment('../5'), 'content_wrong'],
    ['no metadata of ours', deployment('5', {}), 'metadata_malformed'],
    ['a version with a slash', deployment('5', { ...METADATA, version: '../../x' }), 'metadata_malformed'],
  ])('that gets %s says so', async (_what, answer, code) => {
    const { ddi } = client({
      [`GET ${BASE}`]: links({ deploymentBase: `${BASE}/deploymentBase/5` }),
      [`GET ${BASE}/deploymentBase/5`]: answer,
    });
    await expect(ddi.poll()).rejects.toMatchObject({ code });
  });

  test('that gets another status says which', async () => {
    await expect(client({}).ddi.poll()).rejects.toMatchObject({ code: 'http_status', detail: { httpStatus: 404 } });
  });
});

describe('feedback', () => {
  test.each([
    [0, 'ok', 'success'],
    [40, 'health_failed', 'failure'],
  ] as const)('of an attempt that ended with %i', async (status, code, finished) => {
    const { ddi, network } = client({ [`POST ${BASE}/deploymentBase/5/feedback`]: {} });
    await ddi.close('5', { status, code, subStatus: status === 0 ? 0 : 8040, message: 'said so' });
    expect(JSON.parse(network.requests[0]!.body!)).toMatchObject({
      id: '5',
      status: { execution: 'closed', result: { finished }, code: status, details: [expect.stringContaining(code), 'said so'] }, // prettier-ignore
    });
  });

  test('to a cancellation', async () => {
    const { ddi, network } = client({ [`POST ${BASE}/cancelAction/9/feedback`]: {} });
    await ddi.answerCancel('9', true, 'stopped');
    await ddi.answerCancel('9', false, 'too late');
    expect(network.requests.map(({ body }) => (JSON.parse(body!) as { status: { execution: string } }).status.execution)).toEqual(['closed', 'rejected']); // prettier-ignore
  });
});

test('polling times are read, and rubbish is not', () => {
  expect(parseSleep('01:02:03')).toBe(3_723_000);
  for (const bad of ['1:2:3', '', null, 5, '00:05']) expect(parseSleep(bad)).toBeNull();
});
