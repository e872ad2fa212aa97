/**
 * What becomes of the data folder while the power is off: lost, emptied, another board's, or restored in part from what
 * it was before, or is later. The slots and the boot loader's variables stay as they are.
 * @module
 */
import type { JournalBody } from '../../src/agent/index.ts';
import { below } from '../../src/testing/index.ts';
import { durableCounters, durableRecord } from './observed.ts';
import { PATHS } from './paths.ts';
import type { World } from './world.ts';
import { sha256Hex } from '../../src/platform/hash.ts';

export const LOSS_KINDS = ['lost', 'empty', 'foreign', 'restored', 'advanced'] as const;

export type LossKind = (typeof LOSS_KINDS)[number];

const JOURNAL = `${PATHS.data}/journal`;

/** `lives` are the worlds of the undisturbed life, `at` the operation of it in which the power failed first. */
export function lose(world: World, kind: LossKind, random: () => number, lives: readonly World[], at: number): void {
  // Only while the power is off, and not from a partition that nothing can be made on any more.
  if (world.running !== null || world.scenario.sealed !== undefined) return;
  const { storage } = world;
  const some = <T>(list: readonly T[]): T | undefined => list[below(random, Math.max(1, list.length))];
  const counters = durableCounters(world);
  switch (kind) {
    case 'lost':
      storage.remove(JOURNAL);
      world.lost = 'journal';
      break;
    case 'empty':
      storage.remove(PATHS.data);
      if (random() < 0.5) storage.placeFolder(PATHS.data);
      world.lost = 'data';
      break;
    case 'foreign': {
      const body = durableRecord(some(lives)!, JOURNAL) as JournalBody;
      storage.place(JOURNAL, recordOf({ ...body, device: { ...body.device!, controllerId: 'dev-2' } }));
      world.lost = 'journal';
      break;
    }
    case 'restored': {
      const whole = random() < 0.5;
      // A whole folder of two updates ago, keystore and all, agrees with itself, and its slots have the same names. So
      // does one of the last commit, of after the slot was marked and before the counters were raised.
      const known = (life: World): boolean =>
        !whole || (life.promised.index === world.promised.index && sameRollback(durableCounters(life), counters));
      const earlier = some(lives.slice(0, at).filter(known));
      if (earlier === undefined) return;
      if (whole) storage.remove(PATHS.data);
      for (const [path, bytes] of earlier.storage.filesIn(PATHS.data))
        if (whole || path === JOURNAL) storage.place(path, bytes);
      world.lost = 'stale';
      break;
    }
    case 'advanced': {
      const later = some(lives.slice(at).filter(({ step }) => step === world.step));
      if (later === undefined) return;
      storage.place(JOURNAL, later.storage.peek(JOURNAL)!);
      world.lost = 'stale';
      // It was tested in that life.
      world.tested = later.tested ?? world.tested;
      break;
    }
  }
  const now = durableCounters(world);
  for (const name of Object.keys(world.promised.counters)) {
    world.promised.counters[name] = Math.min(world.promised.counters[name]!, now[name] ?? 0);
  }
  if (Object.keys(counters).some((name) => (now[name] ?? 0) < counters[name]!)) world.countersLost = true;
  // In the middle of a commit only the journal knew that they were to be raised.
  const rollback = Object.entries(now).filter(([name]) => name.startsWith('rollback.'));
  if (rollback.some(([, value]) => value < world.promised.index)) world.countersLost = true;
  // Nobody knows any more that it was rolled back: it may be tried once more.
  world.rolledBack = false;
  world.tally.failedRuns += 8;
}

function sameRollback(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean {
  const names = Object.keys(b).filter((name) => name.startsWith('rollback.'));
  return names.every((name) => a[name] === b[name]);
}

/** As the agent would write it. */
function recordOf(body: JournalBody): Uint8Array {
  const text = `${JSON.stringify(body)}\n`;
  const digest = sha256Hex(text);
  return new TextEncoder().encode(`engraft-journal 1 ${digest}\n${text}`);
}
