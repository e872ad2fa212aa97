/**
 * Streaming apply: source + payload → target, segment by segment.
 *
 * Passive: it does no I/O of its own, keeps no timers and holds one segment, its coded form, one chunk and the covers
 * in memory. The generator stands still until its caller asks for the next event, so the caller decides when a
 * checkpoint is recorded: a segment event comes after the sink has made the segment durable and before any further
 * byte is written.
 * @module
 */
import { coverListOf } from '../format/cover.ts';
import { imageEndOf } from '../format/fill-map.ts';
import { plainPlan, PlanRoom, type Plan } from '../format/plan.ts';
import {
  headerLength,
  HEADER_PREFIX_BYTES,
  parseHeader,
  segmentBodyOffset,
  type PayloadHeader,
} from '../format/payload-header.ts';
import { bytesEqual, digestOf, sha256Pure, toHex } from '../hash.ts';
import type { ByteSource, CancelSignal, HashFactory, RandomSource, SegmentSink } from '../io.ts';
import { LIMITS } from '../limits.ts';
import { referenceModels } from '../model/mix-coder.ts';
import type { ModelCoder, ModelCoderFactory } from '../model/model-coder.ts';
import { planSteps } from '../model/plan-coder.ts';
import { WORK_UNIT } from '../format/work.ts';
import { UpdateError } from '../status.ts';
import { bytesOf, checkObject, type BytesLike } from '../views.ts';
import { BodyReader } from './body-reader.ts';
import { checkWork, planBytesAllowed } from '../format/decoder-memory.ts';
import { Pauses } from './pauses.ts';
import { PieceReader } from './piece-reader.ts';
import { denseSource } from './sparse-source.ts';
import { sparseSink } from './sparse-sink.ts';
import { UnitMemory } from '../unpack/source/unit-memory.ts';
import { readLayouts, UnitSegmentDecoder, type UnitLayouts } from './unit-segment-decoder.ts';
import { DeltaSegmentDecoder, FullSegmentDecoder, type SegmentDecoder } from './segment-decoders.ts';

export type ApplyEvent =
  | { readonly type: 'header'; readonly header: PayloadHeader }
  | { readonly type: 'plan'; readonly covers: number }
  /** The sink has accepted segment `index`; a resumed apply may start at `index + 1`. */
  | {
      readonly type: 'segment';
      readonly index: number;
      readonly targetBytesDone: number;
      readonly payloadBytesDone: number;
    };

export interface ApplyResult {
  readonly segments: number;
  readonly targetBytes: number;
}

export interface ApplyOptions {
  /** Stands at payload byte 0, also when resuming (header and plan are needed again). */
  readonly payload: ByteSource;
  /** Needed for a delta. */
  readonly source?: RandomSource;
  readonly sink: SegmentSink;
  /** Default: pure JavaScript. */
  readonly hash?: HashFactory;
  /** SHA-256 of the whole header, from signed metadata. Without it the header vouches for itself only. */
  readonly expectedHeaderDigest?: BytesLike;
  /** First segment still to be done. */
  readonly resumeSegment?: number;
  readonly memoryBytesMax?: number;
  /** Units of work (2^20 look-ups) that a payload may declare; default: what the format allows. */
  readonly workMax?: number;
  /** Default: the reference coder in JavaScript. */
  readonly models?: ModelCoderFactory;
  readonly signal?: CancelSignal;
  /**
   * Called every few milliseconds of work: lets the caller's event loop turn, so that a cancellation can be heard. Without it
   * the loop only turns where the source, sink or payload let it.
   */
  readonly pause?: () => Promise<void>;
}

/**
 * Applies a payload.
 * @throws UpdateError of the families 2000 (format) and 3000 (integrity), `decoder_memory`, `decoder_work`, `aborted`, and whatever
 * the given source, sink and payload throw. Nothing unverified has reached the sink then.
 */
export async function* applyPayload(options: ApplyOptions): AsyncGenerator<ApplyEvent, ApplyResult> {
  checkObject(options, 'options');
  checkObject(options.payload, 'payload');
  checkObject(options.sink, 'sink');
  const hash = options.hash ?? sha256Pure;
  const payload = new PieceReader(options.payload);
  const header = await readHeader(payload, hash, options.expectedHeaderDigest);
  const first = options.resumeSegment ?? 0;
  if (first < 0 || first > header.segments.length) {
    throw new UpdateError('usage_invalid', `cannot resume at segment ${first} of ${header.segments.length}`);
  }
  const room = new PlanRoom(planBytesAllowed(header, options.memoryBytesMax ?? LIMITS.decoder_memory_bytes_max));
  checkWork(header.decoderWork, options.workMax ?? LIMITS.decoder_work_units_max);
  yield { type: 'header', header };

  const body = new BodyReader(payload, header, hash);
  const coder = header.kind === 'full' ? null : (options.models ?? referenceModels)(false, header.modelSizes);
  const pauses = new Pauses(options.signal, options.pause, coder?.work);
  const { plan, layouts } = await readPlan(body, header, coder, room, pauses);
  yield { type: 'plan', covers: plan.covers.count };

  const decoder =
    coder === null ? new FullSegmentDecoder() : deltaDecoder(header, plan, { coder, layouts, room }, options, pauses);
  const sink = sparseSink(options.sink, header.fills.target, pauses);
  let target: Uint8Array | null = null;
  // One buffer for all coded segments: fresh ones would wait for the collector, megabytes at a time.
  const encoded = new Uint8Array(largestEncoded(header, first));
  for (let index = first; index < header.segments.length; index++) {
    await pauses.pause();
    target ??= new Uint8Array(header.segments.reduce((most, { length }) => Math.max(most, length), 0));
    const { offset, length } = header.segments[index]!;
    const bytes = target.subarray(0, length);
    await decodeSegment(body, header, index, decoder, { encoded, target: bytes }, hash);
    await sink.write({ index, offset, bytes, isLast: true });
    // A body in the header came with it, all at once.
    const payloadBytesDone = Math.min(header.payloadBytes, header.headerBytes + body.position);
    const targetBytesDone = imageEndOf(header.fills.target, offset + length);
    yield { type: 'segment', index, targetBytesDone, payloadBytesDone };
  }
  return { segments: header.segments.length - first, targetBytes: header.targetBytes };
}

