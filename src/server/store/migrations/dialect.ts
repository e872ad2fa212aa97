/**
 * Where SQLite and PostgreSQL differ in what a migration says of a column.
 * @module
 */
import type { ColumnDefinitionBuilder } from 'kysely';

export type DialectName = 'sqlite' | 'postgres';

/** A number that counts itself up. */
export const counted = (dialect: DialectName) => (column: ColumnDefinitionBuilder) =>
  dialect === 'sqlite' ? column.primaryKey().autoIncrement() : column.primaryKey().generatedByDefaultAsIdentity();

/** The type of a column with milliseconds, or with bytes. */
export const instant = (dialect: DialectName): 'integer' | 'bigint' => (dialect === 'sqlite' ? 'integer' : 'bigint');
