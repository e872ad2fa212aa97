/**
 * The payload's header: from the spool or the link, and in either case exactly the one the signature vouches for.
 * @module
 */
import { bytesEqual, digestOf, toHex } from '../../native-free/hash.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';
import type { HashFactory } from '../../native-free/io.ts';
import type { PayloadLink } from './link.ts';
import type { Meter } from './meter.ts';
import type { Spool } from './spool.ts';

export interface HeaderOptions {
  readonly link: PayloadLink;
  readonly spool: Spool;
  readonly meter: Pick<Meter, 'take' | 'noteRefetch'>;
  readonly hash: HashFactory;
  /** From signed metadata. */
  readonly headerBytes: number;
  readonly headerDigest: Uint8Array;
  /** Default 5. */
  readonly refetchesMax?: number;
  readonly signal?: AbortSignal;
}

/** Throws `header_digest` when it stays wrong, `limit_exceeded` when the stated length is over the bound. */
export async function obtainHeader(options: HeaderOptions): Promise<Uint8Array> {
  const { link, spool, meter, hash, headerBytes, headerDigest, signal, refetchesMax = 5 } = options;
  if (headerBytes > LIMITS.header_bytes_max) {
    throw new UpdateError('limit_exceeded', `a header of ${headerBytes} bytes is over ${LIMITS.header_bytes_max}`);
  }
  const kept = await spool.header(headerDigest);
  if (kept !== null) return kept;
  for (let tries = 0; ; tries++) {
    const range = { from: 0, to: headerBytes };
    const bytes = await link.fetchAll(range, (count) => meter.take(count, signal));
    if (bytesEqual(digestOf(hash, bytes), headerDigest)) {
      link.verified();
      await spool.putHeader(bytes);
      return bytes;
    }
    // A login page that does not say what it is passes: the link's own cap ends it. Other bytes are tampered with.
    const isPage = /^\s*[<{]/.test(new TextDecoder().decode(bytes.subarray(0, 64)));
    const error = !isPage
      ? new UpdateError('header_digest', `the header is not the signed one (${toHex(headerDigest)})`, {
          detail: { headerBytes, fetchedTimes: tries + 1 },
        })
      : new UpdateError('content_wrong', 'something else than a payload came (a captive portal?)');
    if (!isPage && tries >= refetchesMax) throw error;
    meter.noteRefetch(headerBytes);
    await link.pause(error);
  }
}
