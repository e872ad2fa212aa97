/**
 * How many devices run what and read what: one grouped query, however many there are.
 * @module
 */
import type { Kysely } from 'kysely';
import { formatsOf } from './devices.ts';
import type { Database } from './schema.ts';

/** Devices that run the same version and read the same formats. */
export interface FleetCount {
  /** Null: they have not said. */
  readonly version: string | null;
  readonly decodes: readonly string[] | null;
  readonly devices: number;
}

export interface FleetLine {
  /** Default: of all tenants. */
  readonly tenant?: string;
  readonly product: string;
  readonly hardware: string;
}

export async function fleetCounts(
  db: Kysely<Database>,
  { tenant, product, hardware }: FleetLine,
): Promise<FleetCount[]> {
  let query = db
    .selectFrom('devices')
    .select(({ fn }) => ['version', 'decodes', fn.countAll().as('devices')])
    .where('product', '=', product)
    .where('hardware', '=', hardware)
    .groupBy(['version', 'decodes']);
  if (tenant !== undefined) query = query.where('tenant', '=', tenant);
  const rows = await query.execute();
  return rows.map(({ version, decodes, devices }) => ({
    version,
    decodes: formatsOf(decodes),
    devices: Number(devices),
  }));
}
