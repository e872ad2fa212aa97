/**
 * `npm run mutants`: every mutant against the campaign; the code as it is must pass, and each mutant must be found.
 *
 *   --only TEXT     mutants whose names contain it; several with commas       --seconds S   at most so long for each (default 60)
 *   --workers W     at a time (default 2)                --cases N     of the code as it is (default 300)
 *   --root FOLDER   another checkout to mutate
 * @module
 */
import { parseArgs } from 'node:util';
import { repositoryRoot } from '../../corpus/manifest.ts';
import { MUTANTS, type Mutant } from './mutants.ts';
import { openLaboratory, runMutant, type Laboratory } from './run.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function check(lab: Laboratory, mutant: Mutant, seconds: number): Promise<boolean> {
  const started = performance.now();
  const { killed, violation, command, cases } = await runMutant(lab, mutant, { seconds });
  const took = ((performance.now() - started) / 1000).toFixed(1);
  say(`${killed ? 'killed  ' : 'SURVIVED'} ${mutant.name} (case ${cases}, ${took} s): ${violation ?? mutant.why}`);
  if (killed && command !== null) say(`           in ${command}`);
  return killed;
}

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { only: text, seconds: text, workers: text, cases: text, root: text } });
  const lab = await openLaboratory(values.root ?? repositoryRoot());
  try {
    const seconds = Number(values.seconds ?? 60);
    const wanted = MUTANTS.filter(({ name }) => (values.only ?? '').split(',').some((each) => name.includes(each)));
    const base = await runMutant(lab, null, { seconds: 10 * seconds, cases: Number(values.cases ?? 300) });
    if (base.killed) {
      say(`the code as it is fails: ${base.violation}\n  in ${base.command}`);
      return 1;
    }
    say(`the code as it is passes ${base.cases} cases`);
    const left = [...wanted];
    const survivors: string[] = [];
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        if (!(await check(lab, next, seconds))) survivors.push(next.name);
      }
    };
    await Promise.all(Array.from({ length: Number(values.workers ?? 2) }, work));
    say(`${wanted.length - survivors.length} of ${wanted.length} mutants killed`);
    return survivors.length > 0 ? 1 : 0;
  } finally {
    lab.close();
  }
}

process.exitCode = await main();
