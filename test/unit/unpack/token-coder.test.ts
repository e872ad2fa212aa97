/**
 * Tokens of all codecs through the token coder and back, whatever they are predicted from; and streams of nobody's.
 */
import { describe, expect, it } from 'vitest';
import { DEFAULT_SIZES } from '../../../native-free/format/model-sizes.ts';
import { MixCoder } from '../../../native-free/model/mix-coder.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { TokenCoder, type TokenUnit } from '../../../native-free/unpack/token-coder/token-coder.ts';
import { OP, TokenList } from '../../../native-free/unpack/tokens.ts';
import type { TokenRules } from '../../../native-free/unpack/unit-codec.ts';
import { dice, oddContents, realFiles, refusalOf } from '../../support/unpack/tools.ts';
import {
  align,
  type Case,
  decodeTokens,
  DEFLATE_RULES,
  deflateTokens,
  differenceOf,
  edited,
  encodeTokens,
  illegality,
  LZ4_RULES,
  lz4Tokens,
  LZMA_RULES,
  sourceUnit,
  ZSTD_RULES,
} from '../../support/unpack/token-units.ts';
import { randomTokens } from '../../support/unpack/random-tokens.ts';
import { rowsOf } from '../../support/unpack/token-rows.ts';

const library = (): readonly [Uint8Array, Uint8Array] => {
  const files = realFiles();
  return [files.get('an arm64 library')!.subarray(0, 200_000), files.get('its next version')!.subarray(0, 200_000)];
};

/** A unit of `target` whose source is `source`, both as `compress` makes them. */
function pair(rules: TokenRules, source: Uint8Array, target: Uint8Array, compress: (c: Uint8Array) => TokenList): Case {
  const runs = align(target, sourceUnit(source, compress(source)));
  return { unit: { bytes: target, rules, runs }, tokens: compress(target) };
}

/** Bytes that the units take; they come back. */
function roundTrip(cases: readonly Case[]): number {
  const { stream } = encodeTokens(cases);
  const decoded = decodeTokens(
    stream,
    cases.map(({ unit }) => unit),
  );
  expect(decoded.map((tokens, i) => differenceOf(tokens, cases[i]!.tokens)).filter((fault) => fault !== '')).toEqual(
    [],
  );
  return stream.length;
}

const alone = ({ unit, tokens }: Case): Case => ({ unit: { ...unit, runs: [] }, tokens });

describe('tokens come back', () => {
  it.each([1, 4, 6, 9])('of deflate at level %i, and cost little where the source had the like', (level) => {
    const compress = (content: Uint8Array): TokenList => deflateTokens(content, { level });
    const unit = pair(DEFLATE_RULES, ...library(), compress);
    const bytes = roundTrip([unit]);
    const without = roundTrip([alone(unit)]);
    expect(bytes).toBeLessThan(without);
  });

  it('of LZ4', () => {
    const unit = pair(LZ4_RULES, ...library(), lz4Tokens);
    expect(roundTrip([unit])).toBeLessThan(0.75 * roundTrip([alone(unit)]));
  });

  it.each([
    ['LZMA', LZMA_RULES],
    ['zstd', ZSTD_RULES],
    ['deflate', DEFLATE_RULES],
    ['LZ4', LZ4_RULES],
  ])('of a compressor that does anything the rules of %s allow', (_, rules) => {
    const roll = dice(5);
    const [source] = library();
    const target = edited(source.subarray(0, 30_000), roll, 40);
    const like = sourceUnit(source.subarray(0, 30_000), randomTokens(source.subarray(0, 30_000), rules, roll));
    const runs = align(target, like);
    const tokens = randomTokens(target, rules, roll);
    expect(illegality({ bytes: target, rules, runs }, tokens)).toBe('');
    expect(new Set(rowsOf(tokens).map(([op]) => op)).size).toBe(2 + rules.reps.length + (rules.hasShortRep ? 1 : 0));
    roundTrip([{ unit: { bytes: target, rules, runs }, tokens }]);
  });

  it('of odd contents, several units in a segment', () => {
    const cases: Case[] = [];
    for (const content of oddContents().values()) {
      for (const level of [0, 9]) {
        const tokens = deflateTokens(content, { level });
        cases.push({ unit: { bytes: content, rules: DEFLATE_RULES, runs: [] }, tokens });
      }
      cases.push({ unit: { bytes: content, rules: LZ4_RULES, runs: [] }, tokens: lz4Tokens(content) });
    }
    roundTrip(cases);
  });

  it('where runs are wrong, or of a unit of another codec', () => {
    const [source, target] = library();
    const good = pair(DEFLATE_RULES, source, target, deflateTokens);
    const like = sourceUnit(source, deflateTokens(source));
    const shifted = good.unit.runs.map((run) => ({ ...run, from: Math.max(0, run.from - 3) }));
    const foreign = sourceUnit(source, lz4Tokens(source));
    const wrong = { at: 0, length: Math.min(target.length, source.length), source: like, from: 0 };
    for (const runs of [shifted, [wrong], align(target, foreign)])
      roundTrip([{ unit: { ...good.unit, runs }, tokens: good.tokens }]);
  });

  it('of a unit that goes on in the middle of a stream', () => {
    const [, target] = library();
    const all = deflateTokens(target);
    const rest = new TokenList(target.length);
    let at = 0;
    let first = 0;
    for (let i = 0; i < all.count; i++) {
      if (at >= 50_000) {
        if (rest.count === 0) first = at;
        rest.push(all.opAt(i), all.lengthAt(i), all.distanceAt(i));
      }
      at += all.lengthAt(i);
    }
    roundTrip([{ unit: { bytes: target, first, rules: DEFLATE_RULES, runs: [] }, tokens: rest }]);
  });

  it('with nothing but flags where nothing changed', () => {
    const [source] = library();
    const unit = pair(DEFLATE_RULES, source, source, deflateTokens);
    expect(roundTrip([unit])).toBeLessThan(40);
  });
});

