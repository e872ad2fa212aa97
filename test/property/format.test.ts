/**
 * Everything that docs/format.md allows decodes to what a straightforward reading says, however it is fed and wherever it
 * is taken up again; what declares too little is refused as documented.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyPayload } from '../../native-free/apply/patcher.ts';
import { bytesSource, memorySink, memorySource } from '../../native-free/apply/bytes-source.ts';
import type { ByteSource } from '../../native-free/io.ts';
import { UpdateError } from '../../native-free/status.ts';
import { modelCoder } from '../../src/wasm/mix-coder.ts';
import { BEHIND_64_KIB, payloadOf, shapes, type Generated, type Shape } from '../support/format-generator.ts';
import { sha256Node } from '../support/images.ts';

/** Pieces of odd sizes, one byte first, and no way to skip. */
function oddPieces(payload: Uint8Array): ByteSource {
  let at = 0;
  let size = 1;
  return {
    async read() {
      if (at >= payload.length) return null;
      const piece = payload.slice(at, at + size);
      at += piece.length;
      size = (size * 7) % 4099;
      return piece;
    },
  };
}

async function outcome(
  { source, target }: Generated,
  payload: ByteSource,
  options: { resumeSegment?: number; models?: typeof modelCoder } = {},
): Promise<Uint8Array | string> {
  const made = target.slice();
  const first = options.resumeSegment ?? 0;
  made.fill(0, first * 2 ** 16);
  try {
    const sink = memorySink(made);
    for await (const event of applyPayload({
      payload,
      source: memorySource(source),
      sink,
      hash: sha256Node,
      ...options,
    }))
      void event;
  } catch (error) {
    if (UpdateError.is(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return made;
}

function expectTarget(result: Uint8Array | string, { target }: Generated): void {
  if (typeof result === 'string') throw new Error(result);
  expect(Buffer.compare(result, target)).toBe(0);
}

async function check(shape: Shape): Promise<void> {
  const made = payloadOf(shape);
  const { payload, segments } = made;
  expectTarget(await outcome(made, bytesSource(payload, payload.length + 1)), made);
  expectTarget(await outcome(made, oddPieces(payload), { models: modelCoder }), made);
  if (payload.length < 20_000) expectTarget(await outcome(made, bytesSource(payload, 1)), made);
  if (shape.segmentBits !== 16) return;
  for (let first = 1; first <= segments; first++) {
    expectTarget(await outcome(made, oddPieces(payload), { resumeSegment: first }), made);
  }
}

describe('a payload that the format allows', () => {
  it('may have two segments in its header, one of which begins behind 64 KiB', async () => {
    const made = payloadOf(BEHIND_64_KIB);
    expect(made.payload.length).toBeGreaterThan(2 ** 16);
    await check(BEHIND_64_KIB);
  });

  it('decodes to what it says: whole, in pieces of any size, byte by byte and from every segment on', async () => {
    await fc.assert(fc.asyncProperty(shapes, check), { numRuns: 25 });
  });

  it('that declares less memory or less work than it takes is refused', async () => {
    const deltas = shapes.filter(({ isFull }) => !isFull);
    const refused = fc.asyncProperty(deltas, async (shape) => {
      const made = payloadOf(shape);
      const lessMemory = made.declaring({ memoryBytes: made.needs.memoryBytes - 1024 });
      expect(String(await outcome(made, bytesSource(lessMemory)))).toMatch(/^(payload_malformed|plan_malformed): /);
      const lessWork = made.declaring({ work: made.needs.work - 1 });
      expect(String(await outcome(made, bytesSource(lessWork)))).toMatch(/^payload_work: /);
    });
    await fc.assert(refused, { numRuns: 10 });
  });
});
