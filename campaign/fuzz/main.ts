/**
 * `npm run fuzz`: damaged streams and payloads for as long as is wanted; then the same with bugs planted in the decoders, each
 * of which fuzz or tests have to notice.
 *
 *   --seconds S   of each kind of damage (default 60)     --planted   planted bugs only     --only TEXT   those whose names contain it
 * @module
 */
import { parseArgs } from 'node:util';
import { failureOf } from '../planted/run.ts';
import { PLANTED } from './mutants.ts';

const FUZZ = 'test/property/unit-fuzz.test.ts';
/** The cheapest first: whichever notices ends it. */
const NOTICERS = [FUZZ, 'test/unit/units/unit-payload.test.ts', 'test/unit/units/hostile-units.test.ts'];
/** Of each kind of damage, where a bug is planted. */
const PLANTED_SECONDS = 4;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** A test has a time of its own that fuzz for long does not keep to. */
const run = (files: readonly string[], seconds: number, bug?: string): string | null =>
  failureOf(files, { bug, environment: { UNIT_FUZZ_SECONDS: String(seconds) }, timeoutMs: 60_000 + seconds * 1000 });

function main(): number {
  const { values } = parseArgs({
    options: { seconds: { type: 'string' }, planted: { type: 'boolean' }, only: { type: 'string' } },
  });
  if (values.planted !== true) {
    const failure = run([FUZZ], Number(values.seconds ?? 60));
    say(failure ?? 'the code as it is passes');
    if (failure !== null) return 1;
  }
  let survivors = 0;
  for (const { name } of PLANTED.filter((bug) => bug.name.includes(values.only ?? ''))) {
    let failure: string | null = null;
    for (const file of NOTICERS) failure ??= run([file], PLANTED_SECONDS, name);
    if (failure === null) survivors++;
    say(`${failure === null ? 'SURVIVED' : 'noticed '} ${name}: ${failure ?? ''}`);
  }
  return survivors > 0 ? 1 : 0;
}

process.exitCode = main();
