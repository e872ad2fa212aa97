/**
 * Vectors that are refused: good ones with a damage, and payloads that nobody would make.
 * @module
 */
import { assembleDelta, assembleFull, type DeltaParts } from '../../native-free/diff/write/assemble.ts';
import { coverListOf, type Cover } from '../../native-free/format/cover.ts';
import { parseHeader } from '../../native-free/format/payload-header.ts';
import { REGION_KIND } from '../../native-free/format/regions.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { CoverCoder } from '../../native-free/model/covers/cover-coder.ts';
import { MixCoder } from '../../native-free/model/mix-coder.ts';
import { NumberCoder } from '../../native-free/model/number-coder.ts';
import { DEFAULT_SIZES } from '../../native-free/format/model-sizes.ts';
import type { StatusCode } from '../../native-free/status.ts';
import { noise, text } from './bytes.ts';
import { zstdFrame, type VectorImages } from './good.ts';
import { deltaParts, sha256 } from './payloads.ts';

/** A vector as it stands in the file. */
export interface BadVector {
  readonly name: string;
  /** The good vector that is damaged, or whose source is used. */
  readonly base: string;
  /** Bytes of it that are changed: offset and new value. */
  readonly edits?: readonly (readonly [number, number])[];
  /** How many bytes are missing at its end. */
  readonly cut?: number;
  /** A payload of its own instead. */
  readonly payloadBase64?: string;
  /** How much of the source there is. */
  readonly sourceBytes?: number;
  /** Bytes of the source that are changed. */
  readonly sourceEdits?: readonly (readonly [number, number])[];
  /** The header is checked against the digest of the undamaged one. */
  readonly isSigned?: boolean;
  readonly memoryBytesMax?: number;
  readonly workMax?: number;
  readonly error: StatusCode;
}

/** Where fields of a delta's header are. */
interface Places {
  readonly target: number;
  readonly source: number;
  readonly plan: number;
  readonly work: number;
  readonly sizes: number;
  readonly encoded: number;
  readonly digests: number;
  readonly body: number;
}

function placesOf(payload: Uint8Array): Places {
  const header = parseHeader(payload);
  const after = (at: number): number => {
    while (payload[at]! >= 128) at++;
    return at + 1;
  };
  const target = after(16);
  const source = after(target);
  const plan = after(source);
  const work = after(plan);
  const sizes = after(work);
  const encoded = sizes + 2;
  const digests = header.segments.reduce(after, encoded);
  const body = header.headerBytes - (header.inlineBody?.length ?? 0);
  return { target, source, plan, work, sizes, encoded, digests, body };
}

