/**
 * The payload header: what a payload turns into what, and the digests that vouch for every byte of it.
 *
 * The header's own digest is in the signed metadata; it lists a digest for each 64 KiB chunk of the body, so nothing
 * reaches a decoder unauthenticated, and a digest for each segment of the target, so nothing reaches a slot
 * unverified. docs/format.md gives every byte with a worked hexdump.
 * @module
 */
import { LIMITS } from '../limits.ts';
import { SMALLEST_SIZES, type ModelSizes } from './model-sizes.ts';
import { PROFILES, type Profile } from './profile.ts';
import { UpdateError } from '../status.ts';
import { bytesOf, type BytesLike } from '../views.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { readFills, withoutFills, writeFills, type FillMap } from './fill-map.ts';

export type PayloadKind = 'delta' | 'full';

/** How segments are coded. */
export const CODEC = {
  /** Full: one zstd frame a segment. */
  zstd: 2,
  /** Delta: covers and layouts, predicted references, mixed models, range coder. (1 was a coder of version 1.) */
  mixing: 3,
  /** Delta of images with compressed units: unit maps first, then as `mixing`, over the virtual streams. */
  units: 4,
} as const;

/** One window of the target. `encodedBytes` equal to its length means that it is stored as it is. */
export interface SegmentRecord {
  /** Of its first byte in the target, fills not counted. */
  readonly offset: number;
  readonly length: number;
  readonly encodedBytes: number;
  /** SHA-256 of the segment's target bytes. */
  readonly digest: Uint8Array;
}

/** What the header of a delta between images with units says beside. */
export interface UnitSizes {
  /** Length of the unit maps, with which the plan section begins. */
  readonly mapBytes: number;
  /** Lengths of the virtual streams. */
  readonly sourceBytes: number;
  readonly targetBytes: number;
}

/** Fills of both images; the source of a full payload is empty. */
export interface ImageFills {
  readonly source: FillMap;
  readonly target: FillMap;
}

export interface PayloadHeaderFields {
  readonly kind: PayloadKind;
  readonly codec: number;
  /** 0 for a full payload. */
  readonly sourceBytes: number;
  /** Fills of both images; what is said of segments, covers and units is of what is left without them. */
  readonly fills: ImageFills;
  /** 32 zero bytes for a full payload. */
  readonly sourceDigest: Uint8Array;
  readonly targetBytes: number;
  readonly targetDigest: Uint8Array;
  /** Length of every segment but the last; a power of two. Where there are units, segments may be shorter. */
  readonly segmentBytes: number;
  /** Null for images without units. */
  readonly units: UnitSizes | null;
  /** What a decoder needs over its runtime's floor, so that a device can refuse in time. */
  readonly decoderMemoryBytes: number;
  /** Work that decoding takes at most, in units of WORK_UNIT look-ups; 0 for a full payload, whose sizes say it all. */
  readonly decoderWork: number;
  /** Length of the plan section (unit maps, covers, layouts); 0 for a full payload. */
  readonly planBytes: number;
  /** What a delta was made for; `small` for a full payload. */
  readonly profile: Profile;
  /** Model tables of a delta; SMALLEST_SIZES for a full payload. */
  readonly modelSizes: ModelSizes;
  readonly segments: readonly SegmentRecord[];
  /** SHA-256 of each LIMITS.chunk_bytes of the body; the last chunk may be shorter. None for a body in the header. */
  readonly chunkDigests: readonly Uint8Array[];
  /** A small body stands in the header, whose digest then vouches for it; else null. */
  readonly inlineBody: Uint8Array | null;
}

export interface PayloadHeader extends PayloadHeaderFields {
  readonly headerBytes: number;
  /** Plan and segments. */
  readonly bodyBytes: number;
  /** Header and body. */
  readonly payloadBytes: number;
}

/** Like PNG's: not text, and damaged visibly by line-ending conversion. */
export const PAYLOAD_MAGIC: readonly number[] = [0x89, 0x45, 0x47, 0x46, 0x54, 0x0d, 0x0a, 0x1a];
export const PAYLOAD_VERSION = 5;
/** Bytes that tell how long the header is. */
export const HEADER_PREFIX_BYTES = 16;
const DIGEST_BYTES = 32;
const KIND_NUMBER: Record<PayloadKind, number> = { delta: 1, full: 2 };
/** Added to the kind when the body stands in the header, and when images have fills. */
const INLINE = 0x80;
const SPARSE = 0x40;

