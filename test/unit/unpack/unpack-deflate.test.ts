/**
 * Deflate to tokens and back: exactly what zlib wrote, and an error within bounds for what is no deflate.
 */
import { once } from 'node:events';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../native-free/limits.ts';
import { BitWriter } from '../../../native-free/unpack/deflate/bit-writer.ts';
import { adler32, crc32 } from '../../../native-free/unpack/checksums.ts';
import { BLOCK, packDeflate, unpackDeflate, type DeflateParams } from '../../../native-free/unpack/deflate/deflate.ts';
import { OP, TokenList } from '../../../native-free/unpack/tokens.ts';
import {
  gzipHeaderBytes,
  packGzip,
  packZlib,
  unpackGzip,
  unpackZlib,
  zlibHeaderBytes,
} from '../../../native-free/unpack/deflate/wrappers.ts';
import { damaged, dice, faultOf, oddContents, realFiles, refusalOf, Tally } from '../../support/unpack/tools.ts';

const DEFLATE = { unpack: unpackDeflate, pack: packDeflate };
const LEVELS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const STRATEGIES = [0, 1, 2, 3, 4];
const text = (length: number): Uint8Array => realFiles().get('a page of text')!.subarray(0, length);

const withHeaders = (packed: Uint8Array, contentBytesMax: number): ReturnType<typeof unpackDeflate> =>
  unpackDeflate(packed, { contentBytesMax }, { headers: true });

describe('deflate as zlib writes it comes back exactly', () => {
  it('at every level, strategy, memory level and window', () => {
    const tally = new Tally();
    const content = text(6000);
    for (const level of LEVELS)
      for (const strategy of STRATEGIES)
        for (let memLevel = 1; memLevel <= 9; memLevel++)
          for (let windowBits = 9; windowBits <= 15; windowBits++) {
            const options = { level, strategy, memLevel, windowBits };
            tally.add(JSON.stringify(options), faultOf(DEFLATE, zlib.deflateRawSync(content, options), content));
          }
    tally.expectAll("Node's zlib, all parameters", 3150);
  });

  it('from real files and odd contents, at every level and strategy', () => {
    const tally = new Tally();
    for (const [name, content] of oddContents())
      for (const level of LEVELS)
        for (const strategy of STRATEGIES) {
          const packed = zlib.deflateRawSync(content, { level, strategy });
          tally.add(`${name}, ${level}, ${strategy}`, faultOf(DEFLATE, packed, content));
        }
    for (const [name, content] of realFiles())
      for (const level of LEVELS)
        for (const memLevel of [1, 8, 9]) {
          const packed = zlib.deflateRawSync(content, { level, memLevel });
          tally.add(`${name}, ${level}, ${memLevel}`, faultOf(DEFLATE, packed, content));
        }
    tally.expectAll("Node's zlib, all contents", oddContents().size * 50 + 4 * 30);
  });

  it.each([
    ['Z_SYNC_FLUSH', zlib.constants.Z_SYNC_FLUSH],
    ['Z_FULL_FLUSH', zlib.constants.Z_FULL_FLUSH],
    ['Z_PARTIAL_FLUSH', zlib.constants.Z_PARTIAL_FLUSH],
  ])('with empty blocks from %s', async (_, flush) => {
    const content = text(40_000);
    const stream = zlib.createDeflateRaw({ level: 6 });
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    for (let at = 0; at < content.length; at += 777) {
      stream.write(content.subarray(at, at + 777));
      await promisify(stream.flush.bind(stream) as (kind: number, done: () => void) => void)(flush);
    }
    stream.end();
    await once(stream, 'end');
    const packed = Buffer.concat(pieces);
    expect(faultOf(DEFLATE, packed, content)).toBe('');
    const { blocks } = unpackDeflate(packed, { contentBytesMax: content.length }).params;
    expect(blocks.filter(({ firstToken }, i) => firstToken === blocks[i + 1]?.firstToken).length).toBeGreaterThan(40);
  });

  it('wherever in a long match its memory has to grow', () => {
    const tally = new Tally();
    const roll = dice(3);
    for (let literals = 1; literals <= 258; literals++) {
      const content = Uint8Array.from({ length: 6000 }, (_, i) => (i < literals || i > 5900 ? roll(256) : 1));
      const packed = zlib.deflateRawSync(content);
      const roomy = unpackDeflate(packed, { contentBytesMax: 9000 }).content;
      tally.add(
        `${literals}`,
        Buffer.compare(roomy, content) === 0 ? faultOf(DEFLATE, packed, content) : 'other content',
      );
    }
    tally.expectAll('a growing content', 258);
  });

  it('and what follows is not looked at', () => {
    const packed = zlib.deflateRawSync(text(500));
    const unpacked = unpackDeflate(Buffer.concat([packed, Buffer.alloc(100, 255)]), { contentBytesMax: 500 });
    expect(unpacked.packedBytes).toBe(packed.length);
    expect(unpacked.content).toEqual(Uint8Array.from(text(500)));
  });

  it('with padding that nobody writes', () => {
    const stored = Uint8Array.of(0b01011_000, 2, 0, 253, 255, 7, 9, 0b00000_011, 0);
    const { params } = unpackDeflate(stored, { contentBytesMax: 2 });
    expect(params.blocks.map(({ padding }) => padding)).toEqual([0b01011, 0]);
    expect(params.padding).toBe(0);
    const tail = Uint8Array.of(...stored.subarray(0, 8), 0b101010_00);
    expect(unpackDeflate(tail, { contentBytesMax: 2 }).params.padding).toBe(0b101010);
    expect([faultOf(DEFLATE, stored, Uint8Array.of(7, 9)), faultOf(DEFLATE, tail, Uint8Array.of(7, 9))]).toEqual([
      '',
      '',
    ]);
  });
});

