/**
 * Unit maps: what is written is read, what contradicts itself is refused.
 */
import { describe, expect, it } from 'vitest';
import { PlanRoom } from '../../../native-free/format/plan.ts';
import { CODEC_ID, type Unit, type UnitMap, type VirtualPiece } from '../../../native-free/format/unit-map.ts';
import { SMALLEST_SIZES } from '../../../native-free/format/model-sizes.ts';
import { MixCoder } from '../../../native-free/model/mix-coder.ts';
import { NumberCoder } from '../../../native-free/model/number-coder.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { MapCoder, type UnitMaps } from '../../../native-free/unpack/map/map-coder.ts';
import { checkComplete, VirtualLayout } from '../../../native-free/unpack/map/virtual-layout.ts';
import { noise } from '../../support/images.ts';

function written(maps: UnitMaps): Uint8Array {
  const coder = new MixCoder(true, SMALLEST_SIZES);
  coder.start(null);
  new MapCoder(coder).code(maps);
  return coder.finish();
}

function read(bytes: Uint8Array, room?: PlanRoom): UnitMaps {
  const coder = new MixCoder(false, SMALLEST_SIZES);
  coder.work.limit = 2 ** 26;
  coder.start(bytes);
  return new MapCoder(coder, room).code(null);
}

const unit = (fields: Partial<Unit>): Unit => ({
  ...{ parent: -1, offset: 0, packedBytes: 100, contentBytes: 400, codec: CODEC_ID.zlib, continues: false, copyOf: -1 },
  ...fields,
});
const piece = (of: number, offset: number, length: number, joined = false, zeros = 0): VirtualPiece => ({
  ...{ unit: of, offset, length, joined, zeros },
});

/** An image of 1,000 bytes with two blocks, a block of tails and, in the first, a stream of its own. */
const MAP: UnitMap = {
  skips: [],
  units: [
    unit({ offset: 96 }),
    unit({ offset: 196 }),
    unit({ offset: 300, contentBytes: 777 }),
    unit({ parent: 0, offset: 40, packedBytes: 60, contentBytes: 60, codec: CODEC_ID.xz }),
  ],
  pieces: [
    piece(-1, 0, 96),
    piece(0, 0, 40),
    piece(0, 100, 300),
    piece(1, 0, 400),
    piece(2, 0, 77, true),
    piece(2, 77, 700),
    piece(3, 0, 60),
    piece(-1, 296, 4, true, 4096),
    piece(-1, 400, 600),
  ],
};

/** Blocks of a flash: 200 units one behind the other in an image with a head of 64 bytes in each 2,048. */
function flashMap(): UnitMap {
  const skips = Array.from({ length: 32 }, (_, i) => ({ offset: 2048 * (i + 1), length: 64 }));
  const units = Array.from({ length: 200 }, (_, i) => unit({ offset: 330 * i, packedBytes: 330 }));
  const contents = units.map((_, i) => piece(i, 0, 400));
  return { skips, units, pieces: [...contents, ...skips.map(({ offset, length }) => piece(-1, offset, length))] };
}

describe('what units skip', () => {
  const map = flashMap();
  const imageBytes = 330 * 200 + 32 * 64;

  it('is read as it was written, and costs nearly nothing where it is regular', () => {
    expect(read(written({ source: map, target: map }))).toEqual({ source: map, target: map });
    expect(() => checkComplete(new VirtualLayout(map, imageBytes))).not.toThrow();
    const without = { ...map, skips: [], pieces: map.pieces.filter(({ unit: of }) => of >= 0) };
    const cost = written({ source: map, target: map }).length - written({ source: without, target: without }).length;
    expect(cost).toBeLessThan(40);
  });

  it('may be of any length and at any distance', () => {
    const skips = [{ offset: 0, length: 1 }, { offset: 1025, length: 4096 }, { offset: 9000, length: 7 }]; // prettier-ignore
    const odd = { ...map, skips, units: [], pieces: [piece(-1, 3, 9000), piece(-1, 0, 3)] };
    expect(read(written({ source: odd, target: odd }))).toEqual({ source: odd, target: odd });
  });

  it.each<[string, [number, number][]]>([
    ['where nothing is', [[2048, 0]]],
    [
      'twice',
      [
        [2048, 64],
        [2100, 64],
      ],
    ],
    [
      'without a distance',
      [
        [2048, 64],
        [2112, 64],
      ],
    ],
    [
      'too close to what was skipped before',
      [
        [2048, 64],
        [2112 + 1023, 64],
      ],
    ],
    [
      'in another order',
      [
        [4096, 64],
        [2048, 64],
      ],
    ],
    ['over the end of the image', [[imageBytes - 63, 64]]],
    ['far behind the image', [[2 ** 50, 64]]],
    ['for longer than images are', [[2048, 2 ** 40]]],
    ['so that units have no room', [[2048, 4096]]],
  ])('is refused %s', (_, skips) => {
    const bad = { ...map, skips: skips.map(([offset, length]) => ({ offset, length })) };
    expect(() => new VirtualLayout(bad, imageBytes)).toThrow(/unit map/);
  });

  it('is counted before it is read', () => {
    const coder = new MixCoder(true, SMALLEST_SIZES);
    coder.start(null);
    new NumberCoder(coder).code(2 ** 31, 13);
    expect(() => read(coder.finish())).toThrow(/2147483648 of a kind of which 131072 may be/);
    expect(() => read(written({ source: map, target: map }), new PlanRoom(32 * 64 - 1))).toThrow(/32 unitSkips more/);
  });
});

