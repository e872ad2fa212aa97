/**
 * Any legal tokens survive being packed and unpacked, and nothing hostile does more than be refused: properties of the
 * LZMA codecs and branch filters that no tool's output shows.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';
import { BRANCH_FILTERS } from '../../native-free/unpack/bcj/filters.ts';
import { ChunkList } from '../../native-free/unpack/lzma/chunks.ts';
import { packLzma, unpackLzma } from '../../native-free/unpack/lzma/lzma1.ts';
import { packLzma2, unpackLzma2 } from '../../native-free/unpack/lzma/lzma2.ts';
import { OP, TokenList } from '../../native-free/unpack/tokens.ts';
import { packXz, unpackXz } from '../../native-free/unpack/xz/xz.ts';
import { LZMA_ENDED, LZMA_SIZED, XZ_ARM, XZ_RISCV_BLOCKS } from '../support/unpack/xz-fixtures.ts';
import { branchCode } from '../support/unpack/xz.ts';
import { rowsOf } from '../support/unpack/token-rows.ts';

const BOUND = { contentBytesMax: 100_000 };
const PROPERTIES = fc
  .tuple(fc.nat(4), fc.nat(4), fc.nat(4))
  .map(([lc, lp, pb]) => (pb * 5 + Math.min(lp, 4 - lc)) * 9 + lc);

/** One symbol as wishes: of a kind, some length, some distance or byte. */
const WISH = fc.tuple(fc.nat(6), fc.integer({ min: 2, max: 273 }), fc.nat(2 ** 16), fc.nat(255));
const WISHES = fc.array(WISH, { maxLength: 120 });
type Wishes = readonly (readonly [number, number, number, number])[];

/** The nearest thing to the wishes that is legal, appended; with a memory of repeated distances of its own. */
function fulfil(wishes: Wishes, content: number[], start: number, tokens: TokenList): void {
  const reps = [1, 1, 1, 1];
  for (const [op, wanted, distant, byte] of wishes) {
    const position = content.length - start;
    const index = op === OP.shortRep ? 0 : Math.max(0, op - OP.rep0);
    const distance = op === OP.match ? (distant % Math.max(1, position)) + 1 : reps[index]!;
    if (op === OP.literal || distance > position) {
      content.push(byte);
      tokens.push(OP.literal, 1, 0);
      continue;
    }
    const length = op === OP.shortRep ? 1 : wanted;
    for (let i = 0; i < length; i++) content.push(content[content.length - distance]!);
    tokens.push(op, length, distance);
    if (op === OP.match) reps.pop();
    else reps.splice(index, 1);
    reps.unshift(distance);
  }
}

/** Anything but an UpdateError is a failure. */
function refusedOr<T>(run: () => T): T | null {
  try {
    return run();
  } catch (error) {
    if (UpdateError.is(error) && error.code === 'unit_malformed') return null;
    throw error;
  }
}

describe('any legal tokens', () => {
  it('come back from .lzma, however its end is said', () => {
    fc.assert(
      fc.property(WISHES, PROPERTIES, fc.boolean(), fc.boolean(), (wishes, properties, hasSize, marks) => {
        const content: number[] = [];
        const tokens = new TokenList(1000);
        fulfil(wishes, content, 0, tokens);
        const params = { properties, dictionaryBytes: 2 ** 20, hasSize, hasEndMarker: marks || !hasSize };
        const packed = packLzma(Uint8Array.from(content), tokens, params);
        const again = unpackLzma(packed, BOUND);
        expect([...again.content]).toEqual(content);
        expect(rowsOf(again.tokens)).toEqual(rowsOf(tokens));
        expect(again.params).toEqual(params);
        expect(again.packedBytes).toBe(packed.length);
      }),
      { numRuns: 300 },
    );
  });

  it('come back from LZMA2, with chunks of any kind in any order', () => {
    const chunk = fc.tuple(fc.constantFrom(1, 2, 192, 224), WISHES, PROPERTIES);
    fc.assert(
      fc.property(fc.array(chunk, { minLength: 1, maxLength: 6 }), (wanted) => {
        const content: number[] = [];
        const tokens = new TokenList(1000);
        const chunks = new ChunkList(100);
        let start = 0;
        for (const [i, [kind, wishes, properties]] of wanted.entries()) {
          // The first makes a dictionary; each LZMA chunk resets its state, so that `fulfil` can start anew.
          const control = i > 0 ? kind : kind < 128 ? 1 : 224;
          const from = content.length;
          if (control === 1 || control === 224) start = from;
          if (control < 128) {
            content.push(...wishes.map(([, , , byte]) => byte));
            tokens.pushLiterals(wishes.length); // stored bytes are literals
          } else fulfil(wishes, content, start, tokens);
          if (content.length === from) {
            content.push(7);
            tokens.push(OP.literal, 1, 0);
          }
          chunks.push(control, content.length - from, control < 128 ? 0 : properties);
        }
        const packed = packLzma2(Uint8Array.from(content), tokens, { chunks });
        const again = unpackLzma2(packed, BOUND);
        expect([...again.content]).toEqual(content);
        expect(rowsOf(again.tokens)).toEqual(rowsOf(tokens));
        expect(packLzma2(again.content, again.tokens, again.params)).toEqual(packed);
      }),
      { numRuns: 300 },
    );
  });
});

