/** Streams that are dearer taken apart than packed stay packed; and where units gain nothing, none are made. */
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { makeDelta } from '../../../native-free/diff/index.ts';
import type { Explored } from '../../../native-free/diff/units/explored.ts';
import { smallestOf, trialOf, withoutUnits, type TriedDelta } from '../../../native-free/diff/units/trial.ts';
import type { UnpackedPair } from '../../../native-free/diff/units/unpack-pair.ts';
import type { EncodedUnitSegment } from '../../../native-free/diff/write/encode-unit-segment.ts';
import { CODEC_ID, type Unit } from '../../../native-free/format/unit-map.ts';
import { parseHeader } from '../../../native-free/format/payload-header.ts';
import { DeltaEngine, type EngineProgress } from '../../../src/engine/index.ts';
import { modelCoder } from '../../../src/wasm/mix-coder.ts';
import { applied } from '../../support/engine.ts';
import { sha256Node } from '../../support/images.ts';
import { unit } from '../../support/unit-payloads.ts';
import { dice } from '../../support/unpack/tools.ts';

/** Words, each of its own bytes: what deflate finds as matches, models of few bytes find late. */
function words(seed: number, count: number, byteMax: number): Buffer {
  const roll = dice(seed);
  const dictionary = Array.from({ length: count }, () =>
    Buffer.from(Uint8Array.from({ length: 4 + roll(6) }, () => roll(byteMax))),
  );
  return Buffer.concat(Array.from({ length: 9000 }, () => dictionary[roll(count)]!));
}

const image = (contents: readonly Buffer[], level: number): Buffer =>
  Buffer.concat(contents.flatMap((content) => [Buffer.alloc(512, 7), gzipSync(content, { level })]));
const text = words(3, 200, 26);
const edited = Buffer.from(text);
for (let at = 1000; at < edited.length; at += 9000) edited[at]! ^= 3;
const source = image([text, words(1, 3000, 256)], 9);
/** A stream that changed, and one that is new and by another level. */
const mixed = Buffer.concat([image([edited], 9), image([words(2, 3000, 256)], 1)]);
/** Nothing but the latter. */
const foreign = image([words(2, 3000, 256)], 1);

const engine = new DeltaEngine({ workers: 2 });
afterAll(() => engine.close());

describe('a delta of contents', () => {
  it('leaves a stream packed that is dearer taken apart, and makes the others again', async () => {
    const progress: EngineProgress[] = [];
    const made = await engine.delta(source, mixed, { onProgress: (event) => void progress.push(event) });
    expect(made.units).toMatchObject({ streams: 2, replayed: 1, copied: 0, unchanged: 0, raw: 1, dear: 1 });
    expect(Buffer.compare(await applied(made.payload, source), mixed)).toBe(0);
    const plain = await engine.delta(source, mixed, { unpack: false });
    expect(made.payload.length).toBeLessThan(0.8 * plain.payload.length);
    // What is new costs about its packed bytes, and not its tokens beside its content.
    expect(made.payload.length).toBeLessThan(1.05 * gzipSync(words(2, 3000, 256), { level: 1 }).length);
    // The second attempt is a phase of its own, behind which no other begins again.
    expect([...new Set(progress.map(({ phase }) => phase))]).toContain('retry');
    const last = new Map<string, number>();
    for (const { phase, done } of progress) {
      expect(done).toBeGreaterThanOrEqual(last.get(phase) ?? 0);
      last.set(phase, done);
    }
    expect(last.get('retry')).toBe(mixed.length);
  });

  it('is never larger than that of the images as they are', async () => {
    const options = { hash: sha256Node, models: modelCoder };
    const made = await makeDelta(source, foreign, options);
    expect(Buffer.compare(made, await makeDelta(source, foreign, { ...options, unpack: false }))).toBe(0);
    expect(parseHeader(made).units).toBeNull();
  });

  it('is tried in the same way on one thread, to the same bytes', async () => {
    const options = { hash: sha256Node, models: modelCoder };
    const { payload } = await engine.delta(source, mixed);
    expect(Buffer.compare(await makeDelta(source, mixed, options), payload)).toBe(0);
  });

  it('is not made twice where its units pay', async () => {
    const phases = new Set<string>();
    const onProgress = ({ phase }: EngineProgress): void => void phases.add(phase);
    const made = await engine.delta(source, image([edited], 9), { onProgress });
    expect(made.units).toMatchObject({ replayed: 1, raw: 0, dear: 0 });
    expect([...phases]).not.toContain('retry');
    expect([...phases]).not.toContain('plain');
  });

  it('ends when it is aborted in the second attempt', async () => {
    const abort = new AbortController();
    const onProgress = ({ phase }: EngineProgress): void => void (phase === 'retry' && abort.abort());
    const job = engine.delta(source, mixed, { signal: abort.signal, onProgress });
    await expect(job).rejects.toMatchObject({ code: 'aborted' });
  });
});

