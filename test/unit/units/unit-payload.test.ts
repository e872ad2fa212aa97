/**
 * Deltas of images with compressed streams: made, applied in every way, cut off, damaged, and applied to what they were
 * not made from.
 */
import zlib from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { bytesSource } from '../../../native-free/apply/bytes-source.ts';
import { SOURCE_FAULTS } from '../../../native-free/apply/source-faults.ts';
import { makeDelta } from '../../../native-free/diff/index.ts';
import { CODEC, parseHeader } from '../../../native-free/format/payload-header.ts';
import { DeltaEngine } from '../../../src/index.ts';
import { EROFS_LZ4, SQUASHFS_GZIP, SQUASHFS_ZSTD } from '../../support/containers/fixtures.ts';
import { concat, noise, sha256, sha256Node, TEST_SIZES } from '../../support/images.ts';
import { bodyStart, outcomeOf, records, resealed, revised, type Outcome } from '../../support/unit-payloads.ts';

const expectSame = (actual: Uint8Array, expected: Uint8Array): void => expect(Buffer.compare(actual, expected)).toBe(0);

/** What reached the sink is what the target has there. */
function expectOnlyVerified({ target, written }: Outcome, wanted: Uint8Array): void {
  for (const { offset, length } of written)
    expectSame(target.subarray(offset, offset + length), wanted.subarray(offset, offset + length));
}

const made = (source: Uint8Array, target: Uint8Array): Promise<Uint8Array> =>
  makeDelta(source, target, { hash: sha256Node, modelSizes: TEST_SIZES });

async function expectRoundTrip(source: Uint8Array, target: Uint8Array): Promise<Uint8Array> {
  const payload = await made(source, target);
  const outcome = await outcomeOf(payload, source, target.length);
  expect(outcome.error).toBeNull();
  expectSame(outcome.target, target);
  return payload;
}

const codecOf = (payload: Uint8Array): number => parseHeader(payload).codec;

/** A tar archive's entry, by hand: a header with a checksum, and the file in blocks. */
function tarEntry(name: string, content: Uint8Array): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0' + '0000000\0' + '0000000\0', 100);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0`, 124);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

const tarOf = (files: Record<string, Uint8Array>): Buffer =>
  Buffer.concat([...Object.entries(files).map(([name, content]) => tarEntry(name, content)), Buffer.alloc(1024)]);

/** An ar archive, as .deb packages are. */
function arOf(files: Record<string, Uint8Array>): Buffer {
  const entries = Object.entries(files).map(([name, content]) => {
    const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}`;
    return Buffer.concat([
      Buffer.from(`${header}${String(content.length).padEnd(10)}\`\n`),
      content,
      Buffer.alloc(content.length % 2, '\n'),
    ]);
  });
  return Buffer.concat([Buffer.from('!<arch>\n'), ...entries]);
}

/** A local file header as zip has it, sizes and all, and the data. */
function zipOf(name: string, content: Uint8Array): Buffer {
  const packed = zlib.deflateRawSync(content);
  const fields = Buffer.alloc(30);
  fields.writeUInt32LE(0x04034b50, 0);
  fields.writeUInt16LE(20, 4);
  fields.writeUInt16LE(8, 8);
  fields.writeUInt32LE(zlib.crc32?.(content) ?? 0, 14);
  fields.writeUInt32LE(packed.length, 18);
  fields.writeUInt32LE(content.length, 22);
  fields.writeUInt16LE(name.length, 26);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  fields.copy(central, 6, 4, 30);
  const local = Buffer.concat([fields, Buffer.from(name), packed]);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length + name.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, Buffer.from(name), end]);
}

/** A gzip file of stored blocks, each with as much as this. */
function storedGzip(content: Uint8Array, blockBytes: number): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at < content.length; at += blockBytes) {
    const part = content.subarray(at, at + blockBytes);
    const head = Buffer.from([at + blockBytes >= content.length ? 1 : 0, 0, 0, 0, 0]);
    head.writeUInt16LE(part.length, 1);
    head.writeUInt16LE(part.length ^ 0xffff, 3);
    blocks.push(head, Buffer.from(part));
  }
  const whole = zlib.gzipSync(content);
  return Buffer.concat([whole.subarray(0, 10), ...blocks, whole.subarray(-8)]);
}

