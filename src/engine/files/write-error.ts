/**
 * What a failed write is called.
 *
 * @module
 */
import { ioError } from '../../../native-free/io-error.ts';
import type { UpdateError } from '../../../native-free/status.ts';

/** An UpdateError that says which file could not be written and why. */
export function writeError(error: unknown, path: string): UpdateError {
  return ioError(error, 'output_unwritable', `cannot write ${path}`, { path });
}