describe('the encoder refuses', () => {
  const content = Uint8Array.of(1, 2, 3, 1, 2, 3, 1, 2, 3);
  const refuses = (rules: TokenRules, ...tokens: [number, number, number][]): void => {
    const list = new TokenList(20);
    for (const [op, length, distance] of tokens) list.push(op, length, distance);
    const unit: TokenUnit = { bytes: content, rules, runs: [] };
    expect(refusalOf(() => encodeTokens([{ unit, tokens: list }]))).toMatch(/^tokens: /);
  };
  const LITERALS = [1, 2, 3].map((): [number, number, number] => [OP.literal, 1, 0]);

  it('tokens that are none of the codec', () => {
    refuses(DEFLATE_RULES, ...LITERALS, [OP.rep0, 6, 3]);
    refuses(DEFLATE_RULES, ...LITERALS, [OP.shortRep, 1, 3], [OP.match, 5, 3]);
    refuses(ZSTD_RULES, ...LITERALS, [OP.rep3, 6, 3]);
    refuses({ ...DEFLATE_RULES, matchMax: 5 }, ...LITERALS, [OP.match, 6, 3]);
    refuses({ ...DEFLATE_RULES, distanceMax: 2 }, ...LITERALS, [OP.match, 6, 3]);
    refuses(DEFLATE_RULES, ...LITERALS, [OP.literal, 6, 0]);
  });

  it('tokens that do not make the content', () => {
    refuses(DEFLATE_RULES, ...LITERALS);
    refuses(DEFLATE_RULES, ...LITERALS, [OP.match, 6, 2]);
    refuses(DEFLATE_RULES, ...LITERALS, [OP.match, 6, 4]);
    refuses(DEFLATE_RULES, ...LITERALS, [OP.match, 7, 3]);
  });
});

describe('a stream of random bytes', () => {
  it.each([
    ['LZMA', LZMA_RULES],
    ['zstd', ZSTD_RULES],
    ['deflate', DEFLATE_RULES],
    ['LZ4', LZ4_RULES],
  ])('gives tokens that %s allows, or unit_malformed', (_, rules) => {
    const roll = dice(77);
    const [source, target] = library();
    const content = target.subarray(0, 20_000);
    const like = sourceUnit(source.subarray(0, 30_000), randomTokens(source.subarray(0, 30_000), rules, roll));
    const runs = align(content, like);
    for (let i = 0; i < 60; i++) {
      const stream = Uint8Array.from({ length: i < 2 ? 0 : roll(3000) }, () =>
        i % 3 === 0 ? 255 * roll(2) : roll(256),
      );
      const unit = { bytes: content, rules, runs: i % 2 === 0 ? runs : [] };
      try {
        const [tokens] = decodeTokens(stream, [unit]);
        expect(illegality(unit, tokens!)).toBe('');
      } catch (error) {
        if (!UpdateError.is(error)) throw error;
        expect(error.code).toBe('unit_malformed');
      }
    }
  });

  it('stops at the work that is declared', () => {
    const unit = alone(pair(DEFLATE_RULES, ...library(), deflateTokens));
    const { stream, spent, all } = encodeTokens([unit]);
    expect(decodeTokens(stream, [unit.unit], all)).toHaveLength(1);
    expect(() => decodeTokens(stream, [unit.unit], all - spent / 2)).toThrow(/units of work/);
  });

  it('is bounded in work where every place has long matches', () => {
    const rows = Uint8Array.from({ length: 300_000 }, (_, i) => (i % 300 === 299 ? i / 300 : i % 300));
    const { spent } = encodeTokens([{ unit: { bytes: rows, rules: LZ4_RULES, runs: [] }, tokens: lz4Tokens(rows) }]);
    expect(spent).toBeLessThan(40 * rows.length);
  });
});

it('a coder is fresh after a reset', () => {
  const unit = pair(DEFLATE_RULES, ...library(), deflateTokens);
  const coder = new MixCoder(true, DEFAULT_SIZES);
  const tokens = new TokenCoder(coder);
  const segment = (): Uint8Array => {
    coder.start(null);
    tokens.reset();
    tokens.code(unit.unit, unit.tokens);
    return coder.finish().slice();
  };
  const first = segment();
  expect(segment()).toEqual(first);
});
