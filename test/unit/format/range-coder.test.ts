import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RangeCoder } from '../../../native-free/model/range-coder.ts';
import { random } from '../../support/images.ts';

const decision = fc.record({ bit: fc.integer({ min: 0, max: 1 }), probability: fc.integer({ min: 1, max: 65535 }) });

/** An encoder (null) or a decoder at the start of its stream. */
function coderOf(bytes: Uint8Array | null): RangeCoder {
  const coder = new RangeCoder(bytes === null);
  coder.start(bytes);
  return coder;
}

describe('range coder', () => {
  it('gives back any bits under any probabilities', () => {
    fc.assert(
      fc.property(fc.array(decision, { maxLength: 400 }), (decisions) => {
        const encoder = coderOf(null);
        for (const { bit, probability } of decisions) encoder.code(bit, probability);
        const decoder = coderOf(encoder.finish());
        for (const { bit, probability } of decisions) expect(decoder.code(0, probability)).toBe(bit);
      }),
      { numRuns: 500 },
    );
  });

  it('spends no more than the entropy and a few bytes', () => {
    const next = random(1);
    const encoder = coderOf(null);
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
    expect(coderOf(null).finish()).toHaveLength(0);
    const encoder = coderOf(null);
    for (let i = 0; i < 1000; i++) encoder.code(1, 65535);
    expect(encoder.finish().length).toBeLessThanOrEqual(1);
  });
});
