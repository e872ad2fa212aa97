/**
 * Tells what kind of patch a file is, by its first bytes.
 *
 * @module
 */
import { PAYLOAD_MAGIC } from '../../native-free/format/payload-header.ts';
import type { ByteSource } from '../../native-free/io.ts';
import { UpdateError } from '../../native-free/status.ts';

export type PatchKind = 'engraft' | 'bsdiff40';

/** The magic of bsdiff 4.x patches. */
const BSDIFF40_MAGIC = [...'BSDIFF40'].map((letter) => letter.charCodeAt(0));

/**
 * The kind of the patch that `patch` stands at the start of; leaves it there (the source must be able to skip).
 * Throws UpdateError `payload_truncated` or `payload_magic`.
 */
export async function patchKind(path: string, patch: ByteSource): Promise<PatchKind> {
  // A file gives its first bytes in one piece; only an empty or tiny one gives fewer than a magic needs.
  const first = (await patch.read()) ?? new Uint8Array(0);
  const startsWith = (magic: readonly number[]): boolean => magic.every((byte, i) => first[i] === byte);
  const kind = startsWith(PAYLOAD_MAGIC) ? 'engraft' : startsWith(BSDIFF40_MAGIC) ? 'bsdiff40' : null;
  const isStartOf = (magic: readonly number[]): boolean =>
    first.every((byte, i) => i >= magic.length || byte === magic[i]);
  if (kind !== null) {
    await patch.skipTo!(0);
    return kind;
  }
  if (isStartOf(PAYLOAD_MAGIC)) {
    throw new UpdateError('payload_truncated', `${path} has only ${first.length} bytes`, { detail: { path } });
  }
  throw new UpdateError('payload_magic', `${path} is neither an engraft payload nor a BSDIFF40 patch`, {
    detail: { path },
  });
}
