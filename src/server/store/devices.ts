/**
 * Devices: registered by hand, or by their first poll.
 * @module
 */
import type { Kysely, Selectable } from 'kysely';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { PollStore } from './polls.ts';
import type { Database, DeviceName, DevicesTable } from './schema.ts';
import { deviceTransaction, forUpdate } from './transactions.ts';

export interface StoredDevice extends DeviceName {
  readonly attributes: Readonly<Record<string, string>>;
  readonly product: string | null;
  readonly hardware: string | null;
  /** What runs, as far as the device or its last success tells. */
  readonly version: string | null;
  /** Names of the payload formats that it reads; null where it has not said. */
  readonly decodes: readonly string[] | null;
  readonly hasToken: boolean;
  readonly firstSeen: number;
  readonly lastSeen: number | null;
  readonly lastAddress: string | null;
}

export interface DeviceFilter {
  readonly product?: string;
  readonly hardware?: string;
  readonly version?: string;
}

/** Devices that read the same formats. */
export interface DecoderCount {
  readonly formats: readonly string[] | null;
  readonly devices: number;
}

export type AttributeMode = 'merge' | 'replace' | 'remove';

export class DeviceStore {
  readonly #db: Kysely<Database>;
  readonly #polls: PollStore;

  constructor(db: Kysely<Database>, polls: PollStore) {
    this.#db = db;
    this.#polls = polls;
  }

  /** Registers a device by its first poll. */
  async meet(name: DeviceName, at: number, address: string | null): Promise<void> {
    await this.#db
      .insertInto('devices')
      .values({ ...freshDevice(name, at), last_seen: at, last_address: address })
      .onConflict((on) => on.columns(['tenant', 'controller_id']).doUpdateSet({ last_seen: at, last_address: address }))
      .execute();
    this.#polls.forget(name);
  }

  /** Registers a device ahead of its first poll, or gives a known one a token. */
  async register(name: DeviceName, at: number, tokenSha256: string | null): Promise<void> {
    await this.#db
      .insertInto('devices')
      .values({ ...freshDevice(name, at), token_sha256: tokenSha256 })
      .onConflict((on) => on.columns(['tenant', 'controller_id']).doUpdateSet({ token_sha256: tokenSha256 }))
      .execute();
    this.#polls.forget(name);
  }

  /**
   * Takes what a device tells of itself. `product` and `hardware` (also with the prefix `engraft.`) decide which
   * deployments to all devices it belongs to.
   * @throws UpdateError entity_unknown, limit_exceeded
   */
  async setAttributes(name: DeviceName, mode: AttributeMode, data: Readonly<Record<string, string>>): Promise<void> {
    await deviceTransaction(this.#db, async (trx) => {
      const device = fromRow(await rowOf(trx, name, 'locked'));
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
          version: own('version') ?? device.version,
          decodes: attributes.get('engraft.decodes') ?? null,
          attributes_wanted: 0,
        })
        .where('tenant', '=', name.tenant)
        .where('controller_id', '=', name.controllerId)
        .execute();
    });
    this.#polls.forget(name);
  }

  /** In the order of their ids, those after `after`. */
  async list(tenant: string, limit: number, after = '', filter: DeviceFilter = {}): Promise<StoredDevice[]> {
    let query = this.#db
      .selectFrom('devices')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('controller_id', '>', after)
      .orderBy('controller_id')
      .limit(limit);
    for (const column of FILTERS) {
      const value = filter[column];
      if (value !== undefined) query = query.where(column, '=', value);
    }
    const rows = await query.execute();
    return rows.map((row) => this.#current(fromRow(row)));
  }

  /** How many devices read what, the most common first. */
  async decoders(tenant: string, filter: DeviceFilter = {}): Promise<DecoderCount[]> {
    let query = this.#db
      .selectFrom('devices')
      .select(({ fn }) => ['decodes', fn.countAll().as('devices')])
      .where('tenant', '=', tenant)
      .groupBy('decodes');
    for (const column of FILTERS) {
      const value = filter[column];
      if (value !== undefined) query = query.where(column, '=', value);
    }
    const counts = (await query.execute()).map((row) => ({
      formats: formatsOf(row.decodes),
      devices: Number(row.devices),
    }));
    return counts.sort((a, b) => b.devices - a.devices);
  }

  /** Throws UpdateError entity_unknown. */
  async get(name: DeviceName): Promise<StoredDevice> {
    return this.#current(fromRow(await rowOf(this.#db, name)));
  }

  /** With a poll that is noted and not yet written. */
  #current(device: StoredDevice): StoredDevice {
    const sight = this.#polls.lastSeen(device);
    return sight === undefined ? device : { ...device, lastSeen: sight.at, lastAddress: sight.address };
  }
}

const FILTERS = ['product', 'hardware', 'version'] as const;

export const formatsOf = (decodes: string | null): readonly string[] | null =>
  decodes === null ? null : decodes.split(' ').filter((name) => name !== '');

/** The row of a device that nobody has heard of before. */
export function freshDevice({ tenant, controllerId }: DeviceName, at: number) {
  return { tenant, controller_id: controllerId, attributes: '{}', attributes_wanted: 1, first_seen: at };
}

async function rowOf(
  db: Kysely<Database>,
  { tenant, controllerId }: DeviceName,
  how: 'read' | 'locked' = 'read',
): Promise<Selectable<DevicesTable>> {
  const query = db
    .selectFrom('devices')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('controller_id', '=', controllerId);
  const row = await (how === 'locked' ? forUpdate(db, query) : query).executeTakeFirst();
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
    version: row.version,
    decodes: formatsOf(row.decodes),
    hasToken: row.token_sha256 !== null,
    firstSeen: row.first_seen,
    lastSeen: row.last_seen,
    lastAddress: row.last_address,
  };
}
