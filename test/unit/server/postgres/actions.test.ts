/** The tests of server-actions, on PostgreSQL. */
import { onPostgres } from '../../../support/postgres.ts';

await onPostgres(() => import('../server-actions.test.ts'));
