/**
 * The device core: everything a device needs to apply payloads, on any JavaScript runtime.
 * @module
 */
export * from './apply/index.ts';
export { coverAt, coverListOf, type Cover, type CoverList } from './format/cover.ts';
export {
  CODEC,
  headerLength,
  HEADER_PREFIX_BYTES,
  parseHeader,
  PAYLOAD_MAGIC,
  segmentBodyOffset,
  segmentLength,
  type PayloadHeader,
  type PayloadKind,
  type SegmentRecord,
} from './format/payload-header.ts';
export { bytesEqual, digestOf, sha256Pure, toHex } from './hash.ts';
export type { AcceptedSegment, ByteSource, CancelSignal, Hash, HashFactory, RandomSource, SegmentSink } from './io.ts';
export { LIMITS } from './limits.ts';
export {
  exitCodeOf,
  OUTCOME,
  outcomeName,
  STATUS,
  UpdateError,
  type Outcome,
  type OutcomeName,
  type StatusCode,
  type StatusRow,
} from './status.ts';
export type { BytesLike } from './views.ts';