/** Target bytes [offset, offset + length), fills not counted. */
export interface SegmentSpan {
  readonly offset: number;
  readonly length: number;
}

/** Segments of a target without units: of equal size, the last may be shorter. */
export function evenSegments(targetBytes: number, segmentBytes: number): SegmentSpan[] {
  return Array.from({ length: Math.ceil(targetBytes / segmentBytes) }, (_, i) => {
    const offset = i * segmentBytes;
    return { offset, length: Math.min(segmentBytes, targetBytes - offset) };
  });
}

/** Offset in the body at which segment `index` begins; with `index` = number of segments, the body's end. */
export function segmentBodyOffset(header: PayloadHeaderFields, index: number): number {
  let offset = header.planBytes;
  for (let i = 0; i < index; i++) offset += header.segments[i]!.encodedBytes;
  return offset;
}

/** Writes a header. Throws `bug` when the fields contradict each other. */
export function encodeHeader(fields: PayloadHeaderFields): Uint8Array {
  const writer = new ByteWriter();
  const varints = new ByteWriter();
  const isDelta = fields.kind === 'delta';
  varints.varint(fields.decoderMemoryBytes / 1024);
  varints.varint(fields.targetBytes);
  if (isDelta) {
    varints.varint(fields.sourceBytes);
    varints.varint(fields.planBytes);
    varints.varint(fields.decoderWork);
    varints.u8(packedSizes(fields.modelSizes));
    varints.u8(PROFILES.indexOf(fields.profile));
  }
  const { source, target } = fields.fills;
  const isSparse = source.count + target.count > 0;
  if (isSparse && isDelta) writeFills(varints, source, null);
  if (isSparse) writeFills(varints, target, source);
  if (fields.units !== null) {
    for (const bytes of [fields.units.mapBytes, fields.units.sourceBytes, fields.units.targetBytes])
      varints.varint(bytes);
    varints.varint(fields.segments.length);
  }
  for (const { length, encodedBytes } of fields.segments) {
    if (fields.units !== null) varints.varint(length);
    varints.varint(encodedBytes);
  }
  // The only segment is the target: its digest is not said twice.
  const digests = [
    ...(fields.segments.length === 1 && target.count === 0 ? [] : [fields.targetDigest]),
    ...(isDelta ? [fields.sourceDigest] : []),
  ];
  digests.push(...fields.segments.map((segment) => segment.digest), ...fields.chunkDigests);

  for (const byte of PAYLOAD_MAGIC) writer.u8(byte);
  writer.u8(PAYLOAD_VERSION);
  const inline = fields.inlineBody ?? new Uint8Array(0);
  writer.u8(KIND_NUMBER[fields.kind] | (fields.inlineBody === null ? 0 : INLINE) | (isSparse ? SPARSE : 0));
  writer.u8(fields.codec);
  writer.u8(Math.log2(fields.segmentBytes));
  writer.u32(HEADER_PREFIX_BYTES + varints.length + DIGEST_BYTES * digests.length + inline.length);
  writer.bytes(varints.finish());
  for (const digest of digests) writer.bytes(digest);
  writer.bytes(inline);
  const bytes = writer.finish();
  parseHeader(bytes); // what we cannot read back we must not write
  return bytes;
}

/**
 * Length of the header, from its first HEADER_PREFIX_BYTES bytes.
 * @throws UpdateError payload_magic, payload_version, payload_truncated, payload_malformed
 */
export function headerLength(bytes: BytesLike): number {
  const prefix = bytesOf(bytes, 'header');
  const known = Math.min(prefix.length, PAYLOAD_MAGIC.length);
  for (let i = 0; i < known; i++) {
    if (prefix[i] !== PAYLOAD_MAGIC[i]) {
      throw new UpdateError('payload_magic', `byte ${i} is not that of an engraft payload`, { detail: { offset: i } });
    }
  }
  const reader = new ByteReader(prefix, 'payload_truncated', 'payload_malformed');
  reader.bytes(PAYLOAD_MAGIC.length, 'magic');
  const version = reader.u8('version');
  if (version !== PAYLOAD_VERSION) {
    throw new UpdateError('payload_version', `payload version ${version}; this build reads ${PAYLOAD_VERSION}`);
  }
  reader.bytes(3, 'kind, codec and segment size');
  const length = reader.u32('header length');
  if (length > LIMITS.header_bytes_max || length < HEADER_PREFIX_BYTES) {
    throw new UpdateError('payload_malformed', `header length ${length} is not within bounds`);
  }
  return length;
}

