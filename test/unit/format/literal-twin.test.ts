/** Models of literals in WebAssembly against those in TypeScript: a kind of region at a time, on what new code is like. */
import { describe, expect, it } from 'vitest';
import { SegmentEncoder } from '../../../native-free/diff/write/encode-segment.ts';
import { coverListOf } from '../../../native-free/format/cover.ts';
import { REGION_KIND, type RegionKind } from '../../../native-free/format/regions.ts';
import type { LiteralModels } from '../../../native-free/model/literals/literal-models.ts';
import { ReferenceLiterals } from '../../../native-free/model/literals/reference-literals.ts';
import { MixCoder } from '../../../native-free/model/mix-coder.ts';
import type { ModelCoder } from '../../../native-free/model/model-coder.ts';
import { WasmCoder } from '../../../src/wasm/mix-coder.ts';
import { random, TEST_SIZES } from '../../support/images.ts';
import { decoded, type Outcome, type SegmentCase } from '../../support/segment-outcome.ts';

const KINDS = Object.entries(REGION_KIND).filter(([, kind]) => kind !== REGION_KIND.bss);

/** Calls and other references of all sets, whose fields are places in literals, and what stands between them. */
const OPCODES = [
  ...[0x94000000, 0x90000000, 0xeb000000, 0xfa000000, 0xd000f000, 0xf800f000, 0xef, 0x97, 0x0c000000],
  ...[0x5de8c031, 0x8be90f48, 0x0d8b4805, 0x840f8548, 0xe5810f66, 0x24448b48, 0xbf00b510, 0x4770bd10, 0x8082e406],
];

/** New code: words of a few, with small changes, in stretches that come again. */
function codeOf(length: number, seed: number): Uint8Array {
  const next = random(seed);
  const below = (most: number): number => Math.floor(next() * most);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + 4 <= length;) {
    if (at > 400 && next() < 0.03) {
      const count = Math.min(length - at, 20 + below(200));
      bytes.copyWithin(at, at - count - below(at - count), at);
      at += count;
      continue;
    }
    view.setUint32(at, (OPCODES[below(OPCODES.length)]! | (next() < 0.4 ? below(0x400) << below(12) : 0)) >>> 0, true);
    at += next() < 0.05 ? 3 : 4;
  }
  return bytes;
}

/** Behind the window of what is copied, so that a match has to ask for what it leads to. */
const FAR = 70_000;
const FIRST = 9001;
const AGAIN = 5002;

/**
 * Literals, a long cover, and literals again of which half came before and half resembles what follows the cover; the
 * region ends among them, so that the last are bytes of no kind.
 */
function caseOf(kind: RegionKind, seed: number): SegmentCase {
  const next = random(seed + kind);
  const first = codeOf(FIRST, seed);
  const follow = codeOf(3000, seed + 1);
  const source = new Uint8Array(Buffer.concat([new Uint8Array(FAR).fill(7), follow]));
  const again = first.slice(1000, 1000 + AGAIN);
  for (let edits = 0; edits < 40; edits++) again[Math.floor(next() * again.length)]! ^= 1 << Math.floor(next() * 8);
  const like = follow.slice();
  for (let edits = 0; edits < 60; edits++) like[Math.floor(next() * like.length)]! ^= 1 << Math.floor(next() * 8);
  const target = new Uint8Array(Buffer.concat([first, source.subarray(0, FAR), like, again]));
  const va = [0x10000, 0x7ffff000, 0xfffff001][seed % 3]!;
  const region = { module: 0, kind, offset: 0, length: target.length - 1500, va };
  const layout = { regions: kind === REGION_KIND.raw ? [] : [region], vaHigh: [0] };
  const bases = layout.regions.map(() => []);
  const covers = coverListOf([{ sourceOffset: 0, targetOffset: FIRST, length: FAR }]);
  const none = { regions: [], vaHigh: [] };
  return { source, target, plan: { covers, source: none, target: layout, bases } };
}

/** A coder that has no models of its own. */
class BareCoder extends WasmCoder {
  override literalModels(): LiteralModels {
    return new ReferenceLiterals(this);
  }
}

const mix = { encoder: new MixCoder(true, TEST_SIZES), decoder: new MixCoder(false, TEST_SIZES) };
const twin = { encoder: new WasmCoder(true, TEST_SIZES), decoder: new WasmCoder(false, TEST_SIZES) };

function encoded(images: SegmentCase, coder: ModelCoder): { readonly bytes: Uint8Array; readonly work: number } {
  const encoder = new SegmentEncoder(images, { ...images, modelSizes: TEST_SIZES }, { models: () => coder });
  return { bytes: new Uint8Array(encoder.encode(0, images.target.length)), work: encoder.work };
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

async function expectSame(images: SegmentCase, bytes: Uint8Array, limit?: number): Promise<Outcome> {
  const a = await decoded(images, mix.decoder, bytes, limit);
  const b = await decoded(images, twin.decoder, bytes, limit);
  expect([b.work, b.error]).toEqual([a.work, a.error]);
  expect(isSame(a.target, b.target)).toBe(true);
  return a;
}

describe.each(KINDS)('literals of %s, coded by the twin', (_, kind) => {
  it.each([1, 2, 3])('are the same bytes for the same work, and come back: case %i', async (seed) => {
    const images = caseOf(kind, seed);
    const reference = encoded(images, mix.encoder);
    const other = encoded(images, twin.encoder);
    expect(isSame(reference.bytes, other.bytes)).toBe(true);
    expect(other.work).toBe(reference.work);
    const { target, work, error } = await expectSame(images, reference.bytes);
    expect([error, isSame(target, images.target), work]).toEqual([null, true, reference.work]);
  });

  it('are the same nonsense where the stream is damaged, and end at the same place where the work does', async () => {
    const images = caseOf(kind, 4);
    const { bytes, work } = encoded(images, twin.encoder);
    const next = random(5 + kind);
    for (let i = 0; i < 4; i++) {
      const damaged = bytes.slice(0, i === 0 ? bytes.length >> 1 : bytes.length);
      damaged[Math.floor((next() * damaged.length) / 2)]! ^= 1 << Math.floor(next() * 8);
      const { error } = await expectSame(images, damaged, i === 3 ? work >> 2 : undefined);
      if (i === 3) expect(error).toBe('payload_work');
    }
  });
});

describe('models of literals in WebAssembly', () => {
  it('are done without where a coder brings none: the reference codes into its stream', () => {
    const images = caseOf(REGION_KIND.x64, 6);
    expect(isSame(encoded(images, new BareCoder(true, TEST_SIZES)).bytes, encoded(images, mix.encoder).bytes)).toBe(
      true,
    );
  });

  it('forget a segment: the next one has the bytes that it has by itself', () => {
    const images = caseOf(REGION_KIND.a64, 7);
    const from = FIRST + FAR;
    const [both, alone] = [0, 1].map(
      () => new SegmentEncoder(images, { ...images, modelSizes: TEST_SIZES }, { models: () => twin.encoder }),
    );
    both!.encode(0, from);
    const after = new Uint8Array(both!.encode(from, images.target.length));
    expect(isSame(after, new Uint8Array(alone!.encode(from, images.target.length)))).toBe(true);
  });
});
