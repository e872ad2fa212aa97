/**
 * Public keys of devices. The first one that an authenticated device tells is taken; any other one waits for an operator's
 * word, because whoever registers a key reads the fleet's software with it.
 * @module
 */
import type { Kysely } from 'kysely';
import { UpdateError } from '../../../native-free/status.ts';
import type { PollStore } from './polls.ts';
import { freshDevice } from './devices.ts';
import type { Database, DeviceName } from './schema.ts';

export interface DeviceKey {
  /** The key that headers are made for; null before one was taken. */
  readonly recipient: string | null;
  /** Another one that the device has told since. */
  readonly offered: string | null;
  readonly changedAt: number;
  readonly revokedAt: number | null;
}

/** A body that a device may have, by the actions that it has or had. */
export interface EntitledBody {
  readonly actionId: number;
  /** The file key, as the master key wraps it; null where the payload is in clear. */
  readonly wrapped: string | null;
}

/** Actions of a device that are looked through for a release, the newest first. */
const ACTIONS_MAX = 32;

export class DeviceKeyStore {
  readonly #db: Kysely<Database>;
  readonly #polls: PollStore;

  constructor(db: Kysely<Database>, polls: PollStore) {
    this.#db = db;
    this.#polls = polls;
  }

  async get({ tenant, controllerId }: DeviceName): Promise<DeviceKey | null> {
    const row = await this.#db
      .selectFrom('device_keys')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('controller_id', '=', controllerId)
      .executeTakeFirst();
    if (row === undefined) return null;
    const { recipient, offered } = row;
    const revokedAt = row.revoked_at === null ? null : Number(row.revoked_at);
    return { recipient, offered, changedAt: Number(row.changed_at), revokedAt };
  }

  /**
   * What a device says its key is.
   * @param vouched it has authenticated: a first key is taken
   * @returns what became of it
   */
  async offer(name: DeviceName, recipient: string, vouched: boolean, at: number): Promise<'known' | 'taken' | 'waits'> {
    const known = await this.get(name);
    if (known?.recipient === recipient) return 'known';
    if (known === null && vouched) {
      await this.#put(name, { recipient, offered: null, changed_at: at, revoked_at: null });
      return 'taken';
    }
    if (known?.offered !== recipient) await this.#put(name, { offered: recipient, changed_at: at });
    return 'waits';
  }

  /**
   * An operator vouches for a key: headers are made for it from now on, also if the device was revoked before.
   * @throws UpdateError state_conflict when the device has offered another one, or none
   */
  async accept(name: DeviceName, recipient: string, at: number): Promise<void> {
    const known = await this.get(name);
    if (known === null || (known.offered !== recipient && known.recipient !== recipient)) {
      const offered = known?.offered ?? known?.recipient ?? null;
      const text = offered === null ? 'has told no key' : `has told the key ${offered}`;
      throw new UpdateError('state_conflict', `device ${name.controllerId} ${text}, not the one to be accepted`);
    }
    await this.#put(name, { recipient, offered: null, changed_at: at, revoked_at: null });
  }

  /** No more headers and no more news for this device. One that is not known yet is revoked ahead of its first poll. */
  async revoke(name: DeviceName, at: number): Promise<void> {
    await this.#db
      .insertInto('devices')
      .values(freshDevice(name, at))
      .onConflict((on) => on.columns(['tenant', 'controller_id']).doNothing())
      .execute();
    await this.#put(name, { changed_at: at, revoked_at: at });
  }

  /**
   * Whether a device may have the body with this digest: some release of an action that is open, or was installed, has it.
   * Null where it may not.
   */
  async entitled({ tenant, controllerId }: DeviceName, sha256: string): Promise<EntitledBody | null> {
    const rows = await this.#db
      .selectFrom('actions')
      .innerJoin('releases as assigned', 'assigned.id', 'actions.release_id')
      // The parts of a release for other slot classes go with it.
      .innerJoin('releases', (join) =>
        join
          .onRef('releases.product', '=', 'assigned.product')
          .onRef('releases.version', '=', 'assigned.version')
          .onRef('releases.hardware', '=', 'assigned.hardware'),
      )
      .select(['actions.id as id', 'releases.payloads as payloads'])
      .where('actions.tenant', '=', tenant)
      .where('actions.controller_id', '=', controllerId)
      .where('actions.state', 'in', ['pending', 'running', 'finished'])
      .orderBy('actions.id', 'desc')
      .limit(ACTIONS_MAX)
      .execute();
    for (const { id, payloads } of rows) {
      const found = (JSON.parse(payloads) as StoredPayload[]).find((payload) => payload.sha256 === sha256);
      if (found !== undefined) return { actionId: id, wrapped: found.encryption?.fileKey ?? null };
    }
    return null;
  }

  async #put(
    { tenant, controllerId }: DeviceName,
    set: Partial<KeyColumns> & { readonly changed_at: number },
  ): Promise<void> {
    await this.#db
      .insertInto('device_keys')
      .values({ tenant, controller_id: controllerId, ...set })
      .onConflict((on) => on.columns(['tenant', 'controller_id']).doUpdateSet(set))
      .execute();
    this.#polls.forget({ tenant, controllerId });
  }
}

interface KeyColumns {
  readonly recipient: string | null;
  readonly offered: string | null;
  readonly changed_at: number;
  readonly revoked_at: number | null;
}

interface StoredPayload {
  readonly sha256: string;
  readonly encryption?: { readonly fileKey: string };
}
