/**
 * What the engine asks of its worker threads. Images and the suffix array are views of SharedArrayBuffers, so that a
 * task costs no copy; everything that comes back is small.
 *
 * @module
 */
import type { SourceIndex } from '../../native-free/diff/source-index.ts';
import type { Cover, CoverList } from '../../native-free/format/cover.ts';
import type { StatusCode } from '../../native-free/status.ts';

/** Digest of a whole image. */
export interface DigestTask {
  readonly kind: 'digest';
  readonly image: Uint8Array;
}

/** Suffix array and byte pair table of the source. */
export interface IndexTask {
  readonly kind: 'index';
  readonly source: Uint8Array;
}

/** Covers of one window of the target. */
export interface MatchTask {
  readonly kind: 'match';
  readonly index: SourceIndex;
  readonly target: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** One segment of a delta. */
export interface EncodeTask {
  readonly kind: 'encode';
  readonly source: Uint8Array;
  readonly target: Uint8Array;
  readonly covers: CoverList;
  readonly start: number;
  readonly end: number;
}

/** One segment of a full payload. */
export interface FullTask {
  readonly kind: 'full';
  readonly target: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Apply a payload and compare what comes out with the target. */
export interface ProveTask {
  readonly kind: 'prove';
  readonly payload: Uint8Array;
  readonly source: Uint8Array;
  readonly target: Uint8Array;
  /** Element 0 counts the KiB that are proved, for progress. Shared. */
  readonly doneKib: Int32Array;
}

export type Task = DigestTask | IndexTask | MatchTask | EncodeTask | FullTask | ProveTask;

/** What each task gives back. */
export interface TaskResults {
  digest: Uint8Array;
  /** All of it in shared memory. */
  index: SourceIndex;
  match: Cover[];
  encode: { readonly encoded: Uint8Array; readonly digest: Uint8Array };
  full: { readonly encoded: Uint8Array; readonly digest: Uint8Array };
  prove: true;
}

/** An UpdateError does not survive the way between threads as one; its parts do. */
export interface TaskFailure {
  readonly code: StatusCode;
  readonly message: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface TaskOutcome<R> {
  readonly result?: R;
  readonly failure?: TaskFailure;
  readonly cpuSeconds: number;
}
