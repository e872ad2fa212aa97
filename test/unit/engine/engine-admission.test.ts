/** Jobs wait in line for memory, and are refused only when they can never have it. */
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { MemoryGate } from '../../../src/engine/admission.ts';
import { jobMemoryBytes } from '../../../src/engine/memory-plan.ts';

/** Lets every promise that can settle do so. */
const settle = (): Promise<void> => setImmediate();

describe('MemoryGate', () => {
  it('refuses a job that can never fit, with both figures', async () => {
    const gate = new MemoryGate(100);
    await expect(gate.acquire(101)).rejects.toMatchObject({
      code: 'memory_exceeded',
      detail: { neededBytes: 101, allowedBytes: 100 },
    });
    expect(gate.takenBytes).toBe(0);
  });

  it('admits in order of arrival, also when a later job would fit at once', async () => {
    const gate = new MemoryGate(100);
    const order: string[] = [];
    const first = await gate.acquire(80);
    const large = gate.acquire(60).then((release) => (order.push('large'), release));
    const small = gate.acquire(10).then((release) => (order.push('small'), release));
    await settle();
    expect(order).toEqual([]);
    expect(gate.waiting).toBe(2);
    first();
    expect([(await large) !== undefined, (await small) !== undefined]).toEqual([true, true]);
    expect(order).toEqual(['large', 'small']);
    expect(gate.takenBytes).toBe(70);
  });

  it('gives memory back once, however often it is told to', async () => {
    const gate = new MemoryGate(100);
    const release = await gate.acquire(40);
    release();
    release();
    expect(gate.takenBytes).toBe(0);
  });

  it('lets a waiter leave on abort, and those behind it go on', async () => {
    const gate = new MemoryGate(100);
    const first = await gate.acquire(80);
    const abort = new AbortController();
    const leaving = gate.acquire(50, abort.signal);
    const behind = gate.acquire(20);
    abort.abort();
    await expect(leaving).rejects.toMatchObject({ code: 'aborted' });
    const release = await behind;
    expect(gate.takenBytes).toBe(100);
    release();
    first();
    expect(gate.takenBytes).toBe(0);
  });

  it('does not admit a job that was aborted before it came', async () => {
    const gate = new MemoryGate(100);
    await expect(gate.acquire(1, AbortSignal.abort())).rejects.toMatchObject({ code: 'aborted' });
    expect(gate.takenBytes).toBe(0);
  });
});

describe('jobMemoryBytes', () => {
  const shape = { sourceBytes: 10e6, targetBytes: 12e6, segmentBytes: 2 ** 20, workers: 2, matcher: 'own' } as const;

  it('counts the images, the suffix array and the payload', () => {
    expect(jobMemoryBytes(shape)).toBeGreaterThan(10e6 + 12e6 + 4 * 10e6);
  });

  it('is larger with bsdiff, and smaller without a source', () => {
    expect(jobMemoryBytes({ ...shape, matcher: 'bsdiff' })).toBeGreaterThan(jobMemoryBytes(shape) + 10 * 10e6);
    expect(jobMemoryBytes({ ...shape, sourceBytes: 0 })).toBeLessThan(jobMemoryBytes(shape) - 40e6);
  });
});
