/**
 * Which cases there are: every operation of every scenario, and what a seed draws.
 * @module
 */
import { below, seededRandom } from '../../src/testing/index.ts';
import type { Case, Recording } from './cases.ts';
import { CALLS_HIT, FAULT_KINDS, isLoss, type FaultKind, type FaultPlan } from './faults.ts';
import { cutSeed, type Cut } from './life.ts';
import { LOSS_KINDS } from './losses.ts';
import { POLICIES } from './scenarios.ts';

export interface EveryOptions {
  /** Second cuts in the recovery from each first one. */
  readonly doubles?: number;
  /** Only every so many-th operation. */
  readonly step?: number;
}

/** Cuts at every operation with every policy. Where nothing is unsynced, the four policies are one case. */
export function* everyCut(recording: Recording, { doubles = 1, step = 1 }: EveryOptions = {}): Generator<Case> {
  const { scenario, worlds } = recording;
  for (let at = 1; at <= worlds.length; at += step) {
    const clean = worlds[at - 1]!.storage.pending === 0;
    for (const policy of clean ? (['none'] as const) : POLICIES) {
      const first: Cut = { at, policy, seed: cutSeed(at, 1) };
      yield { scenario, cuts: [first] };
    }
    const random = seededRandom(cutSeed(at, 2));
    for (let i = 0; i < doubles; i++) {
      const policies = [drawPolicy(random), POLICIES[below(random, 4)]!] as const;
      const second = 1 + below(random, 1 + Math.min(120, worlds.length - at + 20));
      yield {
        scenario,
        cuts: [
          { at, policy: policies[0], seed: cutSeed(at, 3 + 2 * i) },
          { at: second, policy: policies[1], seed: cutSeed(at, 4 + 2 * i) },
        ],
      };
    }
  }
}

/** One of five is a kill. */
const drawPolicy = (random: () => number): Cut['policy'] => [...POLICIES, 'kill' as const][below(random, 5)]!;

/** Calls a fault of this kind can hit in an undisturbed life. */
function callsOf({ fileCalls, scenario, operations }: Recording, kind: FaultKind): number {
  switch (kind) {
    case 'EIO':
      return fileCalls.length;
    case 'ENOSPC':
    case 'EMFILE':
    case 'EACCES':
      return fileCalls.filter(({ name }) => CALLS_HIT[kind]!.has(name)).length;
    case 'short':
      return fileCalls.filter(({ name }) => name === 'write').length;
    case 'ignored':
      return scenario.boot === 'environment' ? 8 : 0;
    case 'drop':
      return operations.filter((what) => what.startsWith('GET ')).length;
    case 'corrupt':
      return operations.filter((what) => what.startsWith('GET ') && what.includes('/blobs/')).length;
    default:
      return 0;
  }
}

const CORRUPT_DRAWS = 4;

/** One fault at every call it can hit, and no power cut. */
export function* everyFault(recording: Recording, step = 1): Generator<Case> {
  for (const kind of FAULT_KINDS) {
    const calls = callsOf(recording, kind);
    // Which byte is changed matters, and there are few answers to change.
    const draws = kind === 'corrupt' ? CORRUPT_DRAWS : 1;
    for (let at = 1; at <= calls; at += step) {
      for (let draw = 0; draw < draws; draw++) {
        const fault: FaultPlan = { kind, at, count: 1, seed: at + 1000 * draw };
        yield { scenario: recording.scenario, cuts: [], fault };
      }
    }
  }
}

/** A record damaged while the power was off, at every so many-th operation. */
export function* everyDamage({ scenario, worlds }: Recording, step = 5): Generator<Case> {
  for (let at = 1; at <= worlds.length; at += step) {
    const random = seededRandom(cutSeed(at, 7));
    const cuts: Cut[] = [{ at, policy: POLICIES[below(random, 4)]!, seed: at }];
    yield { scenario, cuts, fault: { kind: 'damage', at: 1, count: 1, seed: cutSeed(at, 8) } };
  }
}

/** The data folder lost, emptied, another board's or restored while the power was off, at every so many-th operation. */
export function* everyLoss({ scenario, worlds }: Recording, step = 1): Generator<Case> {
  // What the device was told of the repository goes with its data: an attacker may then deny it.
  if (scenario.attack !== undefined || scenario.sealed !== undefined) return;
  for (let at = 1; at <= worlds.length; at += step) {
    const random = seededRandom(cutSeed(at, 9));
    for (const kind of LOSS_KINDS) {
      const cuts: Cut[] = [{ at, policy: POLICIES[below(random, 4)]!, seed: at }];
      yield { scenario, cuts, fault: { kind, at: 1, count: 1, seed: cutSeed(at, 10) } };
    }
  }
}

/**
 * A process that is killed with something unsynced, and the power that fails soon after: the next process reads what the
 * cut then takes back.
 */
export function* everyKill({ scenario, worlds }: Recording, step = 1): Generator<Case> {
  for (let at = 1; at <= worlds.length; at += step) {
    if (worlds[at - 1]!.storage.pending === 0) continue;
    const random = seededRandom(cutSeed(at, 11));
    const kill: Cut = { at, policy: 'kill', seed: at };
    yield { scenario, cuts: [kill, { at: 1 + below(random, 120), policy: 'none', seed: cutSeed(at, 12) }] };
  }
}

/** What seed `seed` stands for: a scenario, one to three cuts, and in two of five cases something else that fails. */
export function seededCase(seed: number, recordings: readonly Recording[]): Case {
  const random = seededRandom(seed);
  let recording = recordings[below(random, recordings.length)]!;
  if (recording.scenario.isSlow === true && random() < 0.7) recording = recordings[below(random, recordings.length)]!;
  const { scenario, worlds } = recording;
  const count = [1, 1, 1, 2, 2, 2, 2, 3][below(random, 8)]!;
  const fault = random() < 0.4 ? drawFault(recording, random) : undefined;
  const cuts: Cut[] = [];
  const length = worlds.length;
  for (let number = 1; number <= count; number++) {
    const span = number === 1 ? length : Math.min(length, 20 + below(random, 300));
    const at = 1 + below(random, span);
    cuts.push({ at, policy: drawPolicy(random), seed: cutSeed(seed, number) });
  }
  return {
    scenario,
    cuts: fault !== undefined && random() < 0.2 && fault.kind !== 'damage' && !isLoss(fault.kind) ? [] : cuts,
    fault,
  };
}

function drawFault(recording: Recording, random: () => number): FaultPlan | undefined {
  const kind = FAULT_KINDS[below(random, FAULT_KINDS.length)]!;
  const seed = below(random, 2 ** 31);
  if (isLoss(kind) && recording.scenario.attack !== undefined) return undefined;
  if (kind === 'damage' || isLoss(kind)) return { kind, at: 1 + below(random, 2), count: 1, seed };
  const calls = callsOf(recording, kind);
  if (calls === 0) return undefined;
  const count = [1, 1, 2, 3, 10][below(random, 5)]!;
  return { kind, at: 1 + below(random, calls), count: kind === 'short' ? calls : count, seed };
}
