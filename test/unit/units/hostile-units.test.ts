/**
 * Payloads that are signed and lie: maps that contradict themselves or the source, segments of any bytes. Each ends in an
 * error of ours, within the work and the memory that it declares.
 */
import zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { CODEC_ID, type UnitMap } from '../../../native-free/format/unit-map.ts';
import { memorySource } from '../../../native-free/apply/bytes-source.ts';
import { codecOf } from '../../../native-free/unpack/codecs/list.ts';
import { VirtualLayout } from '../../../native-free/unpack/map/virtual-layout.ts';
import { UnitCache } from '../../../native-free/unpack/source/unit-cache.ts';
import { TokenList } from '../../../native-free/unpack/tokens.ts';
import { concat, noise } from '../../support/images.ts';
import { decodeTokens, encodeTokens } from '../../support/unpack/token-units.ts';
import {
  hostilePayload,
  outcomeOf,
  piece,
  records,
  streamMap,
  unit,
  type Hostile,
} from '../../support/unit-payloads.ts';

const MIB = 2 ** 20;

/** What it is refused with, and how long that took. */
async function refused(hostile: Hostile, source: Uint8Array): Promise<string> {
  const started = performance.now();
  const { error, written } = await outcomeOf(hostilePayload(hostile), source, hostile.targetBytes);
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(written).toEqual([]);
  return error?.code ?? 'taken';
}

/** A target of one zlib stream, in whatever the source has. */
const oneUnit = (packedBytes: number, contentBytes: number, codec: number = CODEC_ID.zlib): UnitMap => ({
  skips: [],
  units: [unit({ packedBytes, contentBytes, codec })],
  pieces: contentBytes === 0 ? [] : [piece(0, 0, contentBytes)],
});

