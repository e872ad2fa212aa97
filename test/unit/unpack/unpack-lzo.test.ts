/**
 * LZO1X blocks to tokens and back.
 */
import { describe, expect, it } from 'vitest';
import { packLzo, unpackLzo, type LzoParams } from '../../../native-free/unpack/lzo.ts';
import { OP, TokenList } from '../../../native-free/unpack/tokens.ts';
import { LZO_1, LZO_999 } from '../../support/unpack/foreign-fixtures.ts';
import { lzopBlocks } from '../../support/unpack/foreign.ts';
import { damaged, dice, faultOf, oddContents, realFiles, refusalOf, Tally } from '../../support/unpack/tools.ts';
import { FIXTURE_CONTENT } from '../../support/unpack/xz-fixtures.ts';
import { missingTool } from '../../support/unpack/xz.ts';

const LZO = { unpack: unpackLzo, pack: packLzo };
const max = (contentBytesMax: number): { contentBytesMax: number } => ({ contentBytesMax });
const noLzop = missingTool('lzop', '--version');
const END = [17, 0, 0];

describe('LZO1X blocks', () => {
  it('come back exactly, as liblzo2 wrote them', () => {
    expect(faultOf(LZO, LZO_1, FIXTURE_CONTENT)).toBe('');
    expect(faultOf(LZO, LZO_999, FIXTURE_CONTENT)).toBe('');
    expect(unpackLzo(LZO_1, max(10_000)).params).toEqual({ hasFirstRun: false, usesNear: false, exceptions: [] });
    expect(unpackLzo(LZO_999, max(10_000)).params.exceptions).toEqual([]);
  });

  it.skipIf(noLzop !== '').each([1, 3, 7, 9])(`come back exactly from lzop -%d${noLzop}`, (level) => {
    const tally = new Tally();
    for (const [name, content] of [...oddContents(), ...realFiles()]) {
      let from = 0;
      for (const { packed, contentBytes } of lzopBlocks(content, level)) {
        tally.add(name, faultOf(LZO, packed, content.subarray(from, from + contentBytes)));
        from += contentBytes;
      }
    }
    expect(tally.faults).toEqual([]);
    expect(tally.exact).toBe(tally.total);
    expect(tally.total).toBeGreaterThan(8);
  });

  const letters = (text: string): number[] => [...Buffer.from(text)];
  it.each([
    ['nothing', END, ''],
    ['one literal', [18, 65, ...END], 'A'],
    ['a first run', [21, ...letters('ABCD'), ...END], 'ABCD'],
    ['the same as a run', [1, ...letters('ABCD'), ...END], 'ABCD'],
    ['a run of eighteen', [15, ...letters('ABCDEFGHIJKLMNOPQR'), ...END], 'ABCDEFGHIJKLMNOPQR'],
    ['a run of nineteen', [0, 1, ...letters('ABCDEFGHIJKLMNOPQRS'), ...END], 'ABCDEFGHIJKLMNOPQRS'],
    ['a run of 273', [0, 255, ...letters('x'.repeat(273)), ...END], 'x'.repeat(273)],
    ['a run of 274', [0, 0, 1, ...letters('x'.repeat(274)), ...END], 'x'.repeat(274)],
    ['a match of two', [19, 65, 66, 0b0100, 0, ...END], 'ABAB'],
    ['a short match', [19, 65, 66, 0x44, 0, ...END], 'ABABA'],
    ['a longer one', [19, 65, 66, 0xe4, 0, ...END], 'ABABABABAB'],
    ['the same, said in the long way', [19, 65, 66, 0x26, 4, 0, ...END], 'ABABABABAB'],
    ['a match of 33 and three literals', [18, 65, 0x3f, 3, 0, 66, 67, 68, ...END], `${'A'.repeat(34)}BCD`],
    ['a match of 34', [18, 65, 0x20, 1, 0, 0, ...END], 'A'.repeat(35)],
    ['a match of 289', [18, 65, 0x20, 0, 1, 0, 0, ...END], 'A'.repeat(290)],
  ])('may hold %s', (_, packed, content) => {
    expect(faultOf(LZO, Uint8Array.from(packed), Uint8Array.from(letters(content)))).toBe('');
  });

  it('reach back as far as they can, and choose what is near behind a long run', () => {
    const roll = dice(3);
    const noise = Uint8Array.from({ length: 60_000 }, () => roll(256));
    for (const distance of [1, 1024, 1025, 2048, 2049, 3072, 3073, 16_384, 16_385, 32_768, 32_769, 49_151])
      for (const length of [2, 3, 4, 8, 9, 10, 33, 34, 300])
        for (const run of [3, 4])
          for (const usesNear of [false, true]) {
            const exceptions = usesNear ? [1] : [];
            const start = 50_000;
            const parts = [
              noise.subarray(0, start),
              noise.subarray(start - 9, start),
              noise.subarray(start, start + run),
            ];
            const before = Buffer.concat(parts);
            const content = Uint8Array.of(...before, ...before.subarray(before.length - distance).subarray(0, length));
            if (content.length !== before.length + length) continue;
            const tokens = new TokenList(content.length);
            tokens.pushLiterals(start);
            tokens.push(OP.match, 9, 9);
            tokens.pushLiterals(run);
            tokens.push(OP.match, length, distance);
            const params = { hasFirstRun: false, usesNear, exceptions };
            const isSayable = length > 2 || (distance <= 1024 && run < 4);
            const fault = refusalOf(() => {
              const packed = packLzo(content, tokens, params);
              const again = unpackLzo(packed, max(content.length));
              expect(Buffer.compare(again.content, content)).toBe(0);
              expect(Buffer.compare(packLzo(again.content, again.tokens, again.params), packed)).toBe(0);
            });
            expect(fault === null, `${length} from ${distance} behind ${run}: ${fault}`).toBe(isSayable);
          }
  });
});

