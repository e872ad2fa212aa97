/**
 * LZ4 blocks to tokens and back: what is taken comes back exactly, and an error within bounds for the rest.
 */
import { describe, expect, it } from 'vitest';
import { packLz4, unpackLz4, type Lz4Params } from '../../../native-free/unpack/lz4.ts';
import { OP, TokenList } from '../../../native-free/unpack/tokens.ts';
import { packSimply } from '../../support/unpack/lz4.ts';
import { damaged, dice, faultOf, oddContents, realFiles, refusalOf, Tally } from '../../support/unpack/tools.ts';
import { rowsOf } from '../../support/unpack/token-rows.ts';

const LZ4 = { unpack: unpackLz4, pack: packLz4 };
const text = (length: number): Uint8Array => realFiles().get('a page of text')!.subarray(0, length);
const max = (contentBytesMax: number): { contentBytesMax: number } => ({ contentBytesMax });
const LITERAL = [OP.literal, 1, 0];

describe('LZ4 blocks', () => {
  it('come back exactly, whatever their content', () => {
    const tally = new Tally();
    for (const [name, content] of [...oddContents(), ...realFiles()])
      tally.add(name, faultOf(LZ4, packSimply(content), content));
    tally.expectAll('lz4, simply packed', oddContents().size + 4);
  });

  it('have the tokens that the format says', () => {
    const packed = Uint8Array.of(0x35, 1, 2, 3, 3, 0, 0x50, 7, 8, 9, 10, 11);
    const { content, tokens, params, packedBytes } = unpackLz4(packed, max(17));
    expect([...content]).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 7, 8, 9, 10, 11]);
    expect(rowsOf(tokens)).toEqual([
      LITERAL,
      LITERAL,
      LITERAL,
      [OP.match, 9, 3],
      ...new Array<number[]>(5).fill(LITERAL),
    ]);
    expect(params).toEqual({ endsInLiterals: true, spareHalf: 0 });
    expect(packedBytes).toBe(packed.length);
  });

  it.each([
    ['nothing', [0], []],
    ['a match', [0x10, 9, 1, 0], [9, 9, 9, 9, 9]],
    ['a match and no literals', [0x10, 9, 1, 0, 0], [9, 9, 9, 9, 9]],
    ['literals beside a half byte that nobody reads', [0x1b, 9], [9]],
    ['exactly 15 literals', [0xf0, 0, ...new Array<number>(15).fill(5)], new Array<number>(15).fill(5)],
    ['exactly 270 literals', [0xf0, 255, 0, ...new Array<number>(270).fill(5)], new Array<number>(270).fill(5)],
    ['a match of exactly 19', [0x1f, 9, 1, 0, 0, 0], new Array<number>(20).fill(9)],
    ['a match of exactly 274', [0x1f, 9, 1, 0, 255, 0, 0], new Array<number>(275).fill(9)],
  ])('may end in %s', (_, packed, content) => {
    expect(faultOf(LZ4, Uint8Array.from(packed), Uint8Array.from(content))).toBe('');
  });

  it('may end where their content does, as file systems have them', () => {
    const content = text(5000);
    const packed = packSimply(content);
    const padded = Uint8Array.of(...packed, ...new Uint8Array(300));
    const unpacked = unpackLz4(padded, max(5000), { endsAtContent: true });
    expect(unpacked.packedBytes).toBe(packed.length);
    expect(packLz4(unpacked.content, unpacked.tokens, unpacked.params)).toEqual(packed);
    expect(refusalOf(() => unpackLz4(padded, max(5000)))).toMatch(/before the start/);
    expect(refusalOf(() => unpackLz4(padded, max(4999), { endsAtContent: true }))).not.toBeNull();
    const match = Uint8Array.of(0x10, 9, 1, 0, 77, 77);
    const cut = unpackLz4(match, max(5), { endsAtContent: true });
    expect([cut.packedBytes, cut.params]).toEqual([4, { endsInLiterals: false, spareHalf: 0 }]);
    expect(packLz4(cut.content, cut.tokens, cut.params)).toEqual(match.subarray(0, 4));
  });
});

