/**
 * Releases as the server knows them: a mirror of the repository's catalog, with numbers to point at.
 * @module
 */
import type { Kysely, Selectable } from 'kysely';
import { UpdateError } from '../../../native-free/status.ts';
import type { Catalog, CatalogPayload, CatalogRelease, ReleaseKey } from '../../release/index.ts';
import type { Database, ReleasesTable } from './schema.ts';

export type StoredPayload = Omit<CatalogPayload, 'encryption'> & { readonly encryption?: 'age-v1' };

export interface StoredRelease extends ReleaseKey {
  readonly id: number;
  readonly rollbackIndex: number;
  readonly publishedAt: string;
  readonly artifact: CatalogRelease['artifact'];
  readonly payloads: readonly StoredPayload[];
}

export interface ReleaseFilter extends Partial<ReleaseKey> {
  /** Rows with a lower id only. */
  readonly before?: number;
  readonly limit: number;
}

export class ReleaseStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** Takes over what is new in the catalog. Nothing is ever removed. */
  async mirror(catalog: Catalog): Promise<void> {
    await this.#db.transaction().execute(async (trx) => {
      const rows = await trx.selectFrom('releases').selectAll().execute();
      const known = new Map(rows.map((row) => [nameOf(fromRow(row)), row]));
      for (const release of catalog.releases) {
        const row = known.get(nameOf(release));
        const payloads = JSON.stringify(release.payloads);
        if (row === undefined)
          await trx
            .insertInto('releases')
            .values({ ...toRow(release), payloads })
            .execute();
        else if (row.payloads !== payloads) {
          await trx.updateTable('releases').set({ payloads }).where('id', '=', row.id).execute();
        }
      }
    });
  }

  /** Newest first. */
  async list(filter: ReleaseFilter): Promise<StoredRelease[]> {
    let query = this.#db.selectFrom('releases').selectAll().orderBy('id', 'desc').limit(filter.limit);
    if (filter.product !== undefined) query = query.where('product', '=', filter.product);
    if (filter.version !== undefined) query = query.where('version', '=', filter.version);
    if (filter.hardware !== undefined) query = query.where('hardware', '=', filter.hardware);
    if (filter.slotClass !== undefined) query = query.where('slot_class', '=', filter.slotClass);
    if (filter.before !== undefined) query = query.where('id', '<', filter.before);
    return (await query.execute()).map(fromRow);
  }

  /** Throws UpdateError entity_unknown. */
  async get(id: number): Promise<StoredRelease> {
    const row = await this.#db.selectFrom('releases').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw new UpdateError('entity_unknown', `there is no release ${id}`);
    return fromRow(row);
  }

  /** Products with their hardware, the number of releases and the latest of each. */
  async products(): Promise<
    { product: string; hardware: string; slotClass: string; releases: number; latest: string }[]
  > {
    const rows = await this.#db
      .selectFrom('releases')
      .select(({ fn }) => ['product', 'hardware', 'slot_class', fn.countAll().as('releases'), fn.max('id').as('last')])
      .groupBy(['product', 'hardware', 'slot_class'])
      .orderBy('product')
      .orderBy('hardware')
      .execute();
    const latest = await this.#db.selectFrom('releases').select(['id', 'version']).execute();
    const versions = new Map(latest.map(({ id, version }) => [Number(id), version]));
    return rows.map((row) => ({
      product: row.product,
      hardware: row.hardware,
      slotClass: row.slot_class,
      releases: Number(row.releases),
      latest: versions.get(Number(row.last))!,
    }));
  }
}

/** No part of a name has a slash. */
function nameOf({ product, version, hardware, slotClass }: ReleaseKey): string {
  return `${product}/${version}/${hardware}/${slotClass}`;
}

function toRow(release: CatalogRelease) {
  const { product, version, hardware, slotClass, rollbackIndex, publishedAt } = release;
  const name = { product, version, hardware, slot_class: slotClass };
  return {
    ...name,
    rollback_index: rollbackIndex,
    published_at: publishedAt,
    artifact: JSON.stringify(release.artifact),
  };
}

export function fromRow(row: Selectable<ReleasesTable>): StoredRelease {
  return {
    id: row.id,
    product: row.product,
    version: row.version,
    hardware: row.hardware,
    slotClass: row.slot_class,
    rollbackIndex: row.rollback_index,
    publishedAt: row.published_at,
    artifact: JSON.parse(row.artifact) as StoredRelease['artifact'],
    payloads: (JSON.parse(row.payloads) as CatalogPayload[]).map(withoutKey),
  };
}

/** Wrapped keys of encrypted payloads are for `DeviceKeyStore` alone. */
const withoutKey = ({ encryption, ...payload }: CatalogPayload): StoredPayload =>
  encryption === undefined ? payload : { ...payload, encryption: 'age-v1' };
