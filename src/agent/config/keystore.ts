/**
 * `[keystore]`: where the trusted root and the counters are kept.
 * @module
 */
import type { TableReader } from './table-reader.ts';

export interface Tpm2Config {
  /** The first of the NV indices that are used. */
  readonly nvBase: number;
  /** As in TPM2TOOLS_TCTI; null: the tools' own default. */
  readonly tcti: string | null;
  /** For one call of one tool. */
  readonly deadlineMs: number;
}

export interface Pkcs11Config {
  /** The token's library. */
  readonly module: string;
  /** The token's label. */
  readonly token: string;
  /** A file with the user's PIN. */
  readonly pinFile: string;
  /** Folder of the npm package pkcs11js; null: where Node finds it. */
  readonly addon: string | null;
}

export type KeystoreConfig =
  | { readonly backend: 'file' }
  | (Tpm2Config & {
      readonly backend: 'tpm2';
      /** Names of the counters that the TPM keeps; null: the rollback counter of the device's own slot class. */
      readonly counters: readonly string[] | null;
    })
  | (Pkcs11Config & { readonly backend: 'pkcs11' });

const COUNTERS_MAX = 8;
/** The owner's range of NV indices (TCG registry of reserved TPM 2.0 handles), and clear of 0x01C00000 and up. */
const NV_FIRST = 0x0180_0000;
const NV_LAST = 0x01bf_fff0;

export function readKeystore(table: TableReader): KeystoreConfig {
  const backend = table.text('backend', 'file');
  const config = readBackend(backend, table);
  table.done();
  return config;
}

function readBackend(backend: string, table: TableReader): KeystoreConfig {
  switch (backend) {
    case 'file':
      return { backend };
    case 'tpm2':
      return {
        backend,
        nvBase: table.integer('nv_base', 0x0180_0100, NV_FIRST, NV_LAST),
        counters: readCounters(table),
        tcti: table.optionalText('tcti') ?? null,
        deadlineMs: table.integer('tool_seconds', 30, 1, 600) * 1000,
      };
    case 'pkcs11':
      return {
        backend,
        module: table.path('module'),
        token: table.text('token'),
        pinFile: table.path('pin_file'),
        addon: table.has('addon') ? table.path('addon') : null,
      };
    default:
      throw table.wrong('backend', `is '${backend}' and should be file, tpm2 or pkcs11`);
  }
}

function readCounters(table: TableReader): readonly string[] | null {
  const names = table.optionalCommand('counters');
  if (names === null) return null;
  const good = names.length <= COUNTERS_MAX && new Set(names).size === names.length;
  if (good && names.every((name) => /^rollback\.[^.\s]+.*\.[^.\s]+$/.test(name))) return names;
  throw table.wrong('counters', `should be at most ${COUNTERS_MAX} names like "rollback.PRODUCT.CLASS"`);
}
