import { expect, test } from 'vitest';
import { PhaseTimings } from '../../../src/cli/terminal/timings.ts';

test('phases share all of the time, in the order in which they began, also when they take turns', () => {
  let now = 10;
  const timings = new PhaseTimings('start', () => now, () => 2 * now); // prettier-ignore
  const run = (phase: string, until: number): void => {
    timings.note(phase);
    now = until;
  };
  now = 11;
  run('match', 14);
  run('encode', 15);
  run('match', 17);
  run('match', 18);
  expect(timings.seconds()).toEqual([
    { phase: 'start', wallSeconds: 1, cpuSeconds: 2 },
    { phase: 'match', wallSeconds: 6, cpuSeconds: 12 },
    { phase: 'encode', wallSeconds: 1, cpuSeconds: 2 },
  ]);
});
