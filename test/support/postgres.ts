/**
 * A real PostgreSQL (Debian's) in a temporary folder, on a socket of its own. As root it runs as the user postgres,
 * because it refuses root.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, describe, test } from 'vitest';
import { keepStoresIn } from './server.ts';

const VERSIONS = '/usr/lib/postgresql';

/** Null, with a word on stderr, where Debian's package is not installed. */
function findPrograms(): string | null {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = versions.map((version) => join(VERSIONS, version, 'bin'));
  const found = folders.find((folder) => existsSync(join(folder, 'initdb')));
  if (found === undefined) console.warn('PostgreSQL is not tested: the package postgresql is not installed');
  return found ?? null;
}

const programs = findPrograms();
export const hasPostgres = programs !== null;

const asRoot = process.getuid?.() === 0;

function run(program: string, args: readonly string[], cwd: string): void {
  const path = join(programs!, program);
  const [command, all] = asRoot ? ['runuser', ['-u', 'postgres', '--', path, ...args]] : [path, [...args]];
  // Its children keep no pipe of ours open.
  const { status, error } = spawnSync(command, all, { cwd, stdio: 'ignore', timeout: 120_000 });
  if (status !== 0) throw error ?? new Error(`${program} ended with ${status}`);
}

const idOf = (what: 'u' | 'g'): number =>
  Number(spawnSync('id', [`-${what}`, 'postgres'], { encoding: 'utf8' }).stdout);

export class Postgres {
  readonly #folder: string;
  #databases = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static start(): Postgres {
    const folder = mkdtempSync(join(tmpdir(), 'engraft-pg-'));
    if (asRoot) chownSync(folder, idOf('u'), idOf('g'));
    chmodSync(folder, 0o755);
    const made = new Postgres(folder);
    // A collation that sorts otherwise than SQLite, where the machine has one that is always there.
    run('initdb', ['-D', made.#data, '-A', 'trust', '-U', 'engraft', '-E', 'UTF8', '--locale=C.UTF-8', '-N'], folder);
    made.resume();
    return made;
  }

  get #data(): string {
    return join(this.#folder, 'data');
  }

  /** Ends all connections at once, as a crash does. */
  stop(mode: 'immediate' | 'fast' = 'immediate'): void {
    run('pg_ctl', ['-D', this.#data, '-m', mode, '-w', 'stop'], this.#folder);
  }

  resume(): void {
    const settings = `-k ${this.#folder} -c listen_addresses='' -c max_connections=200 -c fsync=off`;
    run('pg_ctl', ['-D', this.#data, '-o', settings, '-l', join(this.#folder, 'log'), '-w', 'start'], this.#folder);
  }

  /** A new and empty database: its URL. */
  async database(): Promise<string> {
    const name = `t${++this.#databases}`;
    await this.query(this.url('postgres'), `create database ${name}`);
    return this.url(name);
  }

  url(database: string): string {
    return `postgres://engraft@/${database}?host=${this.#folder}`;
  }

  async query(url: string, text: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client(url);
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  }

  remove(): void {
    this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Tests in another file, with all their stores on PostgreSQL: one database a name. */
export async function onPostgres(load: () => Promise<unknown>): Promise<void> {
  if (!hasPostgres) {
    describe.skip('on PostgreSQL: the package postgresql is not installed', () => test('skipped', () => undefined));
    return;
  }
  const server = Postgres.start();
  afterAll(() => server.remove());
  const known = new Map<string, Promise<string>>();
  keepStoresIn(async (name) => {
    if (name.startsWith('postgres:')) return name;
    const made = (name === ':memory:' ? undefined : known.get(name)) ?? server.database();
    known.set(name, made);
    return made;
  });
  await load();
}
