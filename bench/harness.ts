/**
 * What the benchmarks share: one way to measure (the `benchmark` package), one way to say on which machine, one way
 * to print. Rates are compared within one run only: another machine, or the same one under load, has other rates but
 * much the same ratios.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import Benchmark from 'benchmark';
import { repositoryRoot } from '../corpus/index.ts';

/** One thing to measure. `bytes` is what one run works through, for the rate. */
export interface Case {
  readonly name: string;
  readonly bytes: number;
  readonly run: () => unknown;
}

export interface Measured {
  readonly name: string;
  readonly bytes: number;
  /** Mean seconds of one run. */
  readonly seconds: number;
  /** Relative margin of error of the mean at 95 % confidence, in percent. */
  readonly marginPercent: number;
  readonly samples: number;
}

const SECONDS_PER_CASE = 4;
const SAMPLES_MIN = 5;

/** Measure the cases one after another, after one unmeasured run of each. A case that fails fails the whole run. */
export async function measure(cases: readonly Case[], onCase?: (measured: Measured) => void): Promise<Measured[]> {
  const results: Measured[] = [];
  for (const item of cases) {
    await item.run();
    const measured = await measureOne(item);
    onCase?.(measured);
    results.push(measured);
  }
  return results;
}

function measureOne({ name, bytes, run }: Case): Promise<Measured> {
  return new Promise((resolve, reject) => {
    const bench = new Benchmark(name, {
      defer: true,
      maxTime: SECONDS_PER_CASE,
      minSamples: SAMPLES_MIN,
      fn: (deferred: Benchmark.Deferred) => {
        void Promise.resolve()
          .then(run)
          .then(
            () => deferred.resolve(),
            (error: Error) => {
              reject(error);
              deferred.benchmark.abort();
              deferred.resolve();
            },
          );
      },
      onComplete: () => {
        const { mean, rme, sample } = bench.stats;
        resolve({ name, bytes, seconds: mean, marginPercent: rme, samples: sample.length });
      },
    });
    bench.run({ async: true });
  });
}

/** Rows of a table: rate and ratio to the first case. */
export function rateRows(results: readonly Measured[]): string[][] {
  const rate = ({ bytes, seconds }: Measured): number => bytes / seconds / 1e6;
  const ceiling = results[0] === undefined ? 1 : rate(results[0]);
  return results.map((result) => [
    result.name,
    rate(result).toFixed(rate(result) < 10 ? 2 : 0),
    (rate(result) / ceiling).toFixed(2),
    `${(result.seconds * 1000).toFixed(1)} ± ${result.marginPercent.toFixed(1)} %`,
    String(result.samples),
  ]);
}

export const RATE_HEAD = ['what', 'MB/s', 'ratio to the first', 'ms a run', 'samples'];

/** A Markdown table. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, i) => Math.max(3, ...[head, ...rows].map((cells) => cells[i]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |\n`;
  return line(head) + line(widths.map((width) => '-'.repeat(width))) + rows.map(line).join('');
}

/** Which machine and runtime this is, without its name. */
export function machineFacts(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? 'unknown processor';
  const gib = (totalmem() / 2 ** 30).toFixed(0);
  return [
    `- ${processors.length} × ${model}, ${gib} GiB memory`,
    `- ${platform()} ${release().split('.').slice(0, 2).join('.')} on ${arch()}, Node ${process.version}`,
    `- commit and date: ${commit()}, ${today()}`,
    '',
  ].join('\n');
}

export const today = (): string => new Date().toISOString().slice(0, 10);

/** The commit that HEAD names, read from .git itself; "unknown" in a copy without it. */
export function commit(): string {
  try {
    const git = join(repositoryRoot(), '.git');
    const head = readFileSync(join(git, 'HEAD'), 'utf8').trim();
    const hash = head.startsWith('ref: ') ? readFileSync(join(git, head.slice(5)), 'utf8').trim() : head;
    return hash.slice(0, 10);
  } catch {
    return 'unknown';
  }
}

/** Put a report beside the benchmark's code. */
export function writeResults(folder: string, text: string, file = 'RESULTS.md'): void {
  writeFileSync(join(repositoryRoot(), 'bench', folder, file), text);
}