/** Damages of fields of `tiny-delta`, whose body is in the header, and of `chunked-delta`. */
function damagedHeaders(tiny: Uint8Array, chunked: Uint8Array): BadVector[] {
  const at = placesOf(tiny);
  const flip = (payload: Uint8Array, offset: number): [number, number] => [offset, payload[offset]! ^ 1];
  const bad = (name: string, error: StatusCode, ...edits: [number, number][]): BadVector => {
    return { name, base: 'tiny-delta', edits, error };
  };
  const inChunked = (name: string, error: StatusCode, offset: number): BadVector => {
    return { name, base: 'chunked-delta', edits: [flip(chunked, offset)], error };
  };
  const { digests, body } = placesOf(chunked);
  return [
    bad('magic byte changed', 'payload_magic', [0, 136]),
    bad('line ends converted', 'payload_magic', [5, 10]),
    bad('version 1', 'payload_version', [8, 1]),
    bad('version 2', 'payload_version', [8, 2]),
    bad('version 3', 'payload_version', [8, 3]),
    bad('version 4', 'payload_version', [8, 4]),
    bad('version 6', 'payload_version', [8, 6]),
    bad('unknown kind', 'payload_version', [9, 131]),
    bad('full payload with the codec of a delta', 'payload_version', [9, 130]),
    bad('codec of version 1', 'payload_version', [10, 1]),
    bad('codec of another kind', 'payload_version', [10, 2]),
    bad('segments too small', 'payload_malformed', [11, 15]),
    bad('segments too large', 'payload_malformed', [11, 25]),
    bad('header length under its bound', 'payload_malformed', [12, 15]),
    bad('header length over its bound', 'payload_malformed', [15, 255]),
    bad('header one byte shorter than it is', 'payload_malformed', [12, tiny[12]! - 1]),
    bad('header one byte longer than it is', 'payload_truncated', [12, tiny[12]! + 1]),
    bad('body in the header without saying so', 'payload_malformed', [9, 1]),
    bad('declared memory too small', 'payload_malformed', [16, 128], [17, 1]),
    bad('declared memory over its bound', 'payload_malformed', [16, 255], [17, 255], [18, 127]),
    bad('varint not in its shortest form', 'payload_malformed', [at.plan - 1, tiny[at.plan - 1]! | 128], [at.plan, 0]),
    bad('target too large for its segments', 'payload_malformed', [at.target, 255], [at.target + 1, 127]),
    bad('plan one byte longer', 'payload_malformed', [at.plan, tiny[at.plan]! + 1]),
    bad('flag tables over their bound', 'payload_malformed', [at.sizes, 0xd4]),
    bad('byte tables over their bound', 'payload_malformed', [at.sizes, 0x2d]),
    bad('profile of nobody', 'payload_version', [at.sizes + 1, 3]),
    bad('less work declared than decoding takes', 'payload_work', [at.work, 0]),
    bad('larger tables than declared memory has room for', 'payload_malformed', [at.sizes, 0xcc]),
    bad('segment coded larger than it is', 'payload_malformed', [at.encoded, 94]),
    bad('source larger than there is', 'source_digest', [at.source, 88]),
    bad('digest of the only segment changed', 'segment_digest', flip(tiny, at.digests + 32)),
    bad('segment in the header changed', 'segment_digest', flip(tiny, tiny.length - 2)),
    { ...bad('signed header with its body changed', 'header_digest', flip(tiny, tiny.length - 2)), isSigned: true },
    { ...bad('signed header with a source digest changed', 'header_digest', flip(tiny, at.digests)), isSigned: true },
    inChunked('chunk digest changed', 'chunk_digest', digests + 64),
    inChunked('first body byte changed', 'chunk_digest', body),
    inChunked('last body byte changed', 'chunk_digest', chunked.length - 1),
  ];
}

function incomplete(): BadVector[] {
  return [
    { name: 'nothing at all', base: 'tiny-delta', payloadBase64: '', error: 'payload_truncated' },
    { name: 'last byte of a header missing', base: 'tiny-full-stored', cut: 1, error: 'payload_truncated' },
    { name: 'last byte of a chunk missing', base: 'chunked-delta', cut: 1, error: 'payload_truncated' },
    { name: 'source too short', base: 'tiny-delta', sourceBytes: 86, error: 'source_digest' },
    { name: 'another source', base: 'tiny-delta', sourceEdits: [[20, 33]], error: 'segment_digest' },
    { name: 'another source behind code', base: 'code-a64', sourceEdits: [[200, 33]], error: 'segment_digest' },
    { name: 'less memory than declared', base: 'tiny-delta', memoryBytesMax: 2 ** 20, error: 'decoder_memory' },
    { name: 'less work than declared', base: 'tiny-delta', workMax: 0, error: 'decoder_work' },
  ];
}

/** What a plan may need that nobody can read. */
const PLENTY = { memoryBytes: 32_000, work: 2 ** 20 };

/** Payloads whose plan is impossible: `tiny-delta` with another plan. */
function malformedPlans(tiny: VectorImages): BadVector[] {
  const parts = deltaParts(tiny);
  const targetBytes = tiny.target.length;
  const made = (name: string, plan: Uint8Array, more: Partial<DeltaParts> = {}): BadVector => ({
    ...{ name, base: 'tiny-delta', error: 'plan_malformed' },
    payloadBase64: base64(assembleDelta({ ...parts, plan, planNeeds: PLENTY, ...more })),
  });
  const covers = (...list: Cover[]): Uint8Array => planOf(list, () => undefined);
  const regions = (...list: RawRegion[]): Uint8Array => planOf([], (numbers) => writeRegions(numbers, list));
  const many = Array.from({ length: 90 }, (_, i) => ({ sourceOffset: 0, targetOffset: i, length: 1 }));
  const bss = { kind: REGION_KIND.bss, gap: 0 };
  return [
    made('cover leaves the source', covers({ sourceOffset: 80, targetOffset: 0, length: 8 })),
    made('cover begins before the source', covers({ sourceOffset: -1, targetOffset: 3, length: 8 })),
    made('cover leaves the target', covers({ sourceOffset: 0, targetOffset: targetBytes - 7, length: 8 })),
    made('more covers than declared memory has room for', covers(...many), {
      planNeeds: { ...PLENTY, memoryBytes: 0 },
    }),
    made('number of 53 bits', new Uint8Array(0)),
    made(
      'more regions than there may be',
      planOf([], (numbers) => void numbers.code(LIMITS.regions_max + 1, 8)),
    ),
    made('region of an unknown kind', regions({ kind: 11 })),
    made('region leaves the source', regions({ gap: 80 })),
    made('region begins before the source', regions({ gap: -4 })),
    made('region leaves the target', regions({ startError: targetBytes - 7 })),
    made('region begins before the target', regions({ startError: -1 })),
    made('region of the target is empty', regions({ endError: -8 })),
    made('memory of the target is empty', regions({ ...bss, endError: -8 })),
    made('regions of the source overlap', regions({}, { gap: -1 })),
    made('regions of the target overlap', regions({}, { startError: -1 })),
    made('noise for a plan', noise(40, 51)),
  ];
}

