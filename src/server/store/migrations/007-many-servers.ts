/**
 * PostgreSQL alone: what many servers on one database need. Text is compared byte by byte, as SQLite does, whatever the
 * database's collation; whole numbers have eight bytes; and changes that a poll must hear of are told to all servers
 * (store/backend/listener.ts) by the transaction that makes them.
 * @module
 */
import { sql, type Kysely, type Migration } from 'kysely';
import type { DialectName } from './dialect.ts';

export function manyServers(dialect: DialectName): Migration {
  return {
    async up(db: Kysely<unknown>) {
      if (dialect === 'sqlite') return;
      await sameTypes(db);
      await sql.raw(TELL).execute(db);
    },
  };
}

interface Column {
  table: string;
  column: string;
  type: string;
}

async function sameTypes(db: Kysely<unknown>): Promise<void> {
  const found = await sql<Column>`
    select table_name as "table", column_name as "column", data_type as "type" from information_schema.columns
    where table_schema = current_schema() and table_name not like 'kysely%'
      and (data_type = 'integer' or (data_type = 'text' and collation_name is distinct from 'C'))`.execute(db);
  for (const { table, column, type } of found.rows) {
    const wanted = type === 'integer' ? sql`bigint` : sql`text collate "C"`;
    await sql`alter table ${sql.table(table)} alter column ${sql.ref(column)} type ${wanted}`.execute(db);
  }
}

/** Many devices at once are told of as all: a queue of 100,000 messages would be read by every server. */
const SINGLY_MAX = 200;

/**
 * What a report notes of an action without changing what a poll shows is told to nobody: notifying transactions commit
 * one after the other.
 */
const TELL = `
create function engraft_tell_of_device() returns trigger language plpgsql as $$
begin
  perform pg_notify('engraft_fleet', old.tenant || '/' || old.controller_id);
  return null;
end $$;

create trigger engraft_tell after update on devices for each row
  when ((to_jsonb(old) - 'last_seen' - 'last_address') is distinct from (to_jsonb(new) - 'last_seen' - 'last_address'))
  execute function engraft_tell_of_device();
create trigger engraft_tell_gone after delete on devices for each row execute function engraft_tell_of_device();

create function engraft_tell_of_all() returns trigger language plpgsql as $$
begin
  perform pg_notify('engraft_fleet', '*');
  return null;
end $$;

create trigger engraft_tell_new after insert on deployments for each statement execute function engraft_tell_of_all();

create function engraft_tell_of_names(names text[]) returns void language plpgsql as $$
begin
  if cardinality(names) > ${SINGLY_MAX} then
    perform pg_notify('engraft_fleet', '*');
  else
    perform pg_notify('engraft_fleet', name) from unnest(names) as name;
  end if;
end $$;

create function engraft_tell_of_new_actions() returns trigger language plpgsql as $$
begin
  perform engraft_tell_of_names(array(select distinct tenant || '/' || controller_id from later));
  return null;
end $$;

create function engraft_tell_of_actions() returns trigger language plpgsql as $$
declare
  noted text[] := array['updated_at', 'retrieved_at', 'source_version', 'code', 'outcome', 'reason', 'sub_status'];
begin
  perform engraft_tell_of_names(array(
    select distinct later.tenant || '/' || later.controller_id from later join earlier using (id)
    where (to_jsonb(later) - noted) is distinct from (to_jsonb(earlier) - noted)));
  return null;
end $$;

create trigger engraft_tell_new after insert on actions referencing new table as later
  for each statement execute function engraft_tell_of_new_actions();
create trigger engraft_tell after update on actions referencing old table as earlier new table as later
  for each statement execute function engraft_tell_of_actions();
`;
