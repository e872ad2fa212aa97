/** Long runs of one value: what a payload says of them, and what a decoder, source and sink make of it. */
import { describe, expect, it } from 'vitest';
import { bytesSource, memorySink, memorySource } from '../../../native-free/apply/bytes-source.ts';
import { applyPayload, type ApplyEvent, type ApplyOptions } from '../../../native-free/apply/patcher.ts';
import { withFills, type SparseImage } from '../../../native-free/diff/fills/sparse-image.ts';
import { makeDelta } from '../../../native-free/diff/make-delta.ts';
import { ByteReader, ByteWriter } from '../../../native-free/format/bytes.ts';
import {
  fillAt,
  fillMapOf,
  imageRuns,
  readFills,
  withoutFills,
  writeFills,
  type Fill,
} from '../../../native-free/format/fill-map.ts';
import { encodeHeader, headerLength, parseHeader } from '../../../native-free/format/payload-header.ts';
import type { RandomSource, SegmentSink } from '../../../native-free/io.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { modelCoder } from '../../../src/wasm/mix-coder.ts';
import { concat, imageBytes, random, sha256Node } from '../../support/images.ts';

const KIB = 1024;
const LEAST = LIMITS.fill_bytes_min;
const GIB = 2 ** 30;
const run = (bytes: number, value = 0): Uint8Array => new Uint8Array(bytes).fill(value);
const A = imageBytes(96 * KIB, 1);
const B = imageBytes(40 * KIB, 2);
const edited = A.map((byte, i) => (i % 5000 === 7 ? byte ^ 16 : byte));
const tail = B.subarray(0, 777);

const options = { hash: sha256Node, models: modelCoder, segmentBytes: LIMITS.segment_bytes_min };
const sparse = (image: Uint8Array): SparseImage => withFills(image, LEAST);
const delta = (source: Uint8Array, target: Uint8Array): Promise<Uint8Array> =>
  makeDelta(sparse(source), sparse(target), options);

async function applied(payload: Uint8Array, source: Uint8Array, size: number, more: Partial<ApplyOptions> = {}) {
  // What a slot held before.
  const target = run(size, 0xa5);
  const events: ApplyEvent[] = [];
  const parts = { payload: bytesSource(payload), source: memorySource(source), sink: memorySink(target) };
  for await (const event of applyPayload({ ...parts, hash: sha256Node, models: modelCoder, ...more }))
    events.push(event);
  return { target, events };
}

async function expectApplied(source: Uint8Array, target: Uint8Array): Promise<Uint8Array> {
  const payload = await delta(source, target);
  const made = await applied(payload, source, target.length);
  expect(Buffer.compare(made.target, target)).toBe(0);
  expect(made.events.at(-1)).toMatchObject({ type: 'segment', targetBytesDone: target.length });
  return payload;
}

const PAIRS: readonly (readonly [string, Uint8Array, Uint8Array])[] = [
  ['at the start', concat(run(256 * KIB), A), concat(run(128 * KIB), edited)],
  ['at the end', concat(A, run(256 * KIB)), concat(edited, run(512 * KIB))],
  [
    'between, moved and of another value',
    concat(A, run(256 * KIB), B),
    concat(run(96 * KIB, 255), edited, run(640 * KIB), B),
  ],
  [
    'of erased flash beside zeros',
    concat(A, run(128 * KIB, 255), run(128 * KIB), B),
    concat(A, run(128 * KIB), run(128 * KIB, 255), B),
  ],
  ['before a last part of a block', concat(A, run(256 * KIB), tail), concat(edited, run(256 * KIB), tail)],
  ['of the source alone', concat(A, run(256 * KIB)), concat(edited, B)],
  ['of the target alone', concat(A, B), concat(edited, run(512 * KIB), B)],
  ['in place of all', concat(A, B), run(512 * KIB)],
  ['that were all', run(512 * KIB), run(256 * KIB, 7)],
];