/**
 * Reads a whole header. Every count follows from lengths that were checked against LIMITS and against the bytes at
 * hand before anything is allocated.
 * @throws UpdateError payload_magic, payload_version, payload_truncated, payload_malformed
 */
export function parseHeader(payload: BytesLike): PayloadHeader {
  const bytes = bytesOf(payload, 'payload');
  const headerBytes = headerLength(bytes);
  if (bytes.length < headerBytes) {
    throw new UpdateError('payload_truncated', `header of ${headerBytes} bytes, only ${bytes.length} given`);
  }
  const reader = new ByteReader(bytes.subarray(0, headerBytes), 'payload_malformed', 'payload_malformed');
  reader.bytes(PAYLOAD_MAGIC.length + 1, 'magic and version');
  const kindByte = reader.u8('kind');
  const isInline = (kindByte & INLINE) !== 0;
  const kind = kindOf(kindByte & ~(INLINE | SPARSE));
  const codec = reader.u8('codec');
  if (kind === 'delta' ? codec !== CODEC.mixing && codec !== CODEC.units : codec !== CODEC.zstd) {
    throw new UpdateError('payload_version', `codec ${codec} of a ${kind} payload is not known to this build`);
  }
  const segmentBytes = 2 ** reader.u8('segment size');
  if (segmentBytes < LIMITS.segment_bytes_min || segmentBytes > LIMITS.segment_bytes_max) {
    throw new UpdateError('payload_malformed', `segment size ${segmentBytes} is not within bounds`);
  }
  reader.u32('header length');
  const decoderMemoryBytes = reader.varint('decoder memory', LIMITS.decoder_memory_bytes_max / 1024) * 1024;
  const targetBytes = reader.varint('target size', LIMITS.image_bytes_max);
  const sourceBytes = kind === 'delta' ? reader.varint('source size', LIMITS.image_bytes_max) : 0;
  const planBytes = kind === 'delta' ? reader.varint('plan size', LIMITS.plan_bytes_max) : 0;
  const decoderWork = kind === 'delta' ? reader.varint('decoder work', LIMITS.decoder_work_units_max) : 0;
  const slots = kind === 'delta' ? unpackedSizes(reader.u8('table sizes')) : SMALLEST_SIZES;
  const profile = kind === 'delta' ? profileOf(reader.u8('profile')) : 'small';
  const modelSizes = profile === 'fast' ? { ...slots, fast: true } : slots;
  const fills = readImageFills(reader, (kindByte & SPARSE) !== 0, kind, { sourceBytes, targetBytes });
  const units = codec === CODEC.units ? readUnitSizes(reader, planBytes) : null;
  const tables = readTables(reader, kind, { target: fills.target, segmentBytes, planBytes, units }, isInline);
  return {
    ...{ kind, codec, sourceBytes, targetBytes, segmentBytes, planBytes, headerBytes, modelSizes, units },
    ...{ decoderMemoryBytes, decoderWork, profile, fills },
    ...tables,
    payloadBytes: headerBytes + (isInline ? 0 : tables.bodyBytes),
  };
}

function kindOf(value: number): PayloadKind {
  if (value === KIND_NUMBER.delta) return 'delta';
  if (value === KIND_NUMBER.full) return 'full';
  throw new UpdateError('payload_version', `payload kind ${value} is not known to this build`);
}

/** Table sizes in one byte: flags' in the upper half, bytes' in the lower, each over 2^LIMITS.model_bits_min. */
function packedSizes(sizes: ModelSizes): number {
  return ((sizes.flagBits - LIMITS.model_bits_min) << 4) | (sizes.byteBits - LIMITS.model_bits_min);
}

function unpackedSizes(packed: number): ModelSizes {
  const sizes = { flagBits: (packed >> 4) + LIMITS.model_bits_min, byteBits: (packed & 15) + LIMITS.model_bits_min };
  if (Math.max(sizes.flagBits, sizes.byteBits) <= LIMITS.model_bits_max) return sizes;
  throw new UpdateError('payload_malformed', `model tables of 2^${sizes.flagBits} and 2^${sizes.byteBits} slots`);
}

