/**
 * How an attempt ends: what is reported, kept in the history, and made the exit code.
 * @module
 */
import type { StatusCode, UpdateError } from '../../../native-free/status.ts';

export interface AttemptOutcome {
  /** 0, 10, 20, 30 or 40. */
  readonly status: number;
  /** 'ok' or a sub-code of status.ts, with its number. */
  readonly code: StatusCode | 'ok';
  readonly subStatus: number;
  readonly message: string;
}

export const outcomeOf = ({ outcome, code, status, message }: UpdateError): AttemptOutcome => ({
  ...{ status: outcome, code, subStatus: status, message },
});
