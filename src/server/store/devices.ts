/**
 * Devices: registered by hand, or by their first poll.
 * @module
 */
import type { Kysely, Selectable } from 'kysely';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { Database, DevicesTable } from './schema.ts';

export interface DeviceName {
  readonly tenant: string;
  readonly controllerId: string;
}

export interface StoredDevice extends DeviceName {
  readonly attributes: Readonly<Record<string, string>>;
  readonly product: string | null;
  readonly hardware: string | null;
  readonly hasToken: boolean;
  readonly firstSeen: number;
  readonly lastSeen: number | null;
  readonly lastAddress: string | null;
}

export type AttributeMode = 'merge' | 'replace' | 'remove';

export class DeviceStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** Digest of the device's own token; null when the device is unknown or has none. */
  async tokenDigest({ tenant, controllerId }: DeviceName): Promise<string | null> {
    const row = await this.#db
      .selectFrom('devices')
      .select('token_sha256')
      .where('tenant', '=', tenant)
      .where('controller_id', '=', controllerId)
      .executeTakeFirst();
    return row?.token_sha256 ?? null;
  }

  /** Notes a poll; the first one registers the device. Returns whether its attributes are wanted. */
  async seen({ tenant, controllerId }: DeviceName, at: number, address: string | null): Promise<boolean> {
    const row = await this.#db
      .insertInto('devices')
      .values({ ...fresh(tenant, controllerId, at), last_seen: at, last_address: address })
      .onConflict((on) => on.columns(['tenant', 'controller_id']).doUpdateSet({ last_seen: at, last_address: address }))
      .returning('attributes_wanted')
      .executeTakeFirstOrThrow();
    return row.attributes_wanted === 1;
  }

  /** Registers a device ahead of its first poll, or gives a known one a token. */
  async register({ tenant, controllerId }: DeviceName, at: number, tokenSha256: string | null): Promise<void> {
    await this.#db
      .insertInto('devices')
      .values({ ...fresh(tenant, controllerId, at), token_sha256: tokenSha256 })
      .onConflict((on) => on.columns(['tenant', 'controller_id']).doUpdateSet({ token_sha256: tokenSha256 }))
      .execute();
  }

  /**
   * Takes what a device tells of itself. `product` and `hardware` (also with the prefix `engraft.`) decide which
   * deployments to all devices it belongs to.
   * @throws UpdateError entity_unknown, limit_exceeded
   */
  async setAttributes(name: DeviceName, mode: AttributeMode, data: Readonly<Record<string, string>>): Promise<void> {
    await this.#db.transaction().execute(async (trx) => {
      const device = fromRow(await rowOf(trx, name));
      const attributes = new Map(mode === 'replace' ? [] : Object.entries(device.attributes));
      for (const [key, value] of Object.entries(data)) {
        if (mode === 'remove') attributes.delete(key);
        else attributes.set(key, value);
      }
      if (attributes.size > LIMITS.device_attributes_max) {
        throw new UpdateError('limit_exceeded', `a device may have ${LIMITS.device_attributes_max} attributes`);
      }
      const own = (key: string): string | null => attributes.get(`engraft.${key}`) ?? attributes.get(key) ?? null;
      await trx
        .updateTable('devices')
        .set({
          attributes: JSON.stringify(Object.fromEntries(attributes)),
          product: own('product'),
          hardware: own('hardware'),
          attributes_wanted: 0,
        })
        .where('tenant', '=', name.tenant)
        .where('controller_id', '=', name.controllerId)
        .execute();
    });
  }

  /** In the order of their ids, those after `after`. */
  async list(tenant: string, limit: number, after = ''): Promise<StoredDevice[]> {
    const rows = await this.#db
      .selectFrom('devices')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('controller_id', '>', after)
      .orderBy('controller_id')
      .limit(limit)
      .execute();
    return rows.map(fromRow);
  }

  /** Throws UpdateError entity_unknown. */
  async get(name: DeviceName): Promise<StoredDevice> {
    return fromRow(await rowOf(this.#db, name));
  }
}

function fresh(tenant: string, controllerId: string, at: number) {
  return { tenant, controller_id: controllerId, attributes: '{}', attributes_wanted: 1, first_seen: at };
}

async function rowOf(db: Kysely<Database>, { tenant, controllerId }: DeviceName): Promise<Selectable<DevicesTable>> {
  const row = await db
    .selectFrom('devices')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('controller_id', '=', controllerId)
    .executeTakeFirst();
  if (row === undefined) throw new UpdateError('entity_unknown', `there is no device ${controllerId}`);
  return row;
}

function fromRow(row: Selectable<DevicesTable>): StoredDevice {
  return {
    tenant: row.tenant,
    controllerId: row.controller_id,
    attributes: JSON.parse(row.attributes) as Record<string, string>,
    product: row.product,
    hardware: row.hardware,
    hasToken: row.token_sha256 !== null,
    firstSeen: row.first_seen,
    lastSeen: row.last_seen,
    lastAddress: row.last_address,
  };
}
