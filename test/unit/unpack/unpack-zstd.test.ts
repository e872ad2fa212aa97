/**
 * zstd frames to tokens and back: what libzstd writes comes back exactly at every level, and an error within bounds for
 * what no one writes.
 */
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../native-free/limits.ts';
import { OP, TokenList, type Unpacked } from '../../../native-free/unpack/tokens.ts';
import { FseTable, readTable, writeTable } from '../../../native-free/unpack/zstd/fse.ts';
import { usualTable } from '../../../native-free/unpack/zstd/libzstd/tables.ts';
import { usualTree, usualWeights } from '../../../native-free/unpack/zstd/libzstd/tree.ts';
import { xxh64Low } from '../../../native-free/unpack/zstd/xxh64.ts';
import { BLOCK, type ZstdParams } from '../../../native-free/unpack/zstd/params.ts';
import { packZstd, unpackZstd } from '../../../native-free/unpack/zstd/zstd.ts';
import { BitWriter } from '../../../native-free/unpack/deflate/bit-writer.ts';
import { libzstd, zstdTool } from '../../support/unpack/foreign.ts';
import { ZSTD_BEST, ZSTD_FAST } from '../../support/unpack/foreign-fixtures.ts';
import { damaged, dice, faultOf, oddContents, realFiles, refusalOf, Tally } from '../../support/unpack/tools.ts';
import { FIXTURE_CONTENT } from '../../support/unpack/xz-fixtures.ts';
import { missingTool } from '../../support/unpack/xz.ts';
import { listOf, rowsOf, type TokenRow } from '../../support/unpack/token-rows.ts';

const ZSTD = { unpack: unpackZstd, pack: packZstd };
const noTool = missingTool('zstd', '--version');
const max = (contentBytesMax: number): { contentBytesMax: number } => ({ contentBytesMax });
const contents = (): readonly (readonly [string, Uint8Array])[] =>
  [...oddContents(), ...realFiles()].map(([name, content]) => [name, content.subarray(0, 150_000)] as const);
const bytes = (...parts: (readonly number[])[]): Uint8Array => Uint8Array.from(parts.flat());
const code = (...parts: (readonly number[])[]): string | null =>
  refusalOf(() => unpackZstd(bytes(...parts), max(100_000)));

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
/** A frame that says neither its length nor a checksum. */
const HEAD = [...MAGIC, 0, 0x58];
const block = (type: number, size: number, isLast = true): number[] => {
  const head = (isLast ? 1 : 0) | (type << 1) | (size << 3);
  return [head & 255, (head >> 8) & 255, head >> 16];
};

