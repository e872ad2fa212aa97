/**
 * What a poll needs to know, and what it leaves behind. An idle poll reads nothing from the database and writes nothing
 * to it: the state of a device is remembered until something about it changes, here or in another process, and when a
 * device was last seen is noted in memory and written in batches.
 *
 * A batch is not synced: after a crash of the machine, `last_seen` is as of the batch before (decision 0103).
 * @module
 */
import type { Kysely } from 'kysely';
import { LIMITS } from '../../../native-free/limits.ts';
import type { Backend } from './backend/backend.ts';
import { ACTIVE_STATES, type ActionState, type Database, type DeviceName } from './schema.ts';

export interface PollState {
  /** False for a device that was never seen nor registered. */
  readonly known: boolean;
  /** Digest of the device's own token, or null. */
  readonly tokenDigest: string | null;
  readonly attributesWanted: boolean;
  /** It gets no news any more. */
  readonly revoked: boolean;
  /** What the device is to see now. */
  readonly action: { readonly id: number; readonly state: ActionState } | null;
  /** The last action that it finished successfully. */
  readonly installedId: number | null;
  /** It has its part in all open deployments to all devices of its kind. */
  joined: boolean;
}

export interface Sight {
  readonly at: number;
  readonly address: string | null;
}

/** Rows of one transaction of a batch: requests are answered between two of them. */
const BATCH_ROWS = 200;

export class PollStore {
  readonly #db: Kysely<Database>;
  readonly #backend: Backend;
  readonly #states = new Map<string, PollState>();
  #seen = new Map<string, DeviceName & Sight>();
  /** Null: what others write would not be heard of, so nothing is remembered. */
  #stamp: string | null = null;
  /** Counts what was forgotten: a state that was read meanwhile may be of before. */
  #changes = 0;
  /** Someone else's write is looked for once in a turn of the event loop; nothing that was answered before is missed. */
  #looked = false;
  #flushing: Promise<void> | null = null;

  constructor(backend: Backend) {
    this.#db = backend.db;
    this.#backend = backend;
    backend.onChange((name) => this.forget(name));
  }

  async state(name: DeviceName): Promise<PollState> {
    this.#look();
    const key = keyOf(name);
    const known = this.#states.get(key);
    if (known !== undefined) {
      // The least recently polled stands first.
      this.#states.delete(key);
      this.#states.set(key, known);
      return known;
    }
    const changes = this.#changes;
    const state = await this.#read(name);
    if (!state.known || this.#stamp === null || changes !== this.#changes) return state;
    if (this.#states.size >= LIMITS.poll_states_max) this.#states.delete(this.#states.keys().next().value!);
    this.#states.set(key, state);
    return state;
  }

  /**
   * What is to be offered, as the database has it now: another server may have answered that it is withdrawn, and its
   * word of it be on the way here.
   */
  async confirmed(name: DeviceName, state: PollState): Promise<PollState> {
    if (this.#backend.dialect === 'sqlite' || state.action === null) return state;
    return this.#read(name);
  }

  /** Another number than before when anything about any device may have changed. */
  get changes(): number {
    return this.#changes;
  }

  /** Something about this device has changed, or about all. */
  forget(name?: DeviceName): void {
    this.#changes++;
    if (name === undefined) this.#states.clear();
    else this.#states.delete(keyOf(name));
  }

  /** Notes a poll of a known device. */
  seen({ tenant, controllerId }: DeviceName, at: number, address: string | null): void {
    this.#seen.set(keyOf({ tenant, controllerId }), { tenant, controllerId, at, address });
  }

  /** What was noted and is not written yet. */
  lastSeen(name: DeviceName): Sight | undefined {
    return this.#seen.get(keyOf(name));
  }

  /** Writes what was noted. What cannot be written stays noted. */
  async flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => (this.#flushing = null));
    await this.#flushing;
  }

  async #flush(): Promise<void> {
    // Neighbours in the table share its pages.
    const rows = [...this.#seen.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
    for (let at = 0; at < rows.length; at += BATCH_ROWS) {
      const batch = rows.slice(at, at + BATCH_ROWS);
      await this.#write(batch.map(([, sight]) => sight));
      for (const [key, sight] of batch) if (this.#seen.get(key) === sight) this.#seen.delete(key);
      await turnOfTheLoop();
    }
  }

  async #write(sights: readonly (DeviceName & Sight)[]): Promise<void> {
    await this.#backend.unsynced(async (trx) => {
      for (const { tenant, controllerId, at, address } of sights) {
        await trx
          .updateTable('devices')
          .set({ last_seen: at, last_address: address })
          .where('tenant', '=', tenant)
          .where('controller_id', '=', controllerId)
          // Another server may have seen it since.
          .where((eb) => eb.or([eb('last_seen', 'is', null), eb('last_seen', '<', at)]))
          .execute();
      }
    });
  }

  #look(): void {
    if (this.#looked) return;
    const stamp = this.#backend.stamp();
    if (stamp !== this.#stamp || stamp === null) this.forget();
    this.#stamp = stamp;
    this.#looked = true;
    setImmediate(() => (this.#looked = false));
  }

  async #read({ tenant, controllerId }: DeviceName): Promise<PollState> {
    const device = await this.#db
      .selectFrom('devices')
      .select(['token_sha256', 'attributes_wanted'])
      .where('tenant', '=', tenant)
      .where('controller_id', '=', controllerId)
      .executeTakeFirst();
    if (device === undefined) return UNKNOWN();
    const key = await this.#db
      .selectFrom('device_keys')
      .select('revoked_at')
      .where('tenant', '=', tenant)
      .where('controller_id', '=', controllerId)
      .executeTakeFirst();
    const own = this.#db
      .selectFrom('actions')
      .select(['id', 'state'])
      .where('tenant', '=', tenant)
      .where('controller_id', '=', controllerId);
    const action = await own
      .where('state', 'in', [...ACTIVE_STATES])
      .orderBy('id')
      .executeTakeFirst();
    const installed = await own
      .where('state', '=', 'finished')
      .orderBy('updated_at', 'desc')
      .orderBy('id', 'desc')
      .executeTakeFirst();
    return {
      known: true,
      tokenDigest: device.token_sha256,
      attributesWanted: device.attributes_wanted === 1,
      revoked: key !== undefined && key.revoked_at !== null,
      action: action ?? null,
      installedId: installed?.id ?? null,
      joined: false,
    };
  }
}

const UNKNOWN = (): PollState => ({
  ...{ known: false, tokenDigest: null, attributesWanted: true, revoked: false, action: null, installedId: null },
  joined: false,
});

const turnOfTheLoop = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

const keyOf = ({ tenant, controllerId }: DeviceName): string => `${tenant}/${controllerId}`;
