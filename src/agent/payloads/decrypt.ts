/**
 * Encrypted payloads between link and decoder: the header for this device, the key that it gives, and a link in clear.
 * @module
 */
import { openHeader, payloadKey } from '../../../native-free/age/header.ts';
import { hexToBytes } from '../../../native-free/hash.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { chachaNode } from '../../platform/aead.ts';
import { EncryptedLink } from '../../transfer/encrypted-link.ts';
import type { PayloadLink } from '../../transfer/link.ts';
import type { Meter } from '../../transfer/meter.ts';
import type { Spool } from '../../transfer/spool.ts';
import type { Context } from '../context.ts';
import { ageSecret } from '../keystore/age-key.ts';
import type { Plan } from '../records/journal.ts';

interface Way {
  readonly link: PayloadLink;
  readonly meter: Pick<Meter, 'take' | 'noteRefetch'>;
}

/** The way of a payload in clear over the link to its body. */
export function decrypting(context: Context, plan: Plan, { link, meter, spool }: Way & { readonly spool: Spool }): Way {
  const { encryption, payload } = plan;
  if (encryption === undefined || encryption === null)
    throw new UpdateError('bug', 'a payload in clear is to be decrypted');
  const { signal } = context;
  const key = (anew: boolean): Promise<Uint8Array> => bodyKey(context, encryption, { link, spool, anew });
  const clear = new EncryptedLink({ link, meter, plainBytes: payload.bytes, aead: chachaNode, key, signal });
  // The link has counted the bytes of the body already.
  const take = async (): Promise<void> => undefined;
  return { link: clear, meter: { take, noteRefetch: (bytes) => meter.noteRefetch(bytes) } };
}

interface Sources {
  readonly link: PayloadLink;
  readonly spool: Spool;
  /** Do not take the header that is kept. */
  readonly anew: boolean;
}

/** Throws `age_refused`, `age_key`, `age_malformed`, `keystore_failed`. */
async function bodyKey(
  context: Context,
  { sha256, nonce }: NonNullable<Plan['encryption']>,
  { link, spool, anew }: Sources,
): Promise<Uint8Array> {
  const secret = await ageSecret(context.config, context);
  if (secret === null) throw new UpdateError('age_key', 'this device has no key for encrypted payloads yet');
  const keyOf = (header: Uint8Array): Uint8Array =>
    payloadKey(openHeader(header, secret, chachaNode), hexToBytes(nonce));
  const kept = anew ? null : await spool.ageHeader();
  if (kept !== null) {
    try {
      return keyOf(kept);
    } catch {
      // Torn, or from before the device had another key: asked for again.
    }
  }
  const header = await askHeader(context, link, sha256);
  const key = keyOf(header);
  await spool.putAgeHeader(header);
  return key;
}

/** What passes on the way to the server is waited out as with the payload itself. */
async function askHeader({ deployments, signal }: Context, link: PayloadLink, sha256: string): Promise<Uint8Array> {
  if (deployments.ageHeader === undefined) {
    throw new UpdateError('age_refused', 'the payload is encrypted, and this server gives no headers');
  }
  for (;;) {
    try {
      return await deployments.ageHeader(sha256, signal);
    } catch (thrown) {
      const error = UpdateError.from(thrown);
      if (error.code === 'age_refused') throw thrown;
      await link.pause(thrown);
    }
  }
}