describe('the tokens of deflate', () => {
  it('are what the format says', () => {
    const said: readonly (readonly [number, number, number])[] = [
      [OP.literal, 1, 0],
      [OP.literal, 1, 0],
      [OP.literal, 1, 0],
      [OP.match, 9, 3],
    ];
    const list = new TokenList(4);
    for (const token of said) list.push(...token);
    const content = new TextEncoder().encode('abcabcabcabc');
    const blocks = [{ firstToken: 0, type: BLOCK.fixed, isLast: true, padding: 0 }];
    const packed = packDeflate(content, list, { blocks, padding: 0 });
    expect(zlib.inflateRawSync(packed).toString()).toBe('abcabcabcabc');
    const { tokens, params } = unpackDeflate(packed, { contentBytesMax: 12 });
    expect(params).toEqual({ blocks, padding: 0 });
    expect(said.map((_, i) => [tokens.opAt(i), tokens.lengthAt(i), tokens.distanceAt(i)])).toEqual(said);
    expect(tokens.count).toBe(4);
  });

  it('are bounded by the caller', () => {
    const packed = zlib.deflateRawSync(text(3000));
    const { tokens } = unpackDeflate(packed, { contentBytesMax: 3000 });
    const packing = (tokensMax: number) => () => unpackDeflate(packed, { contentBytesMax: 3000, tokensMax });
    expect(refusalOf(packing(tokens.count))).toBeNull();
    expect(refusalOf(packing(tokens.count - 1))).toMatch(/more than \d+ tokens/);
  });

  it('that deflate cannot say, or that do not make the content, are refused', () => {
    const content = text(2000);
    const params = (firstToken = 0, type: number = BLOCK.dynamic): DeflateParams => ({
      blocks: [{ firstToken, type, isLast: true, padding: 0 }],
      padding: 0,
    });
    const refused = (tokens: readonly (readonly [number, number, number])[], given = params()): string | null => {
      const list = new TokenList(100);
      for (const token of tokens) list.push(...token);
      return refusalOf(() => packDeflate(content, list, given));
    };
    const some = [OP.literal, 1, 0] as const;
    expect(refused([[OP.match, 3, 1]])).toMatch(/none of deflate's/);
    expect(refused([some, [OP.match, 2, 1]])).toMatch(/none of deflate's/);
    expect(refused([some, [OP.match, 259, 1]])).toMatch(/none of deflate's/);
    expect(refused([some, [OP.match, 3, 0]])).toMatch(/none of deflate's/);
    expect(refused([some, [OP.rep0, 3, 1]])).toMatch(/none of deflate's/);
    expect(refused([[OP.literal, 2, 0]])).toMatch(/none of deflate's/);
    expect(refused([some])).toMatch(/make 1 of the content's 2000/);
    expect(refused([some, ...new Array<typeof some>(9).fill([OP.match, 258, 1] as never)])).toMatch(
      /more than the content/,
    );
    expect(refused([some], params(1))).toMatch(/begin at token 0/);
    expect(refused([some], { ...params(), blocks: [] })).toMatch(/begin at token 0/);
    const [block] = params().blocks;
    expect(refused([some], { ...params(), blocks: [block!, { ...block!, firstToken: 7 }] })).toMatch(/0 to 7 of 1/);
    expect(refused([some], params(0, 3))).toMatch(/type 3/);
    expect(refused([some, [OP.match, 3, 1]], params(0, BLOCK.stored))).toMatch(/no match/);
    const header = { bitCount: 14, bytes: Uint8Array.of(0, 0) };
    expect(refused([some], { ...params(), blocks: [{ ...block!, header }] })).toMatch(/ends at byte 2/);
  });
});

describe('a header that zlib would not have written', () => {
  /** A block whose code for its single literal is longer than it need be. */
  function foreign(): { packed: Uint8Array; header: { bitCount: number; bytes: Uint8Array } } {
    const own = zlib.deflateRawSync(text(3000), { level: 9 });
    const other = zlib.deflateRawSync(text(6000).subarray(3000), { level: 9 });
    const [mine, theirs] = [own, other].map((packed) => unpackDeflate(packed, { contentBytesMax: 3000 }));
    // The codes of both pages together fit each of them.
    const joined = zlib.deflateRawSync(text(6000), { level: 9 });
    const wide = new TokenList(6000);
    for (const { tokens } of [mine!, theirs!])
      for (let i = 0; i < tokens.count; i++) wide.push(tokens.opAt(i), tokens.lengthAt(i), tokens.distanceAt(i));
    expect(joined.length).toBeGreaterThan(own.length);
    const block = { firstToken: 0, type: BLOCK.dynamic, isLast: true, padding: 0 };
    const both = packDeflate(text(6000), wide, { blocks: [block], padding: 0 });
    const header = headerOf(both);
    return { packed: packDeflate(text(3000), mine!.tokens, { blocks: [{ ...block, header }], padding: 0 }), header };
  }

  /** Found by trying: the shortest prefix that is a header for the same tokens. */
  function headerOf(packed: Uint8Array): { bitCount: number; bytes: Uint8Array } {
    const { content, tokens, params } = unpackDeflate(packed, { contentBytesMax: 6000 });
    for (let bitCount = 14; ; bitCount++) {
      const writer = new BitWriter(0);
      for (let i = 0; i < bitCount; i++) writer.bits((packed[(i + 3) >> 3]! >> ((i + 3) & 7)) & 1, 1);
      writer.align(0);
      const header = { bitCount, bytes: writer.finish() };
      const blocks = [{ ...params.blocks[0]!, header }];
      if (refusalOf(() => packDeflate(content, tokens, { ...params, blocks })) === null) return header;
    }
  }

  it('is kept where that is asked for, and the stream comes back exactly', () => {
    const { packed, header } = foreign();
    expect(zlib.inflateRawSync(packed)).toEqual(Buffer.from(text(3000)));
    expect(faultOf(DEFLATE, packed, text(3000))).toBe('other bytes');
    const kept = withHeaders(packed, 3000);
    expect(kept.params.blocks).toEqual([{ firstToken: 0, type: BLOCK.dynamic, isLast: true, padding: 0, header }]);
    expect(packDeflate(kept.content, kept.tokens, kept.params)).toEqual(packed);
  });

  it('is not kept where zlib would have written the same', () => {
    for (const content of [...oddContents().values(), ...realFiles().values()])
      for (const { header } of withHeaders(zlib.deflateRawSync(content), content.length).params.blocks)
        expect(header).toBeUndefined();
  });

  it('has to have a code for every symbol that occurs', () => {
    const { packed } = foreign();
    const { content, tokens, params } = withHeaders(packed, 3000);
    const strange = content.slice();
    strange[0] = 255;
    expect(refusalOf(() => packDeflate(strange, tokens, params))).toMatch(/no code for a symbol that occurs/);
  });
});

describe('bad deflate is refused', () => {
  const bits = (...fields: readonly (readonly [number, number])[]): Uint8Array => {
    const writer = new BitWriter(0);
    for (const [value, count] of fields) writer.bits(value, count);
    writer.align(0);
    return writer.finish();
  };
  /** A block with codes of its own: which lengths the code for code lengths has (in the order of the format), and more. */
  const dynamic = (lengths: readonly number[], ...rest: readonly (readonly [number, number])[]): Uint8Array =>
    bits([1, 1], [2, 2], [0, 5], [0, 5], [lengths.length - 4, 4], ...lengths.map((l) => [l, 3] as const), ...rest);

  const BAD: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['no input', new Uint8Array(0), /ends at byte 0/],
    ['a block of type 3', bits([1, 1], [3, 2]), /type 3/],
    ['a stored block whose length is damaged', Uint8Array.of(1, 3, 0, 252, 254, 1, 2, 3), /length of a stored block/],
    ['a stored block that is cut off', Uint8Array.of(1, 3, 0, 252, 255, 1, 2), /ends at byte 7/],
    ['a distance before the start', bits([1, 1], [1, 2], [0b1000000, 7], [0, 5]), /before the start/],
    ['a length symbol that has no meaning', bits([1, 1], [1, 2], [0b01100011, 8], [0, 20]), /symbol 286 is no length/],
    [
      'a distance symbol that has no meaning',
      bits([1, 1], [1, 2], [0b1000000, 7], [0b01111, 5]),
      /symbol 30 is no dist/,
    ],
    ['258 as 227 and 31', bits([1, 1], [1, 2], [0b00100011, 8], [31, 5], [0, 5]), /length of 258/],
    ['287 literals and lengths', bits([1, 1], [2, 2], [30, 5], [0, 5], [0, 4]), /287 literals/],
    ['31 distances', bits([1, 1], [2, 2], [0, 5], [30, 5], [0, 4]), /31 distances/],
    ['an over-full code', dynamic([1, 1, 1, 0]), /code lengths is over-full/],
    ['a code that is not full', dynamic([1, 2, 0, 0]), /code lengths is not full/],
    ['a single code for code lengths', dynamic([0, 0, 1, 0], [0, 40]), /code lengths is not full/],
    ['no code for code lengths', dynamic([0, 0, 0, 0]), /code lengths is not full/],
    ['a first length that repeats the one before', dynamic([1, 0, 0, 1], [1, 1], [0, 2]), /repeats the one before/],
    ['lengths a symbol over the end', dynamic([0, 0, 1, 1], [1, 1], [127, 7], [1, 1], [110, 7]), /over the end/],
    ['no code for the end', dynamic([0, 0, 1, 1], [1, 1], [127, 7], [1, 1], [109, 7]), /no code for its end/],
  ];
  it.each(BAD)('%s', (_, packed, message) => {
    expect(refusalOf(() => unpackDeflate(packed, { contentBytesMax: 1000 }))).toMatch(message);
    expect(() => zlib.inflateRawSync(packed)).toThrow();
  });

  it('but for 258 as 227 and 31, of which zlib takes the long form', () => {
    const packed = bits([1, 1], [1, 2], [0x8c, 8], [0b00100011, 8], [31, 5], [0, 5], [0, 7]);
    expect(zlib.inflateRawSync(packed).length).toBe(259);
    expect(refusalOf(() => unpackDeflate(packed, { contentBytesMax: 1000 }))).toMatch(/length of 258/);
  });

  it('cut at every byte, whatever its blocks are', () => {
    for (const options of [{ level: 9 }, { strategy: 4 }, { level: 0 }]) {
      const packed = zlib.deflateRawSync(text(4000), options);
      for (let end = 0; end < packed.length; end++) {
        const cut = packed.subarray(0, end);
        expect(
          refusalOf(() => unpackDeflate(cut, { contentBytesMax: 4000 })),
          `cut at ${end}`,
        ).toMatch(/ends at byte/);
      }
    }
  });

  it('over the bound, before memory is taken for it', () => {
    const bomb = zlib.deflateRawSync(Buffer.alloc(30_000_000));
    const message = refusalOf(() => unpackDeflate(bomb, { contentBytesMax: 100_000 }));
    expect(message).toBe('deflate: it unpacks to more than 100000 bytes');
    const exact = zlib.deflateRawSync(text(1000));
    expect(refusalOf(() => unpackDeflate(exact, { contentBytesMax: 1000 }))).toBeNull();
    expect(refusalOf(() => unpackDeflate(exact, { contentBytesMax: 999 }))).toMatch(/more than 999 bytes/);
  });

  it('and a bound of any size, before any input, costs no memory', () => {
    const packed = Buffer.concat([zlib.deflateRawSync(text(1000)), Buffer.alloc(30_000_000)]);
    const { content, tokens } = unpackDeflate(packed, { contentBytesMax: 2 ** 50 });
    expect(content.length).toBe(1000);
    expect(content.buffer.byteLength + tokens.chunk.byteLength).toBeLessThan(10_000);
  });

  it('with more empty blocks than flushes make', () => {
    const empty = [0, 0, 0, 255, 255];
    const blocks = (count: number): Uint8Array =>
      Uint8Array.from([...new Array<number[]>(count).fill(empty).flat(), 3, 0]);
    const { unit_blocks_empty_max: most } = LIMITS;
    expect(refusalOf(() => unpackDeflate(blocks(most - 1), { contentBytesMax: 0 }))).toBeNull();
    expect(refusalOf(() => unpackDeflate(blocks(most), { contentBytesMax: 0 }))).toMatch(/are empty/);
  });

  it('as zlib refuses it, after bit flips, cuts and repeats: the same content where both take it', () => {
    const roll = dice(5);
    const [head, ...rest] = [{ level: 9 }, { level: 1 }, { strategy: 4 }, { level: 0 }, { level: 6, memLevel: 1 }];
    const streams = [head!, ...rest].map((options) => zlib.deflateRawSync(text(700), options));
    let taken = 0;
    for (let i = 0; i < 6000; i++) {
      const packed = damaged(streams[i % streams.length]!, roll);
      let theirs: Buffer | null = null;
      try {
        theirs = zlib.inflateRawSync(packed, { maxOutputLength: 100_000 });
      } catch {
        // refused
      }
      const message = refusalOf(() => {
        const { content, tokens, params, packedBytes } = withHeaders(packed, 100_000);
        expect(Buffer.compare(content, theirs ?? Buffer.of(1, 2, 3))).toBe(0);
        expect(Buffer.compare(packDeflate(content, tokens, params), packed.subarray(0, packedBytes))).toBe(0);
        taken++;
      });
      if (message !== null && !/length of 258/.test(message)) expect(theirs, message).toBeNull();
    }
    expect(taken).toBeGreaterThan(500);
  });
});

describe('zlib and gzip around deflate', () => {
  it('have the checksums of their specifications', () => {
    const digits = new TextEncoder().encode('123456789');
    expect([adler32(digits), crc32(digits)]).toEqual([0x091e01de, 0xcbf43926]);
    expect([adler32(new Uint8Array(0)), crc32(new Uint8Array(0))]).toEqual([1, 0]);
    const full = new Uint8Array(100_003).fill(255);
    expect(Buffer.from(zlib.deflateSync(full)).readUInt32BE(zlib.deflateSync(full).length - 4)).toBe(adler32(full));
    expect(Buffer.from(zlib.gzipSync(full)).readUInt32LE(zlib.gzipSync(full).length - 8)).toBe(crc32(full));
  });

  it('come back exactly', () => {
    const tally = new Tally();
    for (const content of [...oddContents().values(), ...realFiles().values()])
      for (const level of [0, 1, 6, 9]) {
        tally.add(
          'zlib',
          faultOf({ unpack: unpackZlib, pack: packZlib }, zlib.deflateSync(content, { level }), content),
        );
        tally.add('gzip', faultOf({ unpack: unpackGzip, pack: packGzip }, zlib.gzipSync(content, { level }), content));
      }
    tally.expectAll('zlib and gzip of Node', (oddContents().size + 4) * 8);
  });

  it('have headers of any length', () => {
    const plain = zlib.gzipSync(text(100));
    const header = Uint8Array.of(31, 139, 8, 2 + 4 + 8 + 16, 1, 2, 3, 4, 2, 3, 3, 0, 7, 8, 9, 65, 0, 66, 67, 0, 1, 2);
    const packed = Buffer.concat([header, plain.subarray(10)]);
    expect(gzipHeaderBytes(packed)).toBe(header.length);
    const unpacked = unpackGzip(packed, { contentBytesMax: 100 });
    expect(unpacked.params.header).toEqual(header);
    expect(packGzip(unpacked.content, unpacked.tokens, unpacked.params)).toEqual(Uint8Array.from(packed));
    for (let end = 0; end < packed.length; end++)
      expect(
        refusalOf(() => unpackGzip(packed.subarray(0, end), { contentBytesMax: 100 })),
        `${end}`,
      ).not.toBeNull();
  });

  it.each([
    ['zlib of another method', Uint8Array.of(0x79, 0x9c, 3, 0), zlibHeaderBytes],
    ['zlib with a dictionary', Uint8Array.of(0x78, 0xbb, 3, 0), zlibHeaderBytes],
    ['zlib with a header that is no multiple of 31', Uint8Array.of(0x78, 0x9d, 3, 0), zlibHeaderBytes],
    ['zlib of one byte', Uint8Array.of(0x78), zlibHeaderBytes],
    ['gzip of another method', Uint8Array.of(31, 139, 7, 0, 0, 0, 0, 0, 0, 0), gzipHeaderBytes],
    ['gzip with flags of the future', Uint8Array.of(31, 139, 8, 32, 0, 0, 0, 0, 0, 0), gzipHeaderBytes],
    ['gzip whose name has no end', Uint8Array.of(31, 139, 8, 8, 0, 0, 0, 0, 0, 0, 65, 66), gzipHeaderBytes],
  ])('refuse %s', (_, packed, headerBytes) => {
    expect(refusalOf(() => headerBytes(packed))).not.toBeNull();
  });

  it('refuse content that has another checksum, and a trailer that is cut off', () => {
    for (const [packed, unpack] of [
      [zlib.deflateSync(text(900)), unpackZlib],
      [zlib.gzipSync(text(900)), unpackGzip],
    ] as const) {
      expect(refusalOf(() => unpack(packed.subarray(0, -1), { contentBytesMax: 900 }))).toMatch(/inside its trailer/);
      packed[packed.length - 1]! ^= 1;
      expect(refusalOf(() => unpack(packed, { contentBytesMax: 900 }))).toMatch(/checksum/);
    }
  });
});
