/**
 * Streams made by the real tools at all their levels, anywhere among other bytes: exactly these are found, with their
 * contents. Damage and lies are no streams, and cost no more than they may.
 */
import { deflateRawSync, deflateSync, gzipSync, constants } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Container } from '../../../native-free/diff/containers/container.ts';
import { findContainers } from '../../../native-free/diff/containers/list.ts';
import { looksLikeDeflate } from '../../../native-free/diff/containers/streams/deflate-parts.ts';
import { streams } from '../../../native-free/diff/containers/streams/list.ts';
import { CODEC_ID } from '../../../native-free/format/unit-map.ts';
import { adler32, crc32 } from '../../../native-free/unpack/checksums.ts';
import { scanDeflate } from '../../../native-free/unpack/deflate/scan.ts';
import { pipe, quietNoise, streamContent } from '../../support/containers/streams.ts';
import { isInstalled } from '../../support/containers/tools.ts';
import { noise } from '../../support/images.ts';
import { dice, oddContents, realFiles } from '../../support/unpack/tools.ts';

const REAL = realFiles();
const PROGRAM = REAL.get('an arm64 library')!.subarray(0, 200_000);
const TEXT = REAL.get('a bundle of scripts')!;
/** Some parts. */
const LONG = Buffer.concat(Array.from({ length: 5 }, (_, i) => Buffer.from(TEXT).map((byte) => byte ^ (i & 1))));
const has = (program: string): boolean => {
  if (isInstalled(program)) return true;
  console.info(`${program} is not installed: its streams are left out`);
  return false;
};
const HAS = { xz: has('xz'), zstd: has('zstd'), lz4: has('lz4'), python: has('python3') };

/** The stream is found at an odd place, alone, and with nothing behind it. */
function expectFound(kind: string, packed: Uint8Array, content: Uint8Array): Container {
  for (const before of [0, 1, 4097]) {
    const image = Buffer.concat([quietNoise(before, 3), packed, quietNoise(before, 4)]);
    const found = findContainers(image);
    expect(found.map(({ kind, offset, bytes }) => ({ kind, offset, bytes }))).toEqual([
      { kind, offset: before, bytes: packed.length },
    ]);
    expect(streamContent(found[0]!, image).equals(content)).toBe(true);
  }
  return findContainers(packed)[0]!;
}

const codecsOf = ({ units }: Container): number[] => [...new Set(units.map(({ codec }) => codec))];

