/**
 * Every address × method × form of body, as bytes on a socket: the right status, never 500, and a connection that goes
 * on where it may.
 */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LIMITS } from '../../../native-free/limits.ts';
import { ManagementClient } from '../../../src/client/index.ts';
import { createServer, type EngraftServer } from '../../../src/server/index.ts';
import { publisher } from '../../support/release.ts';

let server: EngraftServer;
let port = 0;
let blob = '';
beforeAll(async () => {
  const made = await publisher();
  await made.release(1);
  server = await createServer({ repo: made.dir, auth: { managementToken: 'secret' } });
  const url = await server.listen(0);
  port = Number(new URL(url).port);
  const [release] = await new ManagementClient({ url, token: 'secret' }).releases();
  blob = `/blobs/sha256/${release!.artifact.sha256}`;
});
afterAll(() => server.close(0));

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends bytes, then `GET /healthz` on the same connection; reads until the server closes. */
async function exchange(bytes: string): Promise<Answer[]> {
  const socket = connect(port, '127.0.0.1');
  const pieces: Buffer[] = [];
  const ended = new Promise<void>((resolve) => {
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    // A server that refuses a large body may close while we still send it.
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
  });
  socket.write(`${bytes}GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, 'latin1');
  await ended;
  return answersIn(Buffer.concat(pieces).toString('latin1'), bytes.match(/HEAD \//g)?.length ?? 0);
}

/** The first `heads` answers have no body, whatever length they give. */
function answersIn(text: string, heads: number): Answer[] {
  const answers: Answer[] = [];
  let rest = text;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    const [line, ...lines] = rest.slice(0, end).split('\r\n') as [string, ...string[]];
    const headers = Object.fromEntries(lines.map((one) => one.toLowerCase().split(': ') as [string, string]));
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(line)![1]);
    rest = rest.slice(end + 4);
    if (status === 100) continue;
    const bare = answers.length < heads || status === 204 || status === 304;
    const length = bare ? 0 : Number(headers['content-length'] ?? 0);
    let body = rest.slice(0, length);
    rest = rest.slice(length);
    if (!bare && headers['transfer-encoding'] === 'chunked') [body, rest] = unchunked(rest);
    answers.push({ status, headers, body });
  }
  return answers;
}

function unchunked(text: string): [body: string, rest: string] {
  let body = '';
  for (let rest = text; ;) {
    const [size] = /^[0-9a-f]+\r\n/.exec(rest)!;
    const bytes = parseInt(size, 16);
    body += rest.slice(size.length, size.length + bytes);
    rest = rest.slice(size.length + bytes + 2);
    if (bytes === 0) return [body, rest];
  }
}

interface Form {
  readonly headers?: readonly string[];
  readonly body?: string;
}

const chunked = (body: string): Form => {
  const half = body.slice(0, body.length >> 1);
  const parts = [half, body.slice(half.length)].filter((part) => part !== '');
  const coded = parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('');
  return { headers: ['Transfer-Encoding: chunked'], body: `${coded}0\r\n\r\n` };
};
const sized = (body: string): Form => ({ headers: [`Content-Length: ${body.length}`], body });
const JSON_TYPE = 'Content-Type: application/json';
const TOKEN = 'Authorization: Bearer secret';

function request(method: string, path: string, { headers = [], body = '' }: Form, ...more: string[]): string {
  return `${[`${method} ${path} HTTP/1.1`, 'Host: x', ...more, ...headers].join('\r\n')}\r\n\r\n${body}`;
}

const ask = (...args: Parameters<typeof request>): Promise<Answer[]> => exchange(request(...args));

const base = '/default/controller/v1/dev-1';
const data = JSON.stringify({ mode: 'merge', data: { product: 'cam' } });
const said = JSON.stringify({ id: '1', status: { execution: 'closed', result: { finished: 'success' } } });
const device = JSON.stringify({ controllerId: 'dev-9' });
const newRelease = JSON.stringify({ product: 'cam', version: '9', hardware: 'v1', upload: 'none' });
const deployment = JSON.stringify({ releaseId: 1, devices: 'all' });

/** Address, what it takes, with which body, and what a good one is answered with. */
type Route = readonly [path: () => string, methods: Readonly<Record<string, number>>, body?: string, limit?: number];
const DDI = LIMITS.ddi_body_bytes_max;
const API = LIMITS.management_body_bytes_max;
const ROUTES: readonly Route[] = [
  [() => '/healthz', { GET: 200 }],
  [() => '/readyz', { GET: 200 }],
  [() => '/tuf/timestamp.json', { GET: 200 }],
  [() => '/tuf/nothing', { GET: 404 }],
  [() => blob, { GET: 200 }],
  [() => `/blobs/sha256/${'0'.repeat(64)}`, { GET: 404 }],
  [() => base, { GET: 200 }],
  [() => `${base}/configData`, { PUT: 200 }, data, DDI],
  [() => `${base}/deploymentBase/9`, { GET: 404 }],
  [() => `${base}/installedBase/9`, { GET: 404 }],
  [() => `${base}/cancelAction/9`, { GET: 404 }],
  [() => `${base}/deploymentBase/9/feedback`, { POST: 404 }, said, DDI],
  [() => `${base}/cancelAction/9/feedback`, { POST: 404 }, said, DDI],
  [() => '/api/v1/openapi.json', { GET: 200 }],
  [() => '/api/v1/products', { GET: 200 }],
  [() => '/api/v1/releases', { GET: 200, POST: 404 }, newRelease, API],
  [() => '/api/v1/releases/1', { GET: 200 }],
  [() => '/api/v1/devices', { GET: 200, POST: 200 }, device, API],
  [() => '/api/v1/devices/dev-1', { GET: 200 }],
  [() => '/api/v1/deployments', { GET: 200, POST: 200 }, deployment, API],
  [() => '/api/v1/deployments/99', { GET: 404 }],
  [() => '/api/v1/deployments/99/cancel', { POST: 404 }],
  [() => '/nowhere', {}],
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'TRACE'];

function expected(methods: Readonly<Record<string, number>>, method: string, good: boolean): number {
  if (Object.keys(methods).length === 0) return 404;
  const own = methods[method === 'HEAD' ? 'GET' : method];
  if (own === undefined) return method === 'OPTIONS' ? 204 : 405;
  return good || method === 'GET' || method === 'HEAD' ? own : 400;
}

describe('every address', () => {
  const forms: Readonly<Record<string, Form>> = {
    'no body': {},
    'a length of 0': sized(''),
    'chunks of nothing': chunked(''),
    'a length': sized('{}'),
    chunks: chunked('{}'),
    'a body that is not JSON': chunked('{"a'),
  };
  test.each(METHODS)('answers %s with every form of body, one after the other on one connection', async (method) => {
    for (const [path, methods, body] of ROUTES) {
      const all = Object.values(forms).map((form) => request(method, path(), form, TOKEN, JSON_TYPE));
      const answers = await exchange(all.join(''));
      const status = expected(methods, method, body === undefined);
      const given = Object.keys(forms).map((name, i) => `${path()} with ${name}: ${answers[i]?.status}`);
      expect(given).toEqual(Object.keys(forms).map((name) => `${path()} with ${name}: ${status}`));
      expect(answers.slice(all.length)).toMatchObject([{ status: 200 }]);
      if (status === 405) expect(answers[0]!.headers['allow']).toContain('options');
    }
  });

  test('says what is wrong with the names of a tenant and a device', async () => {
    for (const path of ['/de%20fault/controller/v1/x', '/default/controller/v1/a%2Fb', '/default/controller/v1/%ff']) {
      expect((await ask('GET', path, {})).map(({ status }) => status)).toEqual([400, 200]);
    }
  });

  const taking = ROUTES.flatMap(([path, methods, body, limit]) =>
    body === undefined
      ? []
      : Object.entries(methods).flatMap(([method, status]) =>
          method === 'GET' ? [] : [[method, path(), status, body, limit!] as const],
        ),
  );
  test.each(taking)('takes the body of %s %s in every form', async (method, path, status, body, limit) => {
    const statusOf = async (form: Form, ...more: string[]): Promise<number[]> =>
      (await ask(method, path, form, TOKEN, ...more)).map((answer) => answer.status);
    expect(await statusOf(sized(body), JSON_TYPE)).toEqual([status, 200]);
    expect(await statusOf(chunked(body), JSON_TYPE)).toEqual([status, 200]);
    expect(await statusOf(chunked(body), 'Content-Type: application/json; charset=utf-8')).toEqual([status, 200]);
    expect(await statusOf(sized(body), JSON_TYPE, 'Expect: 100-continue')).toEqual([status, 200]);
    expect((await statusOf(sized(body), JSON_TYPE, 'Expect: miracles'))[0]).toBe(417);
    expect(await statusOf(sized(body), JSON_TYPE, 'Content-Encoding: gzip')).toEqual([415, 200]);
    expect(await statusOf(sized('\xff\xfe'), JSON_TYPE)).toEqual([400, 200]);
    // Devices are known to name the type wrongly; tools are told.
    expect(await statusOf(sized(body), 'Content-Type: text/plain')).toEqual([
      path.startsWith('/api') ? 415 : status,
      200,
    ]);
    const large = ' '.repeat(limit + 1);
    expect((await statusOf(sized(large), JSON_TYPE))[0]).toBe(413);
    expect((await statusOf(chunked(large), JSON_TYPE))[0]).toBe(413);
    const announced = { headers: [`Content-Length: ${2 ** 40}`] };
    expect((await statusOf(announced, JSON_TYPE, 'Expect: 100-continue'))[0]).toBe(413);
  });

  test('takes a body of the largest size', async () => {
    const filled = `${data}${' '.repeat(DDI - data.length)}`;
    for (const form of [sized(filled), chunked(filled)]) {
      const [answer] = await ask('PUT', `${base}/configData`, form, JSON_TYPE);
      expect(answer!.status).toBe(200);
    }
  });
});

describe('a request that is none', () => {
  const of = async (bytes: string): Promise<Answer> => (await exchange(bytes))[0]!;
  test.each([
    ['rubbish', 'rubbish\r\n\r\n', 400],
    ['no host', 'GET /healthz HTTP/1.1\r\n\r\n', 400],
    ['an address that is none', 'GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['an asterisk', 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['a host that is none', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 400],
    ['a length that is none', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n', 400],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
    ],
    [
      'a chunk that is none',
      `PUT ${base}/configData HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      400,
    ],
    ['a huge header', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`, 431],
  ])('%s is refused', async (_name, bytes, status) => {
    const answer = await of(bytes);
    expect(answer.status).toBe(status);
    if (answer.body !== '') expect(JSON.parse(answer.body)).toMatchObject({ status, code: 'usage_invalid' });
  });

  test('HTTP/1.0 without a host is served', async () => {
    expect(await of('GET /healthz HTTP/1.0\r\n\r\n')).toMatchObject({ status: 200, body: '{"ok":true}' });
  });
});
