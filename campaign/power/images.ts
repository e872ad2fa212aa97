/**
 * What a repository is to the simulated devices: its files, held in memory, and the images in its releases.
 * @module
 */
import type { StatusCode } from '../../native-free/status.ts';

export const SEGMENT_BYTES = 64 * 1024;

export type AttackName = 'revoked-key' | 'old-timestamp';

export interface Attack {
  /** What the server has in this scenario. */
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  /** The attacker's answers; null for a file that is kept from the device. */
  readonly forged: ReadonlyMap<string, Uint8Array | null>;
  /** Asked for by a device that has believed what is now denied. */
  readonly believed: string;
  /** How the device has to refuse. */
  readonly code: StatusCode;
}

/** What crosses to worker threads. */
export interface RepositoryFiles {
  /** TUF metadata by file name. */
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  /** What an attacker has that can stand between the device and the server. */
  readonly attacks: Readonly<Record<AttackName, Attack>>;
  /** Payloads by SHA-256. */
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  /** Images by slot class, by rollback index; 0 was never published. */
  readonly images: Readonly<Record<'rootfs' | 'boot', readonly Uint8Array[]>>;
  readonly madeAtMs: number;
}
