import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LIMITS } from '../../../native-free/limits.ts';
import { createServer, type EngraftServer } from '../../../src/server/index.ts';
import { chooseRanges, tagListed } from '../../../src/server/ranges.ts';
import { imageBytes } from '../../support/images.ts';
import { temporaryFolder } from '../../support/release.ts';
import { sha256Hex } from '../../../src/platform/hash.ts';

const blob = imageBytes(1_000_000, 3);
const large = imageBytes(24_000_000, 4);
const empty = new Uint8Array(0);
const tag = `"${sha256Hex(blob)}"`;

let server: EngraftServer;
let url = '';
let repo = '';
beforeAll(async () => {
  repo = temporaryFolder();
  mkdirSync(join(repo, 'blobs', 'sha256'), { recursive: true });
  for (const bytes of [blob, large, empty]) writeFileSync(join(repo, 'blobs', 'sha256', sha256Hex(bytes)), bytes);
  mkdirSync(join(repo, 'metadata'));
  writeFileSync(join(repo, 'metadata', '1.root.json'), '{}');
  writeFileSync(join(repo, 'secret'), 'not for the network');
  server = await createServer({ repo, store: ':memory:' });
  url = await server.listen(0);
});
afterAll(() => server.close(0));

const get = (headers: Record<string, string> = {}, method = 'GET', bytes = blob) =>
  fetch(`${url}/blobs/sha256/${sha256Hex(bytes)}`, { headers, method });

async function body(answer: Response): Promise<Buffer> {
  return Buffer.from(await answer.arrayBuffer());
}

/** Blob files that this process has open. */
function openBlobs(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(join(repo, 'blobs'));
    } catch {
      return false;
    }
  }).length;
}

describe('GET and HEAD of a blob', () => {
  test('carry its length, a strong tag, and that it never changes', async () => {
    for (const method of ['GET', 'HEAD']) {
      const answer = await get({}, method);
      expect(answer.status).toBe(200);
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        etag: tag,
        'accept-ranges': 'bytes',
        'content-length': '1000000',
        'content-type': 'application/octet-stream',
        'cache-control': 'public, max-age=31536000, immutable',
      });
      expect(answer.headers.get('transfer-encoding')).toBeNull();
      expect(sha256Hex(await body(answer))).toBe(sha256Hex(method === 'GET' ? blob : empty));
    }
  });

  test('of an empty blob are empty', async () => {
    const answer = await get({}, 'GET', empty);
    expect([answer.status, answer.headers.get('content-length')]).toEqual([200, '0']);
    expect((await get({ Range: 'bytes=0-' }, 'GET', empty)).status).toBe(416);
  });

  test('of anything but the digest of a blob find nothing', async () => {
    const paths = [
      sha256Hex(new Uint8Array([1])),
      sha256Hex(blob).toUpperCase(),
      `${sha256Hex(blob)}0`,
      '..%2f..%2fsecret',
      '.',
      'x',
    ];
    for (const path of paths) {
      const answer = await fetch(`${url}/blobs/sha256/${path}`);
      expect(answer.status).toBe(404);
      expect(answer.headers.get('cache-control')).toBe('no-store');
    }
  });

  test('answer preconditions', async () => {
    for (const value of [tag, `W/${tag}`, `"x", ${tag}`, '*']) {
      const answer = await get({ 'If-None-Match': value });
      expect([answer.status, answer.headers.get('etag'), (await body(answer)).length]).toEqual([304, tag, 0]);
    }
    expect((await get({ 'If-None-Match': '"x"' })).status).toBe(200);
    expect((await get({ 'If-Match': '"x"' })).status).toBe(412);
    expect((await get({ 'If-Match': `W/${tag}` })).status).toBe(412);
    expect((await get({ 'If-Match': tag })).status).toBe(200);
  });
});

describe('a single range', () => {
  test.each([
    ['bytes=0-0', 0, 0],
    ['bytes=0-999999', 0, 999_999],
    ['bytes=999999-', 999_999, 999_999],
    ['bytes=65535-65536', 65_535, 65_536],
    ['bytes=500000-', 500_000, 999_999],
    ['bytes=-1', 999_999, 999_999],
    ['bytes=-1000', 999_000, 999_999],
    ['bytes=-5000000', 0, 999_999],
    ['bytes=999990-5000000', 999_990, 999_999],
    ['BYTES = 7-8', 7, 8],
    ['bytes=2000000-,5-6', 5, 6],
  ])('%s is answered with 206', async (range, first, last) => {
    for (const method of ['GET', 'HEAD']) {
      const answer = await get({ Range: range }, method);
      expect(answer.status).toBe(206);
      expect(answer.headers.get('content-range')).toBe(`bytes ${first}-${last}/1000000`);
      expect(answer.headers.get('content-length')).toBe(String(last - first + 1));
      if (method === 'GET') expect(await body(answer)).toEqual(Buffer.from(blob.subarray(first, last + 1)));
    }
  });

  test.each(['bytes=1000000-', 'bytes=1000000-1000001', 'bytes=-0', 'bytes=99999999999999999999-'])(
    '%s is outside: 416 with the size',
    async (range) => {
      const answer = await get({ Range: range });
      expect([answer.status, answer.headers.get('content-range')]).toEqual([416, 'bytes */1000000']);
      expect((await body(answer)).length).toBe(0);
    },
  );

  test.each(['bytes=5-4', 'bytes=', 'bytes=-', 'bytes=a-b', 'bytes=1', 'chapters=1-2', 'bytes=0-1;2-3', 'bytes=1-2-3'])(
    '%s makes no sense and is ignored',
    async (range) => {
      const answer = await get({ Range: range });
      expect([answer.status, answer.headers.get('content-length')]).toEqual([200, '1000000']);
      await answer.body?.cancel();
    },
  );

  test('counts with If-Range only when the tag is the very same', async () => {
    expect((await get({ Range: 'bytes=1-2', 'If-Range': tag })).status).toBe(206);
    for (const value of ['"x"', `W/${tag}`, 'Tue, 24 Nov 2026 00:00:00 GMT', '']) {
      const answer = await get({ Range: 'bytes=1-2', 'If-Range': value });
      expect(answer.status).toBe(200);
      await answer.body?.cancel();
    }
  });
});