describe('frames of libzstd', () => {
  it.each([-7, -1, ...Array.from({ length: 22 }, (_, i) => i + 1)])('come back exactly at level %d', (level) => {
    const tally = new Tally();
    const all = contents();
    for (const [name, content] of all) tally.add(name, faultOf(ZSTD, libzstd(content, level), content));
    tally.expectAll(`zstd 1.5.7 at level ${level}`, all.length);
  });

  it.each([
    ['fast', ZSTD_FAST],
    ['best', ZSTD_BEST],
  ])('come back exactly, as zstd 1.5.4 wrote them: %s', (_, packed) => {
    expect(faultOf(ZSTD, packed, FIXTURE_CONTENT)).toBe('');
  });

  it
    .skipIf(noTool !== '')
    .each([
      ...['--fast=5', '-1', '-3 --no-check', '-5 -T2', '-9', '-12 --long=27', '-15', '-19', '--ultra -22'],
      ...['-6 --no-content-size', '-3 --stream-size=7', '--adapt', '-1 --target-compressed-block-size=2000'],
    ])(`come back exactly from the tool with %s${noTool}`, (args) => {
    const tally = new Tally();
    for (const [name, content] of contents()) {
      if (args.includes('stream-size') && content.length !== 7) continue;
      tally.add(name, faultOf(ZSTD, zstdTool(content, ...args.split(' ')), content));
    }
    expect(tally.faults).toEqual([]);
    expect(tally.exact).toBe(tally.total);
  });

  it('are read up to their end, whatever follows', () => {
    const longer = bytes([...ZSTD_BEST], [...ZSTD_BEST]);
    expect(unpackZstd(longer, max(10_000)).packedBytes).toBe(ZSTD_BEST.length);
  });

  it('use all that a frame can have', () => {
    const seen = new Set<string>();
    const roll = dice(9);
    const noise = Uint8Array.from({ length: 2 ** 17 }, () => roll(256));
    // Behind noise, one literal and twelve bytes of it, over and over: everything there has a single symbol.
    const copies = Array.from({ length: 2000 }, () => [65, ...noise.subarray(roll(100_000)).subarray(0, 12)]);
    const single = new Uint8Array(Buffer.concat([noise, Uint8Array.from(copies.flat())]));
    const odd = [single, new Uint8Array(300_000)];
    for (const content of [...contents().map(([, each]) => each), ...odd])
      for (const level of [-1, 1, 5, 19]) {
        const { params } = unpackZstd(libzstd(content, level), max(content.length));
        for (const { type, literals, tables } of params.blocks) {
          seen.add(`block ${type}`);
          if (literals !== null)
            seen.add(`literals ${literals.mode}`).add(`streams ${Math.min(1, literals.sizeFormat)}`);
          const tree = literals?.tree ?? null;
          if (tree !== null) seen.add(tree.table === null ? 'direct weights' : 'coded weights');
          for (const { mode } of tables) seen.add(`table ${mode}`);
        }
      }
    expect([...seen].sort()).toEqual([
      ...['block 0', 'block 1', 'block 2', 'coded weights', 'direct weights'],
      ...['literals 0', 'literals 1', 'literals 2', 'literals 3', 'streams 0', 'streams 1'],
      ...['table 0', 'table 1', 'table 2', 'table 3'],
    ]);
  });

  it.skipIf(noTool !== '')(`have checksums of any length${noTool}`, () => {
    for (const length of [0, 1, 3, 4, 5, 7, 8, 9, 12, 13, 31, 32, 33, 39, 44, 63, 64, 99]) {
      const content = Uint8Array.from({ length }, (_, i) => i * 37 + length);
      expect(faultOf(ZSTD, zstdTool(content), content), `${length} bytes`).toBe('');
    }
  });

  it('have tokens that say distances by their places', () => {
    for (const [name, content] of contents()) {
      const { tokens } = unpackZstd(libzstd(content, 19), max(content.length));
      const recent = [1, 4, 8];
      for (let i = 0; i < tokens.count; i++) {
        const op = tokens.opAt(i);
        const distance = tokens.distanceAt(i);
        if (op === OP.literal) continue;
        const place = op === OP.match ? 2 : op - OP.rep0;
        if (op !== OP.match) expect(recent[place], `${name}, token ${i}`).toBe(distance);
        recent.splice(place, 1);
        recent.unshift(distance);
      }
    }
  });
});

