/**
 * UBI images by hand, and by ubinize where it is installed: volumes come out whole and in order, whatever lies between
 * their blocks.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ubi } from '../../../native-free/diff/containers/archives/ubi.ts';
import { soundWhenDamaged, span } from '../../support/containers/damage.ts';
import { block, BLOCK_BYTES, CAPACITY, header, LAYOUT, STATIC } from '../../support/containers/flash.ts';
import { expectSound, filesOf, isInstalled, run } from '../../support/containers/tools.ts';
import { noise, prose } from '../../support/containers/tree.ts';

const hasTool = isInstalled('ubinize');
if (!hasTool) console.info('mtd-utils is not installed: images are made by hand only');

const [a, b, c] = [1, 2, 3].map((seed) => noise(seed, CAPACITY)) as [Buffer, Buffer, Buffer];
const tail = prose(4, 1000);
const found = (image: Buffer, offset = 0): Buffer[] => {
  const container = ubi.at(image, offset)!;
  expectSound(container, image);
  return filesOf(container, image);
};

/** The two headers of the first block of a volume, as ubinize writes them. */
const ERASE_HEADER = `5542492301${'00'.repeat(13)}0800000010007537a440${'00'.repeat(32)}9796cdeb`;
const VOLUME_HEADER = `5542492101010000${'00'.repeat(52)}73b1ab57`;

