import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MixCoder } from '../../../native-free/model/mix-coder.ts';
import { type ModelCoder } from '../../../native-free/model/model-coder.ts';
import {
  CONTEXTS_MAX,
  FLAG_CONTEXTS_MAX,
  NEAR_SETS,
  type ModelSizes,
} from '../../../native-free/format/model-sizes.ts';
import { NumberCoder } from '../../../native-free/model/number-coder.ts';
import { modelCoder, WasmCoder } from '../../../src/wasm/mix-coder.ts';
import { random } from '../../support/images.ts';

const SIZES: ModelSizes = { flagBits: 12, byteBits: 14 };

/** One call of a coder, with the contexts it is made in. */
type Call =
  | {
      readonly what: 'flag' | 'byte';
      readonly value: number;
      readonly contexts: readonly number[];
      readonly set: number;
      /** Of bytes. */
      readonly near: number;
    }
  | { readonly what: 'bit'; readonly value: number; readonly index: number };

/** Calls as coding makes them: contexts that come back, values that follow from them, and surprises. */
function callsOf(seed: number, count: number): Call[] {
  const next = random(seed);
  const below = (most: number): number => Math.floor(next() * most);
  return Array.from({ length: count }, (): Call => {
    const topic = below(40);
    if (topic < 4) return { what: 'bit', value: next() < 0.1 ? 1 : 0, index: topic };
    const contexts = Array.from(
      { length: 1 + below(topic < 20 ? FLAG_CONTEXTS_MAX : CONTEXTS_MAX) },
      (_, i) => Math.imul(topic * 16 + i, 0x9e3779b1) >>> 0,
    );
    const value = next() < 0.9 ? topic * 5 : below(256);
    if (topic < 20) return { what: 'flag', value: value & 1, contexts, set: below(8192), near: 0 };
    return { what: 'byte', value: value & 255, contexts, set: below(8192), near: below(NEAR_SETS) };
  });
}

function perform(coder: ModelCoder, call: Call): number {
  const value = coder.encoding ? call.value : 0;
  if (call.what === 'bit') return coder.bit(value, call.index);
  call.contexts.forEach((context, i) => (coder.contexts[i] = context));
  return call.what === 'flag'
    ? coder.flag(value, call.contexts.length, call.set)
    : coder.byte(value, call.contexts.length, call.set, call.near);
}

function encode(coder: ModelCoder, calls: readonly Call[]): Uint8Array {
  coder.start(null);
  for (const call of calls) perform(coder, call);
  return coder.finish();
}

describe('mixing coder', () => {
  it('gives back what was coded, stream after stream', () => {
    const encoder = new MixCoder(true, SIZES);
    const decoder = new MixCoder(false, SIZES);
    for (let seed = 1; seed <= 5; seed++) {
      const calls = callsOf(seed, 4000);
      decoder.start(encode(encoder, calls));
      expect(calls.map((call) => perform(decoder, call))).toEqual(calls.map((call) => call.value));
    }
  });

  it('forgets everything between streams: the same calls give the same bytes', () => {
    const encoder = new MixCoder(true, SIZES);
    const first = encode(encoder, callsOf(7, 2000));
    encode(encoder, callsOf(8, 2000));
    expect(encode(encoder, callsOf(7, 2000))).toEqual(first);
  });

  it('learns: what follows from a context costs next to nothing', () => {
    const encoder = new MixCoder(true, SIZES);
    encoder.start(null);
    for (let i = 0; i < 20_000; i++) {
      encoder.contexts[0] = i % 16;
      encoder.contexts[1] = 99;
      encoder.byte((i % 16) * 13, 2, 5, 0);
    }
    expect(encoder.finish().length).toBeLessThan(400);
  });

  it('does not grow without bound on noise', () => {
    const next = random(3);
    const encoder = new MixCoder(true, SIZES);
    encoder.start(null);
    for (let i = 0; i < 20_000; i++) {
      for (let c = 0; c < 8; c++) encoder.contexts[c] = Math.floor(next() * 2 ** 32);
      encoder.byte(Math.floor(next() * 256), 8, i % 64, 0);
    }
    expect(encoder.finish().length).toBeLessThan(20_000 * 1.03);
  });

  it('returns values in range whatever a decoder is fed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(1000), (bytes, seed) => {
        const decoder = new MixCoder(false, SIZES);
        decoder.start(bytes);
        for (const call of callsOf(seed, 300)) {
          const value = perform(decoder, call);
          expect(value >= 0 && value <= (call.what === 'byte' ? 255 : 1)).toBe(true);
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('its WebAssembly twin', () => {
  it('is what the runtime gets here', () => {
    expect(modelCoder(true, SIZES)).toBeInstanceOf(WasmCoder);
  });

  it.each([SIZES, { flagBits: 10, byteBits: 10 }, { flagBits: 18, byteBits: 20 }])(
    'writes the same bytes and reads the same values with tables of %o',
    (sizes) => {
      const reference = new MixCoder(true, sizes);
      const twin = new WasmCoder(true, sizes);
      const reader = new WasmCoder(false, sizes);
      for (let seed = 1; seed <= 4; seed++) {
        const calls = callsOf(seed, 20_000);
        const bytes = encode(reference, calls);
        expect(Buffer.compare(encode(twin, calls), bytes)).toBe(0);
        for (const coder of [reference, twin]) coder.start(null);
        for (const call of calls) {
          for (const coder of [reference, twin]) perform(coder, call);
          if (twin.written !== reference.written) expect(twin.written).toBe(reference.written);
        }
        expect(reference.written).toBeGreaterThan(bytes.length - 5);
        reader.start(bytes);
        expect(calls.every((call) => perform(reader, call) === call.value)).toBe(true);
      }
    },
  );

  it('reads the same nonsense from damaged streams', () => {
    const calls = callsOf(11, 5000);
    const bytes = encode(new MixCoder(true, SIZES), calls);
    const next = random(12);
    for (let i = 0; i < 20; i++) {
      const damaged = bytes.slice(0, Math.floor(next() * bytes.length));
      for (let k = 0; k < 3 && damaged.length > 0; k++)
        damaged[Math.floor(next() * damaged.length)]! ^= 1 << Math.floor(next() * 8);
      const reference = new MixCoder(false, SIZES);
      const twin = new WasmCoder(false, SIZES);
      reference.start(damaged);
      twin.start(damaged);
      expect(calls.every((call) => perform(reference, call) === perform(twin, call))).toBe(true);
    }
  });
});

describe('numbers', () => {
  it('come back, of any size and sign', () => {
    const value = fc.oneof(
      fc.nat(10),
      fc.maxSafeNat().map((n) => Math.floor(n / 4)),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(value, fc.boolean(), fc.nat(63)), { maxLength: 60 }), (values) => {
        const encoder = new MixCoder(true, SIZES);
        encoder.start(null);
        const write = new NumberCoder(encoder);
        for (const [n, negative, kind] of values) write.signed(negative ? -n : n, kind, n & 3);
        const decoder = new MixCoder(false, SIZES);
        decoder.start(encoder.finish());
        const read = new NumberCoder(decoder);
        for (const [n, negative, kind] of values) expect(read.signed(0, kind, n & 3)).toBe(negative && n > 0 ? -n : n);
      }),
      { numRuns: 60 },
    );
  });
});
