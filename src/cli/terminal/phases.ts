/**
 * How far the making of payloads is: the phase that runs, and all of it together.
 *
 * @module
 */
import type { Phase } from '../../engine/index.ts';
import type { Progress } from './progress.ts';

const NAMES: Record<Phase, string> = {
  unpack: 'unpack',
  analyse: 'analyse',
  match: 'match',
  encode: 'encode',
  retry: 'try raw',
  plain: 'try plain',
  full: 'compress',
  prove: 'prove',
};

/** About how the time of one payload is spent; a total that runs unevenly is better than none. */
const SHARES: Record<'delta' | 'full', Partial<Record<Phase, number>>> = {
  delta: { unpack: 0.05, analyse: 0.05, match: 0.38, encode: 0.38, retry: 0, plain: 0, full: 0.08, prove: 0.06 },
  full: { full: 0.9, prove: 0.1 },
};

export interface PhaseEvent {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
}

/** Which of several payloads is being made. */
export interface PayloadPlace {
  readonly kind: 'delta' | 'full';
  /** What it is called, where there are several. */
  readonly name?: string;
  readonly index: number;
  readonly count: number;
}

/** The part of all the work that is done: 0 to 1. */
export function doneShare({ phase, done, total }: PhaseEvent, { kind, index, count }: PayloadPlace): number {
  let before = 0;
  for (const [name, share] of Object.entries(SHARES[kind])) {
    if (name === phase) return (index + before + share * (total === 0 ? 1 : Math.min(1, done / total))) / count;
    before += share;
  }
  return index / count;
}

/** A bar, or a line, a phase. */
export function phaseProgress(progress: Progress): (event: PhaseEvent, place: PayloadPlace) => void {
  let shown: string | undefined;
  return (event, place) => {
    const name = NAMES[event.phase as Phase] ?? event.phase;
    const label = place.name === undefined ? name : `${place.name}: ${name}`;
    const share = doneShare(event, place);
    if (label !== shown) progress.start(label, event.total, share);
    shown = label;
    progress.update(event.done, share);
  };
}