describe('frames by hand', () => {
  const roundTrip = (packed: Uint8Array): Unpacked<ZstdParams> => {
    const unpacked = unpackZstd(packed, max(1_000_000));
    expect([...packZstd(unpacked.content, unpacked.tokens, unpacked.params)]).toEqual([...packed]);
    return unpacked;
  };

  it('have blocks that are stored or repeat a byte', () => {
    const packed = bytes(HEAD, block(BLOCK.raw, 3, false), [1, 2, 3], block(BLOCK.rle, 5, false), [9], block(0, 0));
    const { content, tokens } = roundTrip(packed);
    expect([...content]).toEqual([1, 2, 3, 9, 9, 9, 9, 9]);
    expect(tokens.count).toBe(8);
  });

  it('have heads that say the length in one, two, four or eight bytes', () => {
    const raw = new Array<number>(300).fill(7);
    roundTrip(bytes(MAGIC, [0x20, 2], block(0, 2), [7, 7]));
    roundTrip(bytes(MAGIC, [0x60, 44, 0], block(0, 300), raw));
    roundTrip(bytes(MAGIC, [0xa0, 44, 1, 0, 0], block(0, 300), raw));
    roundTrip(bytes(MAGIC, [0xc0, 8, 44, 1, 0, 0, 0, 0, 0, 0], block(0, 300), raw));
  });

  it('may hold what libzstd would not write', () => {
    // Four literals in a head for twenty bits, then one sequence: all four, a match of three at distance 2.
    const literals = [0 | (3 << 2) | (4 << 4), 0, 0, 65, 66, 67, 68];
    const single = [1, 0x54, 4, 2, 0];
    const { content, tokens } = roundTrip(bytes(HEAD, block(2, 13), literals, single, [0b101]));
    expect(Buffer.from(content).toString()).toBe('ABCDCDC');
    expect([tokens.opAt(4), tokens.lengthAt(4), tokens.distanceAt(4)]).toEqual([OP.match, 3, 2]);
  });

  it('may say the last distance less one in two ways', () => {
    // Two sequences: four literals and distance 2; then, behind no literal, distance 1 by its number, or in full.
    const make = (extra: number[]): Uint8Array => {
      const literals = [4 << 3, 65, 66, 67, 68];
      return bytes(HEAD, block(2, literals.length + extra.length), literals, extra);
    };
    const content = new Uint8Array(10).fill(67);
    content.set([65, 66, 67, 68, 67, 68, 67]);
    const list = new TokenList(10);
    for (let i = 0; i < 4; i++) list.push(OP.literal, 1, 0);
    list.push(OP.match, 3, 2);
    list.push(OP.match, 3, 1);
    const { params } = unpackZstd(make([0]), max(10));
    const predefined = Array.from({ length: 3 }, () => ({ mode: 0, table: null }));
    const blocks = [{ ...params.blocks[0]!, contentBytes: 10, tables: predefined }];
    const packed = [[], [0]].map((plain) => packZstd(content, list, { ...params, plain, blocks }));
    expect(packed[0]).not.toEqual(packed[1]);
    for (const [i, each] of packed.entries()) {
      const again = unpackZstd(each, max(10));
      expect(again.content).toEqual(content);
      expect(rowsOf(again.tokens).map(([op]) => op)).toEqual([0, 0, 0, 0, 1, 1]);
      expect(again.params.plain).toEqual(i === 0 ? [] : [0]);
    }
  });

  it('have the checksum of their content', () => {
    const sumOf = (text: string): number => xxh64Low(new TextEncoder().encode(text));
    expect(sumOf('')).toBe(0x51d8e999);
    expect(sumOf('a')).toBe(0xa98c6e5b);
    expect(sumOf('abc')).toBe(0xad770999);
    const wrong = ZSTD_BEST.slice();
    wrong[wrong.length - 1]! ^= 1;
    expect(refusalOf(() => unpackZstd(wrong, max(10_000)))).toMatch(/checksum/);
  });
});

describe('tables', () => {
  it('come back from their descriptions', () => {
    const roll = dice(5);
    for (let i = 0; i < 2000; i++) {
      const log = 5 + roll(5);
      const frequencies: number[] = [];
      for (let left = 1 << log; left > 0;) {
        const frequency = frequencies.length >= 34 ? left : [0, -1, 1, 1 + roll(left)][roll(4)]!;
        frequencies.push(frequency);
        left -= Math.abs(frequency);
      }
      const table = new FseTable(log, Int16Array.from(frequencies));
      const writer = new BitWriter(0);
      writeTable(writer, table);
      const written = writer.finish();
      const read = readTable(written, 0, written.length, 9, 35);
      expect(read.end).toBe(written.length);
      expect(read.table.isSame(table), frequencies.join(' ')).toBe(true);
      const states = table.encoding.states.slice().sort();
      expect([...states]).toEqual(Array.from({ length: 1 << log }, (_, state) => (1 << log) + state));
    }
  });

  it('are guessed within their rules, whatever the counts', () => {
    const roll = dice(6);
    for (let i = 0; i < 2000; i++) {
      const counts = Uint32Array.from({ length: 36 }, () => (roll(3) === 0 ? 0 : 1 + roll(roll(2) === 0 ? 3 : 4000)));
      const total = counts.reduce((sum, count) => sum + count, 0);
      const table = usualTable(
        counts,
        total,
        counts.findIndex((count) => count > 0),
        9,
      );
      if (table === null) continue;
      expect(table.frequencies.reduce((sum, share) => sum + Math.abs(share), 0)).toBe(1 << table.log);
      counts.forEach((count, symbol) => {
        expect((table.frequencies[symbol] ?? 0) !== 0).toBe(count > 0);
      });
    }
  });

  it('and so are Huffman codes', () => {
    const roll = dice(7);
    for (let i = 0; i < 1000; i++) {
      const steep = roll(2) === 0;
      const size = 2 + roll(255);
      const counts = Uint32Array.from({ length: size }, (_, k) => (steep ? 2 ** Math.min(k, 17) : roll(300)));
      for (const limit of [8, 11]) {
        const weights = usualWeights(counts, limit);
        if (weights === null) continue;
        const sum = weights.reduce((all, weight) => all + ((1 << weight) >> 1), 0);
        expect(sum & (sum - 1)).toBe(0);
        expect(sum).toBeLessThanOrEqual(2 ** limit);
        expect(usualTree(counts, limit)!.weights).toEqual(weights);
      }
    }
  });
});

