/**
 * Releases in the making, and the payloads that releases are to get: what the queue's jobs are for.
 * @module
 */
import type { Kysely, Selectable, Updateable } from 'kysely';
import { UpdateError } from '../../../native-free/status.ts';
import type { CatalogRelease, ReleaseKey } from '../../release/index.ts';
import type { PlannedPayloadsTable, PlannedState, PublicationsTable, PublicationState } from '../jobs/schema.ts';
import type { Database } from '../store/schema.ts';

export interface PublicationWishes {
  readonly rollbackIndex?: number | 'keep' | undefined;
  readonly force?: boolean | undefined;
  /** 'none': for foreign clients alone. */
  readonly payloads: 'all' | 'none';
  readonly deltasMax: number;
  readonly latest: number;
}

export interface Publication extends ReleaseKey {
  readonly id: number;
  readonly artifact: CatalogRelease['artifact'];
  readonly wishes: PublicationWishes;
  readonly state: PublicationState;
  readonly error: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface PlannedPayload extends ReleaseKey {
  readonly id: number;
  readonly kind: 'full' | 'delta';
  readonly source: { readonly version: string; readonly sha256: string } | null;
  readonly jobId: string;
  readonly state: PlannedState;
  readonly reason: string | null;
  readonly origin: 'plan' | 'demand';
  readonly devices: number;
  readonly estimateBytes: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export type NewPlannedPayload = Omit<PlannedPayload, 'id' | 'state' | 'reason' | 'createdAt' | 'updatedAt'> & {
  readonly jobKey: string;
};

export class PlanStore {
  readonly #db: Kysely<Database>;
  readonly #now: () => number;

  constructor(db: Kysely<Database>, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  /**
   * Notes that a release is to be made; one that failed is begun anew.
   * @throws UpdateError release_exists for a known one with other content
   */
  async publish(
    key: ReleaseKey,
    artifact: CatalogRelease['artifact'],
    wishes: PublicationWishes,
  ): Promise<Publication> {
    const at = this.#now();
    return this.#db.transaction().execute(async (trx) => {
      const find = () => ofRelease(trx.selectFrom('publications').selectAll(), key).executeTakeFirst();
      const known = await find();
      const values = {
        artifact: JSON.stringify(artifact),
        wishes: JSON.stringify(wishes),
        error: null,
        updated_at: at,
      };
      if (known === undefined) {
        const fresh = { ...columnsOf(key), ...values, state: 'making' as const, created_at: at };
        await trx.insertInto('publications').values(fresh).execute();
      } else if (known.state === 'failed') {
        await trx
          .updateTable('publications')
          .set({ ...values, state: 'making' })
          .where('id', '=', known.id)
          .execute();
      } else if (publicationOf(known).artifact.sha256 !== artifact.sha256) {
        throw new UpdateError('release_exists', `${key.product} ${key.version} is being published with other content`);
      }
      return publicationOf((await find())!);
    });
  }

  async publications(state: PublicationState): Promise<Publication[]> {
    const query = this.#db.selectFrom('publications').selectAll().where('state', '=', state).orderBy('id');
    return (await query.execute()).map(publicationOf);
  }

  /** Throws UpdateError entity_unknown. */
  async publication(id: number): Promise<Publication> {
    const row = await this.#db.selectFrom('publications').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw new UpdateError('entity_unknown', `there is no publication ${id}`);
    return publicationOf(row);
  }

  async settlePublication(id: number, state: PublicationState, error: string | null): Promise<void> {
    const change = { state, error, updated_at: this.#now() };
    await this.#db.updateTable('publications').set(change).where('id', '=', id).execute();
  }

  /** Notes a payload that is wanted; one that failed or was cancelled is wanted again. */
  async want(payload: NewPlannedPayload): Promise<void> {
    const at = this.#now();
    const { kind, source, jobKey, jobId, origin, devices, estimateBytes } = payload;
    const values = {
      ...{ kind, source_sha256: source?.sha256 ?? '', source_version: source?.version ?? null },
      ...{ job_key: jobKey, job_id: jobId, state: 'wanted' as const, reason: null, origin },
      ...{ devices, estimate_bytes: estimateBytes, updated_at: at },
    };
    const name = ['product', 'version', 'hardware', 'slot_class', 'source_sha256'] as const;
    await this.#db
      .insertInto('planned_payloads')
      .values({ ...columnsOf(payload), ...values, created_at: at })
      .onConflict((on) => on.columns([...name]).doUpdateSet({ ...values, state: 'wanted' }))
      .execute();
  }

  /** All that jobs are made for, the oldest first. */
  async wanted(): Promise<PlannedPayload[]> {
    const query = this.#db.selectFrom('planned_payloads').selectAll().where('state', '=', 'wanted').orderBy('id');
    return (await query.execute()).map(plannedOf);
  }

  async ofRelease(key: ReleaseKey): Promise<PlannedPayload[]> {
    const rows = await ofRelease(this.#db.selectFrom('planned_payloads').selectAll(), key).orderBy('id').execute();
    return rows.map(plannedOf);
  }

  async settle(id: number, state: PlannedState, reason: string | null = null): Promise<void> {
    const change: Updateable<PlannedPayloadsTable> = { state, reason, updated_at: this.#now() };
    await this.#db.updateTable('planned_payloads').set(change).where('id', '=', id).execute();
  }
}

/** Narrows a query to one release. */
function ofRelease<Q extends { where(column: never, op: '=', value: never): Q }>(query: Q, key: ReleaseKey): Q {
  let narrowed = query;
  for (const [column, value] of Object.entries(columnsOf(key))) {
    narrowed = narrowed.where(column as never, '=', value as never);
  }
  return narrowed;
}

const columnsOf = ({ product, version, hardware, slotClass }: ReleaseKey) => ({
  ...{ product, version, hardware, slot_class: slotClass },
});

function publicationOf(row: Selectable<PublicationsTable>): Publication {
  return {
    ...{ id: row.id, product: row.product, version: row.version, hardware: row.hardware, slotClass: row.slot_class },
    artifact: JSON.parse(row.artifact) as Publication['artifact'],
    wishes: JSON.parse(row.wishes) as PublicationWishes,
    ...{ state: row.state, error: row.error, createdAt: row.created_at, updatedAt: row.updated_at },
  };
}

function plannedOf(row: Selectable<PlannedPayloadsTable>): PlannedPayload {
  const { source_sha256: sha256, source_version: version } = row;
  return {
    ...{ id: row.id, product: row.product, version: row.version, hardware: row.hardware, slotClass: row.slot_class },
    ...{ kind: row.kind, source: version === null ? null : { version, sha256 }, jobId: row.job_id, state: row.state },
    ...{ reason: row.reason, origin: row.origin, devices: row.devices, estimateBytes: row.estimate_bytes },
    ...{ createdAt: row.created_at, updatedAt: row.updated_at },
  };
}
