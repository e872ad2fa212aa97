/**
 * LZMA, LZMA2 and xz taken apart and put together again: byte for byte what real tools wrote, and nothing of what is
 * damaged.
 */
import { describe, expect, it } from 'vitest';
import { UpdateError } from '../../../native-free/status.ts';
import { ChunkList } from '../../../native-free/unpack/lzma/chunks.ts';
import { packLzma, packRawLzma, unpackLzma, unpackRawLzma } from '../../../native-free/unpack/lzma/lzma1.ts';
import { packLzma2, unpackLzma2 } from '../../../native-free/unpack/lzma/lzma2.ts';
import { OP, TokenList, type Unpacked } from '../../../native-free/unpack/tokens.ts';
import { STREAM_HEADER_BYTES, writeBlockHeader } from '../../../native-free/unpack/xz/layout.ts';
import { packXz, parseXz, unpackXz } from '../../../native-free/unpack/xz/xz.ts';
import { bytesEqual } from '../../../native-free/hash.ts';
import {
  FIXTURE_CONTENT,
  LZMA_ENDED,
  LZMA_SIZED,
  XZ_ARM,
  XZ_RISCV_BLOCKS,
  XZ_SHA256,
} from '../../support/unpack/xz-fixtures.ts';
import { missingTool, pythonLzma, realContents, settings, xz } from '../../support/unpack/xz.ts';
import { rowsOf } from '../../support/unpack/token-rows.ts';

const LIMITS = { contentBytesMax: 2 ** 26 };
const noXz = missingTool('xz', '--version');
const noPython = missingTool('python3', '-c', 'import lzma');

type Codec = 'xz' | 'lzma' | 'raw';

/** Packed bytes taken apart and put together: what must be equal to what. */
function expectExact(packed: Uint8Array, content: Uint8Array, codec: Codec): void {
  const { unpacked, again } = replay(packed, codec);
  expect(unpacked.packedBytes).toBe(packed.length);
  expect(bytesEqual(unpacked.content, content), 'the content').toBe(true);
  expect(bytesEqual(again, packed), 'the packed bytes').toBe(true);
}

function replay(packed: Uint8Array, codec: Codec): { unpacked: Unpacked<unknown>; again: Uint8Array } {
  if (codec === 'xz') {
    const unpacked = unpackXz(packed, LIMITS);
    return { unpacked, again: packXz(unpacked.content, unpacked.tokens, unpacked.params) };
  }
  if (codec === 'lzma') {
    const unpacked = unpackLzma(packed, LIMITS);
    return { unpacked, again: packLzma(unpacked.content, unpacked.tokens, unpacked.params) };
  }
  const unpacked = unpackLzma2(packed, LIMITS);
  return { unpacked, again: packLzma2(unpacked.content, unpacked.tokens, unpacked.params) };
}

/** The code of the UpdateError that is thrown; anything else fails. */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (UpdateError.is(error)) return error.code;
    throw error;
  }
  return 'accepted';
}

describe('streams of foreign tools, committed', () => {
  const fixtures: readonly (readonly [string, Uint8Array, Codec])[] = [
    ['xz with SHA-256', XZ_SHA256, 'xz'],
    ['xz with the ARM filter and lc 0, lp 2', XZ_ARM, 'xz'],
    ['xz of several blocks with the RISC-V filter', XZ_RISCV_BLOCKS, 'xz'],
    ['.lzma without a size', LZMA_ENDED, 'lzma'],
    ['.lzma with a size and an end marker', LZMA_SIZED, 'lzma'],
  ];
  it.each(fixtures)('come back byte for byte: %s', (_, packed, codec) => {
    expectExact(packed, FIXTURE_CONTENT, codec);
  });

  it('are read up to their end, whatever follows', () => {
    for (const [name, packed, codec] of fixtures) {
      const longer = new Uint8Array(packed.length + 50).fill(0xfd);
      longer.set(packed);
      expect(replay(longer, codec).unpacked.packedBytes, name).toBe(packed.length);
    }
  });

  it('tell what they consist of before anything is decoded', () => {
    const { check, blocks, contentBytes } = parseXz(XZ_RISCV_BLOCKS, FIXTURE_CONTENT.length);
    expect(check).toBe(4);
    expect(contentBytes).toBe(FIXTURE_CONTENT.length);
    expect(blocks.map((block) => block.contentBytes)).toEqual([1600, FIXTURE_CONTENT.length - 1600]);
    expect(blocks[0]!.filters).toEqual([{ id: 11, start: 4096 }]);
    expect(blocks[0]).toMatchObject({ hasPackedBytes: true, hasContentBytes: true });
  });

  it('are refused wherever they are cut off', () => {
    for (const [name, packed, codec] of fixtures)
      for (let length = 0; length < packed.length; length++)
        expect(
          refusal(() => replay(packed.subarray(0, length), codec)),
          `${name}, ${length} bytes`,
        ).toBe('unit_malformed');
  });

  it('are refused with any bit of an xz stream turned over, and never make other errors than ours', () => {
    for (const [name, packed, codec] of fixtures) {
      for (let bit = 0; bit < packed.length * 8; bit += 3) {
        const damaged = packed.slice();
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        const outcome = refusal(() => replay(damaged, codec));
        if (codec === 'xz') expect(outcome, `${name}, bit ${bit}`).toBe('unit_malformed');
        else expect(['unit_malformed', 'accepted']).toContain(outcome);
      }
    }
  });
});

