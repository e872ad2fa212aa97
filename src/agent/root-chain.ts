/**
 * The way from the pinned root to the present one: each root is signed by the one before it, and by itself
 * (TUF 5.3: a new root needs the threshold of both). Nobody who can write files, or the hardware's anchor, can put
 * another root in its place without the keys.
 * @module
 */
import { Metadata, MetadataKind } from '@tufjs/models';
import type { Root } from '@tufjs/models';
import { digestOf, toHex } from '../../native-free/hash.ts';
import type { HashFactory } from '../../native-free/io.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';

const bad = (why: string, cause?: unknown): UpdateError =>
  new UpdateError('keystore_failed', `the keystore's trusted root is not to be trusted: ${why}`, { cause });

function parse(bytes: Uint8Array, number: number): Metadata<Root> {
  try {
    return Metadata.fromJSON(
      MetadataKind.Root,
      JSON.parse(new TextDecoder().decode(bytes)) as Parameters<typeof Metadata.fromJSON>[1],
    );
  } catch (error) {
    throw bad(`root ${number} of its chain is no root metadata`, error);
  }
}

/** Throws `keystore_failed` unless `roots` begin with the one whose SHA-256 is `pin` and each vouches for the next. */
export function verifyRootChain(roots: readonly Uint8Array[], pin: string, hash: HashFactory): void {
  const [first, ...others] = roots;
  if (first === undefined || toHex(digestOf(hash, first)) !== pin) throw bad('it does not begin with the pinned root');
  if (roots.length > LIMITS.root_chain_max) throw bad(`there are more than ${LIMITS.root_chain_max} roots`);
  let before = parse(first, 1);
  others.forEach((bytes, i) => {
    const next = parse(bytes, i + 2);
    if (next.signed.version !== before.signed.version + 1) throw bad(`version ${before.signed.version + 1} is missing`);
    for (const signer of [before, next]) {
      try {
        signer.verifyDelegate('root', next);
      } catch (error) {
        throw bad(`root version ${next.signed.version} is not signed by version ${signer.signed.version}`, error);
      }
    }
    before = next;
  });
}
