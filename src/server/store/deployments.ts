/**
 * Deployments: a release assigned to devices. Each device gets an action; a newer deployment takes the place of an
 * older one that the device has not finished.
 * @module
 */
import type { Kysely, Selectable, Transaction } from 'kysely';
import { UpdateError } from '../../../native-free/status.ts';
import type { DeviceName } from './devices.ts';
import {
  ACTIVE_STATES,
  type ActionState,
  type Database,
  type DeploymentsTable,
  type DeploymentState,
} from './schema.ts';

export interface StoredDeployment {
  readonly id: number;
  readonly tenant: string;
  readonly releaseId: number;
  readonly selector: 'devices' | 'all';
  readonly state: DeploymentState;
  readonly createdAt: number;
  /** Actions by their state. */
  readonly actions: Readonly<Partial<Record<ActionState, number>>>;
}

type Trx = Transaction<Database>;

export class DeploymentStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /**
   * @param devices ids, registered or not (an unknown one is registered); or 'all' of the release's product and
   * hardware, including those that report in later
   * @throws UpdateError entity_unknown for the release
   */
  async create(tenant: string, releaseId: number, devices: readonly string[] | 'all', at: number): Promise<number> {
    return this.#db.transaction().execute(async (trx) => {
      const release = await trx.selectFrom('releases').selectAll().where('id', '=', releaseId).executeTakeFirst();
      if (release === undefined) throw new UpdateError('entity_unknown', `there is no release ${releaseId}`);
      const selector = devices === 'all' ? 'all' : 'devices';
      if (devices === 'all') await supersedeOlder(trx, tenant, release);
      const { id } = await trx
        .insertInto('deployments')
        .values({ tenant, release_id: releaseId, selector, state: 'active', created_at: at })
        .returning('id')
        .executeTakeFirstOrThrow();
      const names = devices === 'all' ? await matching(trx, tenant, release) : [...new Set(devices)];
      for (const controllerId of names) {
        await trx
          .insertInto('devices')
          .values({ tenant, controller_id: controllerId, attributes: '{}', attributes_wanted: 1, first_seen: at })
          .onConflict((on) => on.columns(['tenant', 'controller_id']).doNothing())
          .execute();
        await assign(trx, { tenant, controllerId }, { id, releaseId }, at);
      }
      return id;
    });
  }

  /** Gives a device the newest deployments to all that it belongs to and has no part in yet. */
  async join(name: DeviceName, at: number): Promise<void> {
    const open = await this.#openFor(name);
    if (open.length === 0) return;
    await this.#db.transaction().execute(async (trx) => {
      for (const deployment of open) await assign(trx, name, deployment, at);
    });
  }

  async #openFor({ tenant, controllerId }: DeviceName): Promise<{ id: number; releaseId: number }[]> {
    const rows = await this.#db
      .selectFrom('deployments')
      .innerJoin('releases', 'releases.id', 'deployments.release_id')
      .innerJoin('devices', (join) =>
        join
          .onRef('devices.product', '=', 'releases.product')
          .onRef('devices.hardware', '=', 'releases.hardware')
          .onRef('devices.tenant', '=', 'deployments.tenant'),
      )
      .leftJoin('actions', (join) =>
        join
          .onRef('actions.deployment_id', '=', 'deployments.id')
          .onRef('actions.tenant', '=', 'devices.tenant')
          .onRef('actions.controller_id', '=', 'devices.controller_id'),
      )
      .select(['deployments.id', 'deployments.release_id as releaseId'])
      .where('deployments.tenant', '=', tenant)
      .where('devices.controller_id', '=', controllerId)
      .where('deployments.selector', '=', 'all')
      .where('deployments.state', '=', 'active')
      .where('actions.id', 'is', null)
      .orderBy('deployments.id')
      .execute();
    return rows;
  }

  /** Newest first. */
  async list(tenant: string, limit: number, before = Number.MAX_SAFE_INTEGER): Promise<StoredDeployment[]> {
    const rows = await this.#db
      .selectFrom('deployments')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('id', '<', before)
      .orderBy('id', 'desc')
      .limit(limit)
      .execute();
    return this.#counted(rows);
  }

  /** Throws UpdateError entity_unknown. */
  async get(tenant: string, id: number): Promise<StoredDeployment> {
    const rows = await this.#db
      .selectFrom('deployments')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('id', '=', id)
      .execute();
    const [found] = await this.#counted(rows);
    if (found === undefined) throw new UpdateError('entity_unknown', `there is no deployment ${id}`);
    return found;
  }

  /** Stops a deployment: what no device has seen ends at once, the rest is asked of the devices. */
  async cancel(tenant: string, id: number, at: number): Promise<void> {
    await this.get(tenant, id);
    await this.#db.transaction().execute(async (trx) => {
      await trx.updateTable('deployments').set({ state: 'cancelled' }).where('id', '=', id).execute();
      await withdraw(trx, at, (query) => query.where('deployment_id', '=', id));
    });
  }

  async #counted(rows: Selectable<DeploymentsTable>[]): Promise<StoredDeployment[]> {
    if (rows.length === 0) return [];
    const counts = await this.#db
      .selectFrom('actions')
      .select(({ fn }) => ['deployment_id', 'state', fn.countAll().as('count')])
      .where(
        'deployment_id',
        'in',
        rows.map((row) => row.id),
      )
      .groupBy(['deployment_id', 'state'])
      .execute();
    return rows.map((row) => ({
      id: row.id,
      tenant: row.tenant,
      releaseId: row.release_id,
      selector: row.selector,
      state: row.state,
      createdAt: row.created_at,
      actions: Object.fromEntries(
        counts.filter((count) => count.deployment_id === row.id).map(({ state, count }) => [state, Number(count)]),
      ),
    }));
  }
}