describe('a long gzip stream', () => {
  const content = records(1, 5_000_000);
  const source = zlib.gzipSync(content);
  const places = Array.from({ length: 17 }, (_, i) => i / 16);
  const target = zlib.gzipSync(revised(content, places));
  let payload: Uint8Array;

  beforeAll(async () => {
    payload = await made(source, target);
  });

  it('is several segments, and a fraction of what a delta of the packed bytes takes', () => {
    const { codec, segments } = parseHeader(payload);
    expect(codec).toBe(CODEC.units);
    expect(segments.length).toBeGreaterThan(1);
    expect(payload.length).toBeLessThan(target.length / 100);
  });

  it('is applied whole, byte by byte, and from each of its segments on', async () => {
    for (const pieceBytes of [65_536, 1]) {
      const outcome = await outcomeOf(bytesSource(payload, pieceBytes), source, target.length);
      expect(outcome.error).toBeNull();
      expectSame(outcome.target, target);
    }
    const { segments } = parseHeader(payload);
    for (const [resumeSegment, { offset }] of segments.entries()) {
      const outcome = await outcomeOf(payload, source, target.length, { resumeSegment });
      expect(outcome.error).toBeNull();
      expectSame(outcome.target.subarray(offset), target.subarray(offset));
    }
  });

  it('does not come out of a source that is another one, and what does is right', async () => {
    let faults = 0;
    for (let i = 0; i < 6; i++) {
      const wrong = Buffer.from(source);
      wrong[Math.floor(((i + 0.5) / 6) * wrong.length)]! ^= 1 << (i % 8);
      const outcome = await outcomeOf(payload, wrong, target.length);
      expectOnlyVerified(outcome, target);
      if (outcome.error === null) continue;
      expect([...SOURCE_FAULTS]).toContain(outcome.error.code);
      faults++;
    }
    expect(faults).toBeGreaterThan(3);
  });
});

describe('images with compressed streams', () => {
  const content = records(2, 200_000);
  const small = content.subarray(0, 40_000);
  const squash = Buffer.from(SQUASHFS_GZIP);

  it.each<[string, Uint8Array, Uint8Array]>([
    ['gzip -1', zlib.gzipSync(content, { level: 1 }), zlib.gzipSync(revised(content), { level: 1 })],
    ['gzip -6 that becomes gzip -9', zlib.gzipSync(content), zlib.gzipSync(revised(content), { level: 9 })],
    ['gzip of stored blocks that becomes gzip -6', storedGzip(content, 60_000), zlib.gzipSync(revised(content))],
    ['gzip -6 that becomes stored blocks', zlib.gzipSync(small), storedGzip(revised(small), 9_999)],
    [
      'fixed codes',
      zlib.gzipSync(content, { strategy: zlib.constants.Z_FIXED }),
      zlib.gzipSync(revised(content), { strategy: zlib.constants.Z_FIXED }),
    ],
    [
      'literals only',
      zlib.gzipSync(content.subarray(0, 90_000), { strategy: zlib.constants.Z_HUFFMAN_ONLY }),
      zlib.gzipSync(revised(content.subarray(0, 90_000)), { strategy: zlib.constants.Z_HUFFMAN_ONLY }),
    ],
    [
      'zlib streams in noise',
      concat(noise(999, 1), zlib.deflateSync(content), noise(70_001, 2)),
      concat(noise(999, 1), zlib.deflateSync(revised(content)), noise(70_001, 2)),
    ],
    [
      'two streams that change places',
      concat(zlib.gzipSync(content), zlib.gzipSync(records(3, 90_000))),
      concat(zlib.gzipSync(records(3, 90_000)), zlib.gzipSync(revised(content))),
    ],
    [
      'tar.gz in ar',
      arOf({
        'control.tar.gz': zlib.gzipSync(tarOf({ control: records(4, 900) })),
        'data.tar.gz': zlib.gzipSync(tarOf({ a: content, b: records(5, 3000) })),
      }),
      arOf({
        'control.tar.gz': zlib.gzipSync(tarOf({ control: records(4, 903) })),
        'data.tar.gz': zlib.gzipSync(tarOf({ a: revised(content), b: records(5, 3000) })),
      }),
    ],
    ['zip in gzip', zlib.gzipSync(zipOf('one', content)), zlib.gzipSync(zipOf('one', revised(content)))],
    [
      'zlib in gzip in zlib',
      zlib.deflateSync(zlib.gzipSync(zlib.deflateSync(content), { level: 1 })),
      zlib.deflateSync(zlib.gzipSync(zlib.deflateSync(revised(content)), { level: 1 })),
    ],
    ['a file system that loses one', concat(squash, noise(3000, 5)), noise(3000, 5)],
    ['a file system that gains one', noise(3000, 5), concat(noise(3000, 5), squash)],
    ['nothing that becomes a stream', new Uint8Array(0), zlib.gzipSync(small)],
    ['a stream that becomes nothing', zlib.gzipSync(content), new Uint8Array(0)],
    [
      'streams of nothing',
      concat(zlib.gzipSync(''), zlib.deflateSync('')),
      concat(zlib.gzipSync(''), zlib.gzipSync('a'), zlib.deflateSync('')),
    ],
  ])('come back: %s', async (_, source, target) => {
    await expectRoundTrip(source, target);
  });

  it.each([
    ['squashfs with gzip', SQUASHFS_GZIP],
    ['squashfs with zstd', SQUASHFS_ZSTD],
    ['erofs with LZ4', EROFS_LZ4],
  ])('come back with any byte changed: %s', async (_, image) => {
    for (let i = 0; i < 7; i++) {
      const target = Buffer.from(image);
      target[Math.floor(((i + 0.3) / 7) * target.length)]! ^= 1 << (i % 8);
      if (i % 3 === 0) await expectRoundTrip(image, target);
      else await expectRoundTrip(target, image);
    }
  });

  it('that take more of a decoder than it may spend stay packed', async () => {
    const content = records(8, 200_000);
    const [source, target] = [zlib.gzipSync(content), zlib.gzipSync(revised(content))];
    const options = { hash: sha256Node, modelSizes: TEST_SIZES };
    const unpacked = parseHeader(await makeDelta(source, target, options));
    const { decoderMemoryBytes } = unpacked;
    const bounded = async (memoryBytesMax: number): Promise<number> =>
      codecOf(await makeDelta(source, target, { ...options, memoryBytesMax }));
    expect(unpacked.codec).toBe(CODEC.units);
    expect(await bounded(decoderMemoryBytes)).toBe(CODEC.units);
    expect(await bounded(decoderMemoryBytes - 1)).toBe(CODEC.mixing);
  });

  it('of which nothing changed are copied', async () => {
    const payload = await expectRoundTrip(squash, squash);
    expect(payload.length).toBeLessThan(300);
    const twice = concat(squash, squash, zlib.gzipSync(content));
    expect((await expectRoundTrip(concat(squash, zlib.gzipSync(content)), twice)).length).toBeLessThan(400);
  });

  it('with one stream changed have the others as copies', async () => {
    const others = Array.from({ length: 6 }, (_, i) => zlib.gzipSync(records(10 + i, 20_000)));
    const files = (first: Uint8Array): Buffer =>
      arOf(Object.fromEntries([first, ...others].map((file, i) => [`f${i}`, file])));
    const payload = await expectRoundTrip(files(zlib.gzipSync(content)), files(zlib.gzipSync(revised(content))));
    expect(codecOf(payload)).toBe(CODEC.units);
    expect(payload.length).toBeLessThan(2000);
  });
});