/** A pair with these units of the target, each explored at ten times its index, and what they cost. */
function judged(
  units: readonly Unit[],
  costs: readonly number[],
  payload: Partial<Parameters<typeof trialOf>[2]> = {},
) {
  const none = new Uint8Array(0);
  const pair: UnpackedPair = {
    maps: { source: { units: [], pieces: [], skips: [] }, target: { units, pieces: [], skips: [] } },
    ...{ virtual: { source: none, target: none }, parts: { source: [], target: [] } },
    origins: units.map((_, i) => 10 * i),
  };
  const segment: EncodedUnitSegment = {
    ...{ encoded: none, work: 0, memoryBytes: 0, unitsNeeded: new Uint32Array(0), unitsUnpacked: 0, costs: null },
    codedBytes: 0,
    unitCosts: { units: Uint32Array.from(units.keys()), bytes: Float64Array.from(costs) },
  };
  return trialOf(pair, [segment], { bytes: 3000, mapBytes: 0, targetBytes: 10_000, ...payload });
}

describe('the judgement of units', () => {
  const deflate = { codec: CODEC_ID.deflate };

  it('names those that cost more than their bytes, where that is a share of the payload', () => {
    const units = [unit({ packedBytes: 1000 }), unit({ offset: 1000, packedBytes: 1000 })];
    expect([...judged(units, [1300, 900]).dear]).toEqual([0]);
    expect([...judged(units, [1050, 900]).dear]).toEqual([]);
  });

  it('takes the parts of a stream together', () => {
    const units = [
      unit({ ...deflate, packedBytes: 1000 }),
      unit({ ...deflate, offset: 1000, packedBytes: 1000, continues: true }),
    ];
    expect([...judged(units, [1500, 100]).dear]).toEqual([]);
    expect([...judged(units, [1500, 900]).dear]).toEqual([0, 10]);
  });

  it('counts a unit in a unit at what it costs best, and loses it with that', () => {
    const units = [unit({ packedBytes: 1000 }), unit({ parent: 0, packedBytes: 600 })];
    expect([...judged(units, [200, 2000]).dear]).toEqual([10]);
    expect([...judged(units, [900, 2000]).dear]).toEqual([0, 10]);
  });

  it('asks for a plain delta only where units cost a good part of their bytes, and more than noise', () => {
    const units = [unit({ packedBytes: 1000, contentBytes: 4000 })];
    expect(judged(units, [600]).mayBePlain).toBe(true);
    expect(judged(units, [400]).mayBePlain).toBe(false);
    expect(judged(units, [600], { targetBytes: 10_000_000 }).mayBePlain).toBe(false);
    expect(judged([unit({ packedBytes: 1000, copyOf: 0 })], [0]).mayBePlain).toBe(false);
  });

  it('asks for one far sooner where packed bytes are literals as they are', () => {
    const sizes = { packedBytes: 20_000, contentBytes: 50_000 };
    const whole = (codec: number, more = {}): boolean => judged([unit({ ...sizes, codec, ...more })], [400]).mayBePlain;
    expect(whole(CODEC_ID.lz4)).toBe(true);
    expect(whole(CODEC_ID.lzo)).toBe(true);
    expect(whole(CODEC_ID.deflate)).toBe(false);
    expect(whole(CODEC_ID.deflate, { contentBytes: 19_990 })).toBe(true);
    expect(judged([unit({ ...sizes, codec: CODEC_ID.lz4 })], [100]).mayBePlain).toBe(false);
  });

  it('takes the smallest of what is made, and the first of equals', async () => {
    const delta = (bytes: number, trial: TriedDelta['trial'] = null): TriedDelta => {
      return { payload: new Uint8Array(bytes), trial };
    };
    const first = delta(100, { dear: new Set([1]), mayBePlain: true });
    const again = delta(90, { dear: new Set([2]), mayBePlain: true });
    expect(
      (
        await smallestOf(
          first,
          async () => again,
          async () => delta(90),
        )
      ).payload,
    ).toBe(again.payload);
    expect(
      (
        await smallestOf(
          first,
          async () => again,
          async () => delta(80),
        )
      ).payload.length,
    ).toBe(80);
    expect(
      (
        await smallestOf(
          first,
          async () => delta(100),
          async () => null,
        )
      ).payload,
    ).toBe(first.payload);
  });
});

describe('what was explored, without some units', () => {
  it('has neither what lies in them nor parts behind them, and names the others by their new numbers', () => {
    const explored = (fields: Partial<Explored['units'][number]>): Explored['units'][number] => ({
      ...{ parent: -1, offset: 0, packedBytes: 40, codec: 1, continues: false, content: new Uint8Array(9) },
      ...{ bit: 0, tokens: 9 },
      ...fields,
    });
    const all: Explored = {
      units: [
        explored({}),
        explored({ continues: true }),
        explored({ parent: 1 }),
        explored({}),
        explored({ parent: 3 }),
      ],
      items: [
        { isFile: true, spans: [0, 1, 3].map((of) => ({ unit: of, offset: 0, length: 9 })) },
        { isFile: true, spans: [{ unit: 2, offset: 0, length: 9 }] },
        { isFile: false, spans: [{ unit: -1, offset: 0, length: 99 }] },
      ],
      ...{ skips: [], containers: { gzip: 1 }, streams: 5 },
    };
    const { units, items } = withoutUnits(all, new Set([1]));
    expect(units.map(({ parent }) => parent)).toEqual([-1, -1, 1]);
    expect(items.map(({ spans }) => spans.map(({ unit: of }) => of))).toEqual([[0, 1], [-1]]);
    expect(withoutUnits(all, new Set())).toBe(all);
  });
});
