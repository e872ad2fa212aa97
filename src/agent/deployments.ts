/**
 * Where deployments come from, as the state machine sees it. hawkBit's DDI is one such place.
 * @module
 */
import { LIMITS } from '../../native-free/limits.ts';
import type { AttemptOutcome, ReleaseName } from './journal.ts';

export interface Deployment {
  readonly actionId: string;
  readonly release: ReleaseName;
}

export interface PollResult {
  readonly deployment: Deployment | null;
  /** The server wants action `stopId` cancelled and calls that action `cancelId`. */
  readonly cancel: { readonly cancelId: string; readonly stopId: string } | null;
  /** When the server wants to be asked again; null where it does not say. */
  readonly sleepMs: number | null;
}

export interface DeploymentSource {
  /** Throws errors of the link. */
  poll(signal?: AbortSignal): Promise<PollResult>;
  /** Intermediate news; losing it does no harm. `code` is a sub-code's number, or 0. */
  proceeding(actionId: string, message: string, code: number): Promise<void>;
  /** The end of an attempt. Repeating it is harmless. */
  close(actionId: string, outcome: AttemptOutcome): Promise<void>;
  /** Answer a cancellation. */
  answerCancel(cancelId: string, accepted: boolean, message: string): Promise<void>;
}

/**
 * How long to wait for the next poll: what the server said, within the limits; where it said nothing, as configured. A
 * server may only ask for polls as close together as the configuration has them itself, or as the limit has them.
 */
export function pollPauseMs(saidMs: number | null, pollSeconds: number): number {
  const ownMs = pollSeconds * 1000;
  if (saidMs === null) return ownMs;
  return Math.min(LIMITS.poll_ms_max, Math.max(Math.min(LIMITS.poll_ms_min, ownMs), saidMs));
}
