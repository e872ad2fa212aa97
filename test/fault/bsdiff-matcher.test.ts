/** bsdiff as second matcher: used when it works, killed when it does not, never trusted. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bsdiffUnsuited, longestRun } from '../../src/engine/bsdiff/matcher.ts';
import { DeltaEngine, type MakeOptions } from '../../src/engine/index.ts';
import { applied, bsdiffMissing, childWith, isRunning, workerWith } from '../support/engine.ts';
import { editedPair } from '../support/images.ts';

const segmentBytes = 64 * 1024;
const pair = editedPair(8, 16 * 1024, 21);
const missing = bsdiffMissing();

let folder: string;
const tmpBefore = process.env['TMPDIR'];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'engraft-bsdiff-test-'));
  process.env['TMPDIR'] = folder;
});
afterAll(() => {
  if (tmpBefore === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = tmpBefore;
  rmSync(folder, { recursive: true, force: true });
});

/** A delta with this child; afterwards nothing of the exchange is left. */
async function made(bsdiffChildFile: string | undefined, options: MakeOptions = {}, images = pair) {
  const engine = new DeltaEngine({ workers: 1, ...(bsdiffChildFile === undefined ? {} : { bsdiffChildFile }) });
  try {
    return await engine.delta(images.source, images.target, { segmentBytes, matcher: 'bsdiff', ...options });
  } finally {
    await engine.close();
    expect(readdirSync(folder).filter((name) => name.startsWith('engraft-bsdiff-'))).toEqual([]);
  }
}

describe.skipIf(missing !== null)(`with the addon${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  it('its covers make a patch that applies', async () => {
    const delta = await made(undefined);
    expect(delta).toMatchObject({ matcher: 'bsdiff' });
    expect(delta.fellBack).toBeUndefined();
    expect(delta.coveredBytes).toBeGreaterThan(0.9 * pair.target.length);
    expect(Buffer.compare(await applied(delta.payload, pair.source), pair.target)).toBe(0);
  });

  it("'both' takes the smaller", async () => {
    const sizes = [];
    for (const matcher of ['own', 'bsdiff', 'both'] as const)
      sizes.push((await made(undefined, { matcher })).payload.length);
    expect(sizes[2]).toBe(Math.min(sizes[0]!, sizes[1]!));
  });
});

describe('the analysis', () => {
  it.each([
    ['bsdiff', ['analyse']],
    // Each image is named once, and the target once more for the second parse.
    ['both', ['analyse', 'align', 'index', 'covers', 'name', 'name', 'index', 'parse', 'name', 'parse']],
  ] as const)('is made once for %s, and nothing is matched that nobody asked for', async (matcher, expected) => {
    const log = join(folder, `tasks-${matcher}`);
    const body = `appendFileSync(${JSON.stringify(log)}, task.kind + '\\n'); return run(task);`;
    const workerFile = workerWith(folder, `const { appendFileSync } = await import('node:fs'); ${body}`);
    const engine = new DeltaEngine({ workers: 1, workerFile });
    const made = await engine.delta(pair.source, pair.target, { segmentBytes, matcher }).finally(() => engine.close());
    const early = readFileSync(log, 'utf8').split('\n');
    if (made.fellBack === undefined) {
      const kinds = early.filter((kind) => ['analyse', 'align', 'index', 'covers', 'name', 'parse'].includes(kind));
      expect(kinds).toEqual(expected);
    } else expect(missing).not.toBeNull();
  });
});

describe('a child', () => {
  it('that does not end in time is killed, and our own matcher takes over', async () => {
    const pidFile = join(folder, 'pid');
    const child = childWith(folder, `writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); for (;;);`);
    const delta = await made(child, { bsdiffTimeoutMs: 1500 });
    expect(delta).toMatchObject({ matcher: 'own', fellBack: expect.stringContaining('stopped after 1500 ms') });
    expect(isRunning(Number(readFileSync(pidFile, 'utf8')))).toBe(false);
    expect(Buffer.compare(await applied(delta.payload, pair.source), pair.target)).toBe(0);
  });

  it.each([
    ['exits', `process.exit(1);`, 'exit code 1'],
    ['is killed', `process.kill(process.pid, 'SIGSEGV');`, 'SIGSEGV'],
    ['reports a failure', `process.send({ ok: false, reason: 'no memory' });`, 'no memory'],
    ['writes no patch', `process.send({ ok: true, cpuSeconds: 0 });`, 'ENOENT'],
    ['writes an empty patch', `writeFileSync(job.patch, ''); process.send({ ok: true });`, ''],
    ['writes nonsense', `writeFileSync(job.patch, Buffer.alloc(500, 'BSDIFF40')); process.send({ ok: true });`, ''],
  ])('that %s is replaced by our own matcher, with the reason', async (_name, body, reason) => {
    const delta = await made(childWith(folder, body));
    expect(delta.matcher).toBe('own');
    expect(delta.fellBack).toContain(reason);
    expect(Buffer.compare(await applied(delta.payload, pair.source), pair.target)).toBe(0);
  });

  it('that is missing is replaced as well', async () => {
    expect(await made(join(folder, 'nothing.mjs'))).toMatchObject({ matcher: 'own', fellBack: expect.any(String) });
  });

  it('dies with an abort', async () => {
    const pidFile = join(folder, 'pid-abort');
    const abort = new AbortController();
    const child = childWith(folder, `writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); for (;;);`);
    const poll = setInterval(() => {
      if (readdirSync(folder).includes('pid-abort')) abort.abort();
    }, 20);
    try {
      await expect(made(child, { signal: abort.signal })).rejects.toMatchObject({ code: 'aborted' });
    } finally {
      clearInterval(poll);
    }
    expect(isRunning(Number(readFileSync(pidFile, 'utf8')))).toBe(false);
  });
});

describe('routing', () => {
  it('keeps padding-heavy and empty images from bsdiff', async () => {
    const padded = { source: new Uint8Array(200_000).fill(255), target: new Uint8Array(250_000).fill(255) };
    expect(bsdiffUnsuited(padded.source, padded.target)).toMatch(/padding/);
    expect(bsdiffUnsuited(new Uint8Array(0), padded.target)).toMatch(/empty/);
    expect(bsdiffUnsuited(pair.source, padded.target)).toBeNull();
    expect(bsdiffUnsuited(pair.source, pair.target)).toBeNull();
  });

  it('finds the longest run wherever it lies', () => {
    const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i % 251);
    expect(longestRun(bytes, 100)).toBeLessThan(100);
    for (const at of [0, 1, 49, 50, 77, 4900]) {
      const padded = bytes.slice();
      padded.fill(7, at, at + 100);
      expect(longestRun(padded, 100)).toBe(100);
    }
    expect(longestRun(new Uint8Array(0), 100)).toBe(0);
  });
});
