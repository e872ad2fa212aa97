/**
 * Failed calls of the operating system as our errors: what was not possible, why, and whether it may pass.
 * @module
 */
import { codeOfErrno, ioCode, PASSING_ERRNOS, reasonOf } from './errno.ts';
import { UpdateError, type StatusCode } from './status.ts';

/**
 * An UpdateError for a failed call: `what` was not possible, and why. An UpdateError passes, since it says its cause
 * already. `detail.errno` is the system's name for it.
 */
export function ioError(
  error: unknown,
  code: StatusCode,
  what: string,
  detail: Readonly<Record<string, unknown>> = {},
): UpdateError {
  if (UpdateError.is(error)) return error;
  const errno = ioCode(error);
  return new UpdateError(codeOfErrno(errno, code), `${what}: ${reasonOf(error)}`, {
    detail: { ...detail, errno },
    cause: error,
  });
}

/** What `work` gives, or its failure as `ioError` has it. */
export async function orIoError<T>(
  work: Promise<T>,
  code: StatusCode,
  what: string,
  detail?: Readonly<Record<string, unknown>>,
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw ioError(error, code, what, detail);
  }
}

/**
 * Is this a fault of the device's own storage, tools or memory that may pass: worth another try before it is taken for
 * the outcome? A link that is down is not: it has a patience of its own.
 */
export function mayPass(error: UpdateError): boolean {
  const { code, outcome, retryable, detail } = error;
  if (code === 'aborted' || code === 'cancelled') return false;
  return PASSING_ERRNOS.has(String(detail['errno'])) || (retryable && outcome === 30);
}
