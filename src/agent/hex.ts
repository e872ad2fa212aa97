/**
 * Hexadecimal to bytes; the other way is in native-free/hash.ts.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';

/** Throws `metadata_malformed` for anything but pairs of lower-case hex digits. */
export function hexToBytes(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new UpdateError('metadata_malformed', `'${text}' is no hexadecimal`);
  return new Uint8Array(Buffer.from(text, 'hex'));
}
