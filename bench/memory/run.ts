/**
 * `npm run bench:memory [-- --pair NAME] [--patch FILE] [--write]`: the peak resident set of `engraft apply` beside
 * that of an empty Node process, for a delta and a full payload of a large image (default node-arm64, 150 MB).
 *
 * Linux only. `--patch` takes a delta that was made before, since making one of this size takes minutes.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { cacheFolder, corpusPair, findPair, repositoryRoot } from '../../corpus/index.ts';
import { machineFacts, markdownTable, writeResults } from '../harness.ts';

const DEFAULT_PAIR = 'node-arm64';
const ALLOWED_MIB = 32;
const RUNS = 3;

const built = join(repositoryRoot(), 'dist');
const program = join(built, 'src', 'cli', 'engraft.js');
const preload = pathToFileURL(join(built, 'bench', 'memory', 'report-peak.js')).href;

/** Largest peak of some runs, in MiB. */
function peakMib(folder: string, args: readonly string[]): number {
  const file = join(folder, 'peak');
  let peak = 0;
  for (let i = 0; i < RUNS; i++) {
    rmSync(file, { force: true });
    const env = { ...process.env, ENGRAFT_PEAK_FILE: file };
    execFileSync(process.execPath, ['--import', preload, ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    peak = Math.max(peak, Number(readFileSync(file, 'utf8')) / 1024);
  }
  return peak;
}

function digestOfFile(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function makePatch(folder: string, kind: 'delta' | 'full', paths: { source: string; target: string }): string {
  const file = join(folder, kind);
  const full = kind === 'full' ? ['--full'] : [];
  execFileSync(process.execPath, [program, 'diff', ...full, paths.source, paths.target, '-o', file], {
    stdio: 'inherit',
  });
  return file;
}

function main(
  pairName: string,
  paths: { source: string; target: string },
  given: string | undefined,
  folder: string,
): string {
  const empty = peakMib(folder, ['-e', '']);
  const rows = [['an empty Node process', empty.toFixed(1), '–']];
  for (const kind of ['delta', 'full'] as const) {
    const patch = kind === 'delta' && given !== undefined ? given : makePatch(folder, kind, paths);
    const output = join(folder, 'target');
    const peak = peakMib(folder, [program, 'apply', paths.source, patch, '-o', output, '--json']);
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
  const text = main(values.pair, paths, values.patch, folder);
  if (values.write) writeResults('memory', text);
  console.log(text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
