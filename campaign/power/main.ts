/**
 * `npm run campaign`: cuts the power at every operation of every scenario, fails every call once, then goes on with
 * seeds until their number or the minutes are used up. Ends with 1 when anything was violated.
 *
 *   --seeds N            how many seeds (default 1000)        --from S       the first seed (default 1)
 *   --minutes M          at most so long for the seeds (default 5)  --workers W    threads (default: one for each core)
 *   --every K            every K-th operation only (default 1; 0: none)
 *   --faults K           every K-th call fails once (default 1)        --doubles D    second cuts after each (default 1)
 *   --only NAME,...       these scenarios alone
 *   --seed-of-failure X  this seed alone, step by step
 *   --scenario NAME [--cuts AT:POLICY:SEED,...] [--fault KIND:AT:COUNT:SEED]   one case alone, as a failure names it
 * @module
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { explain } from './explain.ts';
import { runCampaign, serveWorker } from './pool.ts';
import { scenarioNamed } from './scenarios.ts';

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      ...{ seeds: text, from: text, minutes: text, workers: text, every: text, faults: text, doubles: text },
      only: text,
      ...{ 'seed-of-failure': text, scenario: text, cuts: text, fault: text },
    },
  });
  if (values['seed-of-failure'] !== undefined || values.scenario !== undefined) {
    return explain({ ...values, seed: values['seed-of-failure'] });
  }
  return runCampaign({
    seeds: Number(values.seeds ?? 1000),
    from: Number(values.from ?? 1),
    minutes: Number(values.minutes ?? 5),
    workers: Number(values.workers ?? Math.min(4, availableParallelism())),
    every: Number(values.every ?? 1),
    faults: Number(values.faults ?? 1),
    doubles: Number(values.doubles ?? 1),
    only: values.only?.split(',').map((name) => scenarioNamed(name).name) ?? null,
    entry: new URL(import.meta.url),
  });
}

if (isMainThread) process.exitCode = await main();
else await serveWorker();
