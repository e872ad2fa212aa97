/**
 * Deployments: a release assigned to devices. Each device gets an action; a newer deployment takes the place of an
 * older one that the device has not finished.
 * @module
 */
import type { Kysely, Selectable, Transaction } from 'kysely';
import { UpdateError } from '../../../native-free/status.ts';
import type { ReleaseKey } from '../../release/index.ts';
import { freshDevice } from './devices.ts';
import { finishDeployments } from './ends.ts';
import type { PollStore } from './polls.ts';
import type { ActionState, Database, DeploymentsTable, DeploymentState, DeviceName } from './schema.ts';

export interface StoredDeployment {
  readonly id: number;
  readonly tenant: string;
  readonly releaseId: number;
  readonly release: ReleaseKey;
  readonly selector: DeploymentsTable['selector'];
  readonly state: DeploymentState;
  readonly createdAt: number;
  /** Actions by their state. */
  readonly actions: Readonly<Partial<Record<ActionState, number>>>;
}

export interface NewStoredDeployment {
  readonly tenant: string;
  readonly releaseId: number;
  readonly devices: readonly string[] | 'all';
  /** Makes unknown devices known instead of refusing them. */
  readonly register?: boolean;
}

type Trx = Transaction<Database>;

export class DeploymentStore {
  readonly #db: Kysely<Database>;

  readonly #polls: PollStore;

  constructor(db: Kysely<Database>, polls: PollStore) {
    this.#db = db;
    this.#polls = polls;
  }

  /**
   * @param devices ids, or 'all' of the release's product and hardware, including those that report in later
   * @throws UpdateError entity_unknown for the release, and for devices unless `register` makes them known;
   * not_compatible for devices that are of another product or hardware
   */
  async create({ tenant, releaseId, devices, register = false }: NewStoredDeployment, at: number): Promise<number> {
    const created = await this.#db.transaction().execute(async (trx) => {
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
      const unknown = devices === 'all' ? [] : await strangers(trx, tenant, names, release, register);
      for (const controllerId of unknown) {
        await trx.insertInto('devices').values(freshDevice({ tenant, controllerId }, at)).execute();
      }
      const touched = new Set<number>();
      for (const controllerId of names) {
        for (const other of await assign(trx, { tenant, controllerId }, { id, releaseId }, at)) touched.add(other);
      }
      await finishDeployments(trx, touched);
      return id;
    });
    this.#polls.forget();
    return created;
  }

  /** Whether these devices can be given releases of a line. Throws UpdateError entity_unknown, not_compatible. */
  async check(tenant: string, devices: readonly string[], line: Line, register = false): Promise<void> {
    await strangers(this.#db, tenant, devices, line, register);
  }

  /** Gives a device the newest deployments to all that it belongs to and has no part in yet. */
  async join(name: DeviceName, at: number): Promise<void> {
    if ((await openFor(this.#db, name)).length === 0) return;
    await this.#db.transaction().execute(async (trx) => {
      // Asked again: one may have been cancelled meanwhile.
      for (const deployment of await openFor(trx, name)) {
        const touched = await assign(trx, name, deployment, at);
        const again = trx.updateTable('deployments').set({ state: 'active' });
        await again.where('id', '=', deployment.id).where('state', '=', 'finished').execute();
        await finishDeployments(trx, touched);
      }
    });
    this.#polls.forget(name);
  }

  /** Newest first. */
  async list(
    tenant: string,
    limit: number,
    before = Number.MAX_SAFE_INTEGER,
    state?: DeploymentState,
  ): Promise<StoredDeployment[]> {
    let query = this.#db
      .selectFrom('deployments')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('id', '<', before)
      .orderBy('id', 'desc')
      .limit(limit);
    if (state !== undefined) query = query.where('state', '=', state);
    return this.#counted(await query.execute());
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
    return found ?? unknownDeployment(id);
  }

  /** Stops a deployment: what no device has seen ends at once, the rest is asked of the devices. */
  async cancel(tenant: string, id: number, at: number): Promise<void> {
    await this.#db.transaction().execute(async (trx) => {
      const found = trx.selectFrom('deployments').select(['state', 'selector']).where('tenant', '=', tenant);
      const { state, selector } = (await found.where('id', '=', id).executeTakeFirst()) ?? unknownDeployment(id);
      if (selector === 'rollout') {
        throw new UpdateError('state_conflict', `deployment ${id} is part of a rollout: stop that`);
      }
      if (state === 'finished' && selector === 'devices') {
        throw new UpdateError('state_conflict', `deployment ${id} has ended: there is nothing to cancel`);
      }
      await trx.updateTable('deployments').set({ state: 'cancelled' }).where('id', '=', id).execute();
      await withdraw(trx, at, (query) => query.where('deployment_id', '=', id));
    });
    this.#polls.forget();
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
    const releases = await this.#db
      .selectFrom('releases')
      .select(['id', 'product', 'version', 'hardware', 'slot_class as slotClass'])
      .where('id', 'in', [...new Set(rows.map((row) => row.release_id))])
      .execute();
    const named = new Map(releases.map(({ id, ...release }) => [id, release]));
    return rows.map((row) => ({
      id: row.id,
      tenant: row.tenant,
      releaseId: row.release_id,
      release: named.get(row.release_id)!,
      selector: row.selector,
      state: row.state,
      createdAt: row.created_at,
      actions: Object.fromEntries(
        counts.filter((count) => count.deployment_id === row.id).map(({ state, count }) => [state, Number(count)]),
      ),
    }));
  }
}

