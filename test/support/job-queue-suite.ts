/**
 * What every job queue does, whatever it keeps its jobs in. A clock is set by the tests, where the queue has one to set.
 */
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../native-free/limits.ts';
import type { Job, JobQueue, NewJob } from '../../src/server/jobs/queue.ts';

export interface QueueInTest {
  readonly queue: JobQueue;
  /** So much time passes, for leases and back-off. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

const ROOM = { memoryBytes: 1000 };
const LEASE_MS = LIMITS.job_lease_ms;
const ERROR = { code: 'link_failed', message: 'no answer' };

const jobNamed = (key: string, more: Partial<NewJob> = {}): NewJob => ({
  ...{ key, kind: 'payload', input: { of: key }, priority: 10, memoryBytes: 100 },
  ...more,
});

/** The suite; `open` gives a queue with nothing in it. */
export function describeJobQueue(name: string, open: () => Promise<QueueInTest>): void {
  const withQueue = (work: (of: QueueInTest) => Promise<void>) => async () => {
    const opened = await open();
    try {
      await work(opened);
    } finally {
      await opened.close();
    }
  };
  describe(`a job queue: ${name}`, () => {
    addsAndTakes(withQueue);
    leases(withQueue);
    endings(withQueue);
    lists(withQueue);
  });
}

type WithQueue = (work: (of: QueueInTest) => Promise<void>) => () => Promise<void>;

async function taken(queue: JobQueue, worker = 'w1'): Promise<Job> {
  const job = await queue.take(worker, ROOM);
  if (job === null) throw new Error('there is no job to take');
  return job;
}

function addsAndTakes(withQueue: WithQueue): void {
  test(
    'knows a job by its key, and gives it out once',
    withQueue(async ({ queue }) => {
      const first = await queue.add(jobNamed('a'));
      const again = await queue.add(jobNamed('a', { input: 'other' }));
      expect(again).toMatchObject({ id: first.id, state: 'queued', input: { of: 'a' }, attempts: 0, progress: 0 });
      expect(await queue.take('w1', ROOM)).toMatchObject({ id: first.id, state: 'running', worker: 'w1', attempts: 1 });
      expect(await queue.take('w2', ROOM)).toBeNull();
    }),
  );

  test(
    'gives the most urgent first, of equals the oldest, of those that fit',
    withQueue(async ({ queue }) => {
      await queue.add(jobNamed('old'));
      await queue.add(jobNamed('young'));
      await queue.add(jobNamed('urgent', { priority: 20 }));
      await queue.add(jobNamed('large', { priority: 30, memoryBytes: 2000 }));
      const order = [await taken(queue), await taken(queue), await taken(queue)].map(({ key }) => key);
      expect(order).toEqual(['urgent', 'old', 'young']);
      expect(await queue.take('w1', ROOM)).toBeNull();
      expect(await queue.take('w1', { memoryBytes: 2000 })).toMatchObject({ key: 'large' });
    }),
  );

  test(
    'makes a waiting job more urgent when it is asked for more urgently, never less',
    withQueue(async ({ queue }) => {
      await queue.add(jobNamed('a'));
      await queue.add(jobNamed('b'));
      await queue.add(jobNamed('b', { priority: 50 }));
      await queue.add(jobNamed('b', { priority: 1 }));
      expect(await taken(queue)).toMatchObject({ key: 'b', priority: 50 });
    }),
  );

  test(
    'gives no job to two workers that ask at once',
    withQueue(async ({ queue }) => {
      for (let i = 0; i < 8; i++) await queue.add(jobNamed(`job ${i}`));
      const all = await Promise.all(Array.from({ length: 12 }, (_, i) => queue.take(`w${i}`, ROOM)));
      const keys = all.flatMap((job) => (job === null ? [] : [job.key]));
      expect(keys).toHaveLength(8);
      expect(new Set(keys).size).toBe(8);
    }),
  );
}

function leases(withQueue: WithQueue): void {
  test(
    'keeps a job for a worker that is heard of, and notes how far it is',
    withQueue(async ({ queue, pass }) => {
      await queue.add(jobNamed('a'));
      const job = await taken(queue);
      await pass(LEASE_MS * 0.7);
      expect(await queue.extend(job, 0.25, 'match')).toBe('go on');
      await pass(LEASE_MS * 0.7);
      expect(await queue.take('w2', ROOM)).toBeNull();
      expect(await queue.get(job.id)).toMatchObject({ state: 'running', progress: 0.25, phase: 'match', worker: 'w1' });
    }),
  );

  test(
    'gives the job of a worker that is not heard of to another; what the first says then changes nothing',
    withQueue(async ({ queue, pass }) => {
      await queue.add(jobNamed('a'));
      const lost = await taken(queue, 'w1');
      await pass(LEASE_MS + 1000);
      const held = await taken(queue, 'w2');
      expect(held).toMatchObject({ id: lost.id, attempts: 2, worker: 'w2' });
      expect(await queue.extend(lost, 0.5, 'late')).toBe('lost');
      await queue.fail(lost, ERROR, false);
      expect(await queue.get(held.id)).toMatchObject({ state: 'running', worker: 'w2' });
      await queue.complete(held, { bytes: 7 });
      await queue.complete(lost, { bytes: 8 });
      expect(await queue.get(held.id)).toMatchObject({ state: 'done', result: { bytes: 7 }, progress: 1 });
    }),
  );

  test(
    'gives up a job that takes every worker with it',
    withQueue(async ({ queue, pass }) => {
      const { id } = await queue.add(jobNamed('deadly'));
      for (let i = 0; i < LIMITS.job_attempts_max; i++) {
        await taken(queue, `w${i}`);
        await pass(LEASE_MS + 1000);
      }
      expect(await queue.take('w', ROOM)).toBeNull();
      expect(await queue.get(id)).toMatchObject({ state: 'failed', error: { code: 'resources_exhausted' } });
    }),
  );
}

function endings(withQueue: WithQueue): void {
  test(
    'keeps what came of a job, however often it is asked for again',
    withQueue(async ({ queue }) => {
      await queue.add(jobNamed('a'));
      await queue.complete(await taken(queue), { sha256: 'ab' });
      expect(await queue.add(jobNamed('a'))).toMatchObject({ state: 'done', result: { sha256: 'ab' }, worker: null });
      expect(await queue.take('w1', ROOM)).toBeNull();
    }),
  );

  test(
    'tries again what may pass, later and later, and not for ever',
    withQueue(async ({ queue, pass }) => {
      const { id } = await queue.add(jobNamed('a'));
      for (let attempt = 1; attempt < LIMITS.job_attempts_max; attempt++) {
        await queue.fail(await taken(queue), ERROR, true);
        expect(await queue.take('w1', ROOM)).toBeNull();
        expect(await queue.get(id)).toMatchObject({ state: 'queued', attempts: attempt, error: ERROR });
        await pass(LIMITS.job_backoff_ms_max);
      }
      await queue.fail(await taken(queue), ERROR, true);
      expect(await queue.get(id)).toMatchObject({ state: 'failed', error: ERROR });
    }),
  );

  test(
    'does not try again what cannot pass, until somebody asks for it anew',
    withQueue(async ({ queue, pass }) => {
      await queue.add(jobNamed('a'));
      await queue.fail(await taken(queue), { code: 'proof_failed', message: 'no' }, false);
      await pass(LIMITS.job_backoff_ms_max);
      expect(await queue.take('w1', ROOM)).toBeNull();
      expect(await queue.add(jobNamed('a'))).toMatchObject({ state: 'queued', attempts: 0, error: null });
      expect(await taken(queue)).toMatchObject({ attempts: 1 });
    }),
  );

  test(
    'cancels a waiting job at once and a running one when its worker is heard of',
    withQueue(async ({ queue, pass }) => {
      const waiting = await queue.add(jobNamed('waiting'));
      await queue.cancel(waiting.id);
      await queue.cancel(waiting.id);
      expect(await queue.get(waiting.id)).toMatchObject({ state: 'cancelled' });
      const { id } = await queue.add(jobNamed('running'));
      const running = await taken(queue);
      await queue.cancel(id);
      expect(await queue.extend(running, 0.5, 'encode')).toBe('cancelled');
      expect(await queue.extend(running, 0.6, 'encode')).toBe('cancelled');
      expect(await queue.get(id)).toMatchObject({ state: 'cancelled', worker: null });
      await pass(LEASE_MS + 1000);
      expect(await queue.take('w2', ROOM)).toBeNull();
    }),
  );

  test(
    'ends a job that was to be cancelled when its worker died',
    withQueue(async ({ queue, pass }) => {
      const { id } = await queue.add(jobNamed('a'));
      await taken(queue);
      await queue.cancel(id);
      await pass(LEASE_MS + 1000);
      expect(await queue.take('w2', ROOM)).toBeNull();
      expect(await queue.get(id)).toMatchObject({ state: 'cancelled' });
    }),
  );

  test(
    'refuses to cancel what is over, and knows no job that was never added',
    withQueue(async ({ queue }) => {
      const { id } = await queue.add(jobNamed('a'));
      await queue.complete(await taken(queue), null);
      await expect(queue.cancel(id)).rejects.toMatchObject({ code: 'state_conflict' });
      await expect(queue.cancel('999999')).rejects.toMatchObject({ code: 'entity_unknown' });
      await expect(queue.get("1' OR '1'='1")).rejects.toMatchObject({ code: 'entity_unknown' });
    }),
  );
}

function lists(withQueue: WithQueue): void {
  test(
    'lists jobs in pages, the newest first, also by state',
    withQueue(async ({ queue }) => {
      for (const key of ['a', 'b', 'c']) await queue.add(jobNamed(key));
      await taken(queue);
      const [newest, next] = await queue.list({ limit: 2 });
      expect([newest?.key, next?.key]).toEqual(['c', 'b']);
      expect((await queue.list({ limit: 2, before: next!.id })).map(({ key }) => key)).toEqual(['a']);
      expect((await queue.list({ limit: 9, state: 'running' })).map(({ key }) => key)).toEqual(['a']);
      expect((await queue.list({ limit: 9, state: 'queued' })).map(({ key }) => key)).toEqual(['c', 'b']);
    }),
  );
}
