import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { applyPayload, bytesSource, memorySink, memorySource } from '../../native-free/apply/index.ts';
import { coverListOf } from '../../native-free/format/cover.ts';
import { parseHeader } from '../../native-free/format/payload-header.ts';
import { toHex } from '../../native-free/hash.ts';
import { UpdateError } from '../../native-free/status.ts';
import { deltaPayload, sha256 } from '../support/images.ts';

interface GoodVector {
  readonly name: string;
  readonly sourceBase64: string | null;
  readonly targetSha256: string;
  readonly payloadBase64: string;
}
interface BadVector {
  readonly name: string;
  readonly base: string;
  readonly edits?: readonly (readonly [number, number])[];
  readonly cut?: number;
  readonly sourceBytes?: number;
  readonly error: string;
}

const file = new URL('payloads.json', import.meta.url);
const vectors = JSON.parse(readFileSync(file, 'utf8')) as { good: GoodVector[]; bad: BadVector[] };
const bytes = (base64: string | null): Uint8Array => new Uint8Array(Buffer.from(base64 ?? '', 'base64'));

async function apply(payload: Uint8Array, source: Uint8Array, pieceBytes: number): Promise<Uint8Array> {
  const target = new Uint8Array(200_000);
  const run = applyPayload({
    payload: bytesSource(payload, pieceBytes),
    source: memorySource(source),
    sink: memorySink(target),
  });
  for (;;) {
    const step = await run.next();
    if (step.done === true) return target.subarray(0, step.value.targetBytes);
  }
}

describe('stored payloads', () => {
  it.each(vectors.good)('$name decodes to its target: whole, in odd pieces and byte by byte', async (vector) => {
    for (const pieceBytes of [1 << 20, 37, 1]) {
      const target = await apply(bytes(vector.payloadBase64), bytes(vector.sourceBase64), pieceBytes);
      expect(toHex(sha256(target))).toBe(vector.targetSha256);
    }
  });

  it.each(vectors.bad)('$name is refused as $error', async (vector) => {
    const base = vectors.good.find((good) => good.name === vector.base)!;
    const whole = bytes(base.payloadBase64);
    const payload = whole.slice(0, whole.length - (vector.cut ?? 0));
    for (const [at, value] of vector.edits ?? []) {
      expect(payload[at]).not.toBe(value);
      payload[at] = value;
    }
    const source = bytes(base.sourceBase64).subarray(0, vector.sourceBytes);
    const error = await apply(payload, source, 64).then(
      () => null,
      (caught: unknown) => caught,
    );
    expect(UpdateError.is(error) && error.code).toBe(vector.error);
  });

  it('are what the encoder writes today: the format has not drifted', async () => {
    const vector = vectors.good.find((good) => good.name === 'three-segments-delta')!;
    const source = bytes(vector.sourceBase64);
    const payload = bytes(vector.payloadBase64);
    const target = await apply(payload, source, 4096);
    const covers = coverListOf([
      { sourceOffset: 70_000, targetOffset: 0, length: 80_000 },
      { sourceOffset: 0, targetOffset: 80_200, length: 70_000 },
    ]);
    const again = deltaPayload({ source, target: target.slice(), covers }, parseHeader(payload).segmentBytes);
    expect(Buffer.compare(again, payload)).toBe(0);
  });
});