describe('fills', () => {
  it.each(PAIRS)('come out %s', async (_, source, target) => {
    const payload = await expectApplied(source, target);
    const { fills, segments } = parseHeader(payload);
    expect(fills.source.count + fills.target.count).toBeGreaterThan(0);
    expect(segments.reduce((sum, { length }) => sum + length, 0)).toBe(fills.target.denseBytes);
  });

  it('cost a few bytes, however long they are', async () => {
    const short = await delta(concat(A, run(256 * KIB), B), concat(edited, run(256 * KIB), B));
    const long = await delta(concat(A, run(8192 * KIB), B), concat(edited, run(16_384 * KIB), B));
    expect(long.length - short.length).toBeLessThan(16);
  });

  it('are left in an image that they make little of', () => {
    expect(withFills(concat(imageBytes(512 * KIB, 3), run(128 * KIB)), LEAST).map.count).toBe(0);
    expect(withFills(concat(A, run(512 * KIB))).map.count).toBe(0);
    expect(withFills(concat(A, run(1024 * KIB))).map.count).toBe(1);
  });

  it('are left in containers, which are read by offsets', () => {
    const squashfs = concat(A, run(256 * KIB), B);
    squashfs.set([0x68, 0x73, 0x71, 0x73], 0);
    squashfs[28] = 4;
    new DataView(squashfs.buffer).setUint32(40, squashfs.length, true);
    new DataView(squashfs.buffer).setUint32(44, 0, true);
    const flash = concat(A, run(256 * KIB, 255), A);
    for (const at of [0, 352 * KIB]) flash.set([0x55, 0x42, 0x49, 0x23], at);
    for (const inner of [squashfs, flash]) {
      const { map } = sparse(concat(run(1024 * KIB), inner, run(512 * KIB)));
      expect(map.count).toBe(2);
      expect(fillAt(map, 1).offset).toBe(1024 * KIB + inner.length);
    }
  });

  it('of a source are never read', async () => {
    const source = concat(A, run(256 * KIB), B);
    const payload = await delta(source, concat(edited, run(128 * KIB), B));
    const inner = memorySource(source);
    const watched: RandomSource = {
      size: source.length,
      async read(offset, into) {
        expect(offset + into.length <= A.length || offset >= A.length + 256 * KIB).toBe(true);
        await inner.read(offset, into);
      },
    };
    await applied(payload, source, A.length + 128 * KIB + B.length, { source: watched });
  });
});

describe('a sink', () => {
  const source = concat(A, run(256 * KIB), B);
  const target = concat(run(200 * KIB, 255), edited, run(512 * KIB), B, run(64 * KIB));

  it('that cannot fill is given the bytes', async () => {
    const { write } = memorySink(run(target.length));
    const copy = run(target.length, 1);
    const sizes: number[] = [];
    const sink: SegmentSink = {
      async write(segment) {
        await write(segment);
        sizes.push(segment.bytes.length);
        copy.set(segment.bytes, segment.offset);
      },
    };
    await applied(await delta(source, target), source, 0, { sink });
    expect(Buffer.compare(copy, target)).toBe(0);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(LIMITS.segment_bytes_max);
  });

  it('is told of the last part of each segment, and of no other', async () => {
    const payload = await delta(source, target);
    const last = new Map<number, number>();
    let end = 0;
    const note = (part: { index: number; offset: number; isLast: boolean }, length: number): void => {
      expect(part.offset).toBe(end);
      end += length;
      expect(last.get(part.index) ?? 0).toBe(0);
      last.set(part.index, Number(part.isLast));
    };
    const sink: SegmentSink = {
      write: async (part) => note(part, part.bytes.length),
      fill: async (part) => note(part, part.length),
    };
    await applied(payload, source, 0, { sink });
    expect([...last.values()]).toEqual(parseHeader(payload).segments.map(() => 1));
    expect(end).toBe(target.length);
  });

  it('gets a segment whole again after a cut in the middle of a fill', async () => {
    const payload = await delta(source, target);
    const slot = run(target.length, 0x5a);
    const inner = memorySink(slot);
    let done = 0;
    const cut: SegmentSink = {
      write: (part) => inner.write(part),
      fill: async (part) => {
        if (part.length < 512 * KIB) return inner.fill!(part);
        await inner.fill!({ ...part, length: 1000 });
        throw new UpdateError('slot_unwritable', 'the power went');
      },
    };
    const first = applyPayload({
      payload: bytesSource(payload),
      source: memorySource(source),
      sink: cut,
      models: modelCoder,
    });
    await expect(
      (async () => {
        for await (const event of first) if (event.type === 'segment') done = event.index + 1;
      })(),
    ).rejects.toMatchObject({ code: 'slot_unwritable' });
    await applied(payload, source, 0, { sink: inner, resumeSegment: done });
    expect(Buffer.compare(slot, target)).toBe(0);
  });
});

