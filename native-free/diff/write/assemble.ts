/**
 * Putting a payload together from parts that workers have made.
 * @module
 */
import {
  CODEC,
  encodeHeader,
  evenSegments,
  type ImageFills,
  type PayloadHeaderFields,
  type PayloadKind,
  type SegmentSpan,
  type UnitSizes,
} from '../../format/payload-header.ts';
import { concat } from '../../format/bytes.ts';
import { withoutFills } from '../../format/fill-map.ts';
import { declaredMemoryBytes } from '../../format/decoder-memory.ts';
import { digestOf, sha256Pure } from '../../hash.ts';
import type { HashFactory } from '../../io.ts';
import { LIMITS } from '../../limits.ts';
import type { PlanNeeds } from '../../model/plan-coder.ts';
import { workUnits } from '../../format/work.ts';
import type { Profile } from '../../format/profile.ts';
import { SMALLEST_SIZES, type ModelSizes } from '../../format/model-sizes.ts';
import { UpdateError } from '../../status.ts';

export interface TargetParts {
  /** Without its fills. */
  readonly targetBytes: number;
  /** Of both images; none by default. */
  readonly fills?: ImageFills;
  /** Of the whole target. */
  readonly targetDigest: Uint8Array;
  readonly segmentBytes: number;
  /** Coded segments in order, each no longer than the segment itself. */
  readonly segments: readonly Uint8Array[];
  /** SHA-256 of each segment's target bytes. */
  readonly segmentDigests: readonly Uint8Array[];
  readonly hash?: HashFactory;
}

export interface DeltaParts extends TargetParts {
  /** Without its fills. */
  readonly sourceBytes: number;
  /** Of the whole source. */
  readonly sourceDigest: Uint8Array;
  /** Unit maps, if there are any, and the plan. */
  readonly plan: Uint8Array;
  readonly modelSizes: ModelSizes;
  /** Default: `fast` for tables of it, else `small`. */
  readonly profile?: Profile | undefined;
  /** What its decoder will hold and do for the plan. */
  readonly planNeeds: PlanNeeds;
  /** Look-ups of all segments together. */
  readonly segmentWork: number;
  /** Images with units: how the target is cut, and what units take. */
  readonly units?: UnitParts;
}

export interface UnitParts extends UnitSizes {
  readonly spans: readonly SegmentSpan[];
  /** The most that units of one segment take of a decoder's memory. */
  readonly memoryBytes: number;
}

/**
 * A delta payload.
 * @throws UpdateError usage_invalid when segments are missing or do not fit, limit_exceeded when a bound is passed
 */
export function assembleDelta(parts: DeltaParts): Uint8Array {
  return assemble('delta', parts, parts);
}

/**
 * A full payload; its segments are zstd frames, or the target's own bytes where zstd does not help.
 * @throws as assembleDelta
 */
export function assembleFull(parts: TargetParts): Uint8Array {
  const none = {
    ...{ sourceBytes: 0, sourceDigest: new Uint8Array(32), plan: new Uint8Array(0) },
    ...{ planNeeds: { memoryBytes: 0, work: 0 }, segmentWork: 0 },
    modelSizes: SMALLEST_SIZES,
  };
  return assemble('full', parts, none);
}

function assemble(
  kind: PayloadKind,
  parts: TargetParts,
  delta: Pick<
    DeltaParts,
    'sourceBytes' | 'sourceDigest' | 'plan' | 'planNeeds' | 'segmentWork' | 'modelSizes' | 'profile' | 'units'
  >,
): Uint8Array {
  const spans = delta.units?.spans ?? evenSegments(parts.targetBytes, parts.segmentBytes);
  checkParts(parts, spans, delta.sourceBytes, delta.plan.length);
  const body = concat([delta.plan, ...parts.segments]);
  const hash = parts.hash ?? sha256Pure;
  const chunkDigests: Uint8Array[] = [];
  const isInline = body.length <= LIMITS.inline_body_bytes_max;
  for (let at = 0; at < body.length && !isInline; at += LIMITS.chunk_bytes) {
    chunkDigests.push(digestOf(hash, body.subarray(at, at + LIMITS.chunk_bytes)));
  }
  const segments = parts.segments.map((bytes, i) => {
    return { ...spans[i]!, encodedBytes: bytes.length, digest: parts.segmentDigests[i]! };
  });
  const fills = parts.fills ?? {
    source: withoutFills(delta.sourceBytes),
    target: withoutFills(parts.targetBytes),
  };
  const sizes = {
    kind,
    fills,
    targetBytes: fills.target.imageBytes,
    segmentBytes: parts.segmentBytes,
    planBytes: delta.plan.length,
    modelSizes: delta.modelSizes,
    segments,
    chunkDigests,
    inlineBody: isInline ? body : null,
  };
  const decoderMemoryBytes = declaredMemoryBytes(sizes, delta.planNeeds.memoryBytes + (delta.units?.memoryBytes ?? 0));
  const decoderWork = workUnits(delta.planNeeds.work + delta.segmentWork);
  checkNeeds(decoderMemoryBytes, decoderWork);
  const fields: PayloadHeaderFields = {
    ...sizes,
    codec: kind === 'full' ? CODEC.zstd : delta.units === undefined ? CODEC.mixing : CODEC.units,
    units: sizesOf(delta.units),
    sourceBytes: fills.source.imageBytes,
    sourceDigest: delta.sourceDigest,
    targetDigest: parts.targetDigest,
    profile: delta.profile ?? (delta.modelSizes.fast === true ? 'fast' : 'small'),
    decoderMemoryBytes,
    decoderWork,
  };
  const header = encodeHeader(fields);
  return isInline ? header : concat([header, body]);
}

function sizesOf(units: UnitParts | undefined): UnitSizes | null {
  if (units === undefined) return null;
  const { mapBytes, sourceBytes, targetBytes } = units;
  return { mapBytes, sourceBytes, targetBytes };
}

function checkParts(parts: TargetParts, spans: readonly SegmentSpan[], sourceBytes: number, planBytes: number): void {
  const largest = Math.max(parts.targetBytes, sourceBytes);
  if (largest > LIMITS.dense_bytes_max) {
    throw new UpdateError(
      'limit_exceeded',
      `an image with ${largest} bytes beside fills is over ${LIMITS.dense_bytes_max}`,
    );
  }
  if (planBytes > LIMITS.plan_bytes_max) {
    throw new UpdateError('limit_exceeded', `a plan of ${planBytes} bytes is over ${LIMITS.plan_bytes_max}`);
  }
  const count = spans.length;
  for (const [name, list] of Object.entries({ segments: parts.segments, segmentDigests: parts.segmentDigests })) {
    if (list.length === count) continue;
    throw new UpdateError('usage_invalid', `${list.length} ${name} for a target of ${count} segments`, {
      detail: { argument: name },
    });
  }
  parts.segments.forEach((bytes, i) => {
    if (bytes.length <= spans[i]!.length) return;
    throw new UpdateError('usage_invalid', `segment ${i} has ${bytes.length} coded bytes, more than it is long`);
  });
}

function checkNeeds(memoryBytes: number, work: number): void {
  if (memoryBytes > LIMITS.decoder_memory_bytes_max) {
    const most = LIMITS.decoder_memory_bytes_max;
    throw new UpdateError('limit_exceeded', `a payload that takes ${memoryBytes} bytes to decode is over ${most}`);
  }
  if (work > LIMITS.decoder_work_units_max) {
    const most = LIMITS.decoder_work_units_max;
    throw new UpdateError('limit_exceeded', `a payload that takes ${work} units of work to decode is over ${most}`);
  }
}