type Line = { product: string; hardware: string; slot_class: string };

/** A newer deployment to all takes over from the older ones of the same line: later devices go straight to it. */
async function supersedeOlder(trx: Trx, tenant: string, line: Line): Promise<void> {
  const sameLine = trx
    .selectFrom('releases')
    .select('id')
    .where('product', '=', line.product)
    .where('hardware', '=', line.hardware)
    .where('slot_class', '=', line.slot_class);
  await trx
    .updateTable('deployments')
    .set({ state: 'superseded' })
    .where('tenant', '=', tenant)
    .where('selector', '=', 'all')
    .where('state', '=', 'active')
    .where('release_id', 'in', sameLine)
    .execute();
}

async function matching(trx: Trx, tenant: string, { product, hardware }: Line): Promise<string[]> {
  const rows = await trx
    .selectFrom('devices')
    .select('controller_id')
    .where('tenant', '=', tenant)
    .where('product', '=', product)
    .where('hardware', '=', hardware)
    .execute();
  return rows.map((row) => row.controller_id);
}

/** An action for one device. An unfinished one for another release is withdrawn; for the same release it goes on. */
async function assign(trx: Trx, name: DeviceName, deployment: { id: number; releaseId: number }, at: number) {
  const { tenant, controllerId } = name;
  await withdraw(trx, at, (query) =>
    query
      .where('tenant', '=', tenant)
      .where('controller_id', '=', controllerId)
      .where('release_id', '!=', deployment.releaseId),
  );
  await trx
    .insertInto('actions')
    .values({
      tenant,
      controller_id: controllerId,
      deployment_id: deployment.id,
      release_id: deployment.releaseId,
      state: 'pending',
      created_at: at,
      updated_at: at,
    })
    .onConflict((on) => on.columns(['deployment_id', 'tenant', 'controller_id']).doNothing())
    .execute();
}

const updating = (trx: Trx) => trx.updateTable('actions');
type ActionUpdate = ReturnType<typeof updating>;

async function withdraw(trx: Trx, at: number, which: (query: ActionUpdate) => ActionUpdate): Promise<void> {
  await which(updating(trx))
    .set({ state: 'canceled', updated_at: at })
    .where('state', '=', 'pending')
    .where('retrieved_at', 'is', null)
    .execute();
  await which(updating(trx))
    .set({ state: 'canceling', updated_at: at })
    .where('state', 'in', [...ACTIVE_STATES])
    .execute();
}
