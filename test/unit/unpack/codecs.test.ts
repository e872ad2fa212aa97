/**
 * Codecs as units: params go through the models and come back; what like units say costs next to nothing; and noise in
 * place of a stream gives params or an error, within bounds.
 */
import { describe, expect, it } from 'vitest';
import { DEFAULT_SIZES, SMALLEST_SIZES } from '../../../native-free/format/model-sizes.ts';
import { MixCoder } from '../../../native-free/model/mix-coder.ts';
import { NumberCoder, UNIT_SPACE } from '../../../native-free/model/number-coder.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { lzmaCodec } from '../../../native-free/unpack/codecs/lzma.ts';
import { lzoCodec } from '../../../native-free/unpack/codecs/lzo.ts';
import { microLzmaCodec } from '../../../native-free/unpack/codecs/micro-lzma.ts';
import { xzCodec } from '../../../native-free/unpack/codecs/xz.ts';
import { zstdCodec } from '../../../native-free/unpack/codecs/zstd.ts';
import { ChunkList } from '../../../native-free/unpack/lzma/chunks.ts';
import { packMicroLzma, unpackMicroLzma } from '../../../native-free/unpack/lzma/micro-lzma.ts';
import { packRawLzma } from '../../../native-free/unpack/lzma/lzma1.ts';
import { packXz } from '../../../native-free/unpack/xz/xz.ts';
import { packZstd } from '../../../native-free/unpack/zstd/zstd.ts';
import { FseTable } from '../../../native-free/unpack/zstd/fse.ts';
import type { UnitCodec, UnpackedUnit } from '../../../native-free/unpack/unit-codec.ts';
import { libzstd } from '../../support/unpack/foreign.ts';
import { LZO_1, LZO_999, MICRO_LZMA, ZSTD_BEST, ZSTD_FAST } from '../../support/unpack/foreign-fixtures.ts';
import { dice, oddContents, realFiles, refusalOf } from '../../support/unpack/tools.ts';
import {
  FIXTURE_CONTENT,
  LZMA_ENDED,
  LZMA_SIZED,
  XZ_ARM,
  XZ_RISCV_BLOCKS,
  XZ_SHA256,
} from '../../support/unpack/xz-fixtures.ts';
import { missingTool, xz } from '../../support/unpack/xz.ts';
import { listOf, rowsOf } from '../../support/unpack/token-rows.ts';

type Codec = UnitCodec<unknown, unknown>;
const noXz = missingTool('xz', '--version');
const asCodec = (codec: unknown): Codec => codec as Codec;
const content = FIXTURE_CONTENT;

const unpackUnit = (codec: Codec, packed: Uint8Array, contentBytes: number): UnpackedUnit<unknown> =>
  codec.unpack(packed, { packedBytes: packed.length, contentBytes }, null, { exact: true });

const FIXTURES: readonly (readonly [string, Codec, Uint8Array])[] = [
  ['xz with SHA-256', asCodec(xzCodec), XZ_SHA256],
  ['xz with a filter', asCodec(xzCodec), XZ_ARM],
  ['xz of blocks', asCodec(xzCodec), XZ_RISCV_BLOCKS],
  ['.lzma without a size', asCodec(lzmaCodec), LZMA_ENDED],
  ['.lzma with a size', asCodec(lzmaCodec), LZMA_SIZED],
  ["erofs's LZMA", asCodec(microLzmaCodec), MICRO_LZMA],
  ['zstd, fast', asCodec(zstdCodec), ZSTD_FAST],
  ['zstd, best', asCodec(zstdCodec), ZSTD_BEST],
  ['LZO1X-1', asCodec(lzoCodec), LZO_1],
  ['LZO1X-999', asCodec(lzoCodec), LZO_999],
];

interface Unit extends UnpackedUnit<unknown> {
  readonly codec: Codec;
  readonly like: unknown;
}

/** Params of units in one stream, and how long it is. */
function code(units: readonly Unit[]): Uint8Array {
  const coder = new MixCoder(true, DEFAULT_SIZES);
  coder.start(null);
  const numbers = new NumberCoder(coder, UNIT_SPACE);
  for (const { codec, params, like, content: bytes, tokens } of units) {
    const head = codec.codeHead(numbers, codec.headOf(params), like, bytes);
    expect(codec.codeTail(numbers, head, params, like, bytes, tokens)).toEqual(params);
  }
  return coder.finish();
}

/** Codes them, and expects them back. */
function codedBytes(...units: readonly Unit[]): number {
  const stream = code(units);
  const coder = new MixCoder(false, DEFAULT_SIZES);
  coder.start(stream);
  const numbers = new NumberCoder(coder, UNIT_SPACE);
  for (const { codec, params, like, content: bytes, tokens } of units) {
    const head = codec.codeHead(numbers, null, like, bytes);
    expect(head).toEqual(codec.headOf(params));
    expect(codec.codeTail(numbers, head, null, like, bytes, tokens)).toEqual(params);
  }
  return stream.length;
}

