/**
 * Any tokens that a format can say pack to what a foreign reader takes for their content, and unpack to the same tokens;
 * any bytes that unpack at all pack to themselves.
 */
import zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLOCK, packDeflate, unpackDeflate, type DeflateBlock } from '../../native-free/unpack/deflate/deflate.ts';
import { buildBlockHeader } from '../../native-free/unpack/deflate/header.ts';
import { ZlibTree } from '../../native-free/unpack/deflate/zlib-tree.ts';
import { packLz4, unpackLz4 } from '../../native-free/unpack/lz4.ts';
import { OP, TokenList } from '../../native-free/unpack/tokens.ts';
import { refusalOf } from '../support/unpack/tools.ts';
import { differenceOf } from '../support/unpack/token-units.ts';

interface Said {
  readonly content: Uint8Array;
  readonly tokens: TokenList;
}

/** A literal, or a match of a length, so far back (as a share of what may be). */
type Wish = readonly [isMatch: boolean, byte: number, length: number, share: number];

function wishes(lengthMin: number, lengthMax: number): fc.Arbitrary<Wish[]> {
  const length = fc.oneof(
    fc.integer({ min: lengthMin, max: lengthMin + 20 }),
    fc.integer({ min: lengthMin, max: lengthMax }),
  );
  const wish = fc.tuple(
    fc.boolean(),
    fc.integer({ min: 0, max: 255 }),
    length,
    fc.double({ min: 0, max: 1, noNaN: true }),
  );
  return fc.array(wish, { maxLength: 400, size: 'max' });
}

/** Tokens as wished, where there is something to go back to, behind `before` literals. */
function fulfil(wishesOfOne: readonly Wish[], before: number, distanceMax: number): Said {
  const content: number[] = Array.from({ length: before }, (_, i) => (i * i) & 255);
  const tokens = new TokenList(before + wishesOfOne.length);
  tokens.pushLiterals(before);
  for (const [isMatch, byte, length, share] of wishesOfOne) {
    const reach = Math.min(content.length, distanceMax);
    if (!isMatch || reach === 0) {
      content.push(byte);
      tokens.push(OP.literal, 1, 0);
      continue;
    }
    const distance = Math.max(1, Math.round(share * reach));
    tokens.push(OP.match, length, distance);
    for (let i = 0; i < length; i++) content.push(content[content.length - distance]!);
  }
  return { content: Uint8Array.from(content), tokens };
}

function expectSame(tokens: TokenList, other: TokenList): void {
  expect(differenceOf(tokens, other)).toBe('');
}

function isLiterals(tokens: TokenList, first: number, end: number): boolean {
  for (let i = first; i < end; i++) if (tokens.opAt(i) !== OP.literal) return false;
  return true;
}

/** Blocks that begin at these shares of the tokens, stored ones where there are only literals, and few enough. */
function cut({ tokens }: Said, cuts: readonly (readonly [share: number, type: number])[]): DeflateBlock[] {
  const starts = [...cuts].sort((a, b) => a[0] - b[0]).map(([share, type]) => [Math.floor(share * tokens.count), type]);
  const firsts = [[0, BLOCK.dynamic], ...starts] as [number, number][];
  return firsts.map(([firstToken, type], i) => {
    const end = firsts[i + 1]?.[0] ?? tokens.count;
    const isPlain = end - firstToken < 65_536 && isLiterals(tokens, firstToken, end);
    const possible = type === BLOCK.stored && !isPlain ? BLOCK.dynamic : type;
    return { firstToken, type: possible, isLast: i === firsts.length - 1, padding: 0 };
  });
}

const before = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 70_000 }));