describe('several ranges', () => {
  test('come as multipart/byteranges with a lower-case boundary and an exact length', async () => {
    const answer = await get({ Range: 'bytes=0-9, 100000-170000 ,-5,2000000-' });
    expect(answer.status).toBe(206);
    const type = answer.headers.get('content-type')!;
    const boundary = /^multipart\/byteranges; boundary=([a-z0-9-]+)$/.exec(type)![1]!;
    const bytes = await body(answer);
    expect(answer.headers.get('content-length')).toBe(String(bytes.length));
    const parts = bytes.toString('latin1').split(`\r\n--${boundary}`);
    expect([parts.length, parts[0], parts.at(-1)]).toEqual([5, '', '--\r\n']);
    const expected = [
      [0, 9],
      [100_000, 170_000],
      [999_995, 999_999],
    ] as const;
    expected.forEach(([first, last], i) => {
      const [head, content] = [parts[i + 1]!.split('\r\n\r\n', 1)[0]!, parts[i + 1]!];
      expect(head).toContain(`Content-Range: bytes ${first}-${last}/1000000`);
      const sent = Buffer.from(content.slice(head.length + 4), 'latin1');
      expect(sent).toEqual(Buffer.from(blob.subarray(first, last + 1)));
    });
  });

  test('that are too many, or more than the whole, are answered with the whole', async () => {
    const many = Array.from({ length: LIMITS.http_ranges_max + 1 }, (_, i) => `${i * 2}-${i * 2}`).join(',');
    for (const range of [`bytes=${many}`, 'bytes=0-,0-', `bytes=${'0-999999,'.repeat(20)}0-0`]) {
      const answer = await get({ Range: range });
      expect(answer.status).toBe(200);
      await answer.body?.cancel();
    }
  });

  test('are chosen without surprises for any small size', () => {
    for (let size = 1; size < 6; size++) {
      for (let first = 0; first < 7; first++) {
        for (let last = first; last < 7; last++) {
          const choice = chooseRanges(`bytes=${first}-${last}`, size);
          if (first >= size) expect(choice.kind).toBe('unsatisfiable');
          else expect(choice).toEqual({ kind: 'ranges', ranges: [{ first, last: Math.min(last, size - 1) }] });
        }
      }
    }
    expect(tagListed('"a", W/"b"', '"b"', 'strong')).toBe(false);
    expect(tagListed('"a", W/"b"', '"b"', 'weak')).toBe(true);
  });
});

describe('sending a body', () => {
  test('goes no faster than the client takes it, and closes the file when the client goes away', async () => {
    const before = server.stats.blobBytes;
    const answer = await new Promise<IncomingMessage>((resolve) => {
      request(`${url}/blobs/sha256/${sha256Hex(large)}`, resolve).end();
    });
    answer.once('readable', () => answer.pause());
    await sleep(400);
    const sent = server.stats.blobBytes - before;
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(large.length * 0.75); // the rest waits for the client: sockets buffer a few MB
    expect(openBlobs()).toBe(1);
    answer.destroy();
    for (let tries = 0; openBlobs() > 0 && tries < 100; tries++) await sleep(20);
    expect(openBlobs()).toBe(0);
  });

  test('breaks the connection when the file became shorter, rather than look complete', async () => {
    const shrinking = imageBytes(3_000_000, 9);
    const path = join(repo, 'blobs', 'sha256', sha256Hex(shrinking));
    writeFileSync(path, shrinking);
    const answer = await get({}, 'GET', shrinking);
    writeFileSync(path, shrinking.subarray(0, 10));
    await expect(body(answer)).rejects.toThrow();
  });

  test('keeps to the rate limit, all downloads together', async () => {
    const slow = await createServer({ repo, store: ':memory:', rateLimitBitsPerSecond: 800_000 });
    const at = await slow.listen(0);
    const begun = performance.now();
    const range = { headers: { Range: 'bytes=0-24999' } };
    const answers = [1, 2].map(async () => body(await fetch(`${at}/blobs/sha256/${sha256Hex(blob)}`, range)));
    for (const bytes of await Promise.all(answers)) expect(bytes).toEqual(Buffer.from(blob.subarray(0, 25_000)));
    // A bound from below only: 50,000 bytes at 100,000 a second.
    expect(performance.now() - begun).toBeGreaterThan(450);
    await slow.close(0);
  });
});