/** An image of which only the content is there; reads say where they were. */
function farSource(size: number, parts: readonly (readonly [number, Uint8Array])[]): RandomSource {
  return {
    size,
    async read(offset, into) {
      const part = parts.find(([at, bytes]) => offset >= at && offset + into.length <= at + bytes.length);
      if (part === undefined) throw new UpdateError('slot_unreadable', `read of ${into.length} bytes at ${offset}`);
      into.set(part[1].subarray(offset - part[0], offset - part[0] + into.length));
    },
  };
}

describe('an image of 16 GiB', () => {
  const size = LIMITS.image_bytes_max;
  const fills = (gap: number): Fill[] => [
    { offset: A.length, length: 5 * GIB, value: 0 },
    { offset: A.length + 5 * GIB + 40 * KIB, length: size - A.length - 5 * GIB - 40 * KIB - gap, value: 255 },
  ];
  const sourceMap = fillMapOf(size, fills(0));
  const targetMap = fillMapOf(size, fills(64 * KIB));
  const end = imageBytes(64 * KIB, 9);
  // The digests of 16 GiB are of no interest here: the header's are not those of the images.
  const digest = () => ({ update: () => undefined, digest: () => new Uint8Array(32) });
  const header = async (): Promise<Uint8Array> =>
    makeDelta(
      { map: sourceMap, dense: concat(A, B) },
      { map: targetMap, dense: concat(edited, B, end) },
      { ...options, hash: digest },
    );

  it('is read and written beyond 4 GiB', async () => {
    const payload = await header();
    const far = A.length + 5 * GIB;
    const source = farSource(size, [[0, A], [far, B]]); // prettier-ignore
    const written: (readonly [number, number])[] = [];
    const content: Uint8Array[] = [];
    let filled = 0;
    const sink: SegmentSink = {
      async write({ offset, bytes }) {
        written.push([offset, bytes.length]);
        content.push(bytes.slice());
      },
      fill: async ({ length }) => void (filled += length),
    };
    const { events } = await applied(payload, new Uint8Array(0), 0, { source, sink, hash: digest });
    expect(Buffer.compare(concat(...content), concat(edited, B, end))).toBe(0);
    expect(filled).toBe(size - A.length - B.length - end.length);
    expect(written.at(-1)![0] + written.at(-1)![1]).toBe(size);
    expect(events.at(-1)).toMatchObject({ targetBytesDone: size });
  });

  it('has a header that grows with its content alone', async () => {
    const parsed = parseHeader(await header());
    expect(parsed).toMatchObject({ targetBytes: size, sourceBytes: size });
    expect(parsed.headerBytes - (parsed.inlineBody?.length ?? 0)).toBeLessThan(400);
    expect(encodeHeader(parsed).length).toBe(parsed.headerBytes);
  });
});

