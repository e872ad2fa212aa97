/** A delta by nothing but JavaScript, and payloads put together from parts. */
import { describe, expect, it } from 'vitest';
import { applyPayload } from '../../../native-free/apply/patcher.ts';
import { bytesSource, memorySink, memorySource } from '../../../native-free/apply/bytes-source.ts';
import { assembleDelta, assembleFull, makeDelta, PROFILE_SIZES } from '../../../native-free/diff/index.ts';
import { encodeCovered } from '../../../native-free/diff/write/encode-segment.ts';
import { parseHeader } from '../../../native-free/format/payload-header.ts';
import { DeltaEngine } from '../../../src/engine/index.ts';
import { applied } from '../../support/engine.ts';
import { editedPair, imageBytes, sha256, watcher } from '../../support/images.ts';

const SEGMENT = 64 * 1024;
const SMALL_SIZES = PROFILE_SIZES['low-memory'];
const pair = editedPair(12, 16 * 1024, 11);

describe('makeDelta', () => {
  it('makes a payload that applies, with the bytes that the engine makes', async () => {
    const payload = await makeDelta(pair.source, pair.target);
    expect(Buffer.compare(await applied(payload, pair.source), pair.target)).toBe(0);
    const engine = new DeltaEngine({ workers: 2 });
    const made = await engine.delta(pair.source, pair.target).finally(() => engine.close());
    expect(Buffer.compare(payload, made.payload)).toBe(0);
  });

  it('says nothing of the structure of a program of which next to nothing changed', async () => {
    const source = watcher('source');
    const target = Uint8Array.from(source, (byte, i) => (i % 90_000 === 70_000 ? byte ^ 0x55 : byte));
    const payload = await makeDelta(source, target);
    expect(payload.length).toBeLessThanOrEqual(140);
    expect(Buffer.compare(await applied(payload, source), target)).toBe(0);
    const engine = new DeltaEngine({ workers: 2 });
    const made = await engine.delta(source, target, { metered: true }).finally(() => engine.close());
    expect(Buffer.compare(payload, made.payload)).toBe(0);
    expect(made.costs!.regions).toBeLessThan(4);
  });

  it('takes the sizes that are wanted, and empty images', async () => {
    const payload = await makeDelta(pair.source, pair.target, { segmentBytes: SEGMENT, modelSizes: SMALL_SIZES });
    expect(parseHeader(payload)).toMatchObject({ segmentBytes: SEGMENT, modelSizes: SMALL_SIZES });
    expect(Buffer.compare(await applied(payload, pair.source), pair.target)).toBe(0);
    const none = new Uint8Array(0);
    for (const [source, target] of [
      [none, none] as const,
      [none, pair.target] as const,
      [pair.source, none] as const,
    ]) {
      expect(Buffer.compare(await applied(await makeDelta(source, target), source), target)).toBe(0);
    }
  });
});

describe('payload bytes done', () => {
  it.each([
    ['in the header', 1000],
    ['behind it', 200_000],
  ])('are never more than there are, and all of them at the end, for a body %s', async (place, bytes) => {
    const source = imageBytes(bytes, 3);
    const target = Uint8Array.from(source, (byte, i) => (i % 40 === 0 ? byte ^ i : byte));
    const payload = await makeDelta(source, target, { segmentBytes: SEGMENT });
    expect(parseHeader(payload).inlineBody !== null).toBe(place === 'in the header');
    const sink = memorySink(new Uint8Array(bytes));
    const done: number[] = [];
    for await (const event of applyPayload({ payload: bytesSource(payload), source: memorySource(source), sink })) {
      if (event.type === 'segment') done.push(event.payloadBytesDone);
    }
    expect(done.length).toBe(Math.ceil(bytes / SEGMENT));
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(done.at(-1)).toBe(payload.length);
  });
});

describe('parts of a payload', () => {
  const { source, target, covers } = pair;
  const ranges = Array.from({ length: Math.ceil(target.length / SEGMENT) }, (_, i) => i * SEGMENT);
  const segmentDigests = ranges.map((at) => sha256(target.subarray(at, at + SEGMENT)));
  const common = { targetBytes: target.length, targetDigest: sha256(target), segmentBytes: SEGMENT, segmentDigests };

  it('that a caller forgot, or that do not fit, are the caller’s mistake', () => {
    const coded = encodeCovered({ source, target, covers }, SEGMENT, SMALL_SIZES);
    const delta = { ...common, ...coded, sourceBytes: source.length, sourceDigest: sha256(source) };
    expect(parseHeader(assembleDelta(delta)).segments).toHaveLength(ranges.length);
    const wrong = [
      () => assembleDelta({ ...delta, segments: coded.segments.slice(1) }),
      () => assembleDelta({ ...delta, segmentDigests: [] }),
      () => assembleFull({ ...common, segments: [] }),
      () => assembleFull({ ...common, segments: ranges.map(() => new Uint8Array(SEGMENT + 1)) }),
    ];
    for (const make of wrong) expect(make).toThrow(expect.objectContaining({ code: 'usage_invalid' }));
  });
});
