/**
 * The interfaces through which the core reaches the world. The core is passive: it asks, the caller does the I/O.
 * @module
 */

/** Random reads: the source image. */
export interface RandomSource {
  /** Size in bytes. */
  readonly size: number;
  /** Fill `into` with the bytes from `offset`. Throws UpdateError when they cannot all be had. */
  read(offset: number, into: Uint8Array): Promise<void>;
}

/** Sequential reads: the payload as it arrives. */
export interface ByteSource {
  /** The next piece, of any length of at least 1, or null at the end. The piece may be reused after the next call. */
  read(): Promise<Uint8Array | null>;
  /**
   * Go on at this absolute payload offset, never before the current one. Optional: without it the reader reads and
   * discards. A link turns it into a Range request, so that a resumed update fetches no byte twice.
   */
  skipTo?(offset: number): Promise<void>;
}

/** A segment whose digest matched, or a part of it. `bytes` is only valid until `write` resolves. */
export interface AcceptedSegment {
  readonly index: number;
  /** Offset in the target. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** False: more of the segment follows, and this part need not be durable before. A target with fills comes in parts. */
  readonly isLast: boolean;
}

/** A part of a segment that is one byte value throughout. */
export interface AcceptedFill {
  readonly index: number;
  /** Offset in the target. */
  readonly offset: number;
  readonly length: number;
  readonly value: number;
  readonly isLast: boolean;
}

/**
 * Sequential writes: the inactive slot. Segment by segment, each in parts if the target has fills, in order, and never
 * with unverified bytes.
 */
export interface SegmentSink {
  /** Resolves, for the last part of a segment, when all of it is as durable as the sink makes it: a slot syncs here. */
  write(segment: AcceptedSegment): Promise<void>;
  /** For sinks that know a way to do it cheaply. Without it, fills are written like all else, in pieces. */
  fill?(fill: AcceptedFill): Promise<void>;
}

/** One SHA-256 computation. */
export interface Hash {
  update(bytes: Uint8Array): unknown;
  /** 32 bytes. Ends the computation. */
  digest(): Uint8Array;
}

/** Injected, because node:crypto is 16 times faster than any JavaScript where it exists. */
export type HashFactory = () => Hash;

/** A cancellation flag; every AbortSignal fits. */
export interface CancelSignal {
  readonly aborted: boolean;
}
