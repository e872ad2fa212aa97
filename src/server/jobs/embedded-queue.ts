/**
 * The job queue on the embedded database: one table, leases that run out, short transactions that exclude each other.
 * Any number of processes of one machine may work on it.
 * @module
 */
import type { Kysely, Selectable, Transaction } from 'kysely';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { Database } from '../store/schema.ts';
import type { Job, JobQueue, JobState, NewJob, Room } from './queue.ts';
import type { JobsTable } from './schema.ts';

export interface EmbeddedQueueOptions {
  readonly now?: () => number;
  readonly leaseMs?: number;
}

type Failure = NonNullable<Job['error']>;

/** Before the second attempt; doubled for each one after it. */
const BACKOFF_MS = 2000;

export class EmbeddedQueue implements JobQueue {
  readonly #db: Kysely<Database>;
  readonly #now: () => number;
  readonly #leaseMs: number;

  constructor(db: Kysely<Database>, options: EmbeddedQueueOptions = {}) {
    this.#db = db;
    this.#now = options.now ?? Date.now;
    this.#leaseMs = options.leaseMs ?? LIMITS.job_lease_ms;
  }

  async add(job: NewJob): Promise<Job> {
    const at = this.#now();
    return this.#db.transaction().execute(async (trx) => {
      const known = await trx.selectFrom('jobs').selectAll().where('key', '=', job.key).executeTakeFirst();
      if (known === undefined) {
        const values = { ...rowOf(job), ...FRESH, run_after: at, created_at: at, updated_at: at };
        await trx.insertInto('jobs').values(values).execute();
      } else if (known.state === 'failed' || known.state === 'cancelled') {
        const again = { ...rowOf(job), ...FRESH, run_after: at, updated_at: at };
        await trx.updateTable('jobs').set(again).where('id', '=', known.id).execute();
      } else if (known.state === 'queued' && known.priority < job.priority) {
        await trx.updateTable('jobs').set({ priority: job.priority }).where('id', '=', known.id).execute();
      }
      const row = await trx.selectFrom('jobs').selectAll().where('key', '=', job.key).executeTakeFirstOrThrow();
      return jobOf(row);
    });
  }

  async take(worker: string, room: Room): Promise<Job | null> {
    const at = this.#now();
    return this.#db.transaction().execute(async (trx) => {
      await giveBack(trx, at);
      const found = await nextFor(trx, room, at);
      if (found === undefined) return null;
      const taken = { ...TAKEN, worker, attempts: found.attempts + 1, lease_until: at + this.#leaseMs, updated_at: at };
      await trx.updateTable('jobs').set(taken).where('id', '=', found.id).execute();
      return jobOf({ ...found, ...taken });
    });
  }

  async extend(job: Job, progress: number, phase: string): Promise<'go on' | 'cancelled' | 'lost'> {
    const at = this.#now();
    return this.#db.transaction().execute(async (trx) => {
      const row = await trx.selectFrom('jobs').selectAll().where('id', '=', Number(job.id)).executeTakeFirst();
      if (row?.state === 'cancelled') return 'cancelled';
      if (row === undefined || !isHeldBy(row, job)) return 'lost';
      if (row.cancel_wanted === 1) {
        await end(trx, row.id, at, { state: 'cancelled' });
        return 'cancelled';
      }
      const permille = Math.max(0, Math.min(1000, Math.round(progress * 1000)));
      const so = { progress_permille: permille, phase: phase.slice(0, 100), lease_until: at + this.#leaseMs };
      await trx
        .updateTable('jobs')
        .set({ ...so, updated_at: at })
        .where('id', '=', row.id)
        .execute();
      return 'go on';
    });
  }

  async complete(job: Job, result: unknown): Promise<void> {
    const done = { state: 'done', result: JSON.stringify(result), progress_permille: 1000, phase: null } as const;
    await this.#ended(job, () => done);
  }

  async fail(job: Job, error: Failure, mayPass: boolean): Promise<void> {
    const at = this.#now();
    const told = { error_code: error.code, error_message: error.message.slice(0, 1000) };
    await this.#ended(job, (row) => {
      if (row.cancel_wanted === 1) return { ...told, state: 'cancelled' };
      if (!mayPass || row.attempts >= LIMITS.job_attempts_max) return { ...told, state: 'failed' };
      const waitMs = Math.min(LIMITS.job_backoff_ms_max, BACKOFF_MS * 2 ** (row.attempts - 1));
      return { ...told, state: 'queued', run_after: at + waitMs };
    });
  }

  async cancel(id: string): Promise<void> {
    const at = this.#now();
    await this.#db.transaction().execute(async (trx) => {
      const row = await find(trx, id);
      if (row.state === 'queued') await end(trx, row.id, at, { state: 'cancelled' });
      if (row.state === 'running') {
        await trx.updateTable('jobs').set({ cancel_wanted: 1, updated_at: at }).where('id', '=', row.id).execute();
      }
      if (row.state === 'done' || row.state === 'failed') {
        throw new UpdateError('state_conflict', `job ${id} is ${row.state}: there is nothing to cancel`);
      }
    });
  }

  async get(id: string): Promise<Job> {
    return jobOf(await find(this.#db, id));
  }

  async list(filter: { readonly state?: JobState; readonly limit: number; readonly before?: string }): Promise<Job[]> {
    let query = this.#db.selectFrom('jobs').selectAll().orderBy('id', 'desc').limit(filter.limit);
    if (filter.state !== undefined) query = query.where('state', '=', filter.state);
    if (filter.before !== undefined) query = query.where('id', '<', numberOf(filter.before));
    return (await query.execute()).map(jobOf);
  }

  /** A job that its worker still holds becomes what `change` says. */
  async #ended(job: Job, change: (row: Selectable<JobsTable>) => Ending): Promise<void> {
    const at = this.#now();
    await this.#db.transaction().execute(async (trx) => {
      const row = await trx.selectFrom('jobs').selectAll().where('id', '=', Number(job.id)).executeTakeFirst();
      if (row !== undefined && isHeldBy(row, job)) await end(trx, row.id, at, change(row));
    });
  }
}