describe('a payload with units', () => {
  const side = (content: Buffer): Buffer =>
    Buffer.concat([
      zlib.gzipSync(content),
      noise(6000, content.length),
      Buffer.from(SQUASHFS_ZSTD),
      noise(70_000, 3),
      zlib.deflateSync(records(7, 30_000)),
    ]);
  const content = records(6, 50_000);
  const source = side(content);
  const target = side(revised(content));
  let payload: Uint8Array;
  let digest: Uint8Array;

  beforeAll(async () => {
    payload = await made(source, target);
    digest = sha256(payload.subarray(0, parseHeader(payload).headerBytes));
  });

  it('is refused wherever it is cut off', async () => {
    for (let length = 0; length < payload.length; length += 31) {
      const outcome = await outcomeOf(payload.subarray(0, length), source, target.length);
      expect(outcome.error?.code).toBe('payload_truncated');
      expectOnlyVerified(outcome, target);
    }
  });

  it('is refused with any bit changed where its header was signed', async () => {
    for (let at = 0; at < payload.length; at += 17) {
      const damaged = payload.slice();
      damaged[at]! ^= 1 << (at % 8);
      const outcome = await outcomeOf(damaged, source, target.length, { expectedHeaderDigest: digest });
      expect(outcome.error).not.toBeNull();
      expectOnlyVerified(outcome, target);
    }
  });

  it('is refused by the decoder itself, or comes out right, where digests were made to fit', async () => {
    const codes = new Set<string>();
    for (let at = bodyStart(payload); at < payload.length; at += at < bodyStart(payload) + 90 ? 3 : 211) {
      const damaged = payload.slice();
      damaged[at]! ^= 1 << (at % 8);
      const outcome = await outcomeOf(resealed(damaged), source, target.length);
      if (outcome.error === null) expectSame(outcome.target, target);
      else codes.add(outcome.error.code);
      expectOnlyVerified(outcome, target);
    }
    expect([...codes].sort()).toEqual(expect.arrayContaining(['plan_malformed', 'segment_digest']));
  });

  it('is the same from one worker, from two, and from none', async () => {
    const alone = await makeDelta(source, target, { hash: sha256Node });
    for (const workers of [1, 2]) {
      const engine = new DeltaEngine({ workers });
      try {
        expectSame((await engine.delta(source, target)).payload, alone);
      } finally {
        await engine.close();
      }
    }
  });
});
