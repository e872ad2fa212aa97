/**
 * `npm run bench:growth [-- --from FILE --to FILE] [--most MIB] [--sparse MIB] [--write]`: how time and memory of
 * `engraft diff` and `engraft apply` grow with the image, from 1 MiB in steps of four, by cuts of two images (default: the
 * pair node-arm64). With `--sparse` each is made once more within an image of so many MiB that is zeros beside: what a
 * diff takes should follow from its content.
 *
 * Linux only. Up to 512 MiB it takes an hour or more: `--most` says where to end (default 64).
 * @module
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { corpusPair, repositoryRoot } from '../../corpus/index.ts';
import { machineFacts, markdownTable, writeResults } from '../harness.ts';
import { runMeasuredNode, type Usage } from '../measured-process.ts';

const DEFAULT_PAIR = 'node-arm64';
const MIB = 2 ** 20;
const STEP = 4;

const program = join(repositoryRoot(), 'dist', 'program', 'engraft.js');

/** The first `bytes` of a file, gone through again where it ends: then only its distance is new. */
function cut(path: string, bytes: number): Buffer {
  const { size } = statSync(path);
  const image = Buffer.alloc(bytes);
  const fd = openSync(path, 'r');
  try {
    for (let at = 0; at < bytes;) at += readSync(fd, image, at, Math.min(bytes - at, size - (at % size)), at % size);
  } finally {
    closeSync(fd);
  }
  return image;
}

interface Measured {
  readonly patchBytes: number;
  readonly diff: Usage;
  readonly apply: Usage;
}

async function measure(folder: string, paths: { source: string; target: string }): Promise<Measured> {
  const [patch, output] = [join(folder, 'patch'), join(folder, 'output')];
  const { source, target } = paths;
  const diff = await runMeasuredNode([program, 'diff', source, target, '-o', patch, '--json'], folder);
  const apply = await runMeasuredNode([program, 'apply', source, patch, '-o', output, '--json'], folder);
  return { patchBytes: statSync(patch).size, diff, apply };
}

const rowOf = (name: string, mib: number, { patchBytes, diff, apply }: Measured): string[] => [
  ...[name, String(mib), patchBytes.toLocaleString('en')],
  ...[diff.cpuSeconds.toFixed(1), (diff.cpuSeconds / mib).toFixed(2), (diff.peakBytes / MIB).toFixed(0)],
  ...[apply.cpuSeconds.toFixed(1), (apply.peakBytes / MIB).toFixed(0)],
];

async function main(images: { from: string; to: string }, most: number, sparse: number, folder: string) {
  const rows: string[][] = [];
  const paths = { source: join(folder, 'source'), target: join(folder, 'target') };
  for (let mib = 1; mib <= most; mib *= STEP) {
    writeFileSync(paths.source, cut(images.from, mib * MIB));
    writeFileSync(paths.target, cut(images.to, mib * MIB));
    rows.push(rowOf('dense', mib, await measure(folder, paths)));
    if (sparse <= mib) continue;
    for (const path of [paths.source, paths.target]) truncateSync(path, sparse * MIB);
    rows.push(rowOf(`in ${sparse} MiB`, mib, await measure(folder, paths)));
  }
  const head = ['image', 'content MiB', 'patch bytes', 'diff CPU s', 's a MiB', 'peak MiB', 'apply CPU s', 'peak MiB'];
  return [
    '# How a diff grows\n',
    `Command: \`npm run bench:growth -- --most ${most} --sparse ${sparse} --write\`. The first so many MiB of both images of`,
    'node-arm64, gone through again where they end. Peaks are the largest resident set of the whole process.\n',
    machineFacts(),
    markdownTable(head, rows),
  ].join('\n');
}

const { values } = parseArgs({
  options: {
    from: { type: 'string' },
    to: { type: 'string' },
    most: { type: 'string', default: '64' },
    sparse: { type: 'string', default: '0' },
    write: { type: 'boolean', default: false },
  },
});
const pair = await corpusPair(DEFAULT_PAIR, { onMiss: (reason) => console.error(reason) });
const [from, to] = [values.from ?? pair?.source, values.to ?? pair?.target];
if (from === undefined || to === undefined) throw new Error(`the pair ${DEFAULT_PAIR} cannot be had`);
const folder = mkdtempSync(join(tmpdir(), 'engraft-growth-'));
try {
  const text = await main({ from, to }, Number(values.most), Number(values.sparse), folder);
  console.log(text);
  if (values.write) writeResults('growth', text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
