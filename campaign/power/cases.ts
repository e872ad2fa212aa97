/**
 * Single cases of the campaign: a life with given cuts and faults, from its beginning or from any operation of the
 * undisturbed life. Every case has a name from which it can be run again.
 * @module
 */
import type { AgentEvent } from '../../src/agent/index.ts';
import { faultsOf, isLoss, type FaultPlan } from './faults.ts';
import type { RepositoryFiles } from './images.ts';
import { cutPower, live, type Cut } from './life.ts';
import { checkAfterCut } from './oracle.ts';
import type { Scenario } from './scenarios.ts';
import { makeWorld, type World } from './world.ts';

/** An undisturbed life. */
export interface Recording {
  readonly scenario: Scenario;
  /** What each operation was, and the world right before it. */
  readonly operations: readonly string[];
  readonly worlds: readonly World[];
  /** Payload bytes by step. */
  readonly bytes: readonly number[];
  /** File calls, and which of them change something. */
  readonly fileCalls: readonly { readonly name: string; readonly path: string }[];
}

export interface Case {
  readonly scenario: Scenario;
  /** The first is counted from the beginning of the life, each other one from the cut before it. */
  readonly cuts: readonly Cut[];
  readonly fault?: FaultPlan;
}

export interface Verdict {
  readonly violations: readonly string[];
  /** States of the machine that were entered. */
  readonly states: ReadonlySet<string>;
  readonly boots: number;
  readonly cuts: number;
}

/** Headers may be read once more. */
const HEADERS_BYTES = 2048;

const largestPayload = ({ blobs }: RepositoryFiles): number =>
  Math.max(...[...blobs.values()].map(({ length }) => length));

/** Lives once without any disturbance. Throws when even that goes wrong. */
export async function record(scenario: Scenario, repository: RepositoryFiles): Promise<Recording> {
  const world = await makeWorld(scenario, repository);
  const operations: string[] = [];
  const worlds: World[] = [];
  const bytes: number[] = [];
  const fileCalls: { name: string; path: string }[] = [];
  await live(world, {
    cuts: [],
    onOperation: (what) => {
      operations.push(what);
      worlds.push(world.fork());
      if (world.step >= 0) bytes[world.step] = world.tally.stepWireBytes;
    },
    faults: { file: ({ name, path }) => void fileCalls.push({ name, path }) },
  });
  // What disturbed lives may take is measured by this one, so this one is measured by the payloads.
  const most = scenario.classes.length * largestPayload(repository) + HEADERS_BYTES;
  for (const [step, crossed] of bytes.entries()) {
    if (crossed > most)
      world.violations.push(`step ${step + 1} took ${crossed} payload bytes, at most ${most} may cross`);
  }
  if (world.violations.length > 0) throw new Error(`${scenario.name}, undisturbed: ${world.violations.join('; ')}`);
  return { scenario, operations, worlds, bytes, fileCalls };
}

/** Runs a case to its end. `say` is told what happens. */
export async function runCase(
  recording: Recording,
  { cuts, fault }: Case,
  say?: (line: string) => void,
): Promise<Verdict> {
  const [first, ...others] = cuts;
  const states = new Set<string>();
  // A cut ends the process: what went on in it before is the same every time, so it is taken from the recording. With
  // a fault on the way it is not.
  const offline = fault === undefined || fault.kind === 'damage' || isLoss(fault.kind);
  const skip = first !== undefined && offline;
  const world = (skip ? recording.worlds[first.at - 1]! : recording.worlds[0]!).fork();
  const faults = fault === undefined ? undefined : faultsOf(world, fault, recording.worlds, first?.at ?? 1);
  const options = {
    undisturbedBytes: recording.bytes,
    onEvent: (event: AgentEvent) => {
      if (event.type === 'state') states.add(event.state);
      if (event.type === 'state' || event.type === 'note') say?.(`${world.operations} ${describeEvent(event)}`);
    },
    onOperation: say === undefined ? undefined : (what: string) => say(`${world.operations} ${what}`),
    faults: faults?.hooks,
    afterCut: (cut: World, number: number) => {
      say?.(`--- power cut ${number} ---`);
      faults?.afterCut(cut, number);
    },
  };
  if (!skip) {
    world.operations = 0;
    await live(world, { ...options, cuts });
  } else {
    cutPower(world, first);
    options.afterCut(world, 1);
    if (first.policy !== 'kill') checkAfterCut(world);
    await live(world, { ...options, cuts: others });
  }
  return { violations: world.violations, states, boots: world.tally.boots, cuts: world.tally.cuts };
}

const describeEvent = (event: AgentEvent): string =>
  event.type === 'state' ? `=> ${event.state}` : event.type === 'note' ? `note: ${event.message}` : event.type;

/** As arguments of the campaign's program, by which it runs this case again. */
export function describeCase({ scenario, cuts, fault }: Case): string {
  const parts = [`--scenario ${scenario.name}`];
  if (cuts.length > 0) parts.push(`--cuts ${cuts.map(({ at, policy, seed }) => `${at}:${policy}:${seed}`).join(',')}`);
  if (fault !== undefined) parts.push(`--fault ${[fault.kind, fault.at, fault.count, fault.seed].join(':')}`);
  return parts.join(' ');
}

export function parseCuts(text: string): Cut[] {
  return text.split(',').map((part) => {
    const [at, policy, seed] = part.split(':');
    return { at: Number(at), policy: policy as Cut['policy'], seed: Number(seed) };
  });
}
