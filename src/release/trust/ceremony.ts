/**
 * A root on its way to the keys that sign it: one small JSON file, which goes to the machines of the root keys and back.
 *
 * It carries the new root, the one before it and the very bytes that are signed (canonical JSON, base64), so that also
 * other tools can sign. Whoever signs is shown what changes by comparing the two roots; the words in the file are for
 * people who open it and are believed by nobody.
 * @module
 */
import type { Metadata, Root } from '@tufjs/models';
import { z } from 'zod';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { Signer } from '../keys.ts';
import { checkSignatures, parseMetadata, signedBytes, signWith } from '../metadata.ts';
import { describeChange } from './root-change.ts';

export interface RootRequest {
  /** Null where the root founds a repository. */
  readonly before: Metadata<Root> | null;
  readonly root: Metadata<Root>;
}

const schema = z.object({
  format: z.literal('engraft root request 1'),
  summary: z.array(z.string()),
  bytesToSign: z.string(),
  before: z.unknown(),
  root: z.unknown(),
});

export function encodeRequest({ before, root }: RootRequest): Uint8Array {
  const request = {
    format: 'engraft root request 1',
    summary: describeChange(before, root),
    bytesToSign: Buffer.from(signedBytes(root)).toString('base64'),
    before: before?.toJSON() ?? null,
    root: root.toJSON(),
  };
  return new Uint8Array(Buffer.from(`${JSON.stringify(request, null, 1)}\n`));
}

/** Throws UpdateError metadata_malformed, limit_exceeded, signature_invalid (the root before is not what it says it is). */
export function parseRequest(bytes: Uint8Array, path: string): RootRequest {
  if (bytes.length > LIMITS.root_request_bytes_max) {
    const text = `${path} has ${bytes.length} bytes; at most ${LIMITS.root_request_bytes_max} are read`;
    throw new UpdateError('limit_exceeded', text);
  }
  let json: z.infer<typeof schema>;
  try {
    json = schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (cause) {
    throw new UpdateError('metadata_malformed', `${path} is no request to sign a root (engraft keys export)`, {
      cause,
    });
  }
  const parse = (part: unknown, what: string): Metadata<Root> =>
    parseMetadata('root', Buffer.from(JSON.stringify(part)), `the ${what} in ${path}`);
  const root = parse(json.root, 'root');
  const before = json.before === null ? null : parse(json.before, 'root before');
  if (before !== null) checkSignatures(before, 'root', before, `the root before in ${path}`);
  if (root.signed.version !== (before?.signed.version ?? 0) + 1) {
    throw new UpdateError(
      'metadata_malformed',
      `in ${path}, version ${root.signed.version} does not follow on the root before`,
    );
  }
  if (!Buffer.from(json.bytesToSign, 'base64').equals(signedBytes(root))) {
    throw new UpdateError('metadata_malformed', `in ${path}, the bytes to be signed are not those of its root`);
  }
  return { before, root };
}

/** Adds a signature. Throws UpdateError key_unreadable for a key that neither root names. */
export async function signRequest({ before, root }: RootRequest, signer: Signer): Promise<void> {
  const named = [before, root].some((each) => each?.signed.roles['root']?.keyIDs.includes(signer.keyId));
  if (!named) {
    const text = `the key ${signer.keyId} is a root key neither before nor after this change; its signature is not asked for`;
    throw new UpdateError('key_unreadable', text);
  }
  await signWith(root, signer);
}

export interface Missing {
  /** Signatures that are still missing; 0 when there are enough. */
  readonly before: number;
  readonly after: number;
}

/** How many signatures have yet to come, by the root before and by the new one. */
export function missingSignatures({ before, root }: RootRequest): Missing {
  return { before: before === null ? 0 : missingBy(before, root), after: missingBy(root, root) };
}

function missingBy({ signed }: Metadata<Root>, root: Metadata<Root>): number {
  const { keyIDs, threshold } = signed.roles['root']!;
  const good = keyIDs.filter((id) => {
    try {
      signed.keys[id]!.verifySignature(root);
      return true;
    } catch {
      return false;
    }
  });
  return Math.max(0, threshold - good.length);
}
