/**
 * Where deployments come from, as the state machine sees it. hawkBit's DDI is one such place.
 * @module
 */
import { LIMITS } from '../../../native-free/limits.ts';
import type { ReleaseName } from '../records/journal.ts';
import type { AttemptOutcome } from '../records/outcome.ts';
import type { ServerWords } from './words.ts';

export interface Deployment {
  readonly actionId: string;
  /** Null where the deployment names no release of ours, or several; `foreign` says what is wrong. */
  readonly release: ReleaseName | null;
  readonly foreign?: string;
  /** Left out where the server does not say: then everything is allowed. */
  readonly words?: ServerWords;
}

export interface PollResult {
  readonly deployment: Deployment | null;
  /** The server wants action `stopId` cancelled and calls that action `cancelId`. */
  readonly cancel: { readonly cancelId: string; readonly stopId: string } | null;
  /** When the server wants to be asked again; null where it does not say. */
  readonly sleepMs: number | null;
  /** The server asks what this device is. */
  readonly attributesWanted?: boolean;
}

/** Something to be told of one action. */
export interface ActionNews {
  readonly actionId: string;
  /** Null for a deployment that names none. */
  readonly release: ReleaseName | null;
  /** When it happened, in ms since 1970: repeated later, it is the same news. */
  readonly atMs: number;
  /** Free texts for people, one a line; may be empty. */
  readonly details: readonly string[];
}

/** Intermediate news. `code` is a sub-code's number, or 0. */
export interface Proceeding extends ActionNews {
  readonly code: number;
  /** The slot is written, and the installation waits for the server. */
  readonly downloaded?: boolean;
}

/** How an attempt ended. */
export interface Report extends ActionNews {
  readonly outcome: AttemptOutcome;
}

export interface DeploymentSource {
  /** Throws errors of the link. */
  poll(signal?: AbortSignal): Promise<PollResult>;
  /** Losing it does no harm. */
  proceeding(news: Proceeding): Promise<void>;
  /** The end of an attempt. Repeating it is harmless. */
  close(report: Report): Promise<void>;
  /** Answer a cancellation. */
  answerCancel(cancelId: string, accepted: boolean, report: Report): Promise<void>;
  /**
   * The age header of an encrypted payload for this device. Throws `age_refused`, and errors of the link. A source without
   * it has no encrypted payloads.
   */
  ageHeader?(bodySha256: string, signal?: AbortSignal): Promise<Uint8Array>;
  /** What this device is and runs. */
  sendAttributes(attributes: Readonly<Record<string, string>>): Promise<void>;
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

export const sameRelease = (a: ReleaseName | null, b: ReleaseName | null): boolean =>
  a === null || b === null
    ? a === b
    : a.product === b.product && a.version === b.version && a.hardware === b.hardware && a.slotClass === b.slotClass;
