/** The engine: same bytes for any number of workers, everything proved, aborts and crashes survived. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DeltaEngine, type EngineProgress, type PayloadResult, type Phase } from '../../../src/engine/index.ts';
import { editedPair, imageBytes, random, sha256 } from '../../support/images.ts';
import { applied, workerWith } from '../../support/engine.ts';

const segmentBytes = 64 * 1024;
const pair = editedPair(24, 16 * 1024, 11);

let folder: string;
let engine: DeltaEngine;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'engraft-engine-'));
  engine = new DeltaEngine({ workers: 2 });
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Too little of a source for a delta that needs no comparison. */
const halfOfSource = pair.source.slice(0, pair.source.length / 2);

function noise(length: number, seed: number): Uint8Array {
  const next = random(seed);
  return Uint8Array.from({ length }, () => next() * 256);
}

/** Use an engine of one test's own. */
async function withEngine<R>(
  options: ConstructorParameters<typeof DeltaEngine>[0],
  use: (engine: DeltaEngine) => Promise<R>,
): Promise<R> {
  const own = new DeltaEngine(options);
  try {
    return await use(own);
  } finally {
    await own.close();
  }
}

describe('bytes', () => {
  it('are the same for 1, 2 and 3 workers, over several windows and segments', async () => {
    const large = editedPair(66, 64 * 1024, 5);
    expect(large.target.length).toBeGreaterThan(4 * 2 ** 20);
    const deltas: PayloadResult[] = [];
    const fulls: PayloadResult[] = [];
    for (const workers of [1, 2, 3]) {
      await withEngine({ workers }, async (own) => {
        deltas.push(await own.delta(large.source, large.target, { segmentBytes: 2 ** 18 }));
        fulls.push(await own.full(pair.target, { segmentBytes }));
      });
    }
    for (const results of [deltas, fulls]) {
      expect(results[0]!.payload.length).toBeGreaterThan(0);
      for (const other of results.slice(1)) expect(Buffer.compare(other.payload, results[0]!.payload)).toBe(0);
    }
  });

  it('apply to the target, and the result describes them', async () => {
    const { delta, full } = await engine.make(pair.source, pair.target, { segmentBytes });
    expect(Buffer.compare(await applied(delta!.payload, pair.source), pair.target)).toBe(0);
    expect(Buffer.compare(await applied(full.payload, new Uint8Array(0)), pair.target)).toBe(0);
    expect(delta!.payloadDigest).toEqual(sha256(delta!.payload));
    expect(delta!.headerDigest).toEqual(sha256(delta!.payload.subarray(0, delta!.header.headerBytes)));
    expect(delta!.header.sourceDigest).toEqual(sha256(pair.source));
    expect(delta!.header.targetDigest).toEqual(sha256(pair.target));
    expect(delta).toMatchObject({ kind: 'delta', matcher: 'own' });
    expect(delta!.coveredBytes).toBeGreaterThan(0.9 * pair.target.length);
    expect(delta!.cpuSeconds).toBeGreaterThan(0);
  });

  it('need less than 8 MiB to decode where that is asked for', async () => {
    const { payload, header } = await engine.delta(pair.source, pair.target, { profile: 'low-memory' });
    expect(header.decoderMemoryBytes).toBeLessThanOrEqual(8 * 2 ** 20);
    expect(header.segmentBytes).toBe(256 * 1024);
    expect(Buffer.compare(await applied(payload, pair.source), pair.target)).toBe(0);
  });

  it('say the profile that they were made for, and apply', async () => {
    for (const profile of ['small', 'fast', 'low-memory'] as const) {
      const { payload, header } = await engine.delta(pair.source, pair.target, { profile });
      expect(header.profile).toBe(profile);
      expect(Buffer.compare(await applied(payload, pair.source), pair.target)).toBe(0);
    }
  });

  it('are made for empty images and images of a few bytes', async () => {
    const empty = new Uint8Array(0);
    const few = Uint8Array.of(1, 2, 3);
    expect(await applied((await engine.full(empty)).payload, empty)).toEqual(empty);
    expect(await applied((await engine.full(few)).payload, empty)).toEqual(few);
    const fromEmpty = await engine.make(empty, few);
    expect(fromEmpty).toMatchObject({ delta: null, deltaRefused: expect.stringContaining('not smaller') });
    const toEmpty = await engine.make(few, empty);
    expect(toEmpty.delta).toBeNull();
  });
});

describe('a delta that is not smaller than the full payload', () => {
  it('is refused with both sizes', async () => {
    const refused = engine.delta(noise(200_000, 1), noise(200_000, 2), { segmentBytes });
    await expect(refused).rejects.toMatchObject({
      code: 'delta_not_smaller',
      detail: { deltaBytes: expect.any(Number), fullBytes: expect.any(Number) },
    });
  });

  it('leaves the full payload to make', async () => {
    const target = noise(200_000, 2);
    const made = await engine.make(noise(200_000, 1), target, { segmentBytes });
    expect(made.delta).toBeNull();
    expect(made.deltaRefused).toMatch(/not smaller/);
    expect(Buffer.compare(await applied(made.full.payload, new Uint8Array(0)), target)).toBe(0);
  });
});