describe('bad zstd is refused', () => {
  const BAD: readonly (readonly [string, readonly number[], RegExp])[] = [
    ['no input', [], /no zstd frame/],
    ['another magic', [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0], /no zstd frame/],
    ['a dictionary', [...MAGIC, 1, 0x58, 5], /dictionary/],
    ['a reserved bit', [...MAGIC, 8, 0x58], /dictionary/],
    ['a head that is cut off', [...MAGIC, 0xe0, 1, 2], /cut off/],
    ['no block', HEAD, /cut off/],
    ['a block of no type', [...HEAD, ...block(3, 0)], /no block of type 3/],
    ['a block over 128 KiB', [...HEAD, ...block(1, 2 ** 17 + 1), 7], /cut off/],
    ['another length than it says', [...MAGIC, 0x20, 3, ...block(0, 2), 7, 7], /not 3/],
    ['more than it says', [...MAGIC, 0x20, 1, ...block(0, 2), 7, 7], /more than 1/],
    ['no sequences section', [...HEAD, ...block(2, 2), 1 << 3, 65], /cut off/],
    ['something behind its literals', [...HEAD, ...block(2, 4), 1 << 3, 65, 0, 0], /follows/],
    ['treeless literals first', [...HEAD, ...block(2, 6), 3 | (1 << 4), 1 << 6, 0, 1, 0, 0], /no code/],
    ['tables to repeat first', [...HEAD, ...block(2, 5), 1 << 3, 65, 1, 0xfc, 1], /to repeat/],
    ['a code that does not exist', [...HEAD, ...block(2, 8), 1 << 3, 65, 1, 0x54, 40, 0, 0, 1], /no code 40/],
    ['bits without an end mark', [...HEAD, ...block(2, 8), 1 << 3, 65, 1, 0x54, 1, 0, 0, 0], /no end mark/],
    ['a distance before the start', [...HEAD, ...block(2, 8), 1 << 3, 65, 1, 0x54, 1, 2, 0, 0b101], /before the start/],
    ['more literals than there are', [...HEAD, ...block(2, 8), 1 << 3, 65, 1, 0x54, 2, 0, 0, 1], /more literals/],
    ['bits left over', [...HEAD, ...block(2, 8), 1 << 3, 65, 1, 0x54, 1, 0, 0, 0b10], /bits follow/],
    ['a table of 2^20 states', [...HEAD, ...block(2, 8), 1 << 3, 65, 1, 0x94, 15, 0, 0, 1], /2\^20 states/],
  ];
  it.each(BAD)('%s', (_, packed, message) => {
    expect(code(packed)).toMatch(message);
  });

  it('wherever it is cut off', () => {
    for (const packed of [ZSTD_FAST, ZSTD_BEST])
      for (let end = 0; end < packed.length; end++)
        expect(
          refusalOf(() => unpackZstd(packed.subarray(0, end), max(10_000))),
          `cut at ${end}`,
        ).not.toBeNull();
  });

  it('after bit flips, cuts and repeats, or what is taken unpacks to itself', () => {
    const roll = dice(8);
    const files = realFiles();
    const streams = [ZSTD_FAST, ZSTD_BEST, libzstd(files.get('a page of text')!.subarray(0, 4000), 19)];
    streams.push(libzstd(oddContents().get('records')!.subarray(0, 3000), 1));
    let taken = 0;
    for (let i = 0; i < 8000; i++) {
      const packed = damaged(streams[i % streams.length]!, roll);
      refusalOf(() => {
        const { content, tokens, params } = unpackZstd(packed, max(100_000));
        taken++;
        const again = packZstd(content, tokens, params);
        expect(Buffer.compare(unpackZstd(again, max(100_000)).content, content)).toBe(0);
      });
    }
    expect(taken).toBeGreaterThan(20);
  });

  it('before it costs memory or time', () => {
    expect(unpackZstd(bytes(HEAD, block(0, 1), [9]), max(2 ** 50)).content.buffer.byteLength).toBe(1);
    expect(code([...MAGIC, 0xc0, 8, 255, 255, 255, 255, 255, 255, 15, 0])).toMatch(/over 100000/);
    // A bomb of one byte repeated, and blocks without end that hold nothing.
    const bomb = bytes(HEAD, ...Array.from({ length: 1000 }, () => [...block(1, 2 ** 17, false), 7]));
    expect(refusalOf(() => unpackZstd(bomb, max(2 ** 20)))).toMatch(/more than/);
    const empty = new Uint8Array(HEAD.length + 3 * (2 * LIMITS.unit_blocks_empty_max));
    empty.set(HEAD);
    expect(refusalOf(() => unpackZstd(empty, max(1000)))).toMatch(/are empty/);
  });
});