/**
 * Reads and authenticates a header.
 * @throws UpdateError payload_magic, payload_version, payload_truncated, payload_malformed, header_digest
 */
export async function readHeader(
  payload: PieceReader,
  hash: HashFactory,
  expectedDigest?: BytesLike,
): Promise<PayloadHeader> {
  const prefix = new Uint8Array(HEADER_PREFIX_BYTES);
  await payload.fill(prefix, 'header');
  const bytes = new Uint8Array(headerLength(prefix));
  bytes.set(prefix);
  await payload.fill(bytes.subarray(HEADER_PREFIX_BYTES), 'header');
  if (expectedDigest !== undefined) {
    const digest = digestOf(hash, bytes);
    if (!bytesEqual(digest, bytesOf(expectedDigest, 'expectedHeaderDigest'))) {
      throw new UpdateError('header_digest', 'the payload header is not the one that was signed', {
        detail: { expected: toHex(expectedDigest), actual: toHex(digest) },
      });
    }
  }
  return parseHeader(bytes);
}

/** A plan, and where everything lies if there are units. */
interface ReadPlan {
  readonly plan: Plan;
  readonly layouts: UnitLayouts | null;
}

async function readPlan(
  body: BodyReader,
  header: PayloadHeader,
  coder: ModelCoder | null,
  room: PlanRoom,
  pauses: Pauses,
): Promise<ReadPlan> {
  if (coder === null) return { plan: plainPlan(coverListOf([])), layouts: null };
  coder.work.limit = header.decoderWork * WORK_UNIT;
  const section = new Uint8Array(header.planBytes);
  await body.fill(section);
  const { units } = header;
  if (units === null) {
    const { source, target } = header.fills;
    const sizes = { sourceBytes: source.denseBytes, targetBytes: target.denseBytes };
    return { plan: await pauses.drive(planSteps(section, sizes, room, coder)), layouts: null };
  }
  const layouts = readLayouts(section.subarray(0, units.mapBytes), header, coder, room);
  await pauses.work();
  return { plan: await pauses.drive(planSteps(section.subarray(units.mapBytes), units, room, coder)), layouts };
}

function deltaDecoder(
  header: PayloadHeader,
  plan: Plan,
  {
    coder,
    layouts,
    room,
  }: { readonly coder: ModelCoder; readonly layouts: UnitLayouts | null; readonly room: PlanRoom },
  options: ApplyOptions,
  pauses: Pauses,
): SegmentDecoder {
  if (options.source === undefined) throw new UpdateError('usage_invalid', 'a delta payload needs a source image');
  if (options.source.size < header.sourceBytes) {
    throw new UpdateError(
      'source_digest',
      `the source has ${options.source.size} bytes; the patch was made from ${header.sourceBytes}`,
      {
        detail: { expected: toHex(header.sourceDigest) },
      },
    );
  }
  const source = denseSource(options.source, header.fills.source);
  if (layouts === null) return new DeltaSegmentDecoder(plan, coder, source, header.fills.source.denseBytes, pauses);
  return new UnitSegmentDecoder(plan, layouts, coder, source, new UnitMemory(room.left), pauses);
}

/** Of the segments that are coded; stored ones go straight into the target. */
function largestEncoded(header: PayloadHeader, first: number): number {
  return header.segments.reduce((most, { length, encodedBytes }, index) => {
    const coded = index >= first && encodedBytes < length;
    return coded ? Math.max(most, encodedBytes) : most;
  }, 0);
}

async function decodeSegment(
  body: BodyReader,
  header: PayloadHeader,
  index: number,
  decoder: SegmentDecoder,
  buffers: { readonly encoded: Uint8Array; readonly target: Uint8Array },
  hash: HashFactory,
): Promise<void> {
  const { target } = buffers;
  const { offset, encodedBytes, digest: expected } = header.segments[index]!;
  body.skipTo(segmentBodyOffset(header, index));
  if (encodedBytes === target.length) {
    await body.fill(target);
  } else {
    const encoded = buffers.encoded.subarray(0, encodedBytes);
    await body.fill(encoded);
    await decoder.decode(encoded, target, offset);
  }
  const digest = digestOf(hash, target);
  if (bytesEqual(digest, expected)) return;
  throw new UpdateError('segment_digest', `segment ${index} (target byte ${offset}) does not have its digest`, {
    detail: {
      segment: index,
      expected: toHex(expected),
      actual: toHex(digest),
      sourceDigest: toHex(header.sourceDigest),
    },
  });
}
