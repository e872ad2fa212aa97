/**
 * `npm run bench:size`: the size of our patches over the corpus beside every peer on PATH and the stored figures of
 * those that are not, each patch proved; what making and applying them takes; where the bytes go. See `--help`.
 * @module
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, corpusPairs } from '../../corpus/index.ts';
import { writeResults } from '../harness.ts';
import type { Outcome } from '../peers/index.ts';
import { mergeFigures, readFigures, writeFigures } from './compressed-figures.ts';
import { renderCompressed } from './compressed-report.ts';
import { measureCompressed } from './compressed.ts';
import { filesOf, imagesOf, measurePair, peersHere, say } from './measure-pair.ts';
import { commandOf, HELP, readSizeOptions, type SizeOptions } from './options.ts';
import { emptyProcess } from './ours.ts';
import { renderReport, type SizeRun, type Skipped } from './report.ts';
import { summarize, type PairResult } from './results.ts';
import { readStoredPeers } from './stored.ts';

async function measureAll(options: SizeOptions, folder: string): Promise<SizeRun> {
  const stored = readStoredPeers();
  const { peers, skippedPeers } = peersHere(options.peers);
  const floor = await emptyProcess(folder);
  const pairs: PairResult[] = [];
  const skippedPairs: Skipped[] = [];
  const names = options.names.length > 0 ? options.names : corpusPairs().map((pair) => pair.name);
  for (const name of names) {
    const paths = await imagesOf(name, options.fetch);
    if ('reason' in paths) skippedPairs.push(paths);
    else {
      const files = filesOf(name, paths, folder);
      pairs.push(await measurePair(name, files, peers, options.workers, stored.pairs[name]));
    }
  }
  const settings = peers.map(({ name, setting }) => ({ name, setting }));
  const { workers } = options;
  return { command: commandOf(options), workers, floor, pairs, skippedPairs, peers: settings, skippedPeers };
}

/** The report of all pairs, and the code to end with. */
async function sizes(options: SizeOptions, folder: string): Promise<number> {
  const run = await measureAll(options, folder);
  const failed = run.pairs.some(({ ours, peers }) => [ours, ...Object.values(peers)].some(isFailure));
  const report = renderReport(run);
  if (options.write) writeResults('size', report);
  print(options, report, { ...run, summary: summarize(run.pairs) });
  return failed || run.pairs.length === 0 ? 1 : 0;
}

/** The same for compressed images. What is written keeps the rows of pairs that this run has not measured. */
async function compressed(options: SizeOptions, folder: string): Promise<number> {
  const run = await measureCompressed(options, folder, (soFar) => {
    if (!options.write) return;
    const figures = mergeFigures(readFigures(), soFar.figures);
    writeFigures(figures);
    writeResults('size', renderCompressed(figures, soFar.skipped), 'COMPRESSED.md');
  });
  print(options, renderCompressed(run.figures, run.skipped), run);
  const rows = Object.values(run.figures.pairs);
  const failed = rows.some((row) => [row.ours, ...Object.values(row.peers)].some(isFailure));
  return failed || rows.length === 0 ? 1 : 0;
}

function print({ json }: SizeOptions, report: string, facts: object): void {
  const text = `${JSON.stringify(facts, null, 2)}\n`;
  if (json !== null && json !== '-') writeFileSync(json, text);
  process.stdout.write(json === '-' ? text : report);
}

const isFailure = (outcome: Outcome): boolean => outcome.state === 'failed';

async function main(): Promise<void> {
  const options = readSizeOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  if (!existsSync('/proc/self/status')) throw new Error('bench:size reads /proc, which only Linux has');
  mkdirSync(cacheFolder(), { recursive: true });
  const folder = mkdtempSync(join(cacheFolder(), 'bench-'));
  try {
    process.exitCode = await (options.compressed ? compressed : sizes)(options, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  say((error as Error).message);
  process.exitCode = 2;
}
