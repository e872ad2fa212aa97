/**
 * The campaign in brief: every operation of two scenarios cut with all policies, every call failed once, some hundred
 * seeds, and some mutants, so that a campaign that finds nothing any more is noticed. `npm run campaign` and
 * `npm run mutants` do all of it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeCase, record, runCase, type Case, type Recording } from '../../campaign/power/cases.ts';
import { everyCut, everyDamage, everyFault, seededCase } from '../../campaign/power/plan.ts';
import { makeRepository } from '../../campaign/power/repository.ts';
import { scenarioNamed, SCENARIOS } from '../../campaign/power/scenarios.ts';
import { MUTANTS } from '../../campaign/mutants/mutants.ts';
import { applyEdit, openLaboratory, runMutant, type Laboratory } from '../../campaign/mutants/run.ts';
import { repositoryRoot } from '../../corpus/manifest.ts';

const SEEDS = 200;

let recordings: Recording[];
beforeAll(async () => {
  const repository = await makeRepository();
  recordings = [];
  for (const scenario of SCENARIOS) recordings.push(await record(scenario, repository));
});

const recordingOf = (name: string): Recording => recordings.find(({ scenario }) => scenario === scenarioNamed(name))!;

/** Violations, each with the arguments that run its case again. */
async function violations(cases: Iterable<Case>): Promise<string[]> {
  const found: string[] = [];
  for (const each of cases) {
    const recording = recordings.find(({ scenario }) => scenario === each.scenario)!;
    const verdict = await runCase(recording, each);
    if (verdict.violations.length > 0) found.push(`${describeCase(each)}: ${verdict.violations[0]}`);
  }
  return found;
}

describe('power cuts', () => {
  test.each(['environment', 'file-target'])('at every operation of %s, with every policy', async (name) => {
    const recording = recordingOf(name);
    expect(recording.operations.length).toBeGreaterThan(250);
    expect(await violations(everyCut(recording, { doubles: 0 }))).toEqual([]);
  });

  test.each(['rollback', 'hanging', 'classes'])('at every ninth operation of %s, once and twice', async (name) => {
    expect(await violations(everyCut(recordingOf(name), { step: 9 }))).toEqual([]);
  });
});

test('every seventh call fails once, every write is short, records are damaged', async () => {
  const recording = recordingOf('environment');
  expect(await violations(everyFault(recording, 7))).toEqual([]);
  expect(await violations(everyDamage(recording, 20))).toEqual([]);
});

test(`${SEEDS} seeds`, async () => {
  const seeds = Array.from({ length: SEEDS }, (_, i) => seededCase(i + 1, recordings));
  expect(await violations(seeds)).toEqual([]);
});

describe('mutants', () => {
  let lab: Laboratory;
  beforeAll(async () => void (lab = await openLaboratory(repositoryRoot())));
  afterAll(() => lab.close());

  const named = [
    'record renamed before its fsync',
    'slot without fsync',
    'flip before the record',
    'active environment copy overwritten',
  ];
  test.each(named)('%s: found', async (name) => {
    const mutant = MUTANTS.find((each) => each.name === name)!;
    const finding = await runMutant(lab, mutant, { seconds: 30 });
    expect(finding).toMatchObject({ killed: true });
    expect(finding.command).toMatch(/^--scenario /);
  });

  test('fit the code as it is, every one of them', () => {
    for (const edit of MUTANTS.flatMap(({ edits }) => edits)) {
      expect(() => applyEdit(readFileSync(join(repositoryRoot(), edit.file), 'utf8'), edit)).not.toThrow();
    }
  });

  test('have different names and at least one edit; one that does not fit fails loudly', () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    expect(MUTANTS.length).toBeGreaterThanOrEqual(24);
    expect(MUTANTS.every(({ edits }) => edits.length > 0)).toBe(true);
    const edit = { file: 'a.ts', from: 'x', to: 'y' };
    expect(applyEdit('axb', edit)).toBe('ayb');
    expect(() => applyEdit('ab', edit)).toThrow('0 times');
    expect(() => applyEdit('xx', edit)).toThrow('2 times');
  });
});