/** A job that was never begun, or is to be begun as if it never had been. */
const FRESH = {
  ...({ state: 'queued', progress_permille: 0, phase: null, attempts: 0, worker: null, lease_until: null } as const),
  ...{ cancel_wanted: 0, result: null, error_code: null, error_message: null },
};

const TAKEN = { state: 'running', progress_permille: 0, phase: null } as const;

type Ending = Partial<
  Pick<JobsTable, 'result' | 'error_code' | 'error_message' | 'run_after' | 'progress_permille'>
> & {
  readonly state: JobState;
};

async function end(trx: Transaction<Database>, id: number, at: number, ending: Ending): Promise<void> {
  const free = { worker: null, lease_until: null, phase: null, updated_at: at };
  await trx
    .updateTable('jobs')
    .set({ ...free, ...ending })
    .where('id', '=', id)
    .execute();
}

/** What a worker left without a word: it is another's, or over where it was to be cancelled or takes every worker with it. */
async function giveBack(trx: Transaction<Database>, at: number): Promise<void> {
  const rows = await trx
    .selectFrom('jobs')
    .select(['id', 'attempts', 'cancel_wanted', 'worker'])
    .where('state', '=', 'running')
    .where('lease_until', '<', at)
    .execute();
  for (const { id, attempts, cancel_wanted, worker } of rows) {
    const message = `worker ${worker} was not heard of again, in attempt ${attempts}`;
    const error = { error_code: 'resources_exhausted', error_message: message };
    if (cancel_wanted === 1) await end(trx, id, at, { state: 'cancelled' });
    else await end(trx, id, at, { ...error, state: attempts >= LIMITS.job_attempts_max ? 'failed' : 'queued' });
  }
}

/** The most urgent job that fits; of equals one of the same affinity, else the oldest. */
async function nextFor(trx: Transaction<Database>, room: Room, at: number): Promise<Selectable<JobsTable> | undefined> {
  const waiting = trx
    .selectFrom('jobs')
    .selectAll()
    .where('state', '=', 'queued')
    .where('run_after', '<=', at)
    .where('memory_bytes', '<=', room.memoryBytes);
  const first = await waiting.orderBy('priority', 'desc').orderBy('id').limit(1).executeTakeFirst();
  if (first === undefined || room.affinity === undefined || first.affinity === room.affinity) return first;
  const akin = waiting.where('priority', '=', first.priority).where('affinity', '=', room.affinity);
  return (await akin.orderBy('id').limit(1).executeTakeFirst()) ?? first;
}

const isHeldBy = (row: Selectable<JobsTable>, job: Job): boolean =>
  row.state === 'running' && row.worker === job.worker && row.attempts === job.attempts;

async function find(db: Kysely<Database>, id: string): Promise<Selectable<JobsTable>> {
  const row = await db.selectFrom('jobs').selectAll().where('id', '=', numberOf(id)).executeTakeFirst();
  if (row === undefined) throw new UpdateError('entity_unknown', `there is no job ${id.slice(0, 40)}`);
  return row;
}

function numberOf(id: string): number {
  if (/^\d{1,15}$/.test(id)) return Number(id);
  throw new UpdateError('entity_unknown', `there is no job ${id.slice(0, 40)}`);
}

function rowOf({ key, kind, input, priority, memoryBytes, affinity }: NewJob) {
  const what = { key, kind, input: JSON.stringify(input), affinity: affinity ?? '' };
  return { ...what, priority: Math.round(priority), memory_bytes: Math.ceil(memoryBytes) };
}

function jobOf(row: Selectable<JobsTable>): Job {
  const { error_code: code, error_message: message } = row;
  return {
    ...{ id: String(row.id), key: row.key, kind: row.kind, input: JSON.parse(row.input) as unknown },
    ...{ priority: row.priority, memoryBytes: row.memory_bytes, affinity: row.affinity },
    ...{ state: row.state, progress: row.progress_permille / 1000, phase: row.phase },
    ...{ attempts: row.attempts, worker: row.worker },
    result: row.result === null ? null : (JSON.parse(row.result) as unknown),
    error: code === null ? null : { code, message: message ?? '' },
    ...{ createdAt: row.created_at, updatedAt: row.updated_at },
  };
}