describe('bad LZ4 is refused', () => {
  const endless = new Uint8Array(100_000).fill(255);
  const BAD: readonly (readonly [string, readonly number[] | Uint8Array, RegExp])[] = [
    ['no input', [], /ends at byte 0/],
    ['a distance of 0', [0x10, 9, 0, 0, 0], /before the start/],
    ['a distance before the start', [0x10, 9, 2, 0, 0], /before the start/],
    ['a match before any literal', [0x00, 1, 0, 0], /before the start/],
    ['literals that are cut off', [0x40, 1, 2, 3], /ends at byte 4/],
    ['a distance that is cut off', [0x10, 1, 1], /ends at byte 3/],
    ['a length that is cut off', [0x1f, 1, 1, 0, 255], /ends at byte 5/],
    ['literals over the bound', endless, /at most 1000/],
    ['a match over the bound', Uint8Array.of(0x1f, 1, 1, 0, ...endless), /at most 999/],
    ['a match a byte over the bound', [0x1f, 1, 1, 0, 255, 255, 255, 216, 0], /more than 1000|at most 999/],
  ];
  it.each(BAD)('%s', (_, packed, message) => {
    expect(refusalOf(() => unpackLz4(Uint8Array.from(packed), max(1000)))).toMatch(message);
  });

  it('and a bound of any size costs no memory', () => {
    const { content } = unpackLz4(Uint8Array.of(0x10, 9), max(2 ** 50));
    expect(content.buffer.byteLength).toBe(1);
  });

  it('cut at every byte: another content, or none', () => {
    const content = text(3000);
    const packed = packSimply(content);
    for (let end = 0; end < packed.length; end++) {
      const cut = packed.subarray(0, end);
      expect(
        refusalOf(() => unpackLz4(cut, max(3000), { endsAtContent: true })),
        `cut at ${end}`,
      ).not.toBeNull();
      refusalOf(() => expect(unpackLz4(cut, max(3000)).content.length).toBeLessThan(3000));
    }
  });

  it('after bit flips, cuts and repeats, or else it comes back as it is', () => {
    const roll = dice(7);
    const streams = [text(600), oddContents().get('zeros')!, oddContents().get('records')!.subarray(0, 900)].map(
      packSimply,
    );
    let taken = 0;
    for (let i = 0; i < 6000; i++) {
      const packed = damaged(streams[i % streams.length]!, roll);
      const options = { endsAtContent: roll(4) === 0 };
      refusalOf(() => {
        const { content, tokens, params, packedBytes } = unpackLz4(packed, max(100_000), options);
        taken++;
        const again = packLz4(content, tokens, params);
        if (Buffer.compare(again, packed.subarray(0, packedBytes)) !== 0)
          throw new Error(`stream ${i} came back otherwise`);
      });
    }
    expect(taken).toBeGreaterThan(500);
  });

  it('and so are tokens that LZ4 cannot say, or that do not make the content', () => {
    const ends: Lz4Params = { endsInLiterals: true, spareHalf: 0 };
    const refused = (tokens: readonly (readonly number[])[], params = ends): string | null => {
      const list = new TokenList(100);
      for (const [op, length, distance] of tokens) list.push(op!, length!, distance!);
      return refusalOf(() => packLz4(new Uint8Array(10), list, params));
    };
    const ten = [LITERAL, [OP.match, 9, 1]];
    expect(refused(ten)).toBeNull();
    expect(refused(ten, { ...ends, endsInLiterals: false })).toBeNull();
    expect(refused([LITERAL, [OP.match, 8, 1], LITERAL], { ...ends, endsInLiterals: false })).toMatch(
      /ends in a match/,
    );
    expect(refused([LITERAL, [OP.match, 3, 1]])).toMatch(/none of LZ4's/);
    expect(refused([LITERAL, [OP.match, 4, 2]])).toMatch(/none of LZ4's/);
    expect(refused([LITERAL, [OP.match, 4, 0]])).toMatch(/none of LZ4's/);
    expect(refused([LITERAL, [OP.rep0, 4, 1]])).toMatch(/none of LZ4's/);
    expect(refused([[OP.literal, 2, 0]])).toMatch(/none of LZ4's/);
    expect(refused([[OP.literal, 0, 0]])).toMatch(/none of LZ4's/);
    expect(refused([...ten, LITERAL])).toMatch(/make more than/);
    expect(refused([LITERAL])).toMatch(/make 1 of/);
  });
});
