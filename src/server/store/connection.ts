/**
 * The one connection to the database file. It is proved writable before it is used, its errors have our codes, and one
 * that has gone bad (the file became read-only, a descriptor was missing) is opened anew instead of failing for ever.
 *
 * SQLite falls back to reading alone, without a word, when it cannot open a file for writing, also for want of a
 * descriptor: that is why opening ends with a write. Nor does it say that the file was taken away or another one put in
 * its place (a backup that was restored): it goes on with what nobody else sees, so that is looked for.
 * @module
 */
import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Libsql from 'libsql';
import type { SqliteDatabase, SqliteStatement } from 'kysely';
import { UpdateError } from '../../../native-free/status.ts';
import { pause } from '../../platform/timers.ts';

/** How long a statement waits for a writer in another process. */
const BUSY_MS = 5000;

/** At the start, before a database is refused: descriptors and locks come back. */
const OPEN_WAITS_MS = [50, 200, 800];

/** Prepared ones that are kept. */
const STATEMENTS_MAX = 256;

export type OpenRaw = (path: string) => Libsql.Database;

const openRaw: OpenRaw = (path) => new Libsql(path, { timeout: BUSY_MS });

export class Connection implements SqliteDatabase {
  readonly #path: string;
  readonly #open: OpenRaw;
  #raw: Libsql.Database;
  #version: Libsql.Statement;
  readonly #statements = new Map<string, Libsql.Statement>();
  #generation = 0;
  #suspect = false;
  /** Which file is open; null for one that has no name. */
  #file: string | null;