describe('a map of fills', () => {
  const encoded = (map: ReturnType<typeof fillMapOf>, known = withoutFills(0)): Uint8Array => {
    const writer = new ByteWriter();
    writeFills(writer, map, known);
    return writer.finish();
  };
  const decoded = (bytes: Uint8Array, imageBytes: number, known = withoutFills(0)) =>
    readFills(new ByteReader(bytes, 'payload_malformed', 'payload_malformed'), imageBytes, known);

  it('is read back, and says what another has in a byte', () => {
    const next = random(4);
    const fills: Fill[] = [];
    let at = 0;
    for (let i = 0; i < 300; i++) {
      const offset = at + 4096 * Math.floor(next() * 1000);
      const length = LEAST + 4096 * Math.floor(next() * 5000);
      fills.push({ offset, length, value: i % 3 === 0 ? 255 : 0 });
      at = offset + length;
    }
    const map = fillMapOf(at + 100, fills);
    expect(decoded(encoded(map), at + 100)).toEqual(map);
    const changed = fillMapOf(at + 100, fills.filter((_, i) => i !== 100)); // prettier-ignore
    expect(decoded(encoded(changed, map), at + 100, map)).toEqual(changed);
    expect(encoded(changed, map).length).toBeLessThan(320);
    expect(encoded(map).length).toBeLessThan(7 * 300);
  });

  it('gives every byte of the image to one range', () => {
    const map = fillMapOf(10 * LEAST, [
      { offset: 0, length: LEAST, value: 0 },
      { offset: 2 * LEAST, length: LEAST, value: 0 },
      { offset: 3 * LEAST, length: LEAST, value: 255 },
      { offset: 9 * LEAST, length: LEAST, value: 0 },
    ]);
    for (const step of [LEAST, LEAST / 2, 3 * LEAST, 1000]) {
      let end = 0;
      for (let from = 0; from < map.denseBytes; from += step) {
        for (const part of imageRuns(map, from, Math.min(map.denseBytes, from + step))) {
          expect(part.offset).toBe(end);
          end += part.length;
        }
      }
      expect(end).toBe(map.imageBytes);
    }
  });

  it.each([
    ['a fill beyond the image', [1, 1, 17, 0], 16 * 4096],
    ['a fill of fewer bytes than there have to be', [1, 1, 15, 0], 2 ** 20],
    ['a fill that another image is said to have', [1, 0], 2 ** 20],
    ['nothing but fills', [1, 1, 16, 0], 16 * 4096],
    ['more fills than bytes', [200, 1, 1, 16, 0], 2 ** 20],
    ['a length of 2^53', [1, 1, 255, 255, 255, 255, 255, 255, 255, 15, 0], 2 ** 34],
    ['a distance of 2^49', [1, 255, 255, 255, 255, 255, 255, 127, 16, 0], 2 ** 34],
    ['a count of 2^40', [128, 128, 128, 128, 128, 32], 2 ** 34],
    ['no value', [1, 1, 16], 2 ** 20],
  ])('is refused with %s', (_, bytes, size) => {
    expect(() => decoded(Uint8Array.from(bytes), size)).toThrow(expect.objectContaining({ code: 'payload_malformed' }));
  });
});

describe('a damaged payload with fills', () => {
  const source = concat(A, run(256 * KIB), B);
  const target = concat(edited, run(128 * KIB), B);

  it('gives no other image, whichever bit is wrong', async () => {
    const payload = await delta(source, target);
    const length = headerLength(payload);
    const original = JSON.stringify(parseHeader(payload));
    const inline = parseHeader(payload).inlineBody?.length ?? 0;
    for (let bit = 9 * 8; bit < (length - inline) * 8; bit++) {
      const damaged = payload.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      try {
        expect(JSON.stringify(parseHeader(damaged))).not.toBe(original);
      } catch (error) {
        if (!UpdateError.is(error)) throw error;
        expect(['payload_version', 'payload_truncated', 'payload_malformed']).toContain(error.code);
      }
    }
    for (let bytes = 0; bytes < length - inline; bytes++)
      expect(() => parseHeader(payload.subarray(0, bytes))).toThrow(UpdateError);
  });

  it('that declares less memory than its map takes is refused', async () => {
    const header = parseHeader(await delta(source, target));
    const without = encodeHeader({ ...header, decoderMemoryBytes: header.decoderMemoryBytes - 64 * KIB });
    await expect(applied(without, source, target.length)).rejects.toThrow(UpdateError);
  });
});
