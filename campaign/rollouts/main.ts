/**
 * `npm run mutants:rollouts [-- --only TEXT]`: the tests of rollouts pass on the code as it is, and notice every mutant.
 * @module
 */
import { parseArgs } from 'node:util';
import { failureOf } from '../planted/run.ts';
import { ROLLOUT_MUTANTS } from './mutants.ts';

/** The cheapest first: whichever notices ends it. */
const NOTICERS = [['test/unit/rollouts'], ['test/fault/rollouts.test.ts']];

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function main(): number {
  const { values } = parseArgs({ options: { only: { type: 'string' } } });
  const failure = failureOf(NOTICERS.flat(), {});
  say(failure ?? 'the code as it is passes');
  if (failure !== null) return 1;
  const wanted = ROLLOUT_MUTANTS.filter(({ name }) => name.includes(values.only ?? ''));
  let survivors = 0;
  for (const { name } of wanted) {
    let noticed: string | null = null;
    for (const files of NOTICERS) noticed ??= failureOf(files, { bug: name });
    if (noticed === null) survivors++;
    say(`${noticed === null ? 'SURVIVED' : 'killed  '} ${name}: ${noticed ?? ''}`);
  }
  say(`${wanted.length - survivors} of ${wanted.length} mutants killed`);
  return survivors > 0 ? 1 : 0;
}

process.exitCode = main();
