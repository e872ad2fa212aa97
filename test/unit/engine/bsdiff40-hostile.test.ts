/**
 * BSDIFF40 patches of a few bytes that ask for much: bounded while they are read, and cancelled within every loop.
 */
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../../native-free/apply/bytes-source.ts';
import { applyBsdiff40, bsdiffCovers, bsdiffFacts } from '../../../native-free/compat/index.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { bsdiff40, bzip2, controlBytes, EMPTY_ENTRIES, FROM_THE_FIELD, hasProgram } from '../../support/bsdiff40.ts';

const source = memorySource(new Uint8Array(1000));
const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));
const none = new Uint8Array(0);

async function targetOf(patch: Uint8Array): Promise<number> {
  let length = 0;
  for await (const piece of applyBsdiff40({ patch, source })) length += piece.length;
  return length;
}

describe('a small BSDIFF40 patch', () => {
  it.each(Object.entries(FROM_THE_FIELD))('with %s is applied, as bspatch does', async (_, base64) => {
    expect(await targetOf(bytes(base64))).toBe(150);
  });

  it('with millions of entries that make nothing is given up at their bound, by apply and inspect', async () => {
    const limit = { code: 'limit_exceeded', message: expect.stringContaining('65536') as unknown };
    await expect(targetOf(bytes(EMPTY_ENTRIES))).rejects.toMatchObject(limit);
    await expect(bsdiffFacts(bytes(EMPTY_ENTRIES))).rejects.toMatchObject(limit);
    expect(() => bsdiffCovers(bytes(EMPTY_ENTRIES))).toThrow(expect.objectContaining({ code: 'limit_exceeded' }));
  });

  it('is cancelled between entries that make nothing', async () => {
    const signal = { aborted: false };
    const pause = async (): Promise<void> => void (signal.aborted = true);
    const run = applyBsdiff40({ patch: bytes(EMPTY_ENTRIES), source, signal, pause });
    await expect(run.next()).rejects.toMatchObject({ code: 'aborted' });
    await expect(bsdiffFacts(bytes(EMPTY_ENTRIES), { signal })).rejects.toMatchObject({ code: 'aborted' });
  });

  describe.skipIf(!hasProgram('bzip2'))('(skipped without bzip2)', () => {
    it('of more covers than are kept is counted by inspect, and refused where they are kept before they are all read', async () => {
      const count = LIMITS.covers_max + 1000;
      const control = bzip2(new Uint8Array(Buffer.alloc(24 * count, controlBytes([[1, 0, -1]]))));
      expect(control.length).toBeLessThan(2000);
      const patch = bsdiff40({ targetBytes: count, control, diff: none, extra: none });
      expect(await bsdiffFacts(patch)).toMatchObject({ covers: count, coveredBytes: count });
      expect(() => bsdiffCovers(patch)).toThrow(/more than 524288 covers/);
    });

    it('is cancelled within one block of zeros, and within what is left of a block behind the target', async () => {
      const zeros = bzip2(new Uint8Array(40 * 2 ** 20));
      for (const add of [40 * 2 ** 20, 10]) {
        const patch = bsdiff40({
          targetBytes: add,
          control: bzip2(controlBytes([[add, 0, 0]])),
          diff: zeros,
          extra: none,
        });
        const signal = { aborted: false };
        let turns = 0;
        const pause = async (): Promise<void> => void (signal.aborted = ++turns === 3);
        const all = async (): Promise<void> => {
          for await (const piece of applyBsdiff40({ patch, source, signal, pause })) void piece;
        };
        await expect(all()).rejects.toMatchObject({ code: 'aborted' });
      }
    });

    it('notices damage to what is left of the block that the target ends in', async () => {
      const diff = bzip2(Uint8Array.from({ length: 5000 }, (_, i) => (i * i) >> 3));
      const patch = bsdiff40({ targetBytes: 10, control: bzip2(controlBytes([[10, 0, 0]])), diff, extra: none });
      expect(await targetOf(patch)).toBe(10);
      // The block's checksum stands behind its magic number.
      patch[patch.length - diff.length + 10]! ^= 1;
      await expect(targetOf(patch)).rejects.toMatchObject({ code: 'foreign_malformed' });
    });

    it('seeks out of the source read zeros as long as the position is exact; a last seek is of no account', async () => {
      const diff = bzip2(new Uint8Array(20).fill(3));
      const seek = (to: number): Uint8Array =>
        bsdiff40({
          targetBytes: 20,
          control: bzip2(
            controlBytes([
              [10, 0, to],
              [10, 0, 2 ** 62],
            ]),
          ),
          diff,
          extra: none,
        });
      for (const to of [-5000, 5000, 2 ** 52]) expect(await targetOf(seek(to))).toBe(20);
      await expect(targetOf(seek(2 ** 60))).rejects.toMatchObject({ code: 'foreign_malformed' });
    });
  });
});
