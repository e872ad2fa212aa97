import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EmbeddedQueue } from '../../../src/server/jobs/embedded-queue.ts';
import { openDatabase } from '../../../src/server/store/open.ts';
import { describeJobQueue } from '../../support/job-queue-suite.ts';
import { temporaryFolder } from '../../support/release.ts';

describeJobQueue('the embedded database', async () => {
  const { db } = await openDatabase(':memory:');
  let now = 1_000_000;
  return {
    queue: new EmbeddedQueue(db, { now: () => now }),
    pass: async (ms) => void (now += ms),
    close: () => db.destroy(),
  };
});

describe('the embedded job queue', () => {
  test('gives jobs of one affinity one after another, unless another is more urgent', async () => {
    const { db } = await openDatabase(':memory:');
    const queue = new EmbeddedQueue(db);
    const base = { kind: 'payload', input: null, priority: 5, memoryBytes: 1 };
    for (const [key, affinity] of [
      ['a1', 'a'],
      ['b1', 'b'],
      ['a2', 'a'],
    ] as const) {
      await queue.add({ ...base, key, affinity });
    }
    expect(await queue.take('w', { memoryBytes: 9, affinity: 'a' })).toMatchObject({ key: 'a1' });
    expect(await queue.take('w', { memoryBytes: 9, affinity: 'a' })).toMatchObject({ key: 'a2' });
    await queue.add({ ...base, key: 'a3', affinity: 'a' });
    await queue.add({ ...base, key: 'c1', affinity: 'c', priority: 6 });
    expect(await queue.take('w', { memoryBytes: 9, affinity: 'a' })).toMatchObject({ key: 'c1' });
    await db.destroy();
  });

  test('is one queue for all connections of a file', async () => {
    const path = join(temporaryFolder(), 'server.db');
    const [one, other] = [await openDatabase(path), await openDatabase(path)];
    const [a, b] = [new EmbeddedQueue(one.db), new EmbeddedQueue(other.db)];
    const base = { kind: 'payload', input: null, priority: 5, memoryBytes: 1 };
    for (let i = 0; i < 20; i++) await a.add({ ...base, key: `${i}` });
    // One after another: a connection that waits for another's transaction holds up this whole process.
    const keys = new Set<string | undefined>();
    for (let i = 0; i < 20; i++) keys.add((await [a, b][i % 2]!.take(`w${i}`, { memoryBytes: 1 }))?.key);
    expect(keys.size).toBe(20);
    await Promise.all([one.db.destroy(), other.db.destroy()]);
  });
});