describe('the proof', () => {
  const corrupt = `
    const outcome = await run(task);
    if (task.kind === KIND && task.start > 0) outcome.result.encoded[outcome.result.encoded.length >> 1] ^= 4;
    return outcome;`;

  it('catches an encoder that makes a wrong delta segment', async () => {
    const workerFile = workerWith(folder, corrupt.replace('KIND', '"encode"'));
    await withEngine({ workers: 2, workerFile }, async (own) => {
      await expect(own.delta(pair.source, pair.target, { segmentBytes })).rejects.toMatchObject({
        code: 'proof_failed',
      });
    });
  });

  it('catches an encoder that makes a wrong full segment', async () => {
    const workerFile = workerWith(folder, corrupt.replace('KIND', '"full"'));
    await withEngine({ workers: 1, workerFile }, async (own) => {
      await expect(own.full(pair.target, { segmentBytes })).rejects.toMatchObject({ code: 'proof_failed' });
    });
  });

  it('catches a wrong target digest', async () => {
    const workerFile = workerWith(
      folder,
      `const outcome = await run(task); if (task.kind === 'digest') outcome.result[0] ^= 1; return outcome;`,
    );
    await withEngine({ workers: 1, workerFile }, async (own) => {
      await expect(own.full(pair.target, { segmentBytes })).rejects.toMatchObject({ code: 'proof_failed' });
    });
  });
});

