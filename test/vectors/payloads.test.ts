import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { applyPayload, type ApplyOptions } from '../../native-free/apply/patcher.ts';
import { bytesSource, memorySink, memorySource } from '../../native-free/apply/bytes-source.ts';
import { parseHeader } from '../../native-free/format/payload-header.ts';
import { CODEC_ID } from '../../native-free/format/unit-map.ts';
import { REGION_KIND } from '../../native-free/format/regions.ts';
import { toHex } from '../../native-free/hash.ts';
import { MixCoder } from '../../native-free/model/mix-coder.ts';
import type { ModelCoderFactory } from '../../native-free/model/model-coder.ts';
import { UpdateError } from '../../native-free/status.ts';
import { makeVectors, renderVectors, withExample, type GoodVector, type Vectors } from '../../scripts/make-vectors.ts';
import { goodImages } from '../../scripts/vectors/good.ts';
import { payloadOf, sha256 } from '../../scripts/vectors/payloads.ts';
import { unitPayloadOf, unitVectorImages } from '../../scripts/vectors/units.ts';
import { WasmCoder } from '../../src/wasm/mix-coder.ts';
import { random } from '../support/images.ts';

const file = readFileSync(new URL('payloads.json', import.meta.url), 'utf8');
const vectors = JSON.parse(file) as Vectors;
const bytes = (base64: string | null): Uint8Array => new Uint8Array(Buffer.from(base64 ?? '', 'base64'));
const named = (name: string): GoodVector => vectors.good.find((good) => good.name === name)!;

function sourceOf({ sourceBase64, sourceTimes = 1 }: GoodVector): Uint8Array {
  const once = Buffer.from(bytes(sourceBase64));
  return new Uint8Array(Buffer.concat(Array.from({ length: sourceTimes }, () => once)));
}

const CODERS: Readonly<Record<string, ModelCoderFactory>> = {
  reference: (encoding, sizes) => new MixCoder(encoding, sizes),
  WebAssembly: (encoding, sizes) => new WasmCoder(encoding, sizes),
};

async function apply(
  payload: Uint8Array,
  source: Uint8Array,
  pieceBytes: number,
  options: Partial<ApplyOptions> = {},
): Promise<Uint8Array> {
  const target = new Uint8Array(200_000);
  const run = applyPayload({
    ...{ payload: bytesSource(payload, pieceBytes), source: memorySource(source), sink: memorySink(target) },
    ...options,
  });
  for (;;) {
    const step = await run.next();
    if (step.done === true) return target.subarray(0, step.value.targetBytes);
  }
}

/** What was thrown, where and with which figures; or the digest of what came out. */
async function endOf(payload: Uint8Array, source: Uint8Array, options: Partial<ApplyOptions>): Promise<object> {
  try {
    return { target: toHex(sha256(await apply(payload, source, 64, options))) };
  } catch (error) {
    if (!UpdateError.is(error)) throw error;
    const { code, message, detail } = error;
    return { code, message, detail };
  }
}

