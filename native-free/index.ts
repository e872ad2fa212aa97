/**
 * The device core: everything a device needs to apply payloads, on any JavaScript runtime.
 *
 * `applyPayload` throws UpdateError of the families 2000 (format) and 3000 (integrity), `decoder_memory`,
 * `decoder_work`, `usage_invalid` and `aborted`; nothing unverified has reached the sink then. `parseHeader` and
 * `headerLength` throw `payload_magic`, `payload_version`, `payload_truncated`, `payload_malformed`; what is in memory
 * `slot_unreadable` and `slot_too_small`; whatever takes bytes `usage_invalid` for anything else.
 *
 * @example
 * const copy = new Uint8Array(target.length);
 * const run = applyPayload({
 *   payload: bytesSource(payload),
 *   source: memorySource(source),
 *   sink: memorySink(copy),
 * });
 * for await (const event of run) if (event.type === 'segment') console.log(event.targetBytesDone);
 * @module
 */
export { bytesSource, memorySink, memorySource } from './apply/bytes-source.ts';
export { PieceReader } from './apply/piece-reader.ts';
export { applyPayload, readHeader, type ApplyEvent, type ApplyOptions, type ApplyResult } from './apply/patcher.ts';
export { coverAt, coverListOf, type Cover, type CoverList } from './format/cover.ts';
export {
  DECODER_FEATURES,
  formatName,
  formatOf,
  readsFormat,
  type DecoderFeature,
  type PayloadFormat,
} from './format/features.ts';
export {
  CODEC,
  headerLength,
  HEADER_PREFIX_BYTES,
  parseHeader,
  PAYLOAD_MAGIC,
  segmentBodyOffset,
  type PayloadHeader,
  type PayloadKind,
  type SegmentRecord,
} from './format/payload-header.ts';
export { bytesEqual, digestOf, sha256Pure, toHex } from './hash.ts';
export type {
  AcceptedFill,
  AcceptedSegment,
  ByteSource,
  CancelSignal,
  Hash,
  HashFactory,
  RandomSource,
  SegmentSink,
} from './io.ts';
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