describe('tokens and params that do not belong together are refused', () => {
  const content = FIXTURE_CONTENT;
  const { tokens, params } = unpackZstd(ZSTD_BEST, max(10_000));
  const packs = (changed: Partial<ZstdParams>, list = tokens): string | null =>
    refusalOf(() => packZstd(content, list, { ...params, ...changed }));
  const first = params.blocks[0]!;
  const withBlock = (changed: object): Partial<ZstdParams> => ({
    blocks: [{ ...first, ...changed }, ...params.blocks.slice(1)],
  });

  it('by the params', () => {
    expect(packs({})).toBeNull();
    expect(packs({ blocks: [] })).not.toBeNull();
    expect(packs({ head: { ...params.head, sizeCode: 0, window: null } })).toMatch(/length/);
    expect(packs(withBlock({ contentBytes: first.contentBytes - 1 }))).not.toBeNull();
    expect(packs(withBlock({ contentBytes: 2 ** 18 }))).not.toBeNull();
    expect(packs(withBlock({ type: BLOCK.raw }))).toMatch(/match/);
    expect(packs(withBlock({ type: BLOCK.rle }))).not.toBeNull();
    expect(packs(withBlock({ literals: null }))).toMatch(/literals/);
    expect(packs(withBlock({ tables: [] }))).toMatch(/no tables/);
    expect(packs(withBlock({ literals: { ...first.literals!, sizeFormat: 9 } }))).not.toBeNull();
    expect(packs(withBlock({ literals: { mode: 3, sizeFormat: 1, tree: null } }))).toMatch(/no code/);
    for (const weights of [
      [0, 0],
      [1, 1, 1, 1, 1, 0],
      [12, 12],
      [1, 0],
    ])
      expect(
        packs(
          withBlock({ literals: { mode: 2, sizeFormat: 1, tree: { weights: Uint8Array.from(weights), table: null } } }),
        ),
      ).not.toBeNull();
    const lone = { mode: 1, table: new FseTable(0, Int16Array.of(1)) };
    expect(packs(withBlock({ tables: [lone, lone, lone] }))).toMatch(/no symbol/);
    const repeat = { mode: 3, table: null };
    expect(packs(withBlock({ tables: [repeat, repeat, repeat] }))).toMatch(/no table/);
  });

  it('by the tokens', () => {
    const rows = rowsOf(tokens);
    const match = rows.findIndex(([op]) => op !== OP.literal);
    const [op, length, distance] = rows[match]!;
    const changed = (i: number, row: TokenRow): string | null =>
      packs({}, listOf(rows.map((same, at) => (at === i ? row : same))));
    expect(packs({}, listOf(rows))).toBeNull();
    expect(packs({}, listOf([...rows, [OP.literal, 1, 0]]))).not.toBeNull();
    expect(packs({}, listOf(rows.slice(0, -1)))).not.toBeNull();
    expect(changed(match, [OP.shortRep, length, distance])).not.toBeNull();
    expect(changed(match, [99, length, distance])).not.toBeNull();
    expect(changed(match, [op, length, 0])).not.toBeNull();
    expect(changed(match, [op, length, 2 ** 24 - 1])).not.toBeNull();
    expect(changed(match, [op, 2, distance])).not.toBeNull();
    expect(changed(0, [OP.literal, 2, 0])).not.toBeNull();
  });
});
