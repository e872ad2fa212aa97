/**
 * What a TPM or a token does for a keystore: three small things that a restored file system cannot take back.
 * @module
 */
export interface KeystoreHardware {
  /** For messages, such as `the TPM`. */
  readonly name: string;
  /** The most by which one `commit` can raise a counter; none where it is any number. */
  readonly stepMax?: number;
  /** SHA-256 (hex) of the first trusted root, locked for ever; null before `provision`. */
  pin(): Promise<string | null>;
  /** SHA-256 (hex) of the record that counts. */
  anchor(): Promise<string | null>;
  /** Counters that it keeps itself; a record can claim more and never less. */
  counters(): Promise<Readonly<Record<string, number>>>;
  /**
   * The record with this digest counts from now on, and own counters are no lower than these. A power cut leaves the
   * earlier anchor or the new one.
   */
  commit(digest: string, counters: Readonly<Record<string, number>>): Promise<void>;
  /** Once, at the factory: the pin, and where its counters begin. Begun and cut off, it can be done again. */
  provision(pin: string, counters: Readonly<Record<string, number>>): Promise<void>;
}
