/**
 * What a repository is to the simulated devices: its files, held in memory, and the images in its releases.
 * @module
 */
export const SEGMENT_BYTES = 64 * 1024;

/** What crosses to worker threads. */
export interface RepositoryFiles {
  /** TUF metadata by file name. */
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  /** Payloads by SHA-256. */
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  /** Images by slot class, by rollback index; 0 was never published. */
  readonly images: Readonly<Record<'rootfs' | 'boot', readonly Uint8Array[]>>;
  readonly madeAtMs: number;
}
