/**
 * What publishing asks of the delta engine. `DeltaEngine` of src/engine is one; a test may bring a smaller one.
 * @module
 */
import type { ImageLike } from '../../native-free/diff/fills/sparse-image.ts';
import type { PayloadHeader } from '../../native-free/format/payload-header.ts';
import type { Profile } from '../../native-free/format/profile.ts';

export interface PayloadProgress {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
}

export interface PayloadSettings {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PayloadProgress) => void;
  readonly matcher?: 'own' | 'bsdiff' | 'both';
  /** Default `small`. */
  readonly profile?: Profile;
  /** Default true: a delta may look inside of compressed images. */
  readonly unpack?: boolean;
}

export interface PayloadResult {
  readonly payload: Uint8Array;
  readonly header: PayloadHeader;
  readonly kind: 'delta' | 'full';
  readonly cpuSeconds: number;
}

export interface PayloadMaker {
  /**
   * Throws UpdateError memory_exceeded or limit_exceeded when a payload of images of these sizes, fills not counted, could never be made, so
   * that nothing is read for it. A maker without it is asked for the payload.
   */
  checkSizes?(sourceBytes: number, targetBytes: number, settings?: Pick<PayloadSettings, 'matcher' | 'profile'>): void;
  /** A full payload of `target`. */
  full(target: ImageLike, settings?: PayloadSettings): Promise<PayloadResult>;
  /** A proved delta. Throws UpdateError delta_not_smaller when it is not smaller than the full payload. */
  delta(source: ImageLike, target: ImageLike, settings?: PayloadSettings): Promise<PayloadResult>;
}
