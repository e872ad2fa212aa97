/**
 * What is bundled with a mutant in it: the campaign of campaign/power, all kinds of cases in turn, until the
 * first violation. Runs as a program of its own: `subject FILE SCENARIOS SECONDS [CASES]`, where FILE is a repository;
 * answers with one line of JSON.
 * @module
 */
import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import { below, seededRandom } from '../../src/testing/index.ts';
import { describeCase, record, runCase, type Case, type Recording } from '../power/cases.ts';
import type { RepositoryFiles } from '../power/images.ts';
import { everyCut, everyDamage, everyFault, everyKill, everyLoss, seededCase } from '../power/plan.ts';
import { scenarioNamed } from '../power/scenarios.ts';

/** What became of a mutant. */
export interface Finding {
  readonly killed: boolean;
  /** The first violation, and the case in which it showed. */
  readonly violation: string | null;
  readonly command: string | null;
  readonly cases: number;
}

const SEEDS = 500;

/** Each kind of case shuffled, then one of each kind in turn: kinds of which there are few come early. */
function interleaved(recordings: readonly Recording[]): Case[] {
  const kinds = new Map<string, Case[]>();
  const add = (each: Case): void => {
    const kind = each.fault?.kind ?? (each.cuts[0]?.policy === 'kill' ? 'kill' : `${each.cuts.length} cuts`);
    const known = kinds.get(kind);
    if (known === undefined) kinds.set(kind, [each]);
    else known.push(each);
  };
  for (const recording of recordings) {
    for (const cases of generatorsOf(recording)) {
      for (const each of cases) add(each);
    }
  }
  const random = seededRandom(1);
  for (const cases of kinds.values()) shuffle(cases, random);
  const all: Case[] = [];
  for (let i = 0, left = true; left; i++) {
    left = false;
    for (const cases of kinds.values()) {
      if (i < cases.length) all.push(cases[i]!);
      left ||= i + 1 < cases.length;
    }
    if (i < SEEDS) all.push(seededCase(i + 1, recordings));
  }
  return all;
}

const generatorsOf = (recording: Recording): Generator<Case>[] => [
  ...[everyCut(recording), everyKill(recording), everyFault(recording)],
  ...[everyDamage(recording, 1), everyLoss(recording)],
];

function shuffle(cases: Case[], random: () => number): void {
  for (let i = cases.length - 1; i > 0; i--) {
    const j = below(random, i + 1);
    [cases[i], cases[j]] = [cases[j]!, cases[i]!];
  }
}

async function find(file: string, names: readonly string[], seconds: number, casesMax: number): Promise<Finding> {
  const deadlineMs = performance.now() + seconds * 1000;
  const repository = deserialize(readFileSync(file)) as RepositoryFiles;
  const recordings: Recording[] = [];
  for (const name of names) {
    try {
      recordings.push(await record(scenarioNamed(name), repository));
    } catch (error) {
      return { killed: true, violation: String(error), command: `--scenario ${name}`, cases: recordings.length + 1 };
    }
  }
  let cases = 0;
  for (const each of interleaved(recordings)) {
    if (performance.now() > deadlineMs || cases >= casesMax) break;
    cases++;
    const recording = recordings.find(({ scenario }) => scenario === each.scenario)!;
    const { violations } = await runCase(recording, each);
    if (violations.length === 0) continue;
    return { killed: true, violation: violations[0]!, command: describeCase(each), cases };
  }
  return { killed: false, violation: null, command: null, cases };
}

const [file, scenarios, seconds, cases] = process.argv.slice(2);
const finding = await find(file!, scenarios!.split(','), Number(seconds), Number(cases ?? Infinity));
process.stdout.write(`${JSON.stringify(finding)}\n`);