describe('any tokens', () => {
  it('of deflate, in any blocks: zlib reads their content, and they come back', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const cuts = fc.array(fc.tuple(share, fc.constantFrom(0, 1, 2)), { maxLength: 6 });
    fc.assert(
      fc.property(wishes(3, 258), before, cuts, (wished, literals, shares) => {
        const said = fulfil(wished, literals, 32_768);
        const params = { blocks: cut(said, shares), padding: 0 };
        const packed = packDeflate(said.content, said.tokens, params);
        expect(Buffer.compare(zlib.inflateRawSync(packed), said.content)).toBe(0);
        const unpacked = unpackDeflate(packed, { contentBytesMax: said.content.length });
        expect(Buffer.compare(unpacked.content, said.content)).toBe(0);
        expect(unpacked.params).toEqual(params);
        expectSame(unpacked.tokens, said.tokens);
      }),
      { numRuns: 150 },
    );
  });

  it('of LZ4 come back', () => {
    fc.assert(
      fc.property(wishes(4, 3000), before, fc.integer({ min: 0, max: 15 }), (wished, literals, spareHalf) => {
        const { content, tokens } = fulfil(wished, literals, 65_535);
        const params = { endsInLiterals: true, spareHalf };
        const packed = packLz4(content, tokens, params);
        for (const endsAtContent of [false, true]) {
          const unpacked = unpackLz4(packed, { contentBytesMax: content.length }, { endsAtContent });
          expect(Buffer.compare(unpacked.content, content)).toBe(0);
          expectSame(unpacked.tokens, tokens);
          // A match that fills the content ends a block there, if that is where its reader stops.
          if (!endsAtContent || unpacked.params.endsInLiterals) expect(unpacked.params).toEqual(params);
          else expect(unpacked.packedBytes).toBe(packed.length - 1);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('a header of deflate', () => {
  it('with any bits changed is refused, or makes a stream that zlib reads to the same content', () => {
    const said = fulfil([[true, 0, 9, 0.5]], 300, 32_768);
    const foreign = {
      literals: new Uint8Array(286).fill(9).fill(8, 0, 226),
      distances: new Uint8Array(30).fill(5).fill(4, 0, 2),
    };
    const header = buildBlockHeader(foreign, new ZlibTree());
    const block = { firstToken: 0, type: BLOCK.dynamic, isLast: true, padding: 0 };
    const pack = (bytes: Uint8Array, bitCount: number): Uint8Array =>
      packDeflate(said.content, said.tokens, { blocks: [{ ...block, header: { bytes, bitCount } }], padding: 0 });
    expect(Buffer.compare(zlib.inflateRawSync(pack(header.bytes, header.bitCount)), said.content)).toBe(0);
    let taken = 0;
    const place = fc.integer({ min: 0, max: header.bytes.length * 8 - 1 });
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: 4 }), fc.integer({ min: -9, max: 9 }), (flips, longer) => {
        const bytes = header.bytes.slice();
        for (const flip of flips) bytes[flip >> 3]! ^= 1 << (flip & 7);
        for (const bitCount of [header.bitCount, header.bitCount + longer])
          refusalOf(() => {
            const packed = pack(bytes, bitCount);
            taken++;
            expect(Buffer.compare(zlib.inflateRawSync(packed), said.content)).toBe(0);
          });
      }),
      { numRuns: 2000 },
    );
    expect(taken).toBeLessThan(4000);
  });
});

describe('any bytes', () => {
  const bytes = fc.uint8Array({ minLength: 0, maxLength: 300, size: 'max' });

  it('that unpack as deflate pack to themselves, with their headers', () => {
    fc.assert(
      fc.property(bytes, fc.constantFrom(null, 1, 3, 5), (raw, start) => {
        // Blocks of a type that is wished for come further than noise does.
        if (start !== null && raw.length > 0) raw[0] = (raw[0]! & 0xf8) | start;
        refusalOf(() => {
          const { content, tokens, params, packedBytes } = unpackDeflate(
            raw,
            { contentBytesMax: 20_000 },
            { headers: true },
          );
          expect(content.length).toBeLessThanOrEqual(20_000);
          expect(Buffer.compare(packDeflate(content, tokens, params), raw.subarray(0, packedBytes))).toBe(0);
        });
      }),
      { numRuns: 3000 },
    );
  });

  it('that unpack as LZ4 pack to themselves', () => {
    fc.assert(
      fc.property(bytes, fc.boolean(), (raw, endsAtContent) => {
        refusalOf(() => {
          const { content, tokens, params, packedBytes } = unpackLz4(raw, { contentBytesMax: 300 }, { endsAtContent });
          expect(Buffer.compare(packLz4(content, tokens, params), raw.subarray(0, packedBytes))).toBe(0);
        });
      }),
      { numRuns: 3000 },
    );
  });
});
