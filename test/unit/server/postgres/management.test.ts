/** The tests of server-management, on PostgreSQL. */
import { onPostgres } from '../../../support/postgres.ts';

await onPostgres(() => import('../server-management.test.ts'));
