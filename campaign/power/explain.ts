/**
 * One case alone, with what happened in it: for the person who looks into a failure.
 * @module
 */
import { describeCase, parseCuts, record, runCase, type Case, type Recording } from './cases.ts';
import type { FaultKind } from './faults.ts';
import { seededCase } from './plan.ts';
import { makeRepository } from './repository.ts';
import { scenarioNamed, SCENARIOS } from './scenarios.ts';

export interface Question {
  readonly seed?: string;
  readonly scenario?: string;
  readonly cuts?: string;
  readonly fault?: string;
}

/** Returns 1 when the case violates anything. */
export async function explain({ seed, scenario, cuts, fault }: Question): Promise<number> {
  const repository = await makeRepository();
  const wanted = scenario === undefined ? SCENARIOS : [scenarioNamed(scenario)];
  const recordings: Recording[] = [];
  for (const each of wanted) recordings.push(await record(each, repository));
  const found: Case =
    seed === undefined
      ? {
          scenario: wanted[0]!,
          cuts: cuts === undefined ? [] : parseCuts(cuts),
          fault: fault === undefined ? undefined : parseFault(fault),
        }
      : seededCase(Number(seed), recordings);
  const recording = recordings.find((each) => each.scenario === found.scenario)!;
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  say(describeCase(found));
  const first = found.cuts[0];
  if (first !== undefined) say(`the first cut is in: ${recording.operations[first.at - 1] ?? 'nothing'}`);
  const { violations } = await runCase(recording, found, say);
  say(violations.length === 0 ? 'nothing was violated' : violations.map((each) => `VIOLATED: ${each}`).join('\n'));
  return violations.length === 0 ? 0 : 1;
}

function parseFault(text: string): NonNullable<Case['fault']> {
  const [kind, at, count, seed] = text.split(':');
  return { kind: kind as FaultKind, at: Number(at), count: Number(count), seed: Number(seed) };
}
