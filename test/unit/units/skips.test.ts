/**
 * Images that have something between their blocks which units pass over: where bytes lie, and whether they are found, read
 * and placed there.
 */
import zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../../native-free/apply/bytes-source.ts';
import { makeDelta } from '../../../native-free/diff/make-delta.ts';
import { explore } from '../../../native-free/diff/units/explore.ts';
import { CODEC_ID } from '../../../native-free/format/unit-map.ts';
import { Skips } from '../../../native-free/unpack/map/skips.ts';
import { VirtualLayout } from '../../../native-free/unpack/map/virtual-layout.ts';
import { partsOf, rawPartsOf } from '../../../native-free/unpack/segment/parts.ts';
import { UnitCache } from '../../../native-free/unpack/source/unit-cache.ts';
import { CAPACITY, flashImage } from '../../support/containers/flash.ts';
import { noise, prose } from '../../support/containers/tree.ts';
import { applied } from '../../support/engine.ts';
import { sha256Node } from '../../support/images.ts';
import { piece, unit } from '../../support/unit-payloads.ts';

describe('skips of an image', () => {
  const skips = new Skips([
    { offset: 1000, length: 50 },
    { offset: 3000, length: 7 },
  ]);
  const of = (offset: number, length: number): number[][] =>
    [...skips.parts(offset, length)].map(({ from, to, at }) => [from, to, at]);

  it('tell where bytes of what is left lie, and how much is left before bytes of the image', () => {
    expect([0, 999, 1000, 2949, 2950].map((at) => skips.imageAt(at))).toEqual([0, 999, 1050, 2999, 3007]);
    expect([0, 1000, 1001, 1049, 1050, 3000, 3006, 3010].map((at) => skips.joinedAt(at))).toEqual([
      ...[0, 1000, 1000, 1000, 1000, 2950, 2950, 2953],
    ]);
    expect([0, 999, 1000, 2949, 2950].map((at) => skips.nextBehind(at))).toEqual([1000, 1000, 3000, 3000, Infinity]);
    expect(skips.bytes).toBe(57);
  });

  it('cut a stretch where they lie within it, and not where it begins or ends', () => {
    expect(of(0, 1000)).toEqual([[0, 1000, 0]]);
    expect(of(1000, 1950)).toEqual([[1050, 3000, 0]]);
    expect(of(999, 2)).toEqual([[999, 1000, 0], [1050, 1051, 1]]); // prettier-ignore
    expect(of(0, 3000)).toEqual([[0, 1000, 0], [1050, 3000, 1000], [3007, 3057, 2950]]); // prettier-ignore
    expect(of(1000, 0)).toEqual([[1050, 1050, 0]]);
    expect([...new Skips([]).parts(5, 3)]).toEqual([{ from: 5, to: 8, at: 0 }]);
  });

  it('are raw bytes of the segment whose unit they lie in', () => {
    const units = [
      unit({ offset: 900, packedBytes: 1000, contentBytes: 10 }),
      unit({ offset: 1900, packedBytes: 1100 }),
    ];
    const pieces = [piece(-1, 0, 900), piece(-1, 1000, 50), piece(-1, 3000, 7), piece(0, 0, 10), piece(1, 0, 400)];
    const layout = new VirtualLayout({ skips: skips.list, units, pieces }, 3057);
    expect([0, 1].map((index) => layout.extentOf(index))).toEqual([{ start: 900, end: 1950 }, { start: 1950, end: 3057 }]); // prettier-ignore
    expect(partsOf(layout, 0, 1950).units).toEqual([0]);
    expect(partsOf(layout, 1950, 3057).units).toEqual([1]);
    expect([...rawPartsOf(layout, 900, 1950)]).toEqual([{ piece: 1, from: 1000, to: 1050 }]);
    expect([...rawPartsOf(layout, 1950, 3057)]).toEqual([{ piece: 2, from: 3000, to: 3007 }]);
  });

  it('are read over, also for the byte that the next part of a stream begins in', async () => {
    const image = noise(1, 4000);
    const layout = new VirtualLayout(
      { skips: skips.list, units: [unit({ offset: 990, packedBytes: 10 })], pieces: [] },
      4000,
    );
    const cache = new UnitCache(layout, memorySource(image));
    expect(Buffer.from(await cache.packed(0))).toEqual(image.subarray(990, 1000));
    expect(Buffer.from(await cache.packed(0, 1))).toEqual(Buffer.concat([image.subarray(990, 1000), image.subarray(1050, 1051)])); // prettier-ignore
  });
});

