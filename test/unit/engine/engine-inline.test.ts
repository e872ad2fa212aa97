/** Small images are worked on by the caller's thread: no thread is started, and all else is as with threads. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DeltaEngine, type EngineProgress, type Phase } from '../../../src/engine/index.ts';
import { workerWith } from '../../support/engine.ts';
import { editedPair } from '../../support/images.ts';

const pair = editedPair(24, 16 * 1024, 11);
const inlineBytesMax = 2 ** 20;

let folder: string;
/** Fails every task that a thread is asked for. */
let noThreads: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'engraft-inline-'));
  noThreads = workerWith(folder, `throw new Error('a thread was used');`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function withEngine<R>(
  options: ConstructorParameters<typeof DeltaEngine>[0],
  use: (engine: DeltaEngine) => Promise<R>,
): Promise<R> {
  const engine = new DeltaEngine(options);
  try {
    return await use(engine);
  } finally {
    await engine.close();
  }
}

describe('small images', () => {
  it('give the same bytes without any thread, several jobs at a time too', async () => {
    const [pooled, inline] = await Promise.all([
      withEngine({ workers: 2 }, (engine) => engine.make(pair.source, pair.target)),
      withEngine({ workers: 2, inlineBytesMax, workerFile: noThreads }, (engine) =>
        Promise.all([engine.make(pair.source, pair.target), engine.delta(pair.source, pair.target)]),
      ),
    ]);
    expect(Buffer.compare(inline[0].full.payload, pooled.full.payload)).toBe(0);
    for (const delta of [inline[0].delta!, inline[1]]) {
      expect(Buffer.compare(delta.payload, pooled.delta!.payload)).toBe(0);
      expect(delta.cpuSeconds).toBeGreaterThan(0);
    }
  });

  it('go to threads where one image is larger, or where there are segments to share', async () => {
    await withEngine({ workers: 2, inlineBytesMax: pair.source.length - 1, workerFile: noThreads }, async (engine) => {
      await expect(engine.delta(pair.source, pair.target)).rejects.toThrow('a thread was used');
    });
    await withEngine({ workers: 2, inlineBytesMax, workerFile: noThreads }, async (engine) => {
      const job = engine.delta(pair.source, pair.target, { segmentBytes: 2 ** 16 });
      await expect(job).rejects.toThrow('a thread was used');
    });
    await withEngine({ workers: 1, inlineBytesMax, workerFile: noThreads }, async (engine) => {
      const { header } = await engine.delta(pair.source, pair.target, { segmentBytes: 2 ** 16 });
      expect(header.segments.length).toBeGreaterThan(1);
    });
  });

  it('go to threads where it turns out how much is in them', async () => {
    const packed = (image: Uint8Array) => new Uint8Array(gzipSync(Buffer.concat([image, new Uint8Array(2 ** 21)])));
    await withEngine({ workers: 1, inlineBytesMax, workerFile: noThreads }, async (engine) => {
      const job = engine.delta(packed(pair.source), packed(pair.target));
      await expect(job).rejects.toThrow('a thread was used');
    });
  });

  it.each<Phase>(['unpack', 'match', 'encode', 'prove'])('can be given up in phase %s', async (phase) => {
    await withEngine({ workers: 1, inlineBytesMax, workerFile: noThreads }, async (engine) => {
      const abort = new AbortController();
      const onProgress = (event: EngineProgress): void => {
        if (event.phase === phase) abort.abort();
      };
      const job = engine.delta(pair.source, pair.target, { signal: abort.signal, onProgress });
      await expect(job).rejects.toMatchObject({ code: 'aborted' });
      expect((await engine.delta(pair.source, pair.target)).kind).toBe('delta');
    });
  });

  it('are never taken by an engine that was not told so', async () => {
    await withEngine({ workers: 1, workerFile: noThreads }, async (engine) => {
      await expect(engine.full(pair.target)).rejects.toThrow('a thread was used');
    });
  });
});
