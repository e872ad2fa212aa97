/**
 * Tells what kind of patch it is, by its first bytes.
 *
 * @module
 */
import { concat } from '../../../native-free/format/bytes.ts';
import { PAYLOAD_MAGIC } from '../../../native-free/format/payload-header.ts';
import type { ByteSource } from '../../../native-free/io.ts';
import { UpdateError } from '../../../native-free/status.ts';

export type PatchKind = 'engraft' | 'bsdiff40';

/** The magic of bsdiff 4.x patches. */
const BSDIFF40_MAGIC = [...'BSDIFF40'].map((letter) => letter.charCodeAt(0));
const MAGIC_BYTES = Math.max(PAYLOAD_MAGIC.length, BSDIFF40_MAGIC.length);

/**
 * The kind of the patch that `patch` stands at the start of, and a source that gives all of it once more.
 * Throws UpdateError `payload_truncated` or `payload_magic`.
 */
export async function patchKind(name: string, patch: ByteSource): Promise<{ kind: PatchKind; all: ByteSource }> {
  const first = await firstBytes(patch, MAGIC_BYTES);
  const startsWith = (magic: readonly number[]): boolean => magic.every((byte, i) => first[i] === byte);
  const kind = startsWith(PAYLOAD_MAGIC) ? 'engraft' : startsWith(BSDIFF40_MAGIC) ? 'bsdiff40' : null;
  if (kind !== null) return { kind, all: startingWith(first, patch) };
  const isStartOf = (magic: readonly number[]): boolean =>
    first.every((byte, i) => i >= magic.length || byte === magic[i]);
  if (isStartOf(PAYLOAD_MAGIC)) {
    throw new UpdateError('payload_truncated', `${name} has only ${first.length} bytes`, { detail: { path: name } });
  }
  throw new UpdateError('payload_magic', `${name} is neither an engraft payload nor a BSDIFF40 patch`, {
    detail: { path: name },
  });
}

/** At least `count` bytes, where there are so many; a pipe may give them one at a time. */
async function firstBytes(source: ByteSource, count: number): Promise<Uint8Array> {
  let bytes: Uint8Array = new Uint8Array(0);
  while (bytes.length < count) {
    const piece = await source.read();
    if (piece === null) break;
    bytes = concat([bytes, piece]);
  }
  return bytes;
}

function startingWith(first: Uint8Array, rest: ByteSource): ByteSource {
  let given = false;
  return {
    async read() {
      if (given) return rest.read();
      given = true;
      return first;
    },
  };
}
