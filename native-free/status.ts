/**
 * The only error class; its codes stand in status-table.ts.
 * @module
 */
import { codeOfErrno, ioCode, reasonOf } from './errno.ts';
import { OUTCOME, STATUS, type Outcome, type OutcomeName, type StatusCode } from './status-table.ts';

export { OUTCOME, STATUS, type Outcome, type OutcomeName, type StatusCode, type StatusRow } from './status-table.ts';

const BRAND = Symbol.for('engraft.UpdateError');

interface UpdateErrorOptions {
  /** Facts for machines: offsets, sizes, paths, digests. Never secrets. */
  readonly detail?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * The only error class. `message` says what and where; the table's `action` says what to do.
 *
 * Branded with a registered symbol, so that `UpdateError.is` also knows errors of a second copy of this package
 * (the idea is undici's).
 */
export class UpdateError extends Error {
  override readonly name = 'UpdateError';
  readonly code: StatusCode;
  readonly status: number;
  readonly outcome: Outcome;
  readonly retryable: boolean;
  readonly action: string;
  readonly detail: Readonly<Record<string, unknown>>;

  constructor(code: StatusCode, message: string, options: UpdateErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const entry = STATUS[code];
    this.code = code;
    this.status = entry.status;
    this.outcome = entry.outcome;
    this.retryable = entry.retryable;
    this.action = entry.action;
    this.detail = options.detail ?? {};
    Object.defineProperty(this, BRAND, { value: true });
  }

  static is(value: unknown): value is UpdateError {
    return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[BRAND] === true;
  }

  /**
   * Wrap anything thrown: an UpdateError passes, all else becomes `code` with the original as its cause. What the
   * operating system refused (a full disk, no more descriptors) keeps its own meaning: it is nobody's bug.
   */
  static from(value: unknown, code: StatusCode = 'bug', context = ''): UpdateError {
    if (UpdateError.is(value)) return value;
    const text = reasonOf(value);
    const errno = ioCode(value);
    return new UpdateError(codeOfErrno(errno, code), context === '' ? text : `${context}: ${text}`, {
      detail: errno === '' ? undefined : { errno },
      cause: value,
    });
  }

  /** A plain object for logs, `--json` output and problem+json. */
  toJSON(): Record<string, unknown> {
    const { code, status, outcome, retryable, message, action, detail } = this;
    return { code, status, outcome, retryable, message, action, detail };
  }
}

/** What a command-line program exits with: 2 for usage errors (as shells expect), else the outcome. */
export function exitCodeOf(error: UpdateError): number {
  return error.status === STATUS.usage_invalid.status ? 2 : error.outcome;
}

/** The name of an outcome number; 'ok', 'download_failed', ... Throws `bug` for any other number. */
export function outcomeName(outcome: number): OutcomeName {
  for (const [name, value] of Object.entries(OUTCOME)) if (value === outcome) return name as OutcomeName;
  throw new UpdateError('bug', `no outcome has the number ${outcome}`);
}