/** What is said of a region of 8 bytes and of its counterpart; nothing of it is checked. */
interface RawRegion {
  readonly kind?: number;
  readonly gap?: number;
  readonly startError?: number;
  readonly endError?: number;
}

/** At most two regions of one module, as docs/format.md says. */
function writeRegions(numbers: NumberCoder, list: readonly RawRegion[]): void {
  const none = 15;
  let last = none;
  numbers.code(list.length, 8);
  list.forEach(({ kind = REGION_KIND.a64, gap = 0, startError = 0, endError = 0 }, i) => {
    const isNew = i === 0;
    const isBss = kind === REGION_KIND.bss;
    numbers.flag(isNew, 16, last);
    numbers.code(kind, 21, last, none);
    if (!isBss) numbers.signed(gap, 10, kind, last);
    numbers.code(7, 20, kind, last);
    numbers.flag(true, 17, kind, isNew ? 1 : 0, last);
    if (isNew) {
      numbers.code(0, 9);
      numbers.flag(true, 19);
    }
    numbers.flag(true, 18);
    if (!isBss) numbers.signed(startError, 15, kind);
    // Where the counterpart begins elsewhere, its end is to stay.
    numbers.signed(endError + (isBss ? 0 : startError), 16, isBss ? 0 : kind);
    numbers.signed(0, 17);
    last = kind;
  });
}

/** A plan that nobody checked. */
function planOf(covers: readonly Cover[], write: (numbers: NumberCoder) => void): Uint8Array {
  const coder = new MixCoder(true, DEFAULT_SIZES);
  coder.start(null);
  new CoverCoder(coder).code(coverListOf(covers), { sourceBytes: Infinity, targetBytes: Infinity });
  write(new NumberCoder(coder));
  return coder.finish();
}

/** Full payloads whose segments are not what they should be. */
function malformedFrames(): BadVector[] {
  const target = new Uint8Array(2 ** 16).fill(7);
  const made = (name: string, frame: Uint8Array): BadVector => {
    const parts = { targetBytes: target.length, targetDigest: sha256(target), segmentBytes: target.length };
    const payload = assembleFull({ ...parts, segments: [frame], segmentDigests: [sha256(target)] });
    return { name, base: 'tiny-full-stored', payloadBase64: base64(payload), error: 'segment_malformed' };
  };
  const good = zstdFrame(text('7'), 7, target.length);
  const edited = (at: number, value: number): Uint8Array => good.map((byte, i) => (i === at ? value : byte));
  return [
    made('segment without zstd magic', edited(0, 0x29)),
    made('zstd frame of another size', edited(5, 1)),
    made('zstd frame with a dictionary', edited(4, 0xa1)),
    made('zstd frame without a size', edited(4, 0)),
    made('zstd frame that ends early', good.subarray(0, 8)),
    made('zstd block of no known type', edited(9, 6)),
    { ...made('zstd frame of other bytes', edited(16, 8)), error: 'segment_digest' },
  ];
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** All of them; `payloads` are the good vectors' by name. */
export function badVectors(images: readonly VectorImages[], payloads: ReadonlyMap<string, Uint8Array>): BadVector[] {
  const tiny = images.find(({ name }) => name === 'tiny-delta')!;
  return [
    ...damagedHeaders(payloads.get('tiny-delta')!, payloads.get('chunked-delta')!),
    ...incomplete(),
    ...malformedPlans(tiny),
    ...malformedFrames(),
  ];
}
