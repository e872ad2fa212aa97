/**
 * The audit log: who did what, written in the transaction that does it.
 * @module
 */
import type { Kysely } from 'kysely';
import type { Database } from './schema.ts';

export interface AuditEntry {
  readonly who: string;
  readonly what: string;
  readonly why?: string | null;
}

export interface StoredAudit extends AuditEntry {
  readonly id: number;
  readonly at: number;
  readonly subject: string;
}

/** What follows from reports and clocks is done by the server. */
export const BY_ITSELF = 'server';

export async function note(
  db: Kysely<Database>,
  { tenant, subject, at }: { readonly tenant: string; readonly subject: string; readonly at: number },
  { who, what, why = null }: AuditEntry,
): Promise<void> {
  await db.insertInto('audit').values({ tenant, at, who, what, subject, why }).execute();
}

/** Newest first. */
export async function auditOf(
  db: Kysely<Database>,
  { tenant, subject, limit }: { tenant: string; subject: string; limit: number },
): Promise<StoredAudit[]> {
  return db
    .selectFrom('audit')
    .select(['id', 'at', 'who', 'what', 'subject', 'why'])
    .where('tenant', '=', tenant)
    .where('subject', '=', subject)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}
