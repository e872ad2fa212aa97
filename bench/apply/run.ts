/**
 * `npm run bench [-- --pair NAME] [--write]`: how fast a target is made, beside a plain copy and beside bspatch; how
 * fast hashing and suffix sorting are. `--write` puts the report into bench/apply/RESULTS.md.
 * @module
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheFolder, corpusPair, SMALL_PAIR } from '../../corpus/index.ts';
import { suffixArray } from '../../native-free/diff/index.ts';
import { digestOf, sha256Pure } from '../../native-free/index.ts';
import { DeltaEngine } from '../../src/engine/index.ts';
import { machineFacts, markdownTable, measure, RATE_HEAD, rateRows, writeResults, type Case } from '../harness.ts';
import { applyCases, makeInputs, proveCases, type ApplyInputs } from './cases.ts';

const DEFAULT_PAIR = 'esbuild-arm64-patch';
const HASHED_BYTES = 4 * 2 ** 20;
const SORTED_BYTES = 2 * 2 ** 20;

async function choosePair(wanted: string): Promise<{ name: string; source: string; target: string }> {
  const paths = await corpusPair(wanted, {
    onMiss: (reason) => console.error(`${reason}; going on with ${SMALL_PAIR}`),
  });
  if (paths !== null) return { name: wanted, ...paths };
  return { name: SMALL_PAIR, ...(await corpusPair(SMALL_PAIR))! };
}

async function table(cases: readonly Case[]): Promise<string> {
  const results = await measure(cases, ({ name, seconds, bytes }) => {
    console.error(`${name}: ${(bytes / seconds / 1e6).toFixed(1)} MB/s`);
  });
  return markdownTable(RATE_HEAD, rateRows(results));
}

function hashCases(bytes: Uint8Array): Case[] {
  return [
    { name: 'SHA-256, node:crypto', bytes: bytes.length, run: () => createHash('sha256').update(bytes).digest() },
    { name: 'SHA-256, @noble/hashes', bytes: bytes.length, run: () => digestOf(sha256Pure, bytes) },
  ];
}

function sizesOf(inputs: ApplyInputs): string {
  const size = (path: string): number => readFileSync(path).length;
  const rows: [string, number][] = [
    ['target', size(inputs.targetPath)],
    ['engraft full', inputs.full.length],
    ['engraft delta', inputs.delta.length],
    ['engraft delta, profile fast', inputs.fast.length],
  ];
  if (inputs.bsdiffPath !== null) rows.push(["Debian's bsdiff", size(inputs.bsdiffPath)]);
  return markdownTable(
    ['what', 'bytes'],
    rows.map(([name, bytes]) => [name, bytes.toLocaleString('en')]),
  );
}

async function report(pairName: string, inputs: ApplyInputs): Promise<string> {
  const cases = applyCases(inputs);
  await proveCases(cases, inputs);
  const target = readFileSync(inputs.targetPath);
  const sorted = target.subarray(0, SORTED_BYTES);
  const sort = {
    name: `suffix sort of ${sorted.length} bytes (SA-IS)`,
    bytes: sorted.length,
    run: () => suffixArray(sorted),
  };
  return [
    '# Apply throughput\n',
    `Command: \`npm run bench -- --pair ${pairName} --write\`. Pair: ${pairName}. MB are 10^6 bytes of target; each`,
    'case writes the whole target to a file and was compared with it once before it was measured. Compare ratios, not',
    'rates: both depend on one run of one machine.\n',
    machineFacts(),
    sizesOf(inputs),
    await table(cases),
    '## Hashing\n',
    await table(hashCases(target.subarray(0, HASHED_BYTES))),
    '## Suffix sort\n',
    await table([sort]),
  ].join('\n');
}

const { values } = parseArgs({
  options: { pair: { type: 'string', default: DEFAULT_PAIR }, write: { type: 'boolean', default: false } },
});
const pair = await choosePair(values.pair);
mkdirSync(cacheFolder(), { recursive: true });
const folder = mkdtempSync(join(cacheFolder(), 'bench-'));
const engine = new DeltaEngine();
try {
  const inputs = await makeInputs(engine, pair, folder);
  await engine.close();
  const text = await report(pair.name, inputs);
  if (values.write) writeResults('apply', text);
  console.log(text);
} finally {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
}
