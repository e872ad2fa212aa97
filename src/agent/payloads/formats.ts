/**
 * Formats that this decoder does not read. Signed metadata say the format of a payload, so that nothing of it is fetched;
 * where they do not, or say it wrongly, its header does, and the device remembers that.
 *
 * What is remembered is by whom it could not be read: an agent that decodes something else tries it again.
 * @module
 */
import { formatName, formatOf, readsFormat, type PayloadFormat } from '../../../native-free/format/features.ts';
import { parseHeader, type PayloadHeader } from '../../../native-free/format/payload-header.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { attemptOf, type Context } from '../context.ts';
import { blobOf, type ImageId, type Plan } from '../records/journal.ts';
import { tellOnce } from '../service/news.ts';

/** Formats that are remembered; the oldest are forgotten. More than the parts and payloads of one release. */
const UNREAD_MAX = 64;

export const decodes = ({ decoder }: Pick<Context, 'decoder'>): string => decoder.map(formatName).join(' ');

function unreadable(context: Context, what: string, format: PayloadFormat): UpdateError {
  const [name, reads] = [formatName(format), decodes(context)];
  return new UpdateError('payload_version', `${what} has format ${name}; this device reads ${reads}`, {
    detail: { format: name, reads },
  });
}

/**
 * Null when the payload can be read, as far as anybody has said. What this decoder found in a header counts more than what
 * is signed.
 */
export function whyUnread(
  context: Context,
  what: string,
  { sha256 }: Pick<ImageId, 'sha256'>,
  signed: PayloadFormat | null | undefined,
): UpdateError | null {
  const found = context.journal.body.unread[sha256];
  if (found?.decoder === decodes(context)) return unreadable(context, what, found.format);
  return !signed || readsFormat(context.decoder, signed) ? null : unreadable(context, what, signed);
}

/** Throws `payload_version` for a full payload that cannot be read: then there is nothing else to take. */
export function requireReadable(context: Context, plan: Plan): void {
  const error = whyUnread(context, 'the full payload', blobOf(plan), plan.format);
  if (error !== null) throw error;
}

/**
 * A header that has its signed digest. What cannot be read of it is remembered, durable with the next state. Throws as
 * parseHeader does.
 */
export function readFormat(context: Context, plan: Plan, bytes: Uint8Array): PayloadHeader {
  const { kind } = plan;
  const format = formatOf(bytes);
  if (format !== null && !readsFormat(context.decoder, format)) {
    remember(context, blobOf(plan).sha256, format);
    throw unreadable(context, `the header of the ${kind} payload`, format);
  }
  try {
    return parseHeader(bytes);
  } catch (thrown) {
    // A kind of payload that nobody had thought of.
    if (format !== null && UpdateError.is(thrown) && thrown.code === 'payload_version') {
      remember(context, blobOf(plan).sha256, format);
    }
    throw thrown;
  }
}

function remember(context: Context, sha256: string, format: PayloadFormat): void {
  const { body } = context.journal;
  const { [sha256]: _, ...others } = body.unread;
  const found = { format, decoder: decodes(context) };
  body.unread = Object.fromEntries([...Object.entries(others).slice(1 - UNREAD_MAX), [sha256, found]]);
}

/** Another payload is taken: noted here, told once as it goes on, and said again in the report. */
export async function tellUnread(context: Context, error: UpdateError): Promise<void> {
  const attempt = attemptOf(context);
  attempt.fellBack ??= error.message;
  context.emit({ type: 'note', message: error.message, error });
  await tellOnce(context, attempt, error.code, error.message, { code: error.status });
}
