/** A proof in parts checks every segment once, and what only all of them together tell. */
import { describe, expect, it } from 'vitest';
import type { PayloadHeader, SegmentRecord } from '../../../native-free/format/payload-header.ts';
import { WORK_UNIT } from '../../../native-free/format/work.ts';
import { checkProvenWork, proofParts, provenHeader } from '../../../src/engine/proof-parts.ts';
import { random } from '../../support/images.ts';

function segmentsOf(sizes: readonly (readonly [length: number, encodedBytes: number])[]): SegmentRecord[] {
  let offset = 0;
  return sizes.map(([length, encodedBytes]) => {
    offset += length;
    return { offset: offset - length, length, encodedBytes, digest: new Uint8Array(32) };
  });
}

describe('parts of a proof', () => {
  it('are all segments, each once and in order, and no more than there are workers', () => {
    const next = random(3);
    for (let count = 0; count < 40; count++) {
      const sizes = Array.from({ length: count }, () => [1 + Math.floor(next() * 2 ** 20), next() * 1000] as const);
      for (const workers of [1, 2, 3, 8, 64]) {
        const parts = proofParts(segmentsOf(sizes), workers);
        expect(parts.length).toBe(Math.max(1, Math.min(parts.length, workers, count)));
        let end = 0;
        for (const part of parts) {
          expect(part.first).toBe(end);
          expect(part.end).toBeGreaterThanOrEqual(count === 0 ? 0 : part.first + 1);
          end = part.end;
        }
        expect(end).toBe(count);
      }
    }
  });

  it('have about the same coded bytes', () => {
    const alike = segmentsOf(Array.from({ length: 10 }, () => [2 ** 20, 5000] as const));
    expect(proofParts(alike, 2)).toEqual([
      { first: 0, end: 5 },
      { first: 5, end: 10 },
    ]);
    const front = segmentsOf([[2 ** 20, 500_000], ...Array.from({ length: 9 }, () => [2 ** 20, 0] as const)]);
    expect(proofParts(front, 2)[0]).toEqual({ first: 0, end: 1 });
  });
});

describe('the work that all parts took', () => {
  const header = { decoderWork: 3 } as PayloadHeader;
  const part = { planWork: WORK_UNIT, segmentWork: WORK_UNIT };

  it('has the plan once, however many have decoded it', () => {
    expect(() => checkProvenWork([part, part], header)).not.toThrow();
  });

  it('must be declared, though each part by itself took less', () => {
    const failure = expect.objectContaining({ code: 'proof_failed', message: expect.stringMatching(/amount of work/) });
    expect(() => checkProvenWork([part, part, part], header)).toThrow(failure);
  });
});

describe('a header that does not parse', () => {
  it('is a failed proof, and the reason is its cause', () => {
    expect(() => provenHeader(new Uint8Array(100))).toThrow(
      expect.objectContaining({ code: 'proof_failed', detail: expect.objectContaining({ code: 'payload_magic' }) }),
    );
  });
});