describe('UBI images by hand', () => {
  const layout = [0, 1].map((number) => block({ volume: LAYOUT, number, data: noise(9, 100) }));
  const parts = [
    ...layout,
    block({ volume: 1, number: 1, data: b }),
    block({ volume: 7, number: 0, data: c, type: STATIC }),
    block(null),
    block({ volume: 1, number: 0, data: a }),
    block({ volume: 7, number: 1, data: tail, type: STATIC }),
    block({ volume: 1, number: 2, data: c }),
  ];
  const image = Buffer.concat(parts);

  it('have each volume in one file', () => {
    const wanted = [Buffer.concat([a, b, c]), Buffer.concat([c, tail])];
    expect(found(image)).toEqual(wanted);
    const shifted = Buffer.concat([noise(5, 123), image, noise(6, 9999)]);
    expect(found(shifted, 123)).toEqual(wanted);
    expect(ubi.at(shifted, 123)!.bytes).toBe(image.length);
  });

  it('have the checksums that the tool makes', () => {
    const image = Buffer.alloc(2 ** 18, 0xff);
    for (const at of [0, 2 ** 17]) image.write(ERASE_HEADER, at, 'hex');
    image.write(VOLUME_HEADER, 2 ** 17 + 2048, 'hex');
    const parts = [{ unit: -1, offset: 2 ** 17 + 4096, length: 2 ** 17 - 4096 }];
    expect(ubi.at(image, 0)!.files).toEqual([{ parts }]);
  });

  it('have another file behind blocks that are not there', () => {
    const hole = Buffer.concat([block({ volume: 0, number: 0, data: a }), block({ volume: 0, number: 2, data: b })]);
    expect(found(hole)).toEqual([a, b]);
    const short = [block({ volume: 0, number: 0, data: tail, type: STATIC }), block({ volume: 0, number: 1, data: b })];
    expect(found(Buffer.concat(short))).toEqual([tail, b]);
  });

  it('have the later of two blocks, and no padding', () => {
    const old = block({ volume: 0, number: 0, data: a, sequence: 3 });
    const young = block({ volume: 0, number: 0, data: b, sequence: 4 });
    const padded = block({ volume: 0, number: 1, data: c, padding: 1000 });
    expect(found(Buffer.concat([old, young, padded]))).toEqual([Buffer.concat([b, c.subarray(0, -1000)])]);
    expect(found(Buffer.concat([young, old]))).toEqual([b]);
    expect(found(Buffer.concat([old, old]))).toEqual([a]);
  });

  it('skip what is between blocks that follow each other in the image, and only that', () => {
    const own = (number: number, volume = 1) => block({ volume, number, data: a });
    const erased = Buffer.alloc(BLOCK_BYTES, 0xff);
    const skipsOf = (...blocks: Buffer[]) =>
      ubi
        .at(Buffer.concat([...layout, ...blocks, own(0, 5)]), 0)!
        .skips!.map(({ offset, length }) => [offset / BLOCK_BYTES - 2, length]);
    expect(skipsOf(own(0), own(1), own(2))).toEqual([[1, 256], [2, 256]]); // prettier-ignore
    expect(skipsOf(own(0), erased, block(null), layout[0]!, own(1))).toEqual([[1, 3 * BLOCK_BYTES + 256]]);
    expect(skipsOf(own(0), own(0, 2), own(1))).toEqual([]);
    expect(skipsOf(own(1), own(0), own(2), own(3))).toEqual([[3, 256]]);
    expect(skipsOf(own(0), own(2))).toEqual([]);
    const short = (number: number) => block({ volume: 1, number, data: tail, padding: CAPACITY - 1023 });
    expect(skipsOf(short(0), short(1))).toEqual([]);
  });

  it('end with the last block that has a header', () => {
    const erased = Buffer.alloc(3 * BLOCK_BYTES, 0xff);
    expect(ubi.at(Buffer.concat([image, erased]), 0)!.bytes).toBe(image.length);
    expect(ubi.at(Buffer.concat([image, erased, block(null)]), 0)!.bytes).toBe(image.length + 4 * BLOCK_BYTES);
    expect(ubi.at(Buffer.concat([image, noise(8, BLOCK_BYTES), image]), 0)!.bytes).toBe(image.length);
  });

  it('are what is there of them when cut, and sound when damaged', () => {
    for (let length = 0; length < image.length; length += 501) {
      const container = ubi.at(image.subarray(0, length), 0);
      if (length < BLOCK_BYTES + 64) expect(container).toBeNull();
      else expect(container!.bytes).toBe(Math.floor(length / BLOCK_BYTES) * BLOCK_BYTES);
    }
    const heads = [1, 2, 3, 6].flatMap((i) => span(i * BLOCK_BYTES, i * BLOCK_BYTES + 128));
    expect(soundWhenDamaged(ubi, image, [...span(0, 128), ...heads])).toBeGreaterThan(0);
  });

  it('are none where numbers lie', () => {
    const lie = (options: [number, number][]): Buffer => {
      const bytes = Buffer.from(image);
      for (let at = 0; at < bytes.length; at += BLOCK_BYTES) header('UBI#', options).copy(bytes, at);
      return bytes;
    };
    for (const [headerAt, dataAt] of [[0, 256], [64, 100], [64, 4096], [64, 2 ** 32 - 1], [2 ** 32 - 1, 64]] as const)
      expect(ubi.at(lie([[16, headerAt], [20, dataAt]]), 0)).toBeNull(); // prettier-ignore
    const long = block({ volume: 0, number: 0, data: a, padding: 2 ** 32 - 1 });
    expect(ubi.at(Buffer.concat([long, long]), 0)!.files).toEqual([]);
  });
});

describe.skipIf(!hasTool)('UBI images by ubinize', () => {
  const folder = mkdtempSync(join(tmpdir(), 'engraft-ubi-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(['dynamic', 'static'])('%s', (type) => {
    const content = prose(1, 700_000);
    const [from, to, plan] = ['from', 'to', 'plan'].map((name) => join(folder, name)) as [string, string, string];
    writeFileSync(from, content);
    const size = type === 'static' ? 'vol_size=1MiB' : 'vol_size=1MiB\nvol_flags=autoresize';
    writeFileSync(plan, `[a]\nmode=ubi\nimage=${from}\nvol_id=0\nvol_type=${type}\nvol_name=a\n${size}\n`);
    run('ubinize', ['-o', to, '-p', '128KiB', '-m', '2048', plan]);
    const files = found(readFileSync(to));
    expect(files.length).toBe(1);
    expect(files[0]!.subarray(0, content.length).equals(content)).toBe(true);
    // A dynamic volume does not say where its data end.
    expect(files[0]!.subarray(content.length).every((byte) => byte === 0xff)).toBe(true);
    if (type === 'static') expect(files[0]!.length).toBe(content.length);
  });
});
