/**
 * `npm run bench:memory [-- --pair NAME] [--patch FILE] [--write]`: the peak resident set of `engraft apply` beside
 * that of an empty Node process, for a delta and a full payload of a large image (default node-arm64, 150 MB).
 *
 * Linux only. `--patch` takes a delta that was made before, since making one of this size takes minutes.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheFolder, corpusPair, findPair, repositoryRoot } from '../../corpus/index.ts';
import { machineFacts, markdownTable, writeResults } from '../harness.ts';
import { runMeasuredNode } from '../measured-process.ts';
import { digestOfFile } from '../peers/index.ts';

const DEFAULT_PAIR = 'node-arm64';
const ALLOWED_MIB = 32;
const RUNS = 3;

const program = join(repositoryRoot(), 'dist', 'program', 'engraft.js');

/** Largest peak of some runs, in MiB. */
async function peakMib(folder: string, args: readonly string[]): Promise<number> {
  let peak = 0;
  for (let i = 0; i < RUNS; i++) peak = Math.max(peak, (await runMeasuredNode(args, folder)).peakBytes / 2 ** 20);
  return peak;
}

function makePatch(folder: string, kind: 'delta' | 'full', paths: { source: string; target: string }): string {
  const file = join(folder, kind);
  const full = kind === 'full' ? ['--full'] : [];
  execFileSync(process.execPath, [program, 'diff', ...full, paths.source, paths.target, '-o', file], {
    stdio: 'inherit',
  });
  return file;
}

async function main(
  pairName: string,
  paths: { source: string; target: string },
  given: string | undefined,
  folder: string,
): Promise<string> {
  const empty = await peakMib(folder, ['-e', '']);
  const rows = [['an empty Node process', empty.toFixed(1), '–']];
  for (const kind of ['delta', 'full'] as const) {
    const patch = kind === 'delta' && given !== undefined ? given : makePatch(folder, kind, paths);
    const output = join(folder, 'target');
    const peak = await peakMib(folder, [program, 'apply', paths.source, patch, '-o', output, '--json']);
    if (digestOfFile(output) !== findPair(pairName).target.sha256)
      throw new Error(`apply of the ${kind} payload made another target`);
    rows.push([
      `engraft apply, ${kind} of ${readFileSync(patch).length.toLocaleString('en')} bytes`,
      peak.toFixed(1),
      (peak - empty).toFixed(1),
    ]);
  }
  const worst = Math.max(...rows.slice(1).map((row) => Number(row[2])));
  process.exitCode = worst <= ALLOWED_MIB ? 0 : 1;
  return [
    '# Peak memory of apply\n',
    `Command: \`npm run bench:memory -- --pair ${pairName} --write\`. Pair: ${pairName}. Peak resident set (VmHWM) of the`,
    `whole process, the largest of ${RUNS} runs; allowed over an empty process: ${ALLOWED_MIB} MiB.\n`,
    machineFacts(),
    markdownTable(['what', 'peak MiB', 'over the empty process'], rows),
  ].join('\n');
}

const { values } = parseArgs({
  options: {
    pair: { type: 'string', default: DEFAULT_PAIR },
    patch: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
if (!existsSync('/proc/self/status')) throw new Error('bench:memory reads /proc/self/status, which only Linux has');
const paths = await corpusPair(values.pair, { onMiss: (reason) => console.error(reason) });
if (paths === null) throw new Error(`the pair ${values.pair} cannot be had`);
mkdirSync(cacheFolder(), { recursive: true });
const folder = mkdtempSync(join(cacheFolder(), 'bench-'));
try {
  const text = await main(values.pair, paths, values.patch, folder);
  if (values.write) writeResults('memory', text);
  console.log(text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