describe('params of units', () => {
  it.each(FIXTURES)('go through the models and pack to the same bytes: %s', (_, codec, packed) => {
    const unit = unpackUnit(codec, packed, content.length);
    expect(unit.content).toEqual(content);
    expect(Buffer.compare(codec.pack(unit.content, unit.tokens, unit.params), packed)).toBe(0);
    expect(codec.tokenBytes(content, codec.headOf(unit.params)).length).toBe(content.length);
    const alone = codedBytes({ ...unit, codec, like: null });
    const alike = codedBytes({ ...unit, codec, like: unit.params });
    expect(alike).toBeLessThanOrEqual(5);
    expect(alone).toBeLessThanOrEqual(20);
  });

  it.each(FIXTURES)('may be coded in the light of any other of the codec: %s', (_, codec, packed) => {
    const unit = unpackUnit(codec, packed, content.length);
    for (const [, other, otherPacked] of FIXTURES)
      if (other === codec) codedBytes({ ...unit, codec, like: unpackUnit(codec, otherPacked, content.length).params });
  });

  it.each(FIXTURES)("are refused for sizes that are not the map's: %s", (_, codec, packed) => {
    const sizes = (packedBytes: number, contentBytes: number): string | null =>
      refusalOf(() => codec.unpack(packed, { packedBytes, contentBytes }, null, { exact: true }));
    expect(sizes(packed.length, content.length)).toBeNull();
    expect(sizes(packed.length - 1, content.length)).not.toBeNull();
    expect(sizes(packed.length, content.length - 1)).not.toBeNull();
    expect(sizes(packed.length, content.length + 1)).not.toBeNull();
  });

  it('cost a byte or two where libzstd made the tables, at any level', () => {
    const codec = asCodec(zstdCodec);
    let bytes = 0;
    let packedBytes = 0;
    for (const level of [-3, 1, 5, 13, 19, 22]) {
      const units = [...oddContents(), ...realFiles()].map(([, each]): Unit => {
        const part = each.subarray(0, 131_072);
        const packed = libzstd(part, level);
        packedBytes += packed.length;
        return { ...unpackUnit(codec, packed, part.length), codec, like: null };
      });
      bytes += codedBytes(...units);
    }
    console.info(`zstd: params of ${packedBytes} bytes cost ${bytes}`);
    expect(bytes).toBeLessThan(packedBytes / 500);
  });

  it('of zstd may be of any writer', () => {
    const codec = asCodec(zstdCodec);
    const { tokens, params } = zstdCodec.unpack(
      ZSTD_BEST,
      { packedBytes: ZSTD_BEST.length, contentBytes: content.length },
      null,
      { exact: true },
    );
    const [first, ...rest] = params.blocks;
    const { weights } = first!.literals!.tree!;
    const other = (literals: object, tables = first!.tables): Unit => {
      const changed = {
        ...params,
        blocks: [{ ...first!, literals: { ...first!.literals!, ...literals }, tables }, ...rest],
      };
      return { content, tokens, params: changed, after: null, codec, like: null };
    };
    const flat = Uint8Array.from({ length: 256 }, () => 1);
    const spare = new FseTable(6, Int16Array.of(1, 60, 1, 1, 1));
    const even = (symbols: number, log: number): FseTable => {
      const frequencies = new Int16Array(symbols).fill(1);
      frequencies[0] = 2 ** log - symbols + 1;
      return new FseTable(log, frequencies);
    };
    const tables = [even(36, 9), even(32, 8), even(53, 9)].map((table) => ({ mode: 2, table }));
    const units = [
      other({ tree: { weights: flat, table: spare } }),
      other({ tree: { weights, table: even(12, 6) } }),
      other({ mode: 0, sizeFormat: 3, tree: null }),
      other({}, tables),
    ];
    for (const unit of units) {
      codedBytes(unit);
      const packed = packZstd(content, tokens, unit.params as typeof params);
      expect(Buffer.compare(unpackUnit(codec, packed, content.length).content, content)).toBe(0);
    }
  });

  it('of LZMA2 may have any chunks', () => {
    const sizes = { packedBytes: XZ_ARM.length, contentBytes: content.length };
    const { tokens, params } = xzCodec.unpack(XZ_ARM, sizes, null, { exact: true });
    const properties = params.blocks[0]!.chunks.properties[0]!;
    const starts: number[] = [];
    for (let token = 0, at = 0; token < tokens.count; at += tokens.lengthAt(token++)) starts.push(at);
    const cuts = [0, starts[100]!, starts[200]!, starts[201]!, content.length];
    const chunks = new ChunkList(4);
    [224, 128, 192, 160].forEach((control, i) => {
      chunks.push(control, cuts[i + 1]! - cuts[i]!, control >= 192 ? properties : 0);
    });
    const changed = { ...params, blocks: [{ ...params.blocks[0]!, chunks }] };
    // Models that are made anew make other bytes, but distances go on.
    const packed = packXz(content, tokens.count > 0 ? withoutReps(tokens) : tokens, changed);
    const unit = unpackUnit(asCodec(xzCodec), packed, content.length);
    expect(codedBytes({ ...unit, codec: asCodec(xzCodec), like: params })).toBeLessThan(25);
  });

  it.skipIf(noXz !== '')(`of xz cost a flag or two where they are usual${noXz}`, () => {
    const codec = asCodec(xzCodec);
    const units: Unit[] = [];
    let like: unknown = null;
    for (const [, each] of realFiles())
      for (let from = 0; from < Math.min(each.length, 300_000); from += 40_000) {
        const part = each.subarray(from, from + 40_000);
        const filter = from % 3 === 0 ? ['--arm'] : [];
        const packed = xz(part, '-T1', '--check=crc32', ...filter, '--lzma2=preset=6,dict=64KiB');
        const unit = { ...unpackUnit(codec, packed, part.length), codec, like };
        like = unit.params;
        units.push(unit);
      }
    expect(codedBytes(...units)).toBeLessThan(units.length);
  });
});

