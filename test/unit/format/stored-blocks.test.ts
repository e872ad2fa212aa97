/** Literals that no model predicts: stored where they are noise, in both coders alike, and nowhere else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SegmentEncoder } from '../../../native-free/diff/write/encode-segment.ts';
import { coverListOf, type Cover } from '../../../native-free/format/cover.ts';
import { REGION_KIND, type RegionKind } from '../../../native-free/format/regions.ts';
import { MixCoder } from '../../../native-free/model/mix-coder.ts';
import type { ModelCoder } from '../../../native-free/model/model-coder.ts';
import { NoiseTest } from '../../../native-free/model/literals/noise.ts';
import { RangeCoder } from '../../../native-free/model/range-coder.ts';
import { StoredBytes } from '../../../native-free/model/literals/stored-bytes.ts';
import { WasmCoder } from '../../../src/wasm/mix-coder.ts';
import { random, TEST_SIZES } from '../../support/images.ts';
import { decoded, type SegmentCase } from '../../support/segment-outcome.ts';

const BLOCK = 2048;
const SHORT = 128;

const encoders = [new MixCoder(true, TEST_SIZES), new WasmCoder(true, TEST_SIZES)] as const;
const decoders = [new MixCoder(false, TEST_SIZES), new WasmCoder(false, TEST_SIZES)] as const;

function noise(length: number, seed: number): Uint8Array {
  const next = random(seed);
  return Uint8Array.from({ length }, () => Math.floor(next() * 256));
}

/** Words out of a few, which compress to a fraction. */
function prose(length: number, seed: number): Uint8Array {
  const next = random(seed);
  const words = ['slot ', 'update ', 'of the ', 'boot, ', 'device ', 'and ', 'image. '];
  let text = '';
  while (text.length < length) text += words[Math.floor(next() * words.length)]!;
  return new TextEncoder().encode(text.slice(0, length));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** A target without source, all literals but for the covers. */
function caseOf(
  target: Uint8Array,
  { covers = [], kind = REGION_KIND.raw, va = 0 }: { covers?: Cover[]; kind?: RegionKind; va?: number } = {},
): SegmentCase {
  const source = target.slice();
  const region = { module: 0, kind, offset: 0, length: target.length, va };
  const layout = { regions: kind === REGION_KIND.raw ? [] : [region], vaHigh: [0] };
  const bases = layout.regions.map(() => []);
  return { source, target, plan: { covers: coverListOf(covers), source: layout, target: layout, bases } };
}

interface Encoded {
  readonly bytes: Uint8Array;
  readonly work: number;
  /** Lengths of what was stored. */
  readonly blocks: readonly number[];
}

function encoded(images: SegmentCase, coder: ModelCoder): Encoded {
  const blocks: number[] = [];
  const plain = coder.stored.bind(coder);
  coder.stored = (block) => {
    blocks.push(block.length);
    plain(block);
  };
  const before = coder.work.spent;
  const encoder = new SegmentEncoder(images, { ...images, modelSizes: TEST_SIZES }, { models: () => coder });
  const bytes = new Uint8Array(encoder.encode(0, images.target.length));
  coder.stored = plain;
  return { bytes, work: coder.work.spent - before, blocks };
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Both encoders give the same, and both decoders the target, for the work that the encoder counted. */
async function roundTrip(images: SegmentCase): Promise<Encoded> {
  const [first, second] = encoders.map((coder) => encoded(images, coder));
  expect(isSame(first!.bytes, second!.bytes)).toBe(true);
  expect([second!.work, second!.blocks]).toEqual([first!.work, first!.blocks]);
  for (const decoder of decoders) {
    const { target, work, error } = await decoded(images, decoder, first!.bytes);
    expect([error, isSame(target, images.target), work]).toEqual([null, true, first!.work]);
  }
  return first!;
}

/** Prose makes a segment worth coding at all; noise behind it opens the way. */
const lead = joined(prose(6000, 1), noise(2 * BLOCK, 2));

describe('noise among literals', () => {
  it.each([
    1,
    SHORT - 1,
    SHORT,
    SHORT + 1,
    BLOCK - 1,
    BLOCK,
    BLOCK + 1,
    BLOCK + SHORT - 1,
    BLOCK + SHORT,
    3 * BLOCK + 5,
  ])('is stored in blocks, and comes back: %i bytes between two covers', async (length) => {
    const target = joined(lead, noise(64, 3), noise(length, 4), noise(64, 5), prose(500, 6));
    const from = lead.length + 64;
    const covers = [
      { sourceOffset: lead.length, targetOffset: lead.length, length: 64 },
      { sourceOffset: from + length, targetOffset: from + length, length: 64 },
    ];
    const { blocks } = await roundTrip(caseOf(target, { covers }));
    const whole = Math.floor((length - SHORT) / BLOCK);
    const expected = length < SHORT ? [] : Array.from({ length: whole }, () => BLOCK);
    if (length >= SHORT) expected.push(length - whole * BLOCK);
    // The lead's last block is asked about, behind one that models coded.
    expect(blocks).toEqual([1904, ...expected]);
  });

  it('comes back between what compresses, in regions of every kind, aligned or not', async () => {
    const parts = [0, 1, 2, 3].flatMap((i) => [noise(5000 + i, 10 + i), prose(3001 + i, 20 + i)]);
    const target = joined(prose(4000, 30), ...parts);
    for (const kind of Object.values(REGION_KIND).filter((each) => each !== REGION_KIND.bss)) {
      const { blocks, bytes } = await roundTrip(caseOf(target, { kind, va: 0x10000 + (kind & 3) }));
      expect(blocks.length).toBeGreaterThan(0);
      expect(bytes.length).toBeLessThan(target.length);
    }
  });

  it('costs its length, and next to no work', async () => {
    const length = 200_000;
    const images = caseOf(joined(lead, noise(length, 40)));
    const { bytes, work, blocks } = await roundTrip(images);
    const plain = await roundTrip(caseOf(lead));
    expect(blocks.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(length);
    expect(bytes.length - plain.bytes.length).toBeLessThan(length * 1.0005);
    // A byte that models code takes 80 look-ups.
    expect(work - plain.work).toBeLessThan(length / 8);
    expect((await decoded(images, decoders[0], bytes, work - 1)).error).toBe('payload_work');
  });

  it('that came before is found again, not stored again', async () => {
    const again = noise(20_000, 50);
    const images = caseOf(joined(lead, again, noise(3000, 51), again));
    // In small tables the contexts of the match would push each other out.
    const sizes = { flagBits: 12, byteBits: 20 };
    const { bytes } = encoded(images, new WasmCoder(true, sizes));
    expect(bytes.length).toBeLessThan(lead.length + again.length + 3000 + 1000);
    const { target } = await decoded(images, new MixCoder(false, sizes), bytes);
    expect(isSame(target, images.target)).toBe(true);
  });

  it('is forgotten at the end of a segment: the next one has the bytes that it has by itself', () => {
    const images = caseOf(joined(lead, noise(4000, 55), prose(7000, 56), noise(5000, 57)));
    const from = lead.length + 4000;
    const [both, alone] = encoders.map(
      (coder) => new SegmentEncoder(images, { ...images, modelSizes: TEST_SIZES }, { models: () => coder }),
    );
    both!.encode(0, from);
    expect(isSame(both!.encode(from, images.target.length), alone!.encode(from, images.target.length))).toBe(true);
  });
});

describe('literals that compress', () => {
  it('have no flags, so that they cost what they did', async () => {
    const asked: number[] = [];
    const coder = new MixCoder(true, TEST_SIZES);
    const plain = coder.bit.bind(coder);
    coder.bit = (value, index) => {
      asked.push(index);
      return plain(value, index);
    };
    const images = caseOf(prose(60_000, 60));
    expect(encoded(images, coder).blocks).toEqual([]);
    expect(asked).toEqual([]);
    await roundTrip(images);
  });
});

describe('damaged streams with stored blocks', () => {
  const images = caseOf(joined(lead, noise(9000, 70), prose(2000, 71), noise(7000, 72)), { kind: REGION_KIND.x64 });
  const { bytes, work } = encoded(images, encoders[0]);

  it('are the same nonsense to both decoders, for the same work', async () => {
    const next = random(73);
    for (let i = 0; i < 24; i++) {
      // The head of the stream is what models read, the tail what is copied.
      const damaged = bytes.slice(0, i % 3 === 0 ? Math.floor(next() * bytes.length) : bytes.length);
      const reach = i % 2 === 0 ? damaged.length : Math.min(damaged.length, 3000);
      if (damaged.length > 0) damaged[Math.floor(next() * reach)]! ^= 1 << Math.floor(next() * 8);
      const limit = i % 4 === 3 ? work / 3 : Infinity;
      const [a, b] = await Promise.all(decoders.map((decoder) => decoded(images, decoder, damaged, limit)));
      expect([b!.error, b!.work]).toEqual([a!.error, a!.work]);
      expect(isSame(a!.target, b!.target)).toBe(true);
    }
  });
});

describe('stored bytes', () => {
  it('stand behind what the range coder wrote, the first of them last', () => {
    const writer = new StoredBytes();
    writer.start(null);
    for (const block of [[1, 2, 3], [4], [5, 6]]) writer.write(Uint8Array.from(block));
    expect([...writer.behind(Uint8Array.of(9))]).toEqual([9, 5, 6, 4, 1, 2, 3]);
  });

  it('are zeros before the first byte of a stream that is too short', () => {
    const reader = new StoredBytes();
    reader.start(Uint8Array.of(7, 8));
    const block = new Uint8Array(3).fill(255);
    reader.read(block);
    expect([...block]).toEqual([0, 7, 8]);
    reader.read(block);
    expect([...block]).toEqual([0, 0, 0]);
  });

  it('do not disturb the range coder, whatever they are', () => {
    const decision = fc.tuple(fc.constantFrom(0, 1), fc.integer({ min: 1, max: 65535 }));
    fc.assert(
      fc.property(fc.array(decision, { maxLength: 60 }), fc.constantFrom(0, 255, 128), (decisions, filler) => {
        const writer = new RangeCoder(true);
        writer.start(null);
        for (const [bit, probability] of decisions) writer.code(bit, probability);
        const coded = writer.finish(true);
        const reader = new RangeCoder(false);
        reader.start(joined(coded, new Uint8Array(8).fill(filler)));
        for (const [bit, probability] of decisions) expect(reader.code(0, probability)).toBe(bit);
      }),
      { numRuns: 300 },
    );
  });
});

describe('what an encoder takes for noise', () => {
  const test = new NoiseTest();
  const isNoise = (bytes: Uint8Array): boolean => test.isNoise(bytes, 0, bytes.length, 204);

  it('is noise', () => {
    for (let seed = 80; seed < 100; seed++) expect(isNoise(noise(BLOCK, seed))).toBe(true);
  });

  it.each([
    ['counts up', (i: number) => i],
    ['counts up by words', (i: number) => (i & 3 ? 0x55 * (i & 3) : i >> 2)],
    ['counts up by pairs', (i: number) => (i & 1 ? i >> 1 : 3 * (i >> 1))],
    ['has each byte once, mixed, again and again', (i: number) => Math.imul(i, 77) ^ 0x3c],
  ])('is nothing that %s, however even', (_, byteAt) => {
    expect(isNoise(Uint8Array.from({ length: BLOCK }, (__, i) => byteAt(i)))).toBe(false);
  });

  it('is nothing that comes back within the block', () => {
    const half = noise(BLOCK / 2, 101);
    expect(isNoise(joined(half, half))).toBe(false);
    expect(isNoise(prose(BLOCK, 102))).toBe(false);
  });
});
