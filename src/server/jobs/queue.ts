/**
 * What is asked of a job queue, so that the embedded database and pg-boss fit in the same place.
 *
 * A job is named by its key: adding one that is known changes nothing. Whoever takes a job holds a lease; without a
 * word of it in time, the job is another worker's. Nothing that a worker does for a job may harm when it is done twice.
 * @module
 */

export const JOB_STATES = ['queued', 'running', 'done', 'failed', 'cancelled'] as const;
export type JobState = (typeof JOB_STATES)[number];

export interface NewJob {
  /** Names the work: of delta payloads source digest, target digest, format and profile. */
  readonly key: string;
  readonly kind: string;
  /** JSON of the kind's own. */
  readonly input: unknown;
  /** Higher ones are taken first. */
  readonly priority: number;
  /** What doing it takes, so that a worker takes what it has room for. */
  readonly memoryBytes: number;
  /** Jobs of one affinity share what a worker keeps: of equally urgent ones those of its last are taken first. */
  readonly affinity?: string;
}

/** What a worker has room for, and what it worked on last. */
export interface Room {
  readonly memoryBytes: number;
  readonly affinity?: string;
}

export interface Job extends NewJob {
  readonly id: string;
  readonly state: JobState;
  /** From 0 to 1, and what is being done. */
  readonly progress: number;
  readonly phase: string | null;
  /** How often it was begun. */
  readonly attempts: number;
  readonly worker: string | null;
  /** JSON of the kind's own, once it is done. */
  readonly result: unknown;
  /** Why it failed, the last time. */
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface JobQueue {
  /**
   * Resolves with the job of that key: a new one, a known one, or one that had failed or was cancelled, queued again. One
   * that waits becomes as urgent as it is asked for now, never less.
   */
  add(job: NewJob): Promise<Job>;
  /** The most urgent job that fits, leased; null where there is none. */
  take(worker: string, room: Room): Promise<Job | null>;
  /** Renews the lease and notes how far the work is. Whoever is not to go on stops, and says no more of the job. */
  extend(job: Job, progress: number, phase: string): Promise<'go on' | 'cancelled' | 'lost'>;
  /** Nothing happens where the lease was lost: the other worker makes the same. */
  complete(job: Job, result: unknown): Promise<void>;
  /** One that may pass is tried again, a few times and not at once. */
  fail(job: Job, error: { readonly code: string; readonly message: string }, mayPass: boolean): Promise<void>;
  /**
   * A queued one ends at once, a running one when its worker hears of it.
   * @throws UpdateError entity_unknown, state_conflict for one that is done or has failed
   */
  cancel(id: string): Promise<void>;
  /** Throws UpdateError entity_unknown. */
  get(id: string): Promise<Job>;
  /** Newest first. */
  list(filter: { readonly state?: JobState; readonly limit: number; readonly before?: string }): Promise<Job[]>;
}
