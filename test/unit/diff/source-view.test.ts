import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SourceView, sourceViewFor, VIEW_BLOCK_BYTES } from '../../../native-free/diff/match/source-view.ts';
import { UpdateError } from '../../../native-free/status.ts';

const BLOCK = VIEW_BLOCK_BYTES;
const bytesOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255);

/** The parts of the source, as a cover of the whole view names them. */
const rangesOf = (view: SourceView): number[][] =>
  view
    .toSource([{ sourceOffset: 0, targetOffset: 0, length: view.length }])
    .map(({ sourceOffset, length }) => [sourceOffset, sourceOffset + length]);

describe('the view of a source for a window', () => {
  const source = bytesOf(20 * BLOCK + 100);

  it('is all of a source that is small enough, without a copy', () => {
    const view = sourceViewFor(source, [], 0, BLOCK, source.length);
    expect(rangesOf(view)).toEqual([[0, source.length]]);
    expect(view.bytes()).toBe(source);
  });

  it('is what covers of the window name, and one block around it', () => {
    const covers = [
      { sourceOffset: 10 * BLOCK + 5, targetOffset: 0, length: 10 },
      { sourceOffset: 15 * BLOCK, targetOffset: 4 * BLOCK, length: BLOCK },
      { sourceOffset: 3 * BLOCK, targetOffset: 7 * BLOCK, length: BLOCK },
    ];
    const view = sourceViewFor(source, covers, 3 * BLOCK, 6 * BLOCK, 18 * BLOCK);
    expect(rangesOf(view)).toEqual([[14 * BLOCK, 17 * BLOCK]]);
    const wider = sourceViewFor(source, covers, 3 * BLOCK, 6 * BLOCK + 1, 18 * BLOCK);
    expect(rangesOf(wider)).toEqual([
      [2 * BLOCK, 5 * BLOCK],
      [14 * BLOCK, 17 * BLOCK],
    ]);
    expect(wider.length).toBe(6 * BLOCK);
  });

  it('keeps within its bytes, the most named blocks first', () => {
    const covers = [
      { sourceOffset: 0, targetOffset: 0, length: 100 },
      { sourceOffset: 8 * BLOCK, targetOffset: 100, length: 2 * BLOCK },
    ];
    expect(rangesOf(sourceViewFor(source, covers, 0, 3 * BLOCK, 2 * BLOCK))).toEqual([[8 * BLOCK, 10 * BLOCK]]);
    expect(sourceViewFor(source, covers, 0, 3 * BLOCK, 1).length).toBe(BLOCK);
  });

  it('lies where the nearest cover expects it when the window has none', () => {
    const near = [{ sourceOffset: 12 * BLOCK, targetOffset: 0, length: 100 }];
    const view = sourceViewFor(source, near, 4 * BLOCK, 5 * BLOCK, 10 * BLOCK);
    expect(rangesOf(view)).toEqual([[15 * BLOCK, 18 * BLOCK]]);
    const none = sourceViewFor(source, [], 4 * BLOCK, 5 * BLOCK, 10 * BLOCK);
    expect(rangesOf(none)).toEqual([[3 * BLOCK, 6 * BLOCK]]);
    const beyond = sourceViewFor(source, [], 90 * BLOCK, 91 * BLOCK, 10 * BLOCK);
    expect(rangesOf(beyond)).toEqual([[18 * BLOCK, source.length]]);
    expect(sourceViewFor(new Uint8Array(0), [], 0, 5, 10).length).toBe(0);
  });

  it('translates covers in both directions and cuts them at seams', () => {
    const view = new SourceView(source, [
      [100, 200],
      [1000, 1100],
    ]);
    expect(view.toSource([{ sourceOffset: 90, targetOffset: 5, length: 30 }])).toEqual([
      { sourceOffset: 190, targetOffset: 5, length: 10 },
      { sourceOffset: 1000, targetOffset: 15, length: 20 },
    ]);
    expect(view.toView([{ sourceOffset: 50, targetOffset: 7, length: 1000 }])).toEqual([
      { sourceOffset: 0, targetOffset: 57, length: 100 },
      { sourceOffset: 100, targetOffset: 957, length: 50 },
    ]);
    expect(view.toView([{ sourceOffset: 200, targetOffset: 0, length: 800 }])).toEqual([]);
  });

  it('names the same bytes in the view and in the source', () => {
    const covers = fc.array(
      fc.record({
        sourceOffset: fc.nat(19 * BLOCK),
        targetOffset: fc.nat(30 * BLOCK),
        length: fc.integer({ min: 1, max: BLOCK }),
      }),
      { maxLength: 10 },
    );
    const place = fc.tuple(fc.nat(10_000), fc.nat(100_000)).map(([a, length]) => ({ a, length: length + 1 }));
    fc.assert(
      fc.property(covers, fc.nat(20 * BLOCK), fc.integer({ min: 1, max: 12 }), place, (list, start, blocks, at) => {
        const sorted = list.sort((a, b) => a.targetOffset - b.targetOffset);
        const view = sourceViewFor(source, sorted, start, start + 3 * BLOCK, blocks * BLOCK);
        expect(view.length).toBeLessThanOrEqual(blocks * BLOCK);
        const bytes = view.bytes();
        const sourceOffset = at.a % view.length;
        const cover = { sourceOffset, targetOffset: 3, length: Math.min(at.length, view.length - sourceOffset) };
        const parts = view.toSource([cover]);
        expect(parts.reduce((sum, part) => sum + part.length, 0)).toBe(cover.length);
        for (const part of parts) {
          const from = cover.sourceOffset + part.targetOffset - cover.targetOffset;
          const there = source.subarray(part.sourceOffset, part.sourceOffset + part.length);
          expect(there.every((byte, i) => byte === bytes[from + i])).toBe(true);
        }
        const back = view.toView(parts);
        expect(back.map((part) => part.length)).toEqual(parts.map((part) => part.length));
        expect(back[0]!.sourceOffset).toBe(cover.sourceOffset);
      }),
      { numRuns: 50 },
    );
  });

  it('refuses ranges that overlap or leave the source, and space of another size', () => {
    expect(() => new SourceView(source, [[0, source.length + 1]])).toThrow(UpdateError);
    const overlap: [number, number][] = [
      [0, 10],
      [5, 20],
    ];
    expect(() => new SourceView(source, overlap)).toThrow(UpdateError);
  });
});
