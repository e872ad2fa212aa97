/**
 * erofs images made by the real tool with all that it knows: every file comes out whole, in the order of paths, and
 * damaged images are no container or a sound one.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Container } from '../../../native-free/diff/containers/container.ts';
import { erofs } from '../../../native-free/diff/containers/erofs/erofs.ts';
import { CODEC_ID } from '../../../native-free/format/unit-map.ts';
import { expectNoneWhenCut, soundWhenDamaged, span } from '../../support/containers/damage.ts';
import { digestOf, EROFS_LZ4, FIXTURE_FILES } from '../../support/containers/fixtures.ts';
import { expectSound, filesOf, isInstalled, run } from '../../support/containers/tools.ts';
import { filesBelow, noise, plantTree } from '../../support/containers/tree.ts';

const hasTool = isInstalled('mkfs.erofs');
if (!hasTool) console.info('erofs-utils are not installed: only the fixtures are read');

const BLOCK = 4096;
const folder = mkdtempSync(join(tmpdir(), 'engraft-erofs-'));
const tree = join(folder, 'tree');
let files = new Map<string, Buffer>();

beforeAll(() => {
  run('mkdir', [tree]);
  plantTree(tree);
  files = filesBelow(tree);
});
afterAll(() => rmSync(folder, { recursive: true }));

function imageOf(options: string): Buffer {
  const image = join(folder, 'image');
  rmSync(image, { force: true });
  run('mkfs.erofs', ['-T1', ...options.split(' ').filter(Boolean), image, tree]);
  return readFileSync(image);
}

const text = (content: Buffer): string => content.toString('latin1');

/** Files come out in the order of their paths; those that are none stand in the image as they are. */
function expectAllFiles(image: Buffer, { offset = 0, inChunks = false } = {}): Container {
  const container = erofs.at(image, offset)!;
  expect(container).not.toBeNull();
  expectSound(container, image);
  const found = filesOf(container, image).map(text);
  const wanted = [...files].flatMap(([path, content]) => {
    if (found.includes(text(content))) return [text(content)];
    if (content.length <= BLOCK && image.includes(content)) return [];
    // Chunks are stored once, and zeros are too.
    return inChunks && /other-end|copy|hole|zeros/.test(path) ? [] : [path];
  });
  const known = [...new Set(found)].filter((content) => !inChunks || wanted.includes(content));
  expect(known.map((content) => content.length)).toEqual([...new Set(wanted)].map((content) => content.length));
  expect(known).toEqual([...new Set(wanted)]);
  return container;
}

const codecsOf = ({ units }: Container): number[] => [...new Set(units.map(({ codec }) => codec))];

describe.skipIf(!hasTool)('erofs images', () => {
  it.each([
    ['-zlz4'],
    ['-zlz4hc,9'],
    ['-zlz4hc -C65536'],
    ['-zlz4 -C16384 --max-extent-bytes=65536'],
    ['-zlz4 -Eforce-inode-extended'],
    ['-zlz4 -Eforce-inode-compact'],
    ['-zlz4 -Eztailpacking'],
    ['-zlz4hc -C65536 -Eztailpacking'],
    ['-zlz4 -Elegacy-compress'],
    ['-zlz4 -x-1'],
    ['-zlz4 -x1'],
  ])('made with "%s" give all files whole', (options) => {
    expect(codecsOf(expectAllFiles(imageOf(options)))).toEqual([CODEC_ID.lz4]);
  });

  it.each([[''], ['-Enoinline_data'], ['--chunksize=4096'], ['--chunksize=65536 -Eforce-chunk-indexes']])(
    'that are not compressed, made with "%s", have no units',
    (options) => {
      const inChunks = options.includes('chunk');
      expect(expectAllFiles(imageOf(options), { inChunks }).units).toEqual([]);
    },
  );

  it('are found where they are', () => {
    const image = imageOf('-zlz4');
    const moved = Buffer.concat([noise(1, 12_288), image, noise(2, 100)]);
    const { offset, bytes } = expectAllFiles(moved, { offset: 12_288 });
    expect([offset, bytes]).toEqual([12_288, image.length]);
    expect(erofs.at(moved, 0)).toBeNull();
    expect(erofs.at(moved, moved.length - 50)).toBeNull();
  });
});

describe('a small erofs image', () => {
  it('gives files', () => {
    const container = erofs.at(EROFS_LZ4, 0)!;
    expectSound(container, EROFS_LZ4);
    expect(codecsOf(container)).toEqual([CODEC_ID.lz4]);
    const found = filesOf(container, EROFS_LZ4).map(digestOf);
    expect(found).toEqual(FIXTURE_FILES.filter((digest) => found.includes(digest)));
    expect(found).toContain(FIXTURE_FILES[0]);
  });

  it('is none when it is cut, and none or sound when it is damaged', () => {
    expectNoneWhenCut(erofs, EROFS_LZ4);
    const began = performance.now();
    const used = span(0, EROFS_LZ4.length).filter((at) =>
      EROFS_LZ4.subarray(at - 4, at + 5).some((byte) => byte !== 0),
    );
    const sound = soundWhenDamaged(erofs, EROFS_LZ4, used);
    console.info(`${sound} damaged images were containers, ${Math.round(performance.now() - began)} ms`);
  });
});
