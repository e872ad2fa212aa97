/**
 * The states of a rollout, and every way between them. A command or event that has no way from a state is refused.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';

export const ROLLOUT_STATES = ['waiting', 'ready', 'running', 'paused', 'halted', 'stopped', 'finished'] as const;
export type RolloutState = (typeof ROLLOUT_STATES)[number];

/** The first five are of people, `halt` and `finish` come from what devices report. */
export const ROLLOUT_EVENTS = ['approve', 'start', 'pause', 'resume', 'stop', 'halt', 'finish'] as const;
export type RolloutEvent = (typeof ROLLOUT_EVENTS)[number];

/** 'waiting': for approval. A halted rollout goes on only when a person says so; a stopped or finished one never. */
export const WAYS: Readonly<Record<RolloutState, Partial<Readonly<Record<RolloutEvent, RolloutState>>>>> = {
  waiting: { approve: 'ready', stop: 'stopped' },
  ready: { start: 'running', stop: 'stopped' },
  running: { pause: 'paused', stop: 'stopped', halt: 'halted', finish: 'finished' },
  paused: { resume: 'running', stop: 'stopped' },
  halted: { resume: 'running', stop: 'stopped' },
  stopped: {},
  finished: {},
};

/** The state behind an event. Throws UpdateError state_conflict. */
export function next(state: RolloutState, event: RolloutEvent): RolloutState {
  const to = WAYS[state][event];
  if (to !== undefined) return to;
  const ways = Object.keys(WAYS[state]).filter((name) => name !== 'halt' && name !== 'finish');
  const can = ways.length === 0 ? 'nothing can be done with it any more' : `it can be told to ${ways.join(', ')}`;
  throw new UpdateError('state_conflict', `a rollout that is ${state} cannot ${event}: ${can}`, { detail: { state } });
}