describe(`beside xz${noXz}`, () => {
  const settingsOf: readonly string[] = [
    ...['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '9e'].map((preset) => `preset=${preset}`),
    ...['lc=0,lp=2,pb=2', 'lc=0,lp=0,pb=0', 'lc=4,lp=0,pb=4', 'lc=0,lp=4,pb=1', 'lc=1,lp=3,pb=3'],
    ...['dict=4KiB', 'dict=64KiB', 'dict=96KiB', 'dict=256KiB,lc=0,lp=2,pb=2', 'nice=2,mf=hc3,mode=fast'],
    ...['nice=273,mf=bt2,depth=3'],
  ];
  const contents = realContents();

  it.skipIf(noXz !== '').each(settingsOf)('brings back .xz, .lzma and raw LZMA2 of %s', (options) => {
    for (const [, content] of contents) expectExact(xz(content, '-T1', `--lzma2=${options}`), content, 'xz');
    for (const [name, content] of contents) {
      if (!['a program', 'settings', 'nothing'].includes(name)) continue;
      expectExact(xz(content, '--format=lzma', `--lzma1=${options}`), content, 'lzma');
      expectExact(xz(content, '--format=raw', `--lzma2=${options}`), content, 'raw');
    }
  });

  it.skipIf(noXz !== '').each(['none', 'crc32', 'crc64', 'sha256'])(
    'brings back streams with the check %s',
    (check) => {
      for (const [, content] of contents) expectExact(xz(content, '-1', `--check=${check}`), content, 'xz');
    },
  );

  it.skipIf(noXz !== '').each(['-T1', '-T2', '-T2 --block-size=1MiB', '-T1 --block-list=10,20000,0'])(
    'brings back streams of several blocks, with lengths in their headers or without: %s',
    (threads) => {
      for (const [, content] of contents)
        expectExact(xz(content, '-0', '--block-size=100KiB', ...threads.split(' ')), content, 'xz');
    },
  );

  it.skipIf(noXz !== '')('writes streams that xz reads, whatever says their end', () => {
    const content = settings(8, 50_000);
    const { tokens, params } = unpackLzma(xz(content, '--format=lzma'), LIMITS);
    for (const hasSize of [true, false])
      for (const hasEndMarker of [true, false]) {
        if (!hasSize && !hasEndMarker) continue;
        const packed = packLzma(content, tokens, { ...params, hasSize, hasEndMarker });
        expect(bytesEqual(xz(packed, '-d', '--format=lzma'), content)).toBe(true);
        expectExact(packed, content, 'lzma');
      }
  });

  it.skipIf(noXz !== '')('brings back chunks as long as they can be', () => {
    const zeros = new Uint8Array(5_000_000);
    for (const codec of ['xz', 'raw'] as const) expectExact(xz(zeros, `--format=${codec}`, '--lzma2'), zeros, codec);
    const [block] = parseXz(xz(zeros, '--lzma2'), zeros.length).blocks;
    expect(block!.chunks.contentBytes[0]).toBeGreaterThan(2 ** 21 - 300);
  });

  it.skipIf(noXz !== '')('keeps no length of chunks that ended because they were full', () => {
    const noise = Uint8Array.from({ length: 3_000_000 }, (_, i) => (Math.imul(i, 0x9e3779b1) >>> 15) % 19);
    for (const content of [new Uint8Array(5_000_000), noise])
      for (const preset of ['0', '6']) {
        const { chunks } = unpackLzma2(xz(content, '--format=raw', `--lzma2=preset=${preset}`), LIMITS).params;
        expect([chunks.count, chunks.contentBytes[0], chunks.repeats[0]]).toEqual([1, 0, 0]);
      }
  });

  it.skipIf(noXz !== '')('brings back a stream whose dictionary is made anew within', () => {
    const [one, other] = [settings(9, 70_000), settings(10, 30_000)];
    const packed = [one, other].map((content) => xz(content, '--format=raw', '--lzma2=preset=1,pb=4,lp=1'));
    const both = Buffer.concat([packed[0]!.subarray(0, -1), packed[1]!]);
    expectExact(new Uint8Array(both), new Uint8Array(Buffer.concat([one, other])), 'raw');
  });
});

describe(`beside Python's lzma${noPython}`, () => {
  const calls: readonly (readonly [string, Codec])[] = [
    ['preset=6', 'xz'],
    ['check=lzma.CHECK_SHA256, preset=1 | lzma.PRESET_EXTREME', 'xz'],
    ['check=lzma.CHECK_NONE, filters=[{"id": lzma.FILTER_ARM}, {"id": lzma.FILTER_LZMA2, "preset": 3}]', 'xz'],
    [
      'filters=[{"id": lzma.FILTER_X86, "start_offset": 256}, {"id": lzma.FILTER_POWERPC}, {"id": lzma.FILTER_LZMA2}]',
      'xz',
    ],
    ['format=lzma.FORMAT_ALONE, preset=9', 'lzma'],
    ['format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "lc": 1, "lp": 1, "pb": 0}]', 'raw'],
  ];
  it.skipIf(noPython !== '').each(calls)('brings back what compress(%s) writes', (args, codec) => {
    for (const [name, content] of realContents())
      if (!/noise|script/.test(name)) expectExact(pythonLzma(content, args), content, codec);
  });
});

describe('hostile LZMA', () => {
  const head = (properties: number, size: number): Uint8Array =>
    Uint8Array.of(properties, 0, 0, 1, 0, size & 255, (size >> 8) & 255, (size >> 16) & 255, size >>> 24, 0, 0, 0, 0);
  const withHead = (start: Uint8Array): Uint8Array => Uint8Array.from([...start, ...LZMA_ENDED.subarray(13)]);
  const code = (packed: Uint8Array, limits = { contentBytesMax: 1_000_000 }): string =>
    refusal(() => unpackLzma(packed, limits));

  it('has properties that do not exist', () => {
    for (const properties of [225, 255, 5, 4 * 9 + 1])
      expect(code(withHead(head(properties, 100)))).toBe('unit_malformed');
  });

  it('claims more content than it has, than is allowed, or less', () => {
    const size = FIXTURE_CONTENT.length;
    expect(code(withHead(head(93, size)))).toBe('accepted');
    expect(code(withHead(head(93, size + 1)))).toBe('unit_malformed');
    expect(code(withHead(head(93, size - 1)))).toBe('unit_malformed');
    expect(code(withHead(head(93, 2 ** 31 - 1)))).toBe('unit_malformed');
    expect(code(LZMA_ENDED, { contentBytesMax: size })).toBe('accepted');
    expect(code(LZMA_ENDED, { contentBytesMax: size - 1 })).toBe('unit_malformed');
  });

  it('has more tokens than are allowed', () => {
    const { tokens, content } = unpackLzma(LZMA_ENDED, LIMITS);
    const limits = (tokensMax: number) => ({ contentBytesMax: content.length, tokensMax });
    expect(code(LZMA_ENDED, limits(tokens.count))).toBe('accepted');
    expect(code(LZMA_ENDED, limits(tokens.count - 1))).toBe('unit_malformed');
  });

  it('begins with another byte than 0, or refers to what is before the start', () => {
    const first = LZMA_ENDED.slice();
    first[13] = 1;
    expect(code(first)).toBe('unit_malformed');
    // All ones: the first symbol is a match.
    const match = Uint8Array.from([...head(93, 100), 0, ...new Uint8Array(60).fill(255)]);
    expect(code(match)).toBe('unit_malformed');
  });

  it('reaches back further than the dictionary that is allowed', () => {
    const farthest = Math.max(...rowsOf(unpackLzma(LZMA_ENDED, LIMITS).tokens).map(([, , distance]) => distance));
    const limits = (dictionaryBytesMax: number) => ({ ...LIMITS, dictionaryBytesMax });
    expect(refusal(() => unpackLzma(LZMA_ENDED, limits(farthest)))).toBe('accepted');
    expect(refusal(() => unpackLzma(LZMA_ENDED, limits(farthest - 1)))).toBe('unit_malformed');
  });
});

describe('hostile LZMA2', () => {
  const code = (...bytes: number[]): string =>
    refusal(() => unpackLzma2(Uint8Array.from(bytes), { contentBytesMax: 10_000 }));
  // A literal 0: nine decisions, each the lower half.
  const stream = [0, 0, 0, 0, 0, 0];

  it('begins without a dictionary or without properties, or has chunks of no kind', () => {
    expect(code(0)).toBe('accepted');
    expect(code(1, 0, 0, 65, 0)).toBe('accepted');
    expect(code(2, 0, 0, 65, 0)).toBe('unit_malformed');
    expect(code(1, 0, 0, 65, 2, 0, 0, 66, 0)).toBe('accepted');
    expect(code(3, 0, 0, 65, 0)).toBe('unit_malformed');
    expect(code(1, 0, 0, 65, 0x80, 0, 0, 0, 5, ...stream, 0)).toBe('unit_malformed');
    expect(code(1, 0, 0, 65, 0xa0, 0, 0, 0, 5, ...stream, 0)).toBe('unit_malformed');
    expect(code(1, 0, 0, 65, 0xc0, 0, 0, 0, 5, 93, ...stream, 0)).toBe('accepted');
    expect(code(0xe0, 0, 0, 0, 5, 93, ...stream, 0)).toBe('accepted');
    expect(code(0xe0, 0, 0, 0, 5, 225, ...stream, 0)).toBe('unit_malformed');
    expect(code(0xe0, 0, 0, 0, 5, 44, ...stream, 0)).toBe('unit_malformed');
  });

  it('needs properties again after a dictionary that stored bytes made', () => {
    const first = [0xe0, 0, 0, 0, 5, 93, ...stream, 1, 0, 0, 65];
    expect(code(...first, 0xc0, 0, 0, 0, 5, 93, ...stream, 0)).toBe('accepted');
    expect(code(...first, 0xa0, 0, 0, 0, 5, ...stream, 0)).toBe('unit_malformed');
    const chunks = new ChunkList(3);
    for (const [control, properties] of [
      [0xe0, 93],
      [1, 0],
      [0xa0, 0],
    ] as const)
      chunks.push(control, 1, properties);
    const tokens = new TokenList(2);
    for (let i = 0; i < 2; i++) tokens.push(OP.literal, 1, 0);
    expect(refusal(() => packLzma2(Uint8Array.of(0, 65, 0), tokens, { chunks }))).toBe('unit_malformed');
  });

  it('refers to what lies before its dictionary', () => {
    const tokens = new TokenList(2);
    tokens.push(OP.literal, 1, 0);
    tokens.push(OP.match, 5, 1);
    const chunks = new ChunkList(2);
    chunks.push(1, 1, 0);
    chunks.push(0xc0, 5, 0);
    const packed = packLzma2(new Uint8Array(6).fill(65), tokens, { chunks });
    expect(code(...packed)).toBe('accepted');
    // The same match, after a chunk that makes a dictionary of its own.
    packed[4] = 0xe0;
    expect(code(...packed)).toBe('unit_malformed');
  });

  it('has chunks that unpack to more than is allowed, which is seen before any is decoded', () => {
    expect(code(0xff, 255, 255, 0, 5, 93, ...stream, 0)).toBe('unit_malformed');
    expect(code(1, 0x27, 0x10, ...new Uint8Array(10_001), 0)).toBe('unit_malformed');
    expect(code(1, 0x27, 0x0f, ...new Uint8Array(10_000), 0)).toBe('accepted');
  });

  it('has bytes left over in a chunk', () => {
    expect(code(0xe0, 0, 0, 0, 6, 93, ...stream, 0, 0)).toBe('unit_malformed');
    expect(code(0xe0, 0, 0, 0, 5, 93, 0, 0, 0, 0, 0, 1, 0)).toBe('unit_malformed');
  });
});

describe('hostile xz', () => {
  it('has other lengths in a header than its block has', () => {
    const [block] = parseXz(XZ_RISCV_BLOCKS, 10_000).blocks;
    for (const [packedMore, contentMore, expected] of [
      [0, 0, 'accepted'],
      [1, 0, 'unit_malformed'],
      [0, 1, 'unit_malformed'],
    ] as const) {
      const lengths = {
        packedBytes: block!.payloadBytes + packedMore,
        contentBytes: block!.contentBytes + contentMore,
      };
      const changed = XZ_RISCV_BLOCKS.slice();
      changed.set(writeBlockHeader(block!, lengths), STREAM_HEADER_BYTES);
      expect(refusal(() => unpackXz(changed, LIMITS))).toBe(expected);
    }
  });
});

describe('tokens that do not belong to their content', () => {
  const pack = (content: number[], ...tokens: (readonly [number, number, number])[]): string => {
    const params = { properties: 93, dictionaryBytes: 4096, hasEndMarker: false };
    return refusal(() => {
      const list = new TokenList(100);
      for (const [op, length, distance] of tokens) list.push(op, length, distance);
      const packed = packRawLzma(Uint8Array.from(content), list, params);
      const again = unpackRawLzma(packed, LIMITS, params, content.length);
      expect([...again.content]).toEqual(content);
    });
  };
  const literal = [OP.literal, 1, 0] as const;

  it('are refused when they are packed', () => {
    expect(pack([1, 1, 1], literal, [OP.match, 2, 1])).toBe('accepted');
    expect(pack([1, 1, 1], literal, [OP.rep0, 2, 1])).toBe('accepted');
    expect(pack([1, 1], literal, [OP.shortRep, 1, 1])).toBe('accepted');
    const wrong: readonly (readonly [number, number, number])[] = [
      ...([
        [OP.match, 3, 1],
        [OP.match, 1, 1],
        [OP.match, 0, 1],
        [OP.match, 2, 0],
        [OP.match, 2, 2],
      ] as const),
      ...([
        [OP.match, 2, 2 ** 32 - 1],
        [OP.shortRep, 2, 1],
        [7, 2, 1],
        [255, 2, 1],
        [OP.match, 2 ** 32 - 1, 1],
      ] as const),
    ];
    for (const token of wrong) expect(pack([1, 1, 1], literal, token), String(token)).toBe('unit_malformed');
    expect(pack([1, 2, 3, 3, 3], literal, literal, literal, [OP.rep3, 2, 2])).toBe('unit_malformed');
    expect(pack([1, 1], literal)).toBe('unit_malformed');
    expect(pack([1], literal, literal)).toBe('unit_malformed');
  });

  it('and params that do not are refused as well', () => {
    const { content, tokens, params } = unpackXz(XZ_RISCV_BLOCKS, LIMITS);
    const [block, ...others] = params.blocks;
    const packs = (changed: object): string =>
      refusal(() => packXz(content, tokens, { ...params, blocks: [{ ...block!, ...changed }, ...others] }));
    expect(packs({})).toBe('accepted');
    for (const changed of [{ headerBytes: 8 }, { headerBytes: 2048 }, { headerBytes: 2 ** 40 }, { headerBytes: 21 }])
      expect(packs(changed), JSON.stringify(changed)).toBe('unit_malformed');
    expect(packs({ filters: [{ id: 3, start: 0 }] })).toBe('unit_malformed');
    expect(packs({ filters: [{ id: 7, start: 2 }] })).toBe('unit_malformed');
    expect(packs({ filters: Array(4).fill({ id: 4, start: null }) })).toBe('unit_malformed');
    expect(refusal(() => packXz(content, tokens, { ...params, check: 2 }))).toBe('unit_malformed');
    expect(refusal(() => packXz(content, tokens, { ...params, blocks: [block!] }))).toBe('unit_malformed');
    expect(refusal(() => packXz(content.subarray(1), tokens, params))).toBe('unit_malformed');
  });
});