/** All matches said in full, which is legal whatever was reset. */
function withoutReps(tokens: UnpackedUnit<unknown>['tokens']): UnpackedUnit<unknown>['tokens'] {
  return listOf(rowsOf(tokens).map(([op, ...rest]) => [op > 2 ? 1 : op, ...rest]));
}

describe("erofs's LZMA", () => {
  it('is LZMA whose first byte says its properties', () => {
    const unit = unpackMicroLzma(MICRO_LZMA, { contentBytesMax: content.length }, content.length);
    expect(unit.params).toEqual({ properties: 93, hasEndMarker: false });
    const raw = packRawLzma(content, unit.tokens, { properties: 93, dictionaryBytes: 4096, hasEndMarker: false });
    expect(raw.subarray(1)).toEqual(MICRO_LZMA.subarray(1));
    expect([raw[0], MICRO_LZMA[0]]).toEqual([0, 255 - 93]);
    const ended = packMicroLzma(content, unit.tokens, { properties: 93, hasEndMarker: true });
    const again = unpackMicroLzma(ended, { contentBytesMax: content.length }, content.length);
    expect(again.params.hasEndMarker).toBe(true);
  });

  it('is refused where it is cut off, or has properties that do not exist', () => {
    const limits = { contentBytesMax: 10_000 };
    for (let end = 0; end < MICRO_LZMA.length; end += 7)
      expect(refusalOf(() => unpackMicroLzma(MICRO_LZMA.subarray(0, end), limits, content.length))).not.toBeNull();
    for (const first of [0, 1, 255 - 225]) {
      const packed = MICRO_LZMA.slice();
      packed[0] = first;
      expect(refusalOf(() => unpackMicroLzma(packed, limits, content.length))).not.toBeNull();
    }
  });
});

describe('noise in place of params', () => {
  it.each(FIXTURES)('gives params or an error, within bounds: %s', (_, codec, packed) => {
    const unit = unpackUnit(codec, packed, content.length);
    const roll = dice(12);
    const coder = new MixCoder(false, SMALLEST_SIZES);
    const honest = code([{ ...unit, codec, like: null }]);
    let legal = 0;
    for (let i = 0; i < 120; i++) {
      const noise = Uint8Array.from({ length: roll(60) }, (_byte, at) =>
        roll(3) === 0 ? (honest[at] ?? 0) : roll(256),
      );
      if (i === 0) noise.fill(0);
      if (i === 1) noise.fill(255);
      coder.start(noise);
      const numbers = new NumberCoder(coder, UNIT_SPACE);
      const like = roll(2) === 0 ? unit.params : null;
      try {
        const head = codec.codeHead(numbers, null, like, content);
        codec.tokenBytes(content, head);
        const params = codec.codeTail(numbers, head, null, like, content, unit.tokens);
        legal++;
        refusalOf(() => codec.pack(content, unit.tokens, params));
      } catch (error) {
        if (!UpdateError.is(error)) throw error;
        expect(['unit_malformed', 'plan_malformed']).toContain(error.code);
      }
      expect(coder.work.spent).toBeLessThan(2 ** 27);
    }
    expect(legal).toBeGreaterThan(0);
  });
});
