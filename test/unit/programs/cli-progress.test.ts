/** Without a terminal each phase is a line; the share of all the work only ever grows, from 0 to 1. */
import { expect, it } from 'vitest';
import { doneShare, phaseProgress, type PayloadPlace } from '../../../src/cli/terminal/phases.ts';
import { lineProgress } from '../../../src/cli/terminal/progress.ts';
import { DeltaEngine } from '../../../src/engine/index.ts';
import { editedPair } from '../../support/images.ts';

it('writes one line a phase, with its size, the share of all the work and the time', () => {
  const lines: string[] = [];
  let nowMs = 1000;
  const progress = lineProgress(
    (line) => lines.push(line),
    () => nowMs,
  );
  const show = phaseProgress(progress);
  const place: PayloadPlace = { kind: 'delta', index: 1, count: 2 };
  show({ phase: 'analyse', done: 0, total: 4096 }, place);
  show({ phase: 'analyse', done: 4096, total: 4096 }, place);
  nowMs += 64_000;
  show({ phase: 'match', done: 0, total: 8192 }, place);
  show({ phase: 'analyse', done: 4096, total: 4096 }, place);
  show({ phase: 'prove', done: 0, total: 4096 }, { ...place, name: 'delta from 1.0' });
  progress.stop();
  expect(lines).toEqual([
    'analyse: 4.00 KiB (52 % of all after 0.0 s)',
    'match: 8.00 KiB (55 % of all after 1:04)',
    'delta from 1.0: prove: 4.00 KiB (97 % of all after 1:04)',
  ]);
});

it('tells no share where there is one stretch only', () => {
  const lines: string[] = [];
  lineProgress((line) => lines.push(line)).start('apply', 1536);
  expect(lines).toEqual(['apply: 1.50 KiB']);
});

it.each(['delta', 'full'] as const)('counts all phases of a real %s payload up to 1', async (kind) => {
  const pair = editedPair(8, 16 * 1024, 5);
  const engine = new DeltaEngine({ workers: 1 });
  const shares: number[] = [];
  const place: PayloadPlace = { kind, index: 0, count: 1 };
  const onProgress = (event: { phase: string; done: number; total: number }): void => {
    shares.push(doneShare(event, place));
  };
  try {
    if (kind === 'full') await engine.full(pair.target, { onProgress });
    else await engine.delta(pair.source, pair.target, { onProgress });
  } finally {
    await engine.close();
  }
  expect(shares[0]).toBeLessThan(0.1);
  expect(shares.at(-1)).toBeCloseTo(1);
  expect(shares).toEqual([...shares].sort((a, b) => a - b));
});