describe('gzip and zlib', () => {
  const levels = [1, 2, 3, 4, 5, 6, 7, 8, 9];

  it.each([0, ...levels])('are found at level %i', (level) => {
    expect(codecsOf(expectFound('gzip', gzipSync(PROGRAM, { level }), PROGRAM))).toEqual([CODEC_ID.deflate]);
    expect(codecsOf(expectFound('zlib', deflateSync(PROGRAM, { level }), PROGRAM))).toEqual([CODEC_ID.zlib]);
  });

  it.each([9, 10, 12, 14, 15])('are found with a window of 2^%i', (windowBits) => {
    const content = TEXT.subarray(0, 100_000);
    for (const strategy of [constants.Z_FIXED, constants.Z_RLE, constants.Z_HUFFMAN_ONLY, constants.Z_FILTERED])
      expectFound('zlib', deflateSync(content, { windowBits, strategy }), content);
  });

  it('are found whatever is in them, if they are long enough', () => {
    for (const [name, content] of oddContents()) {
      const packed = gzipSync(content);
      if (packed.length >= 64) expectFound('gzip', packed, content);
      else expect(findContainers(packed), name).toEqual([]);
    }
  });

  it('have names, comments and other fields in their headers', () => {
    const raw = gzipSync(PROGRAM);
    const fields = [Buffer.from([4, 0, 65, 66, 0, 0]), Buffer.from('a name\0'), Buffer.from('a comment\0\x12\x34')];
    const head = Buffer.from(raw.subarray(0, 10));
    head[3] = 2 | 4 | 8 | 16;
    expectFound('gzip', Buffer.concat([head, ...fields, raw.subarray(10)]), PROGRAM);
    head[3] = 8;
    const endless = Buffer.concat([head, Buffer.alloc(5000, 'n'), Buffer.of(0), raw.subarray(10)]);
    expect(findContainers(endless)).toEqual([]);
  });

  it('are several containers where a file has several members', () => {
    const members = [PROGRAM, TEXT.subarray(0, 50_000), PROGRAM.subarray(0, 9000)];
    const image = Buffer.concat(members.map((content) => gzipSync(content)));
    const found = findContainers(image);
    expect(found.map((container) => streamContent(container, image))).toEqual(members.map((one) => Buffer.from(one)));
  });

  it.each([1, 6, 9])('are cut into parts where they are long (level %i)', (level) => {
    for (const container of [
      expectFound('gzip', gzipSync(LONG, { level }), LONG),
      expectFound('zlib', deflateSync(LONG, { level }), LONG),
    ]) {
      const sizes = container.units.map(({ contentBytes }) => contentBytes);
      expect(container.units.map(({ continues }) => continues)).toEqual(sizes.map((_, i) => i > 0));
      expect(codecsOf(container)).toEqual([CODEC_ID.deflate]);
      for (const size of sizes.slice(0, -1)) expect(size).toBeGreaterThanOrEqual(2 ** 19);
      for (const size of sizes) expect(size).toBeLessThanOrEqual(2 ** 20);
    }
  });

  it('may have blocks larger than parts are, but none larger than units', () => {
    const content = Buffer.alloc(2 ** 22, 'some text that is the same all the time, ');
    expectFound('gzip', gzipSync(content, { level: 9 }), content);
    expectFound('gzip', gzipSync(new Uint8Array(20_000_000)), new Uint8Array(20_000_000));
    // One block of 20 MB: zeros in fixed codes, 258 at a time.
    const bits = `110${'00110000'}${`${'11000101'}00000`.repeat(80_000)}0000000`;
    const packed = Uint8Array.from({ length: Math.ceil(bits.length / 8) }, (_, i) =>
      parseInt([...bits.slice(8 * i, 8 * i + 8)].reverse().join(''), 2),
    );
    expect(() => scanDeflate(packed, 0)).toThrow(/unpacks to more/);
  });

  it('are scanned as they are unpacked', () => {
    for (const content of [...oddContents().values(), LONG]) {
      const packed = deflateRawSync(content);
      const image = Buffer.concat([Buffer.from('abc'), packed, Buffer.from('def')]);
      const sizes = { packedBytes: packed.length, contentBytes: content.length };
      expect(scanDeflate(image, 3, { checksum: crc32 })).toEqual({ ...sizes, checksum: crc32(content) });
      expect(scanDeflate(image, 3, { checksum: adler32 })).toEqual({ ...sizes, checksum: adler32(content) });
    }
  });

  it('with fixed codes are told from noise by their first tokens, and never missed', () => {
    for (const content of [...oddContents().values(), LONG]) {
      const packed = deflateRawSync(content, { strategy: constants.Z_FIXED });
      expect(looksLikeDeflate(Buffer.concat([packed, Buffer.alloc(5)]), 0)).toBe(true);
    }
    const bytes = noise(60_000, 7).map((byte, i) => (i % 3 === 0 ? (byte & ~6) | 2 : byte));
    let refused = 0;
    for (let at = 0; at + 100 < bytes.length; at += 3) {
      if (looksLikeDeflate(bytes, at)) continue;
      refused++;
      expect(() => scanDeflate(bytes, at)).toThrow(expect.objectContaining({ code: 'unit_malformed' }));
    }
    expect(refused).toBeGreaterThan(15_000);
    // An end that comes too early is the scan's to find.
    for (const few of [
      [0x4b, 4, 0, 0, 0],
      [0x4b, 0x4c, 0x4c, 0x4c, 0x4c],
    ])
      expect(looksLikeDeflate(Uint8Array.from(few), 0)).toBe(true);
  });

  it('count only where checksum and size are right', () => {
    const member = gzipSync(PROGRAM);
    const stream = deflateSync(PROGRAM);
    for (let back = 1; back <= 8; back++) {
      for (const packed of back <= 4 ? [member, stream] : [member]) {
        const wrong = Buffer.from(packed);
        wrong[packed.length - back]! ^= 4;
        expect(findContainers(wrong)).toEqual([]);
      }
    }
  });
});