describe('an abort', () => {
  const phases: Phase[] = ['unpack', 'analyse', 'match', 'encode', 'full', 'prove'];
  it.each(phases)('in phase %s ends the job, and the engine goes on', async (phase) => {
    const abort = new AbortController();
    const onProgress = (event: EngineProgress): void => {
      if (event.phase === phase) abort.abort();
    };
    const job = engine.delta(halfOfSource, pair.target, { segmentBytes, signal: abort.signal, onProgress });
    await expect(job).rejects.toMatchObject({ code: 'aborted' });
    expect((await engine.full(pair.target, { segmentBytes })).kind).toBe('full');
  });

  it('kills a worker that would never end', async () => {
    const workerFile = workerWith(folder, `if (task.kind === 'analyse') for (;;); return run(task);`);
    await withEngine({ workers: 1, workerFile }, async (own) => {
      const abort = new AbortController();
      const onProgress = (event: EngineProgress): void => {
        if (event.phase === 'analyse') setTimeout(() => abort.abort(), 50);
      };
      const job = own.delta(pair.source, pair.target, { segmentBytes, signal: abort.signal, onProgress });
      await expect(job).rejects.toMatchObject({ code: 'aborted' });
      expect((await own.full(pair.target, { segmentBytes })).kind).toBe('full');
    });
  });

  it('comes from close as well, for jobs that run and jobs that wait', async () => {
    const workerFile = workerWith(folder, `if (task.kind === 'full') for (;;); return run(task);`);
    const own = new DeltaEngine({ workers: 1, workerFile, memoryBytesMax: 100 * 2 ** 20 });
    const jobs = [own.full(pair.target), own.full(pair.target), own.full(pair.target)];
    const ended = Promise.allSettled(jobs);
    await delay(100);
    await own.close();
    for (const end of await ended) expect(end).toMatchObject({ status: 'rejected', reason: { code: 'aborted' } });
    await expect(own.full(pair.target)).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('a worker', () => {
  it('that dies fails its job, and the next job gets another one', async () => {
    const workerFile = workerWith(folder, `if (task.target?.length === 7) process.exit(3); return run(task);`);
    await withEngine({ workers: 2, workerFile }, async (own) => {
      await expect(own.full(imageBytes(7, 1))).rejects.toMatchObject({ code: 'bug', message: /worker died/ });
      expect((await own.full(pair.target, { segmentBytes })).kind).toBe('full');
    });
  });

  it('that cannot allocate says so', async () => {
    const workerFile = workerWith(folder, `if (task.kind === 'analyse') new ArrayBuffer(2 ** 52); return run(task);`);
    await withEngine({ workers: 1, workerFile }, async (own) => {
      const job = own.delta(pair.source, pair.target, { segmentBytes });
      // Thrown past the worker's own error handling, so it arrives as a crash of the task.
      await expect(job).rejects.toMatchObject({ code: 'memory_exceeded' });
      expect((await own.full(pair.target, { segmentBytes })).kind).toBe('full');
    });
  });
});

describe('memory', () => {
  it('that a job can never have is refused with figures before any is taken', async () => {
    await withEngine({ workers: 1, memoryBytesMax: 49 * 2 ** 20 }, async (own) => {
      await expect(own.delta(pair.source, pair.target)).rejects.toMatchObject({
        code: 'memory_exceeded',
        // The figure that was given, and threads among what is needed.
        message: expect.stringMatching(
          /about \d+ MiB \(48 MiB of it for 1 worker thread\); 49 MiB are allowed/,
        ) as unknown,
        detail: { neededBytes: expect.any(Number) as unknown, allowedBytes: 49 * 2 ** 20 },
      });
    });
  });

  it('is asked for by sizes alone, before there are images', async () => {
    await withEngine({ workers: 1, memoryBytesMax: 500 * 2 ** 20 }, async (own) => {
      own.checkSizes(2 ** 20, 2 ** 20);
      expect(() => own.checkSizes(2 ** 30, 2 ** 30)).toThrow(/500 MiB are allowed/);
      expect(() => own.checkSizes(0, 2 ** 31)).toThrow(expect.objectContaining({ code: 'limit_exceeded' }));
    });
  });

  it('is waited for: two jobs that only fit one after the other both end', async () => {
    await withEngine({ workers: 1, memoryBytesMax: 54 * 2 ** 20 }, async (own) => {
      const both = await Promise.all([
        own.full(pair.target, { segmentBytes }),
        own.full(pair.target, { segmentBytes }),
      ]);
      expect(Buffer.compare(both[0].payload, both[1].payload)).toBe(0);
    });
  });
});

describe('a delta far smaller than its target', () => {
  const phasesOf = async (source: Uint8Array, target: Uint8Array): Promise<Set<Phase>> => {
    const phases = new Set<Phase>();
    await engine.delta(source, target, { onProgress: ({ phase }: EngineProgress) => void phases.add(phase) });
    return phases;
  };

  it('is not compared with a full payload; one that may be larger is', async () => {
    const target = noise(200_000, 2);
    expect(await phasesOf(target.slice(0, 190_000), target)).not.toContain('full');
    expect(await phasesOf(target.slice(0, 150_000), target)).toContain('full');
  });
});

describe('a target that nothing helps', () => {
  const next = random(77);
  const noise = Uint8Array.from({ length: 2 ** 21 + 5000 }, () => next() * 256);
  const foreign = Uint8Array.from({ length: 2 ** 16 }, () => next() * 256);

  it('is noticed by a sample, long before all of it is coded', async () => {
    const phases = new Set<Phase>();
    const options = { onProgress: ({ phase }: EngineProgress) => void phases.add(phase) };
    await expect(engine.delta(foreign, noise, options)).rejects.toMatchObject({
      code: 'delta_not_smaller',
      message: expect.stringContaining('nothing of the source was found') as unknown,
    });
    expect(phases.has('encode')).toBe(false);
    const { delta, deltaRefused } = await engine.make(foreign, noise);
    expect([delta, deltaRefused]).toEqual([null, expect.stringContaining('nothing of the source was found')]);
  });

  it('is not assumed where a little of it is like the source', async () => {
    const alike = noise.slice();
    alike.set(foreign.subarray(0, 5000), 2 ** 20);
    expect((await engine.delta(foreign, alike)).payload.length).toBeLessThan(alike.length);
  });
});

describe('arguments', () => {
  it.each([1000, 2 ** 15, 2 ** 25, 3 * 2 ** 16, NaN])('refuse a segment size of %d', async (bytes) => {
    const attempt = engine.full(pair.target, { segmentBytes: bytes });
    await expect(attempt).rejects.toMatchObject({ code: 'usage_invalid' });
  });

  it.each([0, -1, 1.5, 1000])('refuse %d workers', (workers) => {
    expect(() => new DeltaEngine({ workers })).toThrow(/workers must be/);
  });
});

describe('progress', () => {
  it('goes through the phases in bytes and ends each at its total', async () => {
    const last = new Map<Phase, EngineProgress>();
    await engine.delta(halfOfSource, pair.target, {
      segmentBytes,
      onProgress: (event) => {
        expect(event.done).toBeGreaterThanOrEqual(last.get(event.phase)?.done ?? 0);
        last.set(event.phase, event);
      },
    });
    expect([...last.keys()]).toEqual(['unpack', 'analyse', 'match', 'encode', 'full', 'prove']);
    for (const [phase, { done, total }] of last) {
      // The target is matched twice: with references masked, then named.
      const { target } = pair;
      const both = halfOfSource.length + target.length;
      const expected = { unpack: both, analyse: halfOfSource.length, match: 2 * target.length };
      expect(total).toBe(expected[phase as 'unpack' | 'analyse' | 'match'] ?? target.length);
      // The comparison stops as soon as the full payload is known to be larger.
      if (phase === 'full') expect(done).toBeGreaterThan(0);
      else expect(done).toBe(total);
    }
  });
});