describe('a signed map that lies', () => {
  const source = noise(4096, 7);
  const raw = (bytes: number): UnitMap => ({ skips: [], units: [], pieces: [piece(-1, 0, bytes)] });

  const skipping = (...skips: [number, number][]): UnitMap => ({
    ...raw(1000),
    skips: skips.map(([offset, length]) => ({ offset, length })),
  });

  it.each<[string, UnitMap, string]>([
    ['empty pieces', { skips: [], units: [], pieces: [piece(-1, 0, 1000), piece(-1, 1000, 0)] }, 'plan_malformed'],
    [
      'an empty piece of a unit at the end of all',
      { ...oneUnit(1000, 300), pieces: [piece(0, 0, 300), piece(0, 300, 0)] },
      'plan_malformed',
    ],
    ['a hole of 2^31 bytes', { skips: [], units: [], pieces: [piece(-1, 0, 1000, false, 2 ** 31)] }, 'plan_malformed'],
    ['a hole of 2^50 bytes', { skips: [], units: [], pieces: [piece(-1, 0, 1000, false, 2 ** 50)] }, 'plan_malformed'],
    ['skips that are too close', skipping([0, 4], [990, 4]), 'plan_malformed'],
    ['a skip over the end of the image', skipping([990, 20]), 'plan_malformed'],
    ['a skip of 2^50 bytes', skipping([8, 2 ** 50]), 'plan_malformed'],
    ['a codec that nobody knows', oneUnit(1000, 300, 77), 'plan_malformed'],
    ['a unit of 2^40 bytes', { skips: [], units: [unit({ packedBytes: 2 ** 40 })], pieces: [] }, 'plan_malformed'],
    [
      'a unit of no bytes with content',
      {
        skips: [],
        units: [unit({ packedBytes: 0, contentBytes: 300 })],
        pieces: [piece(0, 0, 300), piece(-1, 0, 1000)],
      },
      'segment_digest',
    ],
    [
      'a stream without its history',
      {
        skips: [],
        units: [
          unit({ codec: CODEC_ID.deflate, packedBytes: 500 }),
          unit({ codec: CODEC_ID.deflate, offset: 500, packedBytes: 500, continues: true }),
        ],
        pieces: [piece(0, 0, 400), piece(1, 0, 400)],
      },
      'plan_malformed',
    ],
  ])('is refused: %s', async (_, target, code) => {
    expect(await refused({ maps: { source: raw(4096), target }, sourceBytes: 4096, targetBytes: 1000 }, source)).toBe(
      code,
    );
  });

  it('is refused where a segment ends within a unit', async () => {
    const spans = [
      { offset: 0, length: 500 },
      { offset: 500, length: 500 },
    ];
    const maps = { source: raw(4096), target: oneUnit(1000, 300) };
    expect(await refused({ maps, sourceBytes: 4096, targetBytes: 1000, spans }, source)).toBe('plan_malformed');
  });

  it('of a great many units of a byte takes no longer than it declares', async () => {
    const units = Array.from({ length: 2 ** 13 }, (_, i) => unit({ offset: i, packedBytes: 1, contentBytes: 1 }));
    const map = { skips: [], units, pieces: units.map((_, i) => piece(i, 0, 1)) };
    const all = { sourceBytes: 2 ** 13, targetBytes: 2 ** 13, memoryBytes: 90 * MIB };
    const image = noise(2 ** 13, 3);
    expect(await refused({ maps: { source: map, target: map }, ...all }, image)).not.toBe('taken');
    expect(await refused({ maps: { source: map, target: map }, ...all, work: 1 }, image)).toBe('payload_work');
    expect(await refused({ maps: { source: map, target: map }, ...all, memoryBytes: MIB }, image)).toBe(
      'plan_malformed',
    );
  });

  it('with the same bytes of the image again and again, before many units, is no walk over all of these', async () => {
    const count = 2 ** 14;
    const units = Array.from({ length: count }, (_, i) => unit({ offset: i + 1, packedBytes: 1, contentBytes: 0 }));
    const pieces = Array.from({ length: count }, () => piece(-1, 0, 1));
    const maps = { source: { skips: [], units, pieces }, target: raw(1000) };
    const all = { sourceBytes: 2 ** 17, targetBytes: 1000, memoryBytes: 90 * MIB };
    expect(await refused({ maps, ...all }, noise(2 ** 17, 3))).not.toBe('taken');
  });

  it('with a unit copied from a stream in a stream that is none is a fault of the source', async () => {
    const inner = unit({ parent: 0, offset: 0, packedBytes: 1000, contentBytes: 10 });
    const map: UnitMap = { skips: [], units: [unit({ packedBytes: 4000, contentBytes: 2000 }), inner], pieces: [] };
    const target = { skips: [], units: [unit({ packedBytes: 1000, contentBytes: 10, copyOf: 1 })], pieces: [] };
    expect(await refused({ maps: { source: map, target }, sourceBytes: 4096, targetBytes: 1000 }, source)).toBe(
      'segment_digest',
    );
  });

  it('with pieces of a copy that are there twice, or units in it, takes what it says', async () => {
    const packed = zlib.deflateSync(records(1, 900));
    const sourceMap = streamMap([{ packed, contentBytes: 900, codec: CODEC_ID.zlib }]);
    const copy = unit({ packedBytes: packed.length, contentBytes: 900, copyOf: 0 });
    const within = unit({ parent: 0, packedBytes: 800, contentBytes: 5 });
    const target = { skips: [], units: [copy, within], pieces: [piece(0, 0, 800), piece(0, 0, 800), piece(1, 0, 5)] };
    const maps = { source: sourceMap, target };
    // The copy is right; only the digest, which here is none, is not.
    expect(await refused({ maps, sourceBytes: packed.length, targetBytes: packed.length }, packed)).toBe(
      'segment_digest',
    );
  });
});

describe('memory', () => {
  it('of tokens is held to what is declared before they are there', () => {
    const bytes = noise(9000, 5);
    const tokens = new TokenList(bytes.length);
    tokens.pushLiterals(bytes.length);
    const rules = codecOf(CODEC_ID.lz4).rules;
    const { stream } = encodeTokens([{ unit: { bytes, rules, runs: [] }, tokens }]);
    expect(decodeTokens(stream, [{ bytes, rules, runs: [], tokensMax: 9000 }])[0]!.count).toBe(9000);
    expect(() => decodeTokens(stream, [{ bytes, rules, runs: [], tokensMax: 8999 }])).toThrow(/more than 8999 tokens/);
  });

  it('of streams that end nowhere is not kept where no unit goes on from them', async () => {
    // Blocks of zeros, none of which is the last: each is a part, and the next ones continue none or one of them.
    const part = zlib.deflateRawSync(new Uint8Array(40_000), { finishFlush: zlib.constants.Z_FULL_FLUSH });
    const count = 8;
    const image = concat(...Array.from({ length: count }, () => part));
    for (const continues of [false, true]) {
      const sizes = { packedBytes: part.length, contentBytes: 40_000, codec: CODEC_ID.deflate };
      const units = Array.from({ length: count }, (_, i) =>
        unit({ ...sizes, offset: i * part.length, continues: continues && i > 0 }),
      );
      const cache = new UnitCache(
        new VirtualLayout({ skips: [], units, pieces: [] }, image.length),
        memorySource(image),
      );
      await cache.unit(count - 1);
      expect(cache.unpacked).toBe(continues ? count : 1);
      expect(cache.statesKept).toBe(continues ? count - 1 : 0);
    }
  });
});