  private constructor(path: string, open: OpenRaw) {
    this.#path = path;
    this.#open = open;
    [this.#raw, this.#version] = connected(path, open);
    this.#file = fileAt(path);
  }

  /** Tries a few times. Throws UpdateError store_failed or disk_full. */
  static async open(path: string, open: OpenRaw = openRaw): Promise<Connection> {
    for (const wait of OPEN_WAITS_MS) {
      try {
        return new Connection(path, open);
      } catch (error) {
        if (!UpdateError.is(error) || error.detail['passing'] !== true) throw error;
        await pause(wait);
      }
    }
    return new Connection(path, open);
  }

  prepare(sql: string): SqliteStatement {
    this.#renew();
    // After some errors the transaction is gone already; undoing it twice would hide why.
    if (sql === 'rollback' && !this.#raw.inTransaction) return NOTHING;
    // A deferred transaction that reads first cannot become a writer once another process wrote: it fails at once,
    // whatever the busy timeout. Immediate ones queue up.
    const text = sql === 'begin' ? 'begin immediate' : sql;
    const statement = this.#guard(() => this.#prepared(text));
    return {
      reader: statement.reader,
      all: (parameters) => this.#guard(() => statement.all(...parameters) as unknown[]),
      run: (parameters) => this.#guard(() => statement.run(...parameters) as never),
      // One that is gone through row by row must not be begun anew meanwhile.
      iterate: (parameters) =>
        this.#guard(() => this.#raw.prepare(text).iterate(...parameters) as IterableIterator<unknown>),
    };
  }

  /** Preparing takes as long as most statements take to run; the least recently used goes. */
  #prepared(text: string): Libsql.Statement {
    const known = this.#statements.get(text) ?? this.#raw.prepare(text);
    this.#statements.delete(text);
    this.#statements.set(text, known);
    if (this.#statements.size > STATEMENTS_MAX) this.#statements.delete(this.#statements.keys().next().value!);
    return known;
  }

  /** Another value than before when anyone but this connection has written, or when it was opened anew. */
  stamp(): string {
    this.#renew();
    const row = this.#guard(() => this.#version.get() as { data_version: number });
    return `${this.#generation}.${row.data_version}`;
  }

  /** Another number when the file is another one, or was opened anew. Throws UpdateError store_failed. */
  generation(): number {
    this.#renew();
    return this.#generation;
  }

  /** Throws UpdateError store_failed when the database cannot be written to now. */
  probe(): void {
    this.#renew();
    if (this.#raw.inTransaction) return;
    this.#guard(() => this.#raw.exec('begin immediate; rollback'));
  }

  /** Everything is in the one file then, for whoever copies it: the library does not see to that by itself. */
  close(): void {
    try {
      this.#raw.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch {
      // It stays in the log beside the file, where the next one to open it finds it.
    }
    this.#raw.close();
  }

  /** Between two transactions. A new file is not made here: it would be an empty one. */
  #renew(): void {
    if (this.#raw.inTransaction) return;
    const file = this.#file === null ? null : fileAt(this.#path);
    if (this.#file !== null && file === null) {
      const text = `the database ${this.#path} was taken away: put it back, or start the server again`;
      throw new UpdateError('store_failed', text, { detail: { path: this.#path } });
    }
    if (this.#suspect || file !== this.#file) this.#reopen();
  }

  #reopen(): void {
    const old = this.#raw;
    [this.#raw, this.#version] = connected(this.#path, this.#open);
    this.#file = fileAt(this.#path);
    this.#suspect = false;
    this.#statements.clear();
    this.#generation++;
    old.close();
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      const code = codeOf(cause);
      if (SUSPECT.test(code)) this.#suspect = this.#path !== ':memory:';
      throw storeError(cause, `the database ${this.#path}`);
    }
  }
}

/** What tells a file from another one of its name; null when there is none. */
function fileAt(path: string): string | null {
  const facts = path === ':memory:' ? undefined : statSync(path, { bigint: true, throwIfNoEntry: false });
  return facts === undefined ? null : `${facts.dev} ${facts.ino}`;
}

const NOTHING: SqliteStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [][Symbol.iterator](),
};

/** The connection itself may be to blame. */
const SUSPECT = /^SQLITE_(READONLY|IOERR|CANTOPEN|NOTADB|CORRUPT|PROTOCOL)/;

function connected(path: string, open: OpenRaw): [Libsql.Database, Libsql.Statement] {
  let raw: Libsql.Database | undefined;
  try {
    raw = open(path);
    raw.exec('PRAGMA journal_mode = WAL');
    raw.exec('PRAGMA synchronous = FULL');
    raw.exec('PRAGMA foreign_keys = ON');
    // A write, though of what stands there already.
    raw.exec('BEGIN IMMEDIATE; PRAGMA user_version = 0; COMMIT');
    return [raw, raw.prepare('PRAGMA data_version')];
  } catch (cause) {
    raw?.close();
    throw openError(path, cause);
  }
}

function openError(path: string, cause: unknown): UpdateError {
  const code = codeOf(cause);
  // The library gives a file that cannot be opened no code at all.
  const passing = code === '' || /^SQLITE_(READONLY|IOERR|CANTOPEN|BUSY|PROTOCOL)/.test(code);
  const why = path === ':memory:' ? null : hindrance(path);
  const what = /^SQLITE_READONLY/.test(code) ? 'may only be read' : 'cannot be opened';
  const text = `the database ${path} ${what}: ${why?.message ?? (cause as Error).message}`;
  const kind = code === 'SQLITE_FULL' ? 'disk_full' : 'store_failed';
  return new UpdateError(kind, text, { cause, detail: { path, passing: passing && why === null } });
}

/** What the system says to writing there; SQLite does not tell. */
function hindrance(path: string): Error | null {
  for (const place of [path, dirname(path)]) {
    try {
      accessSync(place, constants.W_OK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || place !== path) return error as Error;
    }
  }
  return null;
}

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '');

/** Errors of the file and of the disk under our codes; those of a wrong statement stay what they are. */
function storeError(cause: unknown, what: string): unknown {
  const code = codeOf(cause);
  if (UpdateError.is(cause) || !/^SQLITE_/.test(code)) return cause;
  if (/^SQLITE_(ERROR|CONSTRAINT|MISUSE|RANGE|MISMATCH|TOOBIG)/.test(code)) return cause;
  const kind = code === 'SQLITE_FULL' ? 'disk_full' : 'store_failed';
  return new UpdateError(kind, `${what}: ${(cause as Error).message}`, { cause, detail: { sqlite: code } });
}