describe('stored payloads', () => {
  describe.each(Object.entries(CODERS))('with the coder: %s', (_, models) => {
    it.each(vectors.good)('$name decodes to its target: whole, in odd pieces and byte by byte', async (vector) => {
      const expectedHeaderDigest = new Uint8Array(Buffer.from(vector.headerSha256, 'hex'));
      for (const pieceBytes of [1 << 20, 37, 1]) {
        const options = { models, expectedHeaderDigest };
        const target = await apply(bytes(vector.payloadBase64), sourceOf(vector), pieceBytes, options);
        expect(toHex(sha256(target))).toBe(vector.targetSha256);
      }
    });

    it('are what it encodes today', async () => {
      const check = (name: string, payload: Uint8Array): void => {
        const same = Buffer.compare(payload, bytes(named(name).payloadBase64)) === 0;
        expect(same, `${name}: other bytes; npm run vectors`).toBe(true);
      };
      for (const images of goodImages()) check(images.name, payloadOf(images, models));
      for (const images of unitVectorImages()) check(images.name, await unitPayloadOf(images, models));
    });
  });

  it.each(vectors.bad)('$name is refused as $error', async (vector) => {
    const base = named(vector.base);
    const whole = bytes(vector.payloadBase64 ?? base.payloadBase64);
    const payload = whole.slice(0, Math.max(0, whole.length - (vector.cut ?? 0)));
    const source = sourceOf(base).slice(0, vector.sourceBytes);
    const change = (of: Uint8Array, edits: readonly (readonly [number, number])[] = []): void => {
      for (const [at, value] of edits) {
        expect(of[at]).not.toBe(value);
        of[at] = value;
      }
    };
    change(payload, vector.edits);
    change(source, vector.sourceEdits);
    const options = {
      ...(vector.memoryBytesMax === undefined ? {} : { memoryBytesMax: vector.memoryBytesMax }),
      ...(vector.workMax === undefined ? {} : { workMax: vector.workMax }),
      ...(vector.isSigned === true
        ? { expectedHeaderDigest: new Uint8Array(Buffer.from(base.headerSha256, 'hex')) }
        : {}),
    };
    const ends = await Promise.all(
      Object.values(CODERS).map((models) => endOf(payload, source, { ...options, models })),
    );
    expect(ends[0], JSON.stringify(ends[0])).toMatchObject({ code: vector.error });
    expect(ends[1]).toEqual(ends[0]);
  });

  it.each(vectors.good)('$name ends alike with both coders, whatever is damaged', async (vector) => {
    const next = random(vector.name.length);
    for (let i = 0; i < 6; i++) {
      const payload = bytes(vector.payloadBase64);
      for (let flips = 0; flips <= i % 2; flips++)
        payload[Math.floor(next() * payload.length)]! ^= 1 << Math.floor(next() * 8);
      const ends = await Promise.all(
        Object.values(CODERS).map((models) => endOf(payload, sourceOf(vector), { models, memoryBytesMax: 2 ** 26 })),
      );
      expect(ends[1]).toEqual(ends[0]);
    }
  });

  it('are small, have names of their own, and are what npm run vectors writes', async () => {
    expect(file.length).toBeLessThan(300_000);
    const names = [...vectors.good, ...vectors.bad].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(file === renderVectors(await makeVectors()), 'stale: npm run vectors').toBe(true);
  });

  it('have regions of every kind, bodies in the header and in chunks, and stored segments', () => {
    const images = goodImages();
    const kinds = new Set(images.flatMap(({ regions }) => regions.pairs.map(({ source }) => source.kind)));
    expect([...kinds].sort((a, b) => a - b)).toEqual(Object.values(REGION_KIND));
    const headers = vectors.good.map(({ payloadBase64 }) => parseHeader(bytes(payloadBase64)));
    expect(new Set(headers.map(({ kind, inlineBody }) => `${kind} ${inlineBody === null}`)).size).toBe(4);
    const isStored = headers.map(({ segments, segmentBytes, targetBytes }) => {
      return segments.some(
        ({ encodedBytes }, i) => encodedBytes === Math.min(segmentBytes, targetBytes - i * segmentBytes),
      );
    });
    expect(new Set(isStored).size).toBe(2);
  });

  it('have units of every codec, in other units, in parts, and copies', () => {
    const units = unitVectorImages().flatMap(({ target }) => target.units);
    expect([...new Set(units.map(({ codec }) => codec))].sort((a, b) => a - b)).toEqual(Object.values(CODEC_ID));
    for (const isSo of [units.some((unit) => unit.parent >= 0), units.some((unit) => unit.continues)]) expect(isSo).toBe(true);
    expect(units.some(({ copyOf }) => copyOf >= 0)).toBe(true);
  });

  it('have the example of docs/format.md among them', () => {
    const document = readFileSync(new URL('../../docs/format.md', import.meta.url), 'utf8');
    expect(withExample(document, vectors) === document, 'stale: npm run vectors').toBe(true);
  });
});
