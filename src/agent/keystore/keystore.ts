/**
 * The keystore: the trusted root and counters that only rise. An interface, because it may be a file, a TPM or a
 * token.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';

export interface Keystore {
  /** The TUF root that is trusted now, or null before the first one was pinned. */
  trustedRoot(): Promise<Uint8Array | null>;
  /** Durable when it resolves. The caller has verified that the current root signs this one. */
  setTrustedRoot(bytes: Uint8Array): Promise<void>;
  /** 0 when it was never raised. */
  counter(name: string): Promise<number>;
  /** All counters by name. */
  counters(): Promise<Readonly<Record<string, number>>>;
  /** The most by which a rollback counter can be raised at once; none where it is any number. */
  readonly stepMax?: number;
  /** Raise; a value below the present one changes nothing. Durable when it resolves. */
  raise(values: Readonly<Record<string, number>>): Promise<void>;
}

/** What a keystore's records end with, whatever the storage says. */
export const KEYSTORE_CODES = { read: 'keystore_failed', write: 'keystore_failed' } as const;

/** The highest rollback index that was committed, per product and slot class. */
export const rollbackCounter = (product: string, slotClass: string): string => `rollback.${product}.${slotClass}`;

/** The higher of both, counter by counter. */
export function highest(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): Record<string, number> {
  const counters = { ...a };
  for (const [name, value] of Object.entries(b)) counters[name] = Math.max(counters[name] ?? 0, value);
  return counters;
}

/** Throws `keystore_failed` for what no counter can be. */
export function checkCounters(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (Number.isSafeInteger(value) && value >= 0) continue;
    throw new UpdateError('keystore_failed', `counter ${name} cannot be raised to ${value}`);
  }
}
