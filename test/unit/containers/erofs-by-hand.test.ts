/**
 * What newer versions of mkfs.erofs make: fragments, shared extents, second algorithms; and images that lie.
 */
import { describe, expect, it } from 'vitest';
import type { Container } from '../../../native-free/diff/containers/container.ts';
import { erofs } from '../../../native-free/diff/containers/erofs/erofs.ts';
import { measureLz4 } from '../../../native-free/diff/containers/erofs/lz4-length.ts';
import { CODEC_ID } from '../../../native-free/format/unit-map.ts';
import {
  erofsImage,
  FEATURES,
  fields,
  FIRST_BLOCK,
  fullIndexes,
  padded,
  type HandFile,
} from '../../support/containers/erofs-image.ts';
import { expectSound, filesOf } from '../../support/containers/tools.ts';
import { noise, prose } from '../../support/containers/tree.ts';
import { packSimply } from '../../support/unpack/lz4.ts';

const [PLAIN, HEAD, NONE, HEAD2] = [0, 1, 2, 3];
const PARTIAL = 0x8000;
const COUNT = 0x800;
const SHARED = FEATURES.zeroPadding | FEATURES.fragmentsOrShared;
const content = Buffer.concat([prose(1, 3000), prose(2, 2000)]);
const packed = padded(packSimply(content));
const file = (bytes: number, map: Uint8Array): HandFile => ({ bytes, layout: 1, map });

function containerOf(image: Uint8Array): Container {
  const container = erofs.at(image, 0)!;
  expect(container).not.toBeNull();
  expectSound(container, image);
  return container;
}

const whole = file(
  5000,
  fullIndexes({
    clusters: [
      [HEAD, 0, FIRST_BLOCK],
      [NONE, 0, 1],
    ],
  }),
);
const startOf = (bytes: number): HandFile => file(bytes, fullIndexes({ clusters: [[HEAD | PARTIAL, 0, FIRST_BLOCK]] }));

describe('extents that files share', () => {
  it('are named by the first that has them', () => {
    const image = erofsImage({ files: [whole, startOf(3000)], blocks: [packed], features: SHARED });
    expect(filesOf(containerOf(image), image)).toEqual([content]);
  });

  it('are named further by another that has more of them', () => {
    const image = erofsImage({ files: [startOf(3000), whole], blocks: [packed], features: SHARED });
    expect(filesOf(containerOf(image), image)).toEqual([content.subarray(0, 3000), content.subarray(3000)]);
  });

  it('have all their content even where no file has', () => {
    const image = erofsImage({ files: [startOf(3000), startOf(2000)], blocks: [packed], features: SHARED });
    const container = containerOf(image);
    expect(container.units.map(({ contentBytes }) => contentBytes)).toEqual([5000]);
    expect(filesOf(container, image)).toEqual([content.subarray(0, 3000)]);
  });
});

describe('fragments', () => {
  const own = prose(3, 4096);
  const store = file(
    5000,
    fullIndexes({
      clusters: [
        [HEAD, 0, FIRST_BLOCK],
        [NONE, 0, 1],
      ],
    }),
  );
  const blocks = [packed, padded(packSimply(own))];
  const pieceOf = (at: number, bytes: number): HandFile => file(bytes, fields([at, 4], [0x80000000, 4]));

  it('are put behind the blocks of their files, each byte once', () => {
    const clusters = [
      [HEAD, 0, FIRST_BLOCK + 1],
      [HEAD, 0, 0],
    ] as const;
    const ended = file(4096 + 1000, fullIndexes({ advice: 0x20, first: 500, clusters }));
    const files = [ended, pieceOf(2000, 1500), pieceOf(500, 1000), pieceOf(1400, 700), store];
    const image = erofsImage({ files, blocks, features: SHARED, hasFragments: true });
    expect(filesOf(containerOf(image), image)).toEqual([
      Buffer.concat([own, content.subarray(500, 1500)]),
      content.subarray(2000, 3500),
      content.subarray(1500, 2000),
    ]);
  });

  it('that are not there give nothing', () => {
    const files = [pieceOf(4900, 500), pieceOf(2 ** 31, 9), store];
    const image = erofsImage({ files, blocks, features: SHARED, hasFragments: true });
    expect(filesOf(containerOf(image), image)).toEqual([content.subarray(4900)]);
  });
});

