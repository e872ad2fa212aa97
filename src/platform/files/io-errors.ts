/**
 * What a failed read or write is called.
 *
 * @module
 */
import { ioError } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';

/** An UpdateError that says which input could not be read and why. */
export function unreadable(path: string, error: unknown): UpdateError {
  return ioError(error, 'input_unreadable', `cannot read ${path}`, { path });
}

/** An UpdateError that says which file could not be written and why. */
export function writeError(error: unknown, path: string): UpdateError {
  return ioError(error, 'output_unwritable', `cannot write ${path}`, { path });
}

/** `output_unwritable` with the path and a reason of ours. */
export function unwritable(path: string, why: string): UpdateError {
  return new UpdateError('output_unwritable', `cannot write ${path}: ${why}`, { detail: { path } });
}