/** Deployments to all that a device belongs to and has no part in. */
function openFor(
  db: Kysely<Database>,
  { tenant, controllerId }: DeviceName,
): Promise<{ id: number; releaseId: number }[]> {
  return db
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
    .where('deployments.state', 'in', ['active', 'finished'])
    .where('actions.id', 'is', null)
    .orderBy('deployments.id')
    .execute();
}

function unknownDeployment(id: number): never {
  throw new UpdateError('entity_unknown', `there is no deployment ${id}`);
}

/** The most names that a message lists. */
const NAMED_MAX = 5;

function unknownDevices(names: readonly string[]): UpdateError {
  const more = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} more` : '';
  const text = `no device has polled or been registered as ${names.slice(0, NAMED_MAX).join(', ')}${more}`;
  return new UpdateError('entity_unknown', text, { detail: { devices: names } });
}

/** Those of the names that no device has. Throws UpdateError entity_unknown for them unless allowed, not_compatible. */
async function strangers(
  db: Kysely<Database>,
  tenant: string,
  names: readonly string[],
  line: Line,
  allowed: boolean,
): Promise<string[]> {
  const unknown: string[] = [];
  for (const controllerId of names) {
    const device = await db
      .selectFrom('devices')
      .select(['product', 'hardware'])
      .where('tenant', '=', tenant)
      .where('controller_id', '=', controllerId)
      .executeTakeFirst();
    if (device === undefined) unknown.push(controllerId);
    for (const key of ['product', 'hardware'] as const) {
      const own = device?.[key] ?? null;
      if (own === null || own === line[key]) continue;
      const text = `device ${controllerId} has the ${key} '${own}', the release is for '${line[key]}'`;
      throw new UpdateError('not_compatible', text, { detail: { device: controllerId } });
    }
  }
  if (unknown.length > 0 && !allowed) throw unknownDevices(unknown);
  return unknown;
}

type Line = { readonly product: string; readonly hardware: string };

/** A newer deployment to all takes over from the older ones of the same line: later devices go straight to it. */
async function supersedeOlder(trx: Trx, tenant: string, line: Line & { slot_class: string }): Promise<void> {
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
    .where('state', 'in', ['active', 'finished'])
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

/**
 * An action for one device. An unfinished one for another release is withdrawn; for the same release it goes on.
 * Resolves with the deployments of those that were withdrawn at once.
 */
export async function assign(trx: Trx, name: DeviceName, deployment: { id: number; releaseId: number }, at: number) {
  const { tenant, controllerId } = name;
  const touched = await withdraw(trx, at, (query) =>
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
  return touched;
}

const updating = (trx: Trx) => trx.updateTable('actions');
type ActionUpdate = ReturnType<typeof updating>;

export async function withdraw(
  trx: Trx,
  at: number,
  which: (query: ActionUpdate) => ActionUpdate,
): Promise<Set<number>> {
  const ended = await which(updating(trx))
    .set({ state: 'cancelled', updated_at: at })
    .where('state', '=', 'pending')
    .where('retrieved_at', 'is', null)
    .returning('deployment_id')
    .execute();
  await which(updating(trx))
    .set({ state: 'cancelling', updated_at: at })
    .where('state', 'in', ['pending', 'running'])
    .execute();
  return new Set(ended.map((row) => row.deployment_id));
}
