/**
 * What devices decode.
 * @module
 */
import type { Kysely, Migration } from 'kysely';

export function decoders(): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable('devices').addColumn('decodes', 'text').execute();
    },
  };
}
