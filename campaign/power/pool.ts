/**
 * The campaign over worker threads. Each takes every W-th case; nothing is shared but the repository's bytes.
 * @module
 */
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { describeCase, record, runCase, type Case, type Recording } from './cases.ts';
import type { RepositoryFiles } from './images.ts';
import { everyCut, everyDamage, everyFault, everyKill, everyLoss, seededCase } from './plan.ts';
import { SCENARIOS } from './scenarios.ts';

export interface CampaignOptions {
  readonly seeds: number;
  readonly from: number;
  /** For the seeds; every operation is cut first, however long that takes. */
  readonly minutes: number;
  readonly workers: number;
  readonly every: number;
  /** Every so many-th call fails once. */
  readonly faults: number;
  /** Second cuts in the recovery from each first one. */
  readonly doubles: number;
  /** Only these scenarios, by name; null: all. Their seeds are those of all others. */
  readonly only: readonly string[] | null;
  /** The program that the workers run as well. */
  readonly entry: URL;
}

interface Share extends Omit<CampaignOptions, 'entry'> {
  readonly repository: RepositoryFiles;
  readonly index: number;
}

interface Failure {
  readonly command: string;
  readonly violations: readonly string[];
}

/** What a worker has done; posted at its end. */
export interface Figures {
  operations: number;
  cases: Record<'cut' | 'double cut' | 'fault' | 'seed', number>;
  cuts: number;
  boots: number;
  states: string[];
  failures: Failure[];
}

const FAILURES_MAX = 20;
const PROGRESS_MS = 30_000;

const noFigures = (): Figures => ({
  operations: 0,
  cases: { cut: 0, 'double cut': 0, fault: 0, seed: 0 },
  cuts: 0,
  boots: 0,
  states: [],
  failures: [],
});

/** Returns the exit code. */
export async function runCampaign(options: CampaignOptions): Promise<number> {
  const { makeRepository } = await import('./repository.ts');
  const startedMs = performance.now();
  const repository = await makeRepository();
  const { entry, ...shared } = options;
  const shares = Array.from({ length: options.workers }, (_, index) => {
    const share: Share = { ...shared, repository, index };
    return runShare(entry, share);
  });
  const all = await Promise.all(shares);
  const sum = all.reduce(add, noFigures());
  process.stdout.write(`${report(sum, (performance.now() - startedMs) / 1000)}\n`);
  return sum.failures.length > 0 ? 1 : 0;
}

function runShare(entry: URL, share: Share): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(entry, { workerData: share });
    worker.on('message', resolve);
    worker.on('error', reject);
    worker.on('exit', (code) => {
      if (code !== 0) reject(new Error(`a worker ended with ${code}`));
    });
  });
}

function add(a: Figures, b: Figures): Figures {
  const cases = { ...a.cases };
  for (const kind of Object.keys(cases) as (keyof Figures['cases'])[]) cases[kind] += b.cases[kind];
  return {
    operations: Math.max(a.operations, b.operations),
    cases,
    cuts: a.cuts + b.cuts,
    boots: a.boots + b.boots,
    states: [...new Set([...a.states, ...b.states])],
    failures: [...a.failures, ...b.failures],
  };
}

function report({ operations, cases, cuts, boots, states, failures }: Figures, seconds: number): string {
  const lines = [
    `${SCENARIOS.length} scenarios, ${operations} operations, ${states.length} states: ${states.sort().join(' ')}`,
    `${cases.cut} single cuts, ${cases['double cut']} double cuts, ${cases.fault} single faults, ${cases.seed} seeds`,
    `${cuts} power cuts, ${boots} boots, ${seconds.toFixed(0)} s`,
    `${failures.length} violations`,
  ];
  for (const { command, violations } of failures.slice(0, FAILURES_MAX)) {
    lines.push(`\nnpm run campaign -- ${command}`, ...violations.slice(0, 3).map((each) => `  ${each}`));
  }
  return lines.join('\n');
}

/** In a worker thread: does its share and posts the figures. */
export async function serveWorker(): Promise<void> {
  parentPort!.postMessage(await doShare(workerData as Share));
}

function* everyCase(recording: Recording, { every, faults, doubles }: Share): Generator<Case> {
  yield* everyCut(recording, { step: every, doubles });
  // Decoding a delta makes these slow, and the calls are those of the other scenarios.
  yield* everyFault(recording, recording.scenario.isSlow === true ? 4 * faults : faults);
  yield* everyKill(recording, 2 * every);
  yield* everyDamage(recording, 5 * every);
  yield* everyLoss(recording, (recording.scenario.isSlow === true ? 4 : 1) * every);
}

async function doShare(share: Share): Promise<Figures> {
  const { repository, index, workers, every, seeds, from, minutes, only } = share;
  const figures = noFigures();
  const states = new Set<string>();
  const recordings: Recording[] = [];
  for (const scenario of SCENARIOS) recordings.push(await record(scenario, repository));
  figures.operations = recordings.reduce((total, { operations }) => total + operations.length, 0);
  const goOn = (): boolean => figures.failures.length < FAILURES_MAX;
  let toldMs = performance.now();
  const tell = (kind: string, { scenario }: Recording, { cases, failures }: Figures): void => {
    if (index > 0 || performance.now() < toldMs + PROGRESS_MS) return;
    toldMs = performance.now();
    const done = Object.values(cases).reduce((sum, each) => sum + each, 0);
    process.stderr.write(
      `${kind}s of ${scenario.name}: about ${done * workers} cases done, ${failures.length} violations\n`,
    );
  };
  const run = async (
    kind: keyof Figures['cases'],
    recording: Recording,
    each: Case,
    command: string,
  ): Promise<void> => {
    const verdict = await runCase(recording, each);
    figures.cases[kind]++;
    figures.cuts += verdict.cuts;
    figures.boots += verdict.boots;
    for (const state of verdict.states) states.add(state);
    tell(kind, recording, figures);
    if (verdict.violations.length === 0) return;
    // At once: the rest of the campaign may take long.
    process.stderr.write(`VIOLATED: ${command}: ${verdict.violations[0]}\n`);
    figures.failures.push({ command, violations: verdict.violations });
  };
  let number = 0;
  const mine = (): boolean => number++ % workers === index;
  const isWanted = ({ scenario }: Recording): boolean => only === null || only.includes(scenario.name);
  for (const recording of every === 0 ? [] : recordings.filter(isWanted)) {
    for (const each of everyCase(recording, share)) {
      if (!mine() || !goOn()) continue;
      const kind = each.fault !== undefined ? 'fault' : each.cuts.length > 1 ? 'double cut' : 'cut';
      await run(kind, recording, each, describeCase(each));
    }
  }
  const deadlineMs = performance.now() + minutes * 60_000;
  for (let seed = from + index; seed < from + seeds && goOn() && performance.now() < deadlineMs; seed += workers) {
    const each = seededCase(seed, recordings);
    const recording = recordings.find(({ scenario }) => scenario === each.scenario)!;
    if (!isWanted(recording)) continue;
    await run('seed', recording, each, `--seed-of-failure ${seed}`);
  }
  figures.states = [...states];
  return figures;
}