describe('hostile bytes', () => {
  it('are refused, or make no more than is allowed and come back from it', () => {
    const seeds = [LZMA_ENDED, LZMA_SIZED, XZ_ARM, XZ_RISCV_BLOCKS];
    const change = fc.tuple(fc.nat(2 ** 16), fc.nat(255));
    fc.assert(
      fc.property(fc.nat(3), fc.array(change, { minLength: 1, maxLength: 4 }), (which, changes) => {
        const packed = seeds[which]!.slice();
        for (const [at, byte] of changes) packed[at % packed.length] = byte;
        const pure = which < 2;
        const unpacked = refusedOr(() => (pure ? unpackLzma(packed, BOUND) : unpackXz(packed, BOUND)));
        if (unpacked === null) return;
        expect(unpacked.content.length).toBeLessThanOrEqual(BOUND.contentBytesMax);
        expect(unpacked.tokens.count).toBeLessThanOrEqual(unpacked.content.length);
        const { content, tokens, params } = unpacked;
        const again = 'blocks' in params ? packXz(content, tokens, params) : packLzma(content, tokens, params);
        expect(again).toEqual(packed.slice(0, unpacked.packedBytes));
      }),
      { numRuns: 2000 },
    );
  });

  it('of no format at all are refused or small', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const forced = Uint8Array.from([93, 0, 0, 1, 0, ...new Uint8Array(8).fill(255), 0, ...bytes]);
        for (const packed of [bytes, forced]) {
          const lzma = refusedOr(() => unpackLzma(packed, BOUND));
          expect(lzma?.content.length ?? 0).toBeLessThanOrEqual(BOUND.contentBytesMax);
        }
        const chunk = Uint8Array.from([0xe0, 0xff, 0xff, bytes.length >> 8, bytes.length, 93, 0, ...bytes, 0]);
        const lzma2 = refusedOr(() => unpackLzma2(chunk, BOUND));
        expect(lzma2?.content.length ?? 0).toBeLessThanOrEqual(BOUND.contentBytesMax);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('hostile tokens', () => {
  it('are refused when packed, or unpack to the same again', () => {
    const token = fc.tuple(
      fc.nat(8),
      fc.oneof(fc.nat(4), fc.nat(2 ** 32 - 1)),
      fc.oneof(fc.nat(4), fc.nat(2 ** 32 - 1)),
    );
    const params = { properties: 93, dictionaryBytes: 2 ** 16, hasSize: true, hasEndMarker: false };
    fc.assert(
      fc.property(fc.array(token, { maxLength: 20 }), fc.uint8Array({ maxLength: 40 }), (list, content) => {
        const tokens = new TokenList(100);
        tokens.push(OP.literal, 1, 0);
        const packed = refusedOr(() => {
          for (const [op, length, distance] of list) tokens.push(op, length, distance);
          return packLzma(content, tokens, params);
        });
        if (packed === null) return;
        const again = unpackLzma(packed, BOUND).tokens;
        expect(rowsOf(again).map(([op]) => op)).toEqual(rowsOf(tokens).map(([op]) => op));
      }),
      { numRuns: 2000 },
    );
  });

  it('and chunks are bounded before they take memory', () => {
    const list = new ChunkList(3);
    for (let i = 0; i < 3; i++) list.push(1, 1, 0);
    expect(refusedOr(() => list.push(1, 1, 0))).toBeNull();
    const params = { check: 1, blocks: [] };
    expect(refusedOr(() => packXz(new Uint8Array(1), new TokenList(1), params))).toBeNull();
    expect(LIMITS.xz_blocks_max).toBeGreaterThan(1000);
  });
});

describe('branch filters', () => {
  it('are undone by their inverses on any bytes, in either order', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.tuple(fc.nat(), fc.nat(200)).map(([seed, length]) => branchCode(seed, length)),
    );
    fc.assert(
      fc.property(bytes, fc.nat(2 ** 28 - 1), fc.boolean(), (content, start, encode) => {
        for (const { filter } of Object.values(BRANCH_FILTERS)) {
          const copy = content.slice();
          filter(copy, start * 16, encode);
          filter(copy, start * 16, !encode);
          expect(copy).toEqual(content);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