/** A text as a gzip file, a long one that is a stream in parts, and noise between. */
const volume = (seed: number, more = ''): Buffer => {
  const long = Buffer.concat([prose(seed, 400_000), Buffer.from(more), noise(3, 60_000), prose(5, 700_000)]);
  return Buffer.concat([noise(seed, 5000), zlib.gzipSync(prose(2, 9000)), noise(4, 3000), zlib.gzipSync(long)]);
};

describe('streams in images of flash', () => {
  const packed = (image: Uint8Array): number[] =>
    explore(image, { exact: true }).units.map(({ packedBytes }) => packedBytes);
  const alone = packed(volume(1));

  it('are found whole wherever the ends of blocks are', () => {
    expect(alone.length).toBeGreaterThan(2);
    const { units, skips } = explore(flashImage([{ data: volume(1) }]), { exact: true });
    expect(units.map(({ packedBytes }) => packedBytes)).toEqual(alone);
    expect(units.every(({ codec, parent }) => codec === CODEC_ID.deflate && parent === -1)).toBe(true);
    expect(units.slice(2).every(({ continues }) => continues)).toBe(true);
    expect(skips.length).toBe(Math.ceil(volume(1).length / CAPACITY) - 1);
    expect(new Set(skips.map(({ length }) => length))).toEqual(new Set([256]));
  });

  it('are found in each of several volumes, with erased blocks and a table of volumes between', () => {
    const image = flashImage([
      { data: volume(1), gaps: [3, 20] },
      { data: volume(7), gaps: [9] },
    ]);
    expect(packed(image)).toEqual([...alone, ...packed(volume(7))]);
  });

  it('are found in a flash image that is a part of another image', () => {
    expect(packed(Buffer.concat([noise(9, 777), flashImage([{ data: volume(1) }]), noise(8, 99)]))).toEqual(alone);
  });

  it.each([
    ['in another order', flashImage([{ data: volume(1), reversed: true }])],
    ['of two volumes in turns', flashImage([{ data: volume(1) }, { data: volume(1) }], { inTurns: true })],
  ])('that are cut stay raw where blocks are %s', (_, image) => {
    const { skips, units } = explore(image, { exact: true });
    expect(skips).toEqual([]);
    expect(units.length).toBeLessThan(alone.length);
  });

  it('within a stream stay raw where they are cut, since only the image has skips', () => {
    const { skips, units } = explore(zlib.gzipSync(flashImage([{ data: volume(1) }])), { exact: true });
    expect(skips).toEqual([]);
    expect(units.filter(({ parent }) => parent >= 0).length).toBeLessThan(alone.length);
  });

  const sizeOf = async (source: Uint8Array, target: Uint8Array): Promise<number> => {
    const payload = await makeDelta(source, target, { hash: sha256Node });
    expect(Buffer.compare(await applied(payload, source), target)).toBe(0);
    return payload.length;
  };

  it('come back exactly, in parts', async () => {
    const target = flashImage([{ data: volume(1, 'new'), gaps: [5] }]);
    expect(await sizeOf(flashImage([{ data: volume(1) }]), target)).toBeLessThan(4000);
  });

  it('come back exactly, from and to images with and without skips, also where a block is damaged', async () => {
    const small = (more: string): Buffer => {
      const text = Buffer.concat([prose(2, 20_000), Buffer.from(more), noise(3, 9000), prose(2, 9000)]);
      return Buffer.concat([noise(1, 2000), zlib.gzipSync(text), noise(4, 500), zlib.deflateSync(text)]);
    };
    const damaged = flashImage([{ data: small('') }]);
    damaged[5 * 4096 + 20]! ^= 1;
    const whole = flashImage([{ data: small('') }]);
    const pairs = [[whole, small('new')], [small('new'), whole], [small(''), whole]] as const; // prettier-ignore
    for (const [source, target] of pairs) expect(await sizeOf(source, target)).toBeLessThan(2000);
    // A stream that one side has cut stays as it is there.
    for (const [source, target] of [[whole, damaged], [damaged, whole]] as const) await sizeOf(source, target); // prettier-ignore
  });
});
