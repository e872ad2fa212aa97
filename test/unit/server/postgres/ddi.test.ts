/** The tests of server-ddi, on PostgreSQL. */
import { onPostgres } from '../../../support/postgres.ts';

await onPostgres(() => import('../server-ddi.test.ts'));
