/**
 * The versions of the board's software that the scenarios know.
 * @module
 */
import type { ImageOptions } from './images.ts';

/** An image, and how it is published. */
export interface Edition extends ImageOptions {
  readonly rollbackIndex: number;
  /** From how many releases before it a delta is made. */
  readonly deltasFrom: number;
}

/** What a new board runs. */
export const FROM = '1.0.0';

/**
 * 1.1.0 changes one program and comes as a delta. 2.0.0 never starts its agent and 3.0.0 fails its health check; both
 * come as full payloads. 4.0.0 brings another kernel, as a delta; it is last because its deltas take longest to make.
 */
export const EDITIONS: readonly Edition[] = [
  { version: FROM, rollbackIndex: 1, kernel: 'old', program: 'source', fault: 'none', deltasFrom: 0 },
  { version: '1.1.0', rollbackIndex: 2, kernel: 'old', program: 'target', fault: 'none', deltasFrom: 1 },
  { version: '2.0.0', rollbackIndex: 3, kernel: 'old', program: 'target', fault: 'hang', deltasFrom: 0 },
  { version: '3.0.0', rollbackIndex: 4, kernel: 'old', program: 'target', fault: 'unhealthy', deltasFrom: 0 },
  { version: '4.0.0', rollbackIndex: 5, kernel: 'new', program: 'target', fault: 'none', deltasFrom: 4 },
];