describe('extents of other kinds', () => {
  it('may be of a second algorithm', () => {
    const clusters = [
      [HEAD2, 0, FIRST_BLOCK],
      [NONE, 0, 1],
    ] as const;
    for (const [algorithms, codec] of [
      [0x10, CODEC_ID.microLzma],
      [0x20, CODEC_ID.deflate],
      [0x30, CODEC_ID.zstd],
    ] as const) {
      const files = [file(5000, fullIndexes({ algorithms, clusters }))];
      const features = FEATURES.zeroPadding | FEATURES.secondHead;
      const { units } = containerOf(erofsImage({ files, blocks: [padded(noise(1, 1000))], features }));
      expect(units).toEqual([{ offset: 3 * 4096 - 1000, packedBytes: 1000, contentBytes: 5000, codec }]);
    }
    const unknown = erofsImage({ files: [file(5000, fullIndexes({ algorithms: 0x90, clusters }))], blocks: [packed] });
    expect(containerOf(unknown).units).toEqual([]);
  });

  it('may have several blocks', () => {
    const large = Buffer.concat([noise(4, 9000), prose(4, 3000)]);
    const clusters = [
      [HEAD, 0, FIRST_BLOCK],
      [NONE, 0, COUNT + 3],
      [NONE, 0, 2],
    ] as const;
    const blocks = [0, 1, 2].map((i) => padded(packSimply(large), 3).subarray(i * 4096, (i + 1) * 4096));
    const image = erofsImage({ files: [file(12_000, fullIndexes({ advice: 2, clusters }))], blocks, features: 3 });
    expect(filesOf(containerOf(image), image)).toEqual([large]);
  });

  it('that are stored may begin where they lie in the file', () => {
    const stored = noise(2, 4096);
    const clusters = [
      [HEAD, 0, FIRST_BLOCK],
      [PLAIN, 904, FIRST_BLOCK + 1],
      [PLAIN, 904, 0],
    ] as const;
    const files = [file(5000 + 4096, fullIndexes({ advice: 0x10, clusters: [clusters[0], clusters[1], clusters[2]] }))];
    const turned = Buffer.concat([stored.subarray(4096 - 904), stored.subarray(0, 4096 - 904)]);
    const image = erofsImage({ files, blocks: [packed, turned], features: SHARED });
    expect(filesOf(containerOf(image), image)).toEqual([Buffer.concat([content, stored])]);
  });
});

describe('images that lie', () => {
  it.each([
    [
      'no extent at the start',
      [
        [NONE, 0, 1],
        [HEAD, 0, FIRST_BLOCK],
      ],
    ],
    [
      'a block behind the end',
      [
        [HEAD, 0, 77],
        [NONE, 0, 1],
      ],
    ],
    [
      'an extent behind its cluster',
      [
        [HEAD, 0, FIRST_BLOCK],
        [HEAD, 4096, FIRST_BLOCK],
      ],
    ],
    [
      'more stored bytes than a block has',
      [
        [PLAIN, 0, FIRST_BLOCK],
        [NONE, 0, 1],
      ],
    ],
  ] as const)('with %s are none', (_, clusters) => {
    const image = erofsImage({ files: [file(5000, fullIndexes({ clusters }))], blocks: [packed] });
    expect(erofs.at(image, 0)).toBeNull();
  });

  it('with extents in each other are none', () => {
    const clusters = [
      [HEAD, 0, FIRST_BLOCK],
      [NONE, 0, COUNT + 2],
    ] as const;
    const two = file(5000, fullIndexes({ advice: 2, clusters }));
    const other = file(3000, fullIndexes({ clusters: [[HEAD, 0, FIRST_BLOCK + 1]] }));
    const filled = Buffer.alloc(4096, 1);
    const blocks = [filled, packed];
    expect(erofs.at(erofsImage({ files: [two], blocks, features: 3 }), 0)).not.toBeNull();
    expect(erofs.at(erofsImage({ files: [two, other], blocks, features: 3 }), 0)).toBeNull();
  });

  it('with thousands of folders that all have each other take no longer than others', () => {
    // Sixteen blocks of entries, then inodes of folders that have them for their own.
    const [blockCount, perBlock] = [16, 341];
    const folderInode = fields(
      [0, 2],
      [0, 2],
      [0x41ed, 2],
      [1, 2],
      [blockCount * 4096, 4],
      [0, 4],
      [FIRST_BLOCK, 4],
      [0, 12],
    );
    const entries = Array.from({ length: blockCount }, (_, block) =>
      Array.from({ length: perBlock }, (_, i) =>
        // Numbers count from the block of inodes, which is the one before.
        fields([(1 + blockCount) * 128 + block * perBlock + i, 8], [perBlock * 12, 2], [2, 1], [0, 1]),
      ),
    );
    const inodes = Array.from({ length: 43 }, () => Buffer.concat(new Array<Uint8Array>(128).fill(folderInode)));
    const image = erofsImage({ files: [], blocks: [...entries.map((list) => Buffer.concat(list)), ...inodes] });
    image.set(folderInode, 4096);
    const began = performance.now();
    expect(erofs.at(image, 0)).toBeNull();
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

describe('lengths of LZ4 blocks', () => {
  it.each([20, 300, 5000, 70_000])('are told without unpacking: %i bytes', (length) => {
    const block = packSimply(prose(length, length));
    const wanted = { packedBytes: block.length, contentBytes: length };
    const inZeros = Buffer.concat([block, Buffer.alloc(99)]);
    for (const [bytes, min] of [
      [block, 1],
      [block, length],
      [inZeros, length],
      [inZeros, length - 3],
    ] as const)
      expect(measureLz4(bytes, min, length + 9)).toEqual(wanted);
    expect(measureLz4(block, length + 1, length + 9)).toBeNull();
    expect(measureLz4(block, 1, length - 1)).toBeNull();
    expect(measureLz4(block.subarray(0, -1), 1, length)).toBeNull();
    expect(measureLz4(Buffer.concat([block, Buffer.of(1)]), 1, length + 9)).toBeNull();
  });
});
