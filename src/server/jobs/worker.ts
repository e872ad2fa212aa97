/**
 * A worker: takes jobs that it has room for, says how far it is, and stops when a job is cancelled or another's.
 *
 * It may die at any moment. What it had begun is then taken by another one when its lease runs out, and comes out the same.
 * @module
 */
import type { Logger } from 'pino';
import { STATUS, UpdateError } from '../../../native-free/status.ts';
import { every, pause } from '../../platform/timers.ts';
import { errorFields } from '../http/log.ts';
import type { Job, JobQueue } from './queue.ts';

export interface JobContext {
  readonly signal: AbortSignal;
  /** From 0 to 1, and what is being done. */
  readonly onProgress: (progress: number, phase: string) => void;
}

/** Does a job; what it resolves with is the job's result. Doing it twice must harm nothing. */
export type JobHandler = (input: unknown, context: JobContext) => Promise<unknown>;

export interface WorkerOptions {
  readonly queue: JobQueue;
  readonly handlers: Readonly<Record<string, JobHandler>>;
  /** Tells workers apart: no two may have one name. */
  readonly name: string;
  /** What all its jobs together may take. */
  readonly memoryBytes: number;
  /** Jobs at a time; default 1: the engine has threads of its own. */
  readonly lanes?: number;
  readonly logger: Logger;
  readonly pollMs?: number;
  readonly heartbeatMs?: number;
  /** Told when a job has ended, in whatever way. */
  readonly onEnded?: () => void;
}

/** A lease is renewed a few times in its life. */
const HEARTBEAT_MS = 10_000;
const POLL_MS = 500;

export class Worker {
  readonly #options: WorkerOptions;
  readonly #stop = new AbortController();
  #lanes: Promise<void>[] = [];
  #takenBytes = 0;
  #affinity: string | undefined;
  /** One lane asks at a time: what it takes counts for the next. */
  #asking: Promise<unknown> = Promise.resolve();

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#lanes.length > 0) return;
    this.#lanes = Array.from({ length: this.#options.lanes ?? 1 }, () => this.#lane());
  }

  /** Jobs that run are given back, for another worker to begin anew. */
  async stop(): Promise<void> {
    this.#stop.abort(new UpdateError('aborted', 'the worker was stopped'));
    await Promise.all(this.#lanes);
  }

  async #lane(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const job = await this.#take();
      if (job !== null) await this.#perform(job);
      else await pause(this.#options.pollMs ?? POLL_MS, signal).catch(() => undefined);
    }
  }

  async #take(): Promise<Job | null> {
    const { queue, name, memoryBytes, logger } = this.#options;
    const ask = async (): Promise<Job | null> => {
      if (this.#stop.signal.aborted) return null;
      try {
        const room = { memoryBytes: memoryBytes - this.#takenBytes, affinity: this.#affinity };
        const job = await queue.take(name, room);
        this.#takenBytes += job?.memoryBytes ?? 0;
        return job;
      } catch (error) {
        logger.error({ event: 'jobs', ...errorFields(error) }, 'no job can be taken now');
        return null;
      }
    };
    const asked = this.#asking.then(ask);
    this.#asking = asked;
    return asked;
  }

  async #perform(job: Job): Promise<void> {
    const { logger, onEnded } = this.#options;
    const about = { event: 'job', job: job.id, kind: job.kind, attempt: job.attempts };
    this.#affinity = job.affinity;
    try {
      logger.info(about, 'begun');
      const end = await this.#attempt(job);
      logger.info({ ...about, end }, 'ended');
    } catch (error) {
      // The queue did not take what came of it: the lease runs out, and the job is begun again.
      logger.error({ ...about, ...errorFields(error) }, 'the end of a job cannot be noted');
    } finally {
      this.#takenBytes -= job.memoryBytes;
      onEnded?.();
    }
  }

  /** Says what came of it. */
  async #attempt(job: Job): Promise<string> {
    const { queue, handlers, logger } = this.#options;
    const handler = handlers[job.kind];
    if (handler === undefined) {
      await queue.fail(job, { code: 'bug', message: `this worker does no jobs of the kind ${job.kind}` }, false);
      return 'unknown';
    }
    const hold = new Hold(job, queue, logger, this.#options.heartbeatMs ?? HEARTBEAT_MS);
    try {
      const signal = AbortSignal.any([hold.signal, this.#stop.signal]);
      const result = await handler(job.input, { signal, onProgress: (at, phase) => hold.note(at, phase) });
      if (hold.signal.aborted) return hold.why;
      await queue.complete(job, result);
      return 'done';
    } catch (thrown) {
      if (hold.signal.aborted) return hold.why;
      const error = UpdateError.from(thrown);
      const { code, message } = error;
      const mayPass = STATUS[code].retryable;
      if (code !== 'aborted') logger.warn({ event: 'job', job: job.id, ...errorFields(error) }, 'failed');
      await queue.fail(job, { code, message }, mayPass);
      return code;
    } finally {
      hold.end();
    }
  }
}

/** A job that is held: its lease is renewed until it ends, is cancelled or lost. */
class Hold {
  readonly #stop = new AbortController();
  readonly #timer;
  readonly #job: Job;
  readonly #queue: JobQueue;
  readonly #logger: Logger;
  #progress = 0;
  #phase = 'begin';
  #busy = false;
  why: 'cancelled' | 'lost' | 'held' = 'held';

  constructor(job: Job, queue: JobQueue, logger: Logger, heartbeatMs: number) {
    this.#job = job;
    this.#queue = queue;
    this.#logger = logger;
    this.#timer = every(heartbeatMs, () => void this.#beat()).unref();
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  note(progress: number, phase: string): void {
    this.#progress = Math.max(this.#progress, progress);
    this.#phase = phase;
  }

  end(): void {
    this.#timer.cancel();
  }

  async #beat(): Promise<void> {
    if (this.#busy || this.#stop.signal.aborted) return;
    this.#busy = true;
    try {
      const answer = await this.#queue.extend(this.#job, this.#progress, this.#phase);
      if (answer === 'go on') return;
      this.why = answer;
      this.#timer.cancel();
      this.#stop.abort(new UpdateError('aborted', answer === 'lost' ? 'another worker has the job' : 'cancelled'));
    } catch (error) {
      // The lease has some beats left.
      this.#logger.error({ event: 'job', job: this.#job.id, ...errorFields(error) }, 'the lease is not renewed');
    } finally {
      this.#busy = false;
    }
  }
}
