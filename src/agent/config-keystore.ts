/**
 * `[keystore]`: where the trusted root and the counters are kept.
 * @module
 */
import type { TableReader } from './config-reader.ts';

export interface KeystoreConfig {
  readonly backend: 'file';
}

export function readKeystore(table: TableReader): KeystoreConfig {
  table.done();
  return { backend: 'file' };
}
