/**
 * Connections to PostgreSQL as Kysely takes them: with our error codes, with numbers as numbers, tried again while a
 * server starts, and with transactions that exclude one another unless they say otherwise.
 * @module
 */
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { UpdateError } from '../../../../native-free/status.ts';
import { pause } from '../../../platform/timers.ts';

/** The advisory lock that transactions take: any number of our own, as long as nothing else takes it. */
const WRITERS = 0x656e6772;
/** Another one, held while a database is migrated. */
export const MIGRATION = WRITERS + 1;

const STATEMENT_MS = 30_000;
const CONNECT_MS = 5000;
const CONNECTIONS_MAX = 10;

/** Between attempts to connect: a database that is restarted is back within seconds. */
const CONNECT_WAITS_MS = [100, 300, 1000];

/** Types by their numbers in PostgreSQL's catalog: int8 and numeric, which the library gives as text. */
const NUMBERS: readonly number[] = [20, 1700];
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format: never) =>
    NUMBERS.includes(oid) ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

/** Of every connection. `statementMs` 0: a statement may take for ever. */
export function connectionConfig(url: string, statementMs = STATEMENT_MS): pg.PoolConfig {
  return {
    connectionString: url,
    types,
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_MS,
    application_name: 'engraft',
    ...(statementMs === 0 ? {} : { statement_timeout: statementMs, query_timeout: statementMs + CONNECT_MS }),
  };
}

/** Where a database is, without its password. */
export function placeOf(url: string): string {
  try {
    const { hostname, port, pathname, searchParams } = new URL(url);
    const host = searchParams.get('host') ?? hostname;
    return `postgres://${host}${port === '' ? '' : `:${port}`}${pathname}`;
  } catch {
    return 'postgres://…';
  }
}

export class Pool implements PostgresPool {
  readonly #pool: pg.Pool;
  readonly #place: string;

  constructor(url: string, statementMs?: number) {
    this.#place = placeOf(url);
    this.#pool = new pg.Pool({ ...connectionConfig(url, statementMs), max: CONNECTIONS_MAX });
    // An idle connection that breaks is taken out by the pool; nobody waits for it.
    this.#pool.on('error', () => undefined);
  }

  async connect(): Promise<PostgresPoolClient> {
    for (const wait of [...CONNECT_WAITS_MS, null]) {
      try {
        return guarded(await this.#pool.connect(), this.#place);
      } catch (cause) {
        const error = storeError(cause, this.#place);
        if (wait === null || !mayPass(error)) throw error;
        await pause(wait);
      }
    }
    throw new UpdateError('bug', 'attempts to connect have run out');
  }

  end(): Promise<void> {
    return this.#pool.end();
  }
}

/** One wrapper a connection: Kysely knows its connections by identity. */
const wrappers = new WeakMap<pg.PoolClient, PostgresPoolClient>();

function guarded(client: pg.PoolClient, place: string): PostgresPoolClient {
  const known = wrappers.get(client);
  if (known !== undefined) return known;
  // A connection that breaks while nobody waits for an answer on it; the next statement says so.
  client.on('error', () => undefined);
  const made = {
    query: async (text: string, parameters: readonly unknown[]) => {
      try {
        const locked = lockedBegin(text);
        if (locked !== null) return await client.query(locked);
        return await client.query(text, parameters.map(storable));
      } catch (cause) {
        const error = storeError(cause, place);
        // What was begun on a connection that is gone is undone; saying so would hide why.
        if (text === 'rollback' && isLost(error)) return { command: 'ROLLBACK', rowCount: 0, rows: [] };
        throw error;
      }
    },
    release: () => client.release(),
  } as unknown as PostgresPoolClient;
  wrappers.set(client, made);
  return made;
}

/** Kysely's words for the two kinds of transactions. */
function lockedBegin(text: string): string | null {
  if (text === 'begin') return `begin; select pg_advisory_xact_lock(${WRITERS})`;
  if (text === 'start transaction isolation level read committed') {
    return `${text}; select pg_advisory_xact_lock_shared(${WRITERS})`;
  }
  return null;
}

/** PostgreSQL keeps no zero character in a text. */
const storable = (value: unknown): unknown =>
  typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value;

/** Errors of the database and of the way to it under our codes; those of a wrong statement stay what they are. */
export function storeError(cause: unknown, place: string): unknown {
  if (UpdateError.is(cause) || !(cause instanceof Error) || cause instanceof TypeError) return cause;
  const code = String((cause as { code?: unknown }).code ?? '');
  const isState = /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]+$/.test(code);
  if (isState && !/^(08|25006|40|53|54|55|57|58|XX)/.test(code)) {
    if (!/^(28|3D)/.test(code)) return cause;
    return new UpdateError('store_failed', `the database ${place}: ${cause.message}`, {
      cause,
      detail: { state: code },
    });
  }
  const kind = code === '53100' ? 'disk_full' : 'store_failed';
  const lost = !isState || /^(08|57P)/.test(code);
  const again = lost || /^40(001|P01)/.test(code);
  const text = `the database ${place}: ${cause.message || code}`;
  return new UpdateError(kind, text, { cause, detail: { state: code, lost, again } });
}

/** The connection is gone; whether the statement was done, nobody knows. */
const isLost = (error: unknown): boolean => UpdateError.is(error) && error.detail['lost'] === true;

/** Doing it once more may help: a lost connection, two transactions that stood in each other's way. */
const mayPass = (error: unknown): boolean => UpdateError.is(error) && error.detail['again'] === true;