describe('bad LZO is refused', () => {
  it.each([
    ['no input', [], /ends at byte 0/],
    ['no end', [18, 65], /ends at byte 2/],
    ['literals that are cut off', [30, 1, 2, 3], /cut off/],
    ['a length that is cut off', [18, 65, 0x20, 0, 0], /ends at byte 5/],
    ['a distance before the start', [18, 65, 0x44, 0, ...END], /before the start/],
    ['an end of another length', [18, 65, 18, 0, 0], /not said/],
    ['an end with literals', [18, 65, 17, 1, 0, 66], /not said/],
    ['too much content', [18, 65, 0x20, ...new Array<number>(8).fill(0), 1, 0, 0, ...END], /too long/],
  ])('%s', (_, packed, message) => {
    expect(refusalOf(() => unpackLzo(Uint8Array.from(packed), max(1000)))).toMatch(message);
  });

  it('wherever it is cut off', () => {
    for (const packed of [LZO_1, LZO_999])
      for (let end = 0; end < packed.length; end++)
        expect(refusalOf(() => unpackLzo(packed.subarray(0, end), max(10_000)))).not.toBeNull();
  });

  it('after bit flips, cuts and repeats, or it comes back as it is', () => {
    const roll = dice(4);
    let taken = 0;
    for (let i = 0; i < 6000; i++) {
      const packed = damaged([LZO_1, LZO_999][i & 1]!, roll);
      refusalOf(() => {
        const { content, tokens, params, packedBytes } = unpackLzo(packed, max(100_000));
        taken++;
        if (Buffer.compare(packLzo(content, tokens, params), packed.subarray(0, packedBytes)) !== 0)
          throw new Error(`stream ${i} came back otherwise`);
      });
    }
    expect(taken).toBeGreaterThan(100);
  });

  it('and so are tokens that LZO cannot say', () => {
    const usual: LzoParams = { hasFirstRun: true, usesNear: false, exceptions: [] };
    const refused = (tokens: readonly (readonly number[])[], params = usual): string | null => {
      const list = new TokenList(1000);
      for (const [op, length, distance] of tokens) list.push(op!, length!, distance!);
      return refusalOf(() => packLzo(new Uint8Array(10), list, params));
    };
    const literal = [OP.literal, 1, 0];
    expect(refused([literal, [OP.match, 9, 1]])).toBeNull();
    expect(refused([literal, [OP.match, 9, 1]], { ...usual, hasFirstRun: false })).toMatch(/no match/);
    expect(refused([literal, [OP.match, 8, 1]])).toMatch(/make 9 of/);
    expect(refused([literal, [OP.match, 10, 1]])).toMatch(/make more/);
    expect(refused([literal, [OP.match, 9, 2]])).toMatch(/none of LZO's/);
    expect(refused([literal, [OP.rep0, 9, 1]])).toMatch(/none of LZO's/);
    expect(refused([literal, [OP.match, 7, 1], [OP.match, 2, 1]])).toMatch(/of two bytes/);
    expect(refused([[OP.literal, 2, 0]])).toMatch(/length 2/);
  });
});
