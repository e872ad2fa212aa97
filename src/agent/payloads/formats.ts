/**
 * Formats that this decoder does not read. Signed metadata say the format of a payload, so that nothing of it is fetched;
 * where they do not, or say it wrongly, its header does, and the device remembers that.
 *
 * What is remembered is the format and not a verdict: an agent that reads it takes the payload.
 * @module
 */
import { formatName, formatOf, readsFormat, type PayloadFormat } from '../../../native-free/format/features.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { attemptOf, type Context } from '../context.ts';
import type { ImageId, Plan } from '../records/journal.ts';
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

/** Null when the payload can be read, as far as anybody has said. What a header said counts more than what is signed. */
export function whyUnread(
  context: Context,
  what: string,
  { sha256 }: Pick<ImageId, 'sha256'>,
  signed: PayloadFormat | null | undefined,
): UpdateError | null {
  const format = context.journal.body.unread[sha256] ?? signed ?? null;
  return format === null || readsFormat(context.decoder, format) ? null : unreadable(context, what, format);
}

/** Throws `payload_version` for a full payload that cannot be read: then there is nothing else to take. */
export function requireReadable(context: Context, { payload, format }: Plan): void {
  const error = whyUnread(context, 'the full payload', payload, format);
  if (error !== null) throw error;
}

/**
 * Of a header that has its signed digest, before anything else in it is looked at. What cannot be read is remembered,
 * durable with the next state. Throws `payload_version`.
 */
export function checkHeaderFormat(context: Context, { kind, payload }: Plan, header: Uint8Array): void {
  const format = formatOf(header);
  if (format === null || readsFormat(context.decoder, format)) return;
  const { body } = context.journal;
  const { [payload.sha256]: _, ...others } = body.unread;
  body.unread = Object.fromEntries([...Object.entries(others).slice(1 - UNREAD_MAX), [payload.sha256, format]]);
  throw unreadable(context, `the header of the ${kind} payload`, format);
}

/** Another payload is taken: noted here, told once as it goes on, and said again in the report. */
export async function tellUnread(context: Context, error: UpdateError): Promise<void> {
  const attempt = attemptOf(context);
  attempt.fellBack ??= error.message;
  context.emit({ type: 'note', message: error.message, error });
  await tellOnce(context, attempt, error.code, error.message, { code: error.status });
}