function profileOf(value: number): Profile {
  const profile = PROFILES[value];
  if (profile !== undefined) return profile;
  throw new UpdateError('payload_version', `profile ${value} is not known to this build`);
}

function readUnitSizes(reader: ByteReader, planBytes: number): UnitSizes {
  return {
    mapBytes: reader.varint('map size', planBytes),
    sourceBytes: reader.varint('size of the virtual source', LIMITS.dense_bytes_max),
    targetBytes: reader.varint('size of the virtual target', LIMITS.dense_bytes_max),
  };
}

/** Images that say nothing of fills are dense. */
function readImageFills(
  reader: ByteReader,
  isSparse: boolean,
  kind: PayloadKind,
  { sourceBytes, targetBytes }: { readonly sourceBytes: number; readonly targetBytes: number },
): ImageFills {
  const none = { source: withoutFills(sourceBytes), target: withoutFills(targetBytes) };
  const source = isSparse && kind === 'delta' ? readFills(reader, sourceBytes, null) : none.source;
  const target = isSparse ? readFills(reader, targetBytes, source) : none.target;
  const dense = Math.max(source.denseBytes, target.denseBytes);
  if (dense <= LIMITS.dense_bytes_max && isSparse === source.count + target.count > 0) return { source, target };
  throw new UpdateError('payload_malformed', `fills leave ${dense} bytes of an image`);
}

interface TableSizes {
  readonly target: FillMap;
  readonly segmentBytes: number;
  readonly planBytes: number;
  readonly units: UnitSizes | null;
}

/** Where segments lie, and their coded sizes. */
function readSegments(reader: ByteReader, { target, segmentBytes, units }: TableSizes) {
  const targetBytes = target.denseBytes;
  const evenCount = Math.ceil(targetBytes / segmentBytes);
  const count = units === null ? evenCount : reader.varint('number of segments', LIMITS.header_bytes_max);
  if (count * (1 + DIGEST_BYTES) > reader.remaining) {
    throw new UpdateError('payload_malformed', `${count} segments do not fit into ${reader.remaining} header bytes`);
  }
  const segments: (SegmentSpan & { encodedBytes: number })[] = [];
  let offset = 0;
  for (let i = 0; i < count; i++) {
    const most = Math.min(segmentBytes, targetBytes - offset);
    const length = units === null ? most : reader.varint(`length of segment ${i}`, most);
    segments.push({ offset, length, encodedBytes: reader.varint(`encoded size of segment ${i}`, length) });
    offset += length;
  }
  if (offset === targetBytes && segments.every(({ length }) => length > 0)) return segments;
  throw new UpdateError('payload_malformed', `segments of ${offset} bytes for a target of ${targetBytes}`);
}

function readTables(reader: ByteReader, kind: PayloadKind, sizes: TableSizes, isInline: boolean) {
  const spans = readSegments(reader, sizes);
  const count = spans.length;
  let bodyBytes = sizes.planBytes;
  for (const { encodedBytes } of spans) bodyBytes += encodedBytes;
  const chunks = isInline ? 0 : Math.ceil(bodyBytes / LIMITS.chunk_bytes);
  const isWhole = count === 1 && sizes.target.count === 0;
  const digests = (isWhole ? 0 : 1) + (kind === 'delta' ? 1 : 0) + count + chunks;
  if (digests * DIGEST_BYTES + (isInline ? bodyBytes : 0) !== reader.remaining) {
    throw new UpdateError('payload_malformed', `${digests} digests do not fill ${reader.remaining} header bytes`);
  }
  const digest = (name: string): Uint8Array => reader.bytes(DIGEST_BYTES, name);
  const wholeDigest = isWhole ? null : digest('target digest');
  const sourceDigest = kind === 'delta' ? digest('source digest') : new Uint8Array(DIGEST_BYTES);
  const segments = spans.map((span) => ({ ...span, digest: digest('segment digest') }));
  const chunkDigests = Array.from({ length: chunks }, () => digest('chunk digest'));
  const inlineBody = isInline ? reader.bytes(bodyBytes, 'body') : null;
  const targetDigest = wholeDigest ?? segments[0]!.digest;
  return { targetDigest, sourceDigest, segments, chunkDigests, inlineBody, bodyBytes };
}
