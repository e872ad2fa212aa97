/**
 * What an operator decides about a rollout before it begins. All of it is kept as one JSON text beside the rollout.
 * @module
 */

/** One group, a wave. Of `percent`, `count` and `filter` one says who is in it; the last group takes whoever is left. */
export interface GroupPlan {
  readonly name?: string;
  /** Of all devices of the rollout. */
  readonly percent?: number;
  readonly count?: number;
  /** RSQL, see filter.ts. */
  readonly filter?: string;
  /** So many percent of the group must have succeeded before the next group begins. */
  readonly successPercent: number;
  /** When so many percent of the group have failed, the rollout halts. */
  readonly errorPercent: number;
  /** A person has to approve before the group begins. */
  readonly approve?: boolean;
}

/** How fast devices are let in: `devicesPerHour` at first, times `growth` for each `every` devices that succeeded. */
export interface RatePlan {
  readonly devicesPerHour: number;
  readonly growth: number;
  readonly every: number;
}

/** Minutes of the day, of a clock that is `offsetMinutes` ahead of UTC; `from` after `to` goes over midnight. */
export interface WindowPlan {
  readonly fromMinute: number;
  readonly toMinute: number;
  readonly offsetMinutes: number;
}

/**
 * Halts when the share of failures is `ratio` times that of the release before, once `sample` devices have ended. The
 * release before counts with one percent at least: a single failure after none is no sign.
 */
export interface HealthPlan {
  readonly ratio: number;
  readonly sample: number;
}

export interface RolloutPlan {
  /** Which devices of the release's product and hardware; null: all. RSQL. */
  readonly filter: string | null;
  readonly groups: readonly GroupPlan[];
  /** Devices that come later, or match later, go into the last group. Such a rollout goes on until it is stopped. */
  readonly dynamic: boolean;
  readonly approve: boolean;
  readonly rate: RatePlan | null;
  /** Devices that are at it at the same time, at most. */
  readonly concurrent: number | null;
  /** A device that has not ended after so long counts as failed. */
  readonly timeoutMinutes: number;
  readonly retries: number;
  readonly retryMinutes: number;
  /** Milliseconds since 1970; null: when it is told to. */
  readonly startAt: number | null;
  readonly window: WindowPlan | null;
  readonly health: HealthPlan | null;
  /** Payload bytes of one group together, and of one device: devices beyond are left out. */
  readonly waveBytes: number | null;
  readonly deviceBytes: number | null;
}

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;

/** Whether devices are let in at this time of the day. */
export function isOpen(window: WindowPlan | null, nowMs: number): boolean {
  if (window === null) return true;
  const { fromMinute, toMinute, offsetMinutes } = window;
  const day = 24 * 60;
  const minute = (((Math.floor(nowMs / MINUTE_MS) + offsetMinutes) % day) + day) % day;
  return fromMinute <= toMinute ? minute >= fromMinute && minute < toMinute : minute >= fromMinute || minute < toMinute;
}
