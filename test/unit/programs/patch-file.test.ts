/**
 * Telling a patch by its first bytes: all of it is still there to be read, from a source that keeps to its contract to
 * the letter (it never goes back, and its pieces are reused).
 */
import { describe, expect, it } from 'vitest';
import type { ByteSource } from '../../../native-free/io.ts';
import { patchKind } from '../../../src/cli/patch/patch-file.ts';
import { readToEnd } from '../../../src/cli/patch/patch-input.ts';
import { deltaPayload, editedPair, imageBytes } from '../../support/images.ts';

/** Throws where a reader goes back; overwrites a piece when the next one is asked for. */
function strictSource(bytes: Uint8Array, pieceBytes: number): ByteSource {
  const piece = new Uint8Array(pieceBytes);
  let at = 0;
  return {
    async read() {
      piece.fill(0xee);
      const part = bytes.subarray(at, at + pieceBytes);
      at += part.length;
      piece.set(part);
      return part.length === 0 ? null : piece.subarray(0, part.length);
    },
    async skipTo(offset) {
      if (offset < at) throw new Error(`back from ${at} to ${offset}`);
      at = offset;
    },
  };
}

const payload = deltaPayload(editedPair(18, 4096, 5), 2 ** 16);
const foreign = new Uint8Array([...Buffer.from('BSDIFF40'), ...imageBytes(500, 3)]);

describe.each([1, 3, 8, 4096])('a patch that comes in pieces of %i bytes', (pieceBytes) => {
  it.each([
    ['engraft', payload],
    ['bsdiff40', foreign],
  ] as const)('is known as %s, and is whole after that', async (kind, bytes) => {
    const told = await patchKind('p', strictSource(bytes, pieceBytes));
    expect(told.kind).toBe(kind);
    expect(await readToEnd(told.all, 'p', bytes.length)).toEqual(bytes);
  });

  it('is refused by name when it ends too early or is something else', async () => {
    const kindOf = (bytes: Uint8Array) => patchKind('p', strictSource(bytes, pieceBytes));
    await expect(kindOf(payload.slice(0, 2))).rejects.toMatchObject({ code: 'payload_truncated' });
    await expect(kindOf(imageBytes(100, 1))).rejects.toMatchObject({ code: 'payload_magic' });
  });
});
