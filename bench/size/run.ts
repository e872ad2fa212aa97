/**
 * `npm run bench:size`: the size of our patches over the corpus beside every peer on PATH and the stored figures of
 * those that are not, each patch proved; what making and applying them takes; where the bytes go. See `--help`.
 * @module
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, corpusPair, corpusPairs, findPair, type PairPaths } from '../../corpus/index.ts';
import { writeResults } from '../harness.ts';
import { missingPrograms, PEERS, runPeer, type Outcome, type Peer, type PeerFiles } from '../peers/index.ts';
import { commandOf, HELP, readSizeOptions, type SizeOptions } from './options.ts';
import { emptyProcess, runOurs } from './ours.ts';
import { renderReport, type SizeRun, type Skipped } from './report.ts';
import { summarize, withRatio, type PairResult } from './results.ts';
import { readStoredPeers, type ToolBytes } from './stored.ts';

/** Progress; the tables go to standard output. */
const say = (text: string): void => console.error(text);

async function measurePair(
  name: string,
  paths: PairPaths,
  folder: string,
  peers: readonly Peer[],
  workers: number,
  stored: ToolBytes | undefined,
): Promise<PairResult> {
  const { family, arch, source, target } = findPair(name);
  const files: PeerFiles = {
    ...paths,
    sourceBytes: source.bytes,
    targetBytes: target.bytes,
    patch: join(folder, 'patch'),
    between: join(folder, 'between'),
    output: join(folder, 'output'),
  };
  const ours = await runOurs(files, target.sha256, workers);
  say(`${name}: engraft ${inWords(ours)}`);
  const outcomes: Record<string, Outcome> = {};
  for (const peer of peers) {
    const outcome = await runPeer(peer, files, target.sha256);
    outcomes[peer.name] = outcome;
    say(`${name}: ${peer.name} ${inWords(outcome)}`);
  }
  const facts = { name, family, arch, sourceBytes: source.bytes, targetBytes: target.bytes };
  return withRatio({ ...facts, ours, peers: outcomes, ...(stored === undefined ? {} : { stored }) });
}

function inWords(outcome: Outcome): string {
  if (outcome.state !== 'proved') return `${outcome.state}: ${outcome.reason}`;
  const { bytes, diff, apply } = outcome;
  const cost = [diff, apply].map((use) => `${use.cpuSeconds.toFixed(2)} s ${(use.peakBytes / 2 ** 20).toFixed(0)} MiB`);
  return `${bytes.toLocaleString('en')} bytes, diff ${cost[0]}, apply ${cost[1]}`;
}

async function measureAll(options: SizeOptions, folder: string): Promise<SizeRun> {
  const stored = readStoredPeers();
  const chosen = PEERS.filter((peer) => options.peers.includes(peer.name));
  const peers = chosen.filter((peer) => missingPrograms(peer).length === 0);
  const skippedPeers = chosen
    .filter((peer) => !peers.includes(peer))
    .map((peer) => ({ name: peer.name, reason: `not on PATH: ${missingPrograms(peer).join(', ')}` }));
  for (const { name, reason } of skippedPeers) say(`${name} skipped: ${reason}`);
  const floor = await emptyProcess(folder);
  const pairs: PairResult[] = [];
  const skippedPairs: Skipped[] = [];
  const names = options.names.length > 0 ? options.names : corpusPairs().map((pair) => pair.name);
  for (const name of names) {
    let reason = '';
    const onMiss = (message: string): void => {
      reason = options.fetch
        ? message.replaceAll(cacheFolder(), 'the cache')
        : `not in the cache; npm run corpus -- ${name}`;
    };
    const paths = await corpusPair(name, { fetch: options.fetch, onMiss });
    if (paths === null) {
      skippedPairs.push({ name, reason });
      say(`${name} skipped: ${reason}`);
      continue;
    }
    pairs.push(await measurePair(name, paths, folder, peers, options.workers, stored.pairs[name]));
  }
  const settings = peers.map(({ name, setting }) => ({ name, setting }));
  const { workers } = options;
  return { command: commandOf(options), workers, floor, pairs, skippedPairs, peers: settings, skippedPeers };
}

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
    const run = await measureAll(options, folder);
    const failed = run.pairs.some(({ ours, peers }) => [ours, ...Object.values(peers)].some(isFailure));
    process.exitCode = failed || run.pairs.length === 0 ? 1 : 0;
    const report = renderReport(run);
    if (options.write) writeResults('size', report);
    const json = `${JSON.stringify({ ...run, summary: summarize(run.pairs) }, null, 2)}\n`;
    if (options.json !== null && options.json !== '-') writeFileSync(options.json, json);
    process.stdout.write(options.json === '-' ? json : report);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const isFailure = (outcome: Outcome): boolean => outcome.state === 'failed';

try {
  await main();
} catch (error) {
  say((error as Error).message);
  process.exitCode = 2;
}