describe('a unit map', () => {
  it('is read as it was written, of the target in the light of the source', () => {
    const target: UnitMap = {
      skips: [],
      units: MAP.units.map((one, i) => (i === 1 ? { ...one, copyOf: 1 } : { ...one, contentBytes: one.contentBytes })),
      pieces: MAP.pieces,
    };
    expect(read(written({ source: MAP, target }))).toEqual({ source: MAP, target });
    const twice = written({ source: MAP, target: MAP }).length;
    const once = written({ source: MAP, target: { skips: [], units: [], pieces: [] } }).length;
    expect(twice).toBeLessThan(2 * once);
  });

  it('lays pieces out at multiples of four, bytes of the image where they have the same remainder', () => {
    const layout = new VirtualLayout(MAP, 1000);
    expect([...layout.starts]).toEqual([0, 96, 136, 436, 836, 916, 1616, 5772, 5776, 6376]);
    const odd = new VirtualLayout(
      { skips: [], units: [], pieces: [piece(-1, 0, 3), piece(-1, 6, 5), piece(-1, 3, 3)] },
      11,
    );
    expect([...odd.starts]).toEqual([0, 6, 11, 14]);
    expect(layout.pieceAt(0)).toBe(0);
    expect(layout.pieceAt(435)).toBe(2);
    expect(layout.pieceAt(6376)).toBe(9);
    expect([...layout.piecesOf(2)]).toEqual([4, 5]);
    expect(layout.unitsIn(0)).toEqual({ first: 3, end: 4 });
    expect(() => checkComplete(layout)).not.toThrow();
  });

  it.each<[string, UnitMap]>([
    ['a unit outside of the image', { ...MAP, units: [unit({ offset: 950 })], pieces: [] }],
    ['units that overlap', { skips: [], units: [unit({}), unit({ offset: 99 })], pieces: [] }],
    ['a unit in itself', { skips: [], units: [unit({ parent: 0 })], pieces: [] }],
    ['a unit in a later one', { skips: [], units: [unit({}), unit({ parent: 2 }), unit({ parent: 0 })], pieces: [] }],
    [
      'units four deep',
      { skips: [], units: [0, 1, 2, 3].map((i) => unit({ parent: i - 1, packedBytes: 10 })), pieces: [] },
    ],
    ['a part of no stream', { skips: [], units: [unit({ codec: CODEC_ID.deflate, continues: true })], pieces: [] }],
    ['a piece outside of its unit', { ...MAP, pieces: [piece(0, 300, 101)] }],
    ['a piece of no unit', { ...MAP, pieces: [piece(4, 0, 1)] }],
    ['contents over all bounds', { skips: [], units: [unit({ contentBytes: 2 ** 31 })], pieces: [] }],
  ])('is refused with %s', (_, map) => {
    expect(() => new VirtualLayout(map, 1000)).toThrow(/unit map/);
  });

  it.each<[string, VirtualPiece[]]>([
    ['a byte twice', [...MAP.pieces, piece(1, 0, 4)]],
    ['a byte of the image not at all', MAP.pieces.filter(({ unit: of, offset }) => of >= 0 || offset !== 296)],
    ['a byte of a unit not at all', MAP.pieces.filter((_, i) => i !== 5)],
    ['bytes of a stream that is a unit', [...MAP.pieces, piece(0, 40, 60)]],
  ])('of a target is refused if it makes %s', (_, pieces) => {
    expect(() => checkComplete(new VirtualLayout({ ...MAP, pieces }, 1000))).toThrow(/is made/);
  });

  it('takes its room before it is made, and no more than is declared', () => {
    const bytes = written({ source: MAP, target: MAP });
    expect(() => read(bytes, new PlanRoom(8 * 256 + 18 * 128))).not.toThrow();
    expect(() => read(bytes, new PlanRoom(8 * 256 + 18 * 128 - 1))).toThrow(/room/);
  });

  it('of any bytes is read within its bounds, or refused', () => {
    let refused = 0;
    for (let seed = 1; seed <= 300; seed++) {
      try {
        const maps = read(noise(200, seed), new PlanRoom(2 ** 22));
        new VirtualLayout(maps.source, 1000);
        checkComplete(new VirtualLayout(maps.target, 1000));
      } catch (error) {
        expect(UpdateError.is(error) && ['plan_malformed', 'payload_work'].includes(error.code)).toBe(true);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(200);
  });
});
