import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BitModels } from '../../native-free/model/bit-models.ts';
import { NumberModels } from '../../native-free/model/number-models.ts';
import { RangeDecoder, RangeEncoder } from '../../native-free/model/range-coder.ts';
import { random } from '../support/images.ts';

const decision = fc.record({ bit: fc.integer({ min: 0, max: 1 }), probability: fc.integer({ min: 1, max: 65535 }) });

describe('range coder', () => {
  it('gives back any bits under any probabilities', () => {
    fc.assert(
      fc.property(fc.array(decision, { maxLength: 400 }), (decisions) => {
        const encoder = new RangeEncoder();
        for (const { bit, probability } of decisions) encoder.code(bit, probability);
        const decoder = new RangeDecoder(encoder.finish());
        for (const { bit, probability } of decisions) expect(decoder.code(0, probability)).toBe(bit);
      }),
      { numRuns: 500 },
    );
  });

  it('spends no more than the entropy and a few bytes', () => {
    const next = random(1);
    const encoder = new RangeEncoder();
    let entropyBits = 0;
    for (let i = 0; i < 200_000; i++) {
      const probability = 1 + Math.floor(next() * 65534);
      const bit = next() * 65536 < probability ? 1 : 0;
      entropyBits -= Math.log2((bit === 1 ? probability : 65536 - probability) / 65536);
      encoder.code(bit, probability);
    }
    expect(encoder.finish().length).toBeLessThan((entropyBits / 8) * 1.0005 + 4);
  });

  it('writes nothing for nothing, and little for near-certain bits', () => {
    expect(new RangeEncoder().finish()).toHaveLength(0);
    const encoder = new RangeEncoder();
    for (let i = 0; i < 1000; i++) encoder.code(1, 65535);
    expect(encoder.finish().length).toBeLessThanOrEqual(1);
  });
});

describe('bit models', () => {
  it('learn a skewed source to near its entropy', () => {
    const next = random(2);
    const models = new BitModels(1, 255);
    const encoder = new RangeEncoder();
    const count = 50_000;
    for (let i = 0; i < count; i++) models.code(encoder, next() < 0.02 ? 1 : 0, 0);
    const entropy = -(0.02 * Math.log2(0.02) + 0.98 * Math.log2(0.98));
    expect((encoder.finish().length * 8) / count).toBeLessThan(entropy * 1.06);
  });

  it('keep probabilities inside their bounds after any history', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 3000 }),
        fc.constantFrom(4, 30, 255, 1000),
        (bits, limit) => {
          const models = new BitModels(1, limit);
          for (const bit of bits) models.update(0, bit);
          for (let i = 0; i < 5000; i++) models.update(0, bits[0] ?? 1);
          expect(models.probability(0)).toBeGreaterThanOrEqual(1);
          expect(models.probability(0)).toBeLessThanOrEqual(65535);
          expect(models.count(0)).toBeLessThanOrEqual(limit);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('number models', () => {
  it('give back any integers up to 2^52 - 2', () => {
    const numbers = fc.array(
      fc.oneof(
        fc.nat(300),
        fc.maxSafeNat().map((n) => Math.floor(n / 2)),
      ),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(numbers, (values) => {
        const encoder = new RangeEncoder();
        const coding = new NumberModels(2);
        values.forEach((value, i) => coding.code(encoder, Math.min(value, 2 ** 52 - 2), i % 2));
        const decoder = new RangeDecoder(encoder.finish());
        const reading = new NumberModels(2);
        values.forEach((value, i) => expect(reading.code(decoder, 0, i % 2)).toBe(Math.min(value, 2 ** 52 - 2)));
      }),
      { numRuns: 200 },
    );
  });

  it('refuse an endless length instead of reading on', () => {
    const decoder = { encoding: false, code: () => 1 };
    expect(() => new NumberModels(1).code(decoder, 0, 0)).toThrow(/longer than 52 bits/);
  });
});
