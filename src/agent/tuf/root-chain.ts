/**
 * The way from the pinned root to the present one: each root is signed by the one before it, and by itself
 * (TUF 5.3: a new root needs the threshold of both). Nobody who can write files, or the hardware's anchor, can put
 * another root in its place without the keys.
 * @module
 */
import { digestOf, toHex } from '../../../native-free/hash.ts';
import type { HashFactory } from '../../../native-free/io.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { parseMetadata } from './metadata.ts';
import { requireSuccessor } from './root.ts';

/** Throws `keystore_failed` unless `roots` begin with the one whose SHA-256 is `pin` and each vouches for the next. */
export function verifyRootChain(roots: readonly Uint8Array[], pin: string, hash: HashFactory): void {
  const bad = (why: string, cause?: unknown): UpdateError =>
    new UpdateError('keystore_failed', `the keystore's trusted root is not to be trusted: ${why}`, { cause });
  const [first] = roots;
  if (first === undefined || toHex(digestOf(hash, first)) !== pin) throw bad('it does not begin with the pinned root');
  if (roots.length > LIMITS.root_chain_max) throw bad(`there are more than ${LIMITS.root_chain_max} roots`);
  try {
    const documents = roots.map((bytes, i) => parseMetadata('root', bytes, `root ${i + 1} of its chain`));
    documents.slice(1).forEach((next, i) => requireSuccessor(documents[i]!, next));
  } catch (error) {
    throw bad(UpdateError.from(error).message, error);
  }
}
