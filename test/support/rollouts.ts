/** Stores with releases and devices, for tests of rollouts; and a database whose work can be taken back. */
import Libsql from 'libsql';
import type { Catalog, CatalogRelease } from '../../src/release/index.ts';
import { Store } from '../../src/server/index.ts';
import type { RolloutPlan } from '../../src/server/rollouts/plan.ts';
import type { OpenRaw } from '../../src/server/store/connection.ts';

export const TENANT = 'default';
const HEX = 'ab'.repeat(32);

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** Noon of a day, UTC. */
export const NOON = Date.UTC(2027, 0, 4, 12);

function release(version: string, rollbackIndex: number): CatalogRelease {
  const digests = { sha256: HEX, sha1: 'ab'.repeat(20), md5: 'ab'.repeat(16) };
  const full = {
    targetName: `cam/${version}/full`,
    kind: 'full' as const,
    format: '5-full',
    sha256: HEX,
    source: null,
  };
  const source = { version: '1.0', bytes: 1000, sha256: HEX };
  const delta = { ...full, targetName: `cam/${version}/delta`, kind: 'delta' as const, format: '5-delta', source };
  return {
    ...{ product: 'cam', version, hardware: 'v1', slotClass: 'rootfs', rollbackIndex },
    ...{ publishedAt: new Date(NOON).toISOString(), artifact: { filename: 'cam.img', bytes: 1000, ...digests } },
    payloads: [{ ...full, bytes: 900 }, ...(version === '1.0' ? [] : [{ ...delta, bytes: 100 }])],
    dropped: [],
  };
}

/** Versions 1.0, 2.0 and 3.0 with ids 1 to 3. */
export async function mirrorReleases(store: Store): Promise<void> {
  const catalog: Catalog = { format: 1, releases: [release('1.0', 1), release('2.0', 2), release('3.0', 3)] };
  await store.releases.mirror(catalog);
}

export async function addDevice(store: Store, id: string, told: Record<string, string> = {}, at = NOON): Promise<void> {
  const name = { tenant: TENANT, controllerId: id };
  await store.devices.meet(name, at, null);
  await store.devices.setAttributes(name, 'merge', { product: 'cam', hardware: 'v1', version: '1.0', ...told });
}

export async function fleet(count: number, openRaw?: OpenRaw): Promise<Store> {
  const store = await Store.open(':memory:', openRaw);
  await mirrorReleases(store);
  for (let i = 0; i < count; i++) await addDevice(store, `d${i}`);
  return store;
}

export function planOf(plan: Partial<RolloutPlan> = {}): RolloutPlan {
  return {
    ...{ filter: null, groups: [{ successPercent: 100, errorPercent: 50 }], dynamic: false, approve: false },
    ...{ rate: null, concurrent: null, timeoutMinutes: 60, retries: 0, retryMinutes: 10, startAt: null },
    ...{ window: null, health: null, waveBytes: null, deviceBytes: null },
    ...plan,
  };
}

/** What a device sees and does, without the protocol. */
export class Hand {
  readonly #store: Store;
  readonly #name: { tenant: string; controllerId: string };

  constructor(store: Store, controllerId: string) {
    this.#store = store;
    this.#name = { tenant: TENANT, controllerId };
  }

  /** The action that a poll tells of, after the device had its chance to join. */
  async poll(at: number): Promise<{ id: number; state: string } | null> {
    const state = await this.#store.polls.state(this.#name);
    if (!state.joined) await this.#store.rollouts.join(this.#name, at);
    return (await this.#store.polls.state(this.#name)).action;
  }

  async fetch(at: number): Promise<void> {
    const action = await this.poll(at);
    if (action?.state === 'pending') await this.#store.actions.retrieved(this.#name, action.id, at);
  }

  /** Reports on the action that it is at, if any. True if there was one. */
  async report(finished: 'success' | 'failure', at: number): Promise<boolean> {
    const action = await this.poll(at);
    if (action === null) return false;
    const channel = action.state === 'cancelling' ? ('cancel' as const) : ('deployment' as const);
    const said = { channel, execution: 'closed' as const, finished, code: null, details: [], about: {} };
    await this.#store.actions.report(
      this.#name,
      action.id,
      { ...said, time: `${at}`, reason: null, subStatus: null },
      at,
    );
    await this.#store.rollouts.tickOf(action.id, at);
    return true;
  }
}

/** A database in memory in which everything after a mark can be taken back, and the n-th transaction can fail. */
export class Rewindable {
  raw: Libsql.Database | null = null;
  /** Transactions until one fails to begin, as when the process dies between two of them; 0: none does. */
  failAfter = 0;
  #depth = 0;

  readonly open: OpenRaw = (path) => {
    const raw = new Libsql(path);
    this.raw = raw;
    const handle = {
      prepare: (sql: string) => raw.prepare(this.#translated(sql)),
      exec: (sql: string) => raw.exec(sql),
      close: () => raw.close(),
      get inTransaction() {
        return false;
      },
    };
    return handle as unknown as Libsql.Database;
  };

  mark(): void {
    this.raw!.exec(`SAVEPOINT mark${this.#depth++}`);
  }

  rewind(): void {
    this.#depth--;
    this.raw!.exec(`ROLLBACK TO mark${this.#depth}; RELEASE mark${this.#depth}`);
  }

  #translated(sql: string): string {
    if (sql === 'begin immediate') {
      if (this.failAfter > 0 && --this.failAfter === 0) throw new Error('killed');
      return 'SAVEPOINT own';
    }
    if (sql === 'commit') return 'RELEASE own';
    // A failed beginning has nothing to take back.
    return sql === 'rollback' ? 'ROLLBACK TO own' : sql;
  }
}