describe.skipIf(!HAS.xz)('xz and lzma', () => {
  it.each([0, 1, 3, 6, 9])('are found at level %i', (level) => {
    const xz = pipe('xz', [`-${level}`, '-c'], PROGRAM);
    expect(codecsOf(expectFound('xz', xz, PROGRAM))).toEqual([CODEC_ID.xz]);
    const lzma = pipe('xz', [`-${level}`, '--format=lzma', '-c'], PROGRAM);
    expect(codecsOf(expectFound('lzma', lzma, PROGRAM))).toEqual([CODEC_ID.lzma]);
  });

  it.each(['--check=none', '--check=crc32', '--check=sha256', '--arm --lzma2', '--block-size=50000 -T2'])(
    'is found with %s',
    (options) => {
      expectFound('xz', pipe('xz', ['-c', ...options.split(' ')], PROGRAM), PROGRAM);
    },
  );

  it.each(['lc=0,lp=2,pb=0', 'lc=4,pb=4', 'lc=3,lp=1', 'dict=12KiB', 'dict=4KiB', 'mode=fast,mf=hc3'])(
    'lzma is found with %s',
    (options) => {
      const packed = pipe('xz', ['--format=lzma', `--lzma1=${options}`, '-c'], TEXT);
      expectFound('lzma', packed, TEXT);
    },
  );

  it('lzma is found with a size in its header, with and without an end marker', () => {
    const sized = Buffer.from(pipe('xz', ['--format=lzma', '-c'], PROGRAM));
    sized.writeUInt32LE(PROGRAM.length, 5);
    sized.writeUInt32LE(0, 9);
    expectFound('lzma', sized, PROGRAM);
    sized.writeUInt32LE(PROGRAM.length - 1, 5);
    expect(findContainers(sized)).toEqual([]);
    sized.writeUInt32LE(PROGRAM.length, 9);
    expect(findContainers(sized)).toEqual([]);
  });

  it('several streams in a row are several containers, padding between them or not', () => {
    const packed = pipe('xz', ['-c'], PROGRAM);
    const image = Buffer.concat([packed, packed, Buffer.alloc(8), packed]);
    const offsets = findContainers(image).map(({ offset }) => offset);
    expect(offsets).toEqual([0, packed.length, 2 * packed.length + 8]);
  });

  it('over the size of a unit are left as they are', () => {
    const zeros = new Uint8Array(2 ** 24 + 1);
    for (const format of ['xz', 'lzma']) expect(findContainers(pipe('xz', [`--format=${format}`], zeros))).toEqual([]);
  });

  it.skipIf(!HAS.python)('are found as Python makes them', () => {
    const script = (call: string): string =>
      `import sys,lzma;sys.stdout.buffer.write(${call}(sys.stdin.buffer.read()))`;
    expectFound('xz', pipe('python3', ['-c', script('lzma.compress')], TEXT), TEXT);
    const alone = script('(lambda b: lzma.compress(b, format=lzma.FORMAT_ALONE))');
    expectFound('lzma', pipe('python3', ['-c', alone], TEXT), TEXT);
  });

  it('zeros behind what looks like a header of lzma are no stream', () => {
    const table = new Uint8Array(200_000);
    table.set([0x5d, 0, 0, 1, 0, 0, 0x10, 0, 0, 0, 0, 0, 0], 1000);
    expect(findContainers(table)).toEqual([]);
  });
});

describe.skipIf(!HAS.lz4)('lz4', () => {
  it.each([
    '-1',
    '-3',
    '-9',
    '-12',
    '--fast=7',
    '-B4',
    '-B5',
    '-B6 -BX',
    '-B4 -BX -9',
    '--no-frame-crc',
    '--content-size',
  ])('is found with %s', (options) => {
    const packed = pipe(
      'lz4',
      ['-c', '-BI', ...options.split(' ')].filter((one) => one !== '-BI'),
      TEXT,
    );
    expect(codecsOf(expectFound('lz4', packed, TEXT))).toEqual([CODEC_ID.lz4]);
  });

  it('is found with blocks that are stored', () => {
    const roll = dice(1);
    const noise = Buffer.from(Uint8Array.from({ length: 70_000 }, () => roll(256) | 0x80));
    const content = Buffer.concat([TEXT.subarray(0, 65_536), noise, TEXT.subarray(0, 100_000)]);
    const container = expectFound('lz4', pipe('lz4', ['-B4', '-c'], content), content);
    expect(container.files[0]!.parts.some(({ unit }) => unit === -1)).toBe(true);
  });

  it('is left alone where blocks depend on each other, unless there is one', () => {
    expect(findContainers(pipe('lz4', ['-B4', '-BD', '-c'], TEXT))).toEqual([]);
    const content = TEXT.subarray(0, 60_000);
    expectFound('lz4', pipe('lz4', ['-B4', '-BD', '-c'], content), content);
  });

  it('is found in the older form, of one block or several, and with a size behind it as kernels have it', () => {
    for (const content of [TEXT, Buffer.concat([Buffer.alloc(2 ** 23), LONG])]) {
      const packed = pipe('lz4', ['-l', '-9', '-c'], content);
      const container = expectFound('lz4-legacy', packed, content);
      expect(container.units).toHaveLength(Math.ceil(content.length / 2 ** 23));
      const size = Buffer.alloc(4);
      size.writeUInt32LE(content.length);
      const image = Buffer.concat([packed, size]);
      expect(findContainers(image)[0]).toEqual(container);
    }
  });
});

describe.skipIf(!HAS.zstd)('zstd', () => {
  it.each(['-1', '-3', '-9', '-19', '--ultra -22', '--fast=5', '--no-check', '-3 --long=20', '-T2 -5'])(
    'is found with %s',
    (options) => {
      const packed = pipe('zstd', ['-c', ...options.split(' ')], TEXT);
      expect(codecsOf(expectFound('zstd', packed, TEXT))).toEqual([CODEC_ID.zstd]);
    },
  );

  it('is found whatever is in it, if it is long enough', () => {
    for (const [name, content] of oddContents()) {
      const packed = pipe('zstd', ['-c'], content);
      if (packed.length >= 64) expectFound('zstd', packed, content);
      else expect(findContainers(packed), name).toEqual([]);
    }
  });

  it('has frames in a row, and skippable ones between them', () => {
    const packed = pipe('zstd', ['-c'], PROGRAM);
    const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
    const image = Buffer.concat([skippable, packed, skippable, packed]);
    expect(findContainers(image).map(({ offset }) => offset)).toEqual([12, 24 + packed.length]);
  });
});

/** One stream of each kind. */
function oneOfEach(content: Uint8Array): Map<string, Buffer> {
  const all = new Map<string, Buffer>([
    ['gzip', gzipSync(content)],
    ['zlib', deflateSync(content)],
  ]);
  if (HAS.xz) all.set('xz', pipe('xz', ['-c'], content)).set('lzma', pipe('xz', ['--format=lzma', '-c'], content));
  if (HAS.lz4) all.set('lz4', pipe('lz4', ['-c'], content)).set('lz4-legacy', pipe('lz4', ['-l', '-c'], content));
  if (HAS.zstd) all.set('zstd', pipe('zstd', ['-c'], content));
  return all;
}

describe('streams of all kinds', () => {
  it('are found in a row and in each other’s neighbourhood', () => {
    const all = oneOfEach(PROGRAM);
    const image = Buffer.concat([...all.values()].flatMap((packed, i) => [quietNoise(2 * i + 1, i), packed]));
    expect(findContainers(image).map(({ kind }) => kind)).toEqual([...all.keys()]);
  });

  it('are no streams where they are cut off', () => {
    for (const [kind, packed] of oneOfEach(TEXT.subarray(0, 20_000))) {
      const { finder } = streams.find(({ finder }) => finder.kind === kind)!;
      for (let length = 0; length < packed.length; length += 7)
        expect(finder.at(packed.subarray(0, length), 0), `${kind}, ${length} bytes`).toBeNull();
    }
  });

  it('are none or sound ones where they are damaged', () => {
    const roll = dice(5);
    for (const [kind, packed] of oneOfEach(TEXT.subarray(0, 20_000))) {
      const { finder } = streams.find(({ finder }) => finder.kind === kind)!;
      for (let i = 0; i < 400; i++) {
        const bytes = Buffer.from(packed);
        for (let k = roll(3); k >= 0; k--) bytes[i < 200 ? roll(40) : roll(bytes.length)]! ^= 1 << roll(8);
        const container = finder.at(bytes, 0);
        if (container !== null) streamContent(container, bytes);
      }
    }
  });
});

describe('lying magics', () => {
  const heads: readonly (readonly [string, readonly number[]])[] = [
    ['gzip', [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x63]],
    ['gzip with names', [0x1f, 0x8b, 8, 8, 1, 1, 1, 1, 1, 3]],
    ['zlib', [0x78, 0x9c, 0x63]],
    ['zlib, fixed codes', [0x78, 0xda, 0x4b, 0x4c]],
    ['zlib, stored', [0x78, 0x01, 0, 8, 0, 0xf7, 0xff, 1]],
    ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46]],
    ['lzma', [0x5d, 0, 0, 0x80, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 1]],
    ['lz4', [0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73, 8, 0, 0, 0x80]],
    ['lz4-legacy', [0x02, 0x21, 0x4c, 0x18, 12, 0, 0, 0, 0x10]],
    ['zstd', [0x28, 0xb5, 0x2f, 0xfd, 0, 0x58, 0x40, 0, 0]],
    ['squashfs', [0x68, 0x73, 0x71, 0x73]],
  ];
  it.each(heads)('in a row end soon: %s', (_name, head) => {
    const image = Uint8Array.from({ length: 1_000_000 }, (_, i) => head[i % head.length]!);
    const start = performance.now();
    findContainers(image);
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  it('in a row before real streams that fail at their end cost no more than the effort', () => {
    const packed = gzipSync(new Uint8Array(5_000_000));
    packed[packed.length - 1]! ^= 1;
    const image = Buffer.concat(Array.from({ length: 200 }, () => packed));
    const start = performance.now();
    expect(findContainers(image)).toEqual([]);
    expect(performance.now() - start).toBeLessThan(20_000);
  });

  it('are not missed by other kinds', () => {
    const lies = Uint8Array.from({ length: 2_000_000 }, (_, i) => [0x78, 0x9c, 0x63][i % 3]!);
    const packed = gzipSync(PROGRAM);
    const found = findContainers(Buffer.concat([lies, packed]));
    expect(found.at(-1)).toMatchObject({ kind: 'gzip', offset: lies.length, bytes: packed.length });
  });
});
