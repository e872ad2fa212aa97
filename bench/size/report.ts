/**
 * The tables of `npm run bench:size`.
 * @module
 */
import type { Usage } from '../measured-process.ts';
import { machineFacts, markdownTable } from '../harness.ts';
import { bytesOf, count, inCell, mib, NONE, ratio, seconds } from './cells.ts';
import {
  decodingRate,
  diffCost,
  isCompressed,
  isExecutable,
  summarize,
  type Mean,
  type PairResult,
} from './results.ts';

/** Something that was not measured, and why. */
export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

export interface SizeRun {
  readonly command: string;
  readonly workers: number;
  readonly floor: Usage;
  readonly pairs: readonly PairResult[];
  readonly skippedPairs: readonly Skipped[];
  /** Tools measured: name and setting. */
  readonly peers: readonly { readonly name: string; readonly setting: string }[];
  readonly skippedPeers: readonly Skipped[];
}

/** The whole report, as Markdown. */
export function renderReport(run: SizeRun): string {
  return [
    '# Patch size\n',
    `Command: \`${run.command}\`\n`,
    'Every patch was applied and the result compared with the target by SHA-256; one that fails is named so and counts',
    'nowhere. The ratio is our bytes over those of the best peer: the smallest of the tools measured here and of the',
    'figures stored in `stored-peers.json`. CPU seconds are user and system time of whole processes, peaks their resident',
    'sets (how: `bench/measured-process.ts`): compare them within one run only.\n',
    machineFacts(),
    summaryLines(run),
    '## Bytes\n',
    sizeTable(run.pairs),
    '## Cost of ours\n',
    `With ${run.workers} worker${run.workers === 1 ? '' : 's'}. An empty Node process: ` +
      `${seconds(run.floor.cpuSeconds)} CPU seconds, ${mib(run.floor.peakBytes)} MiB; "over it" is apply without that,`,
    'and the rates are 10^6 bytes of target and of patch per CPU second of apply over it.\n',
    costTable(run),
    ...streamSection(run.pairs),
    ...peerSection(run),
    ...skippedSection(run),
  ].join('\n');
}

/** The sums, one a line. */
export function summaryLines({ pairs, skippedPairs }: Pick<SizeRun, 'pairs' | 'skippedPairs'>): string {
  const sum = summarize(pairs);
  const mean = (name: string, { mean, count: of }: Mean, what: string): string =>
    `- geometric mean of the ratios, ${name}: **${ratio(mean)}** over ${of} pairs${what}`;
  const failed = pairs.filter((pair) => pair.ours.state !== 'proved').map((pair) => pair.name);
  const lines = [
    mean('without compressed content', sum.overall, ''),
    mean('executables', sum.executables, ' (families exec, kernel and firmware)'),
    mean('compressed content', sum.compressed, ': measured, but their targets belong to later work'),
    sum.worst === null ? '' : `- worst pair without compressed content: ${sum.worst.name}, ${ratio(sum.worst.ratio)}`,
    sum.diffCost.cpu.count === 0
      ? ''
      : `- making a patch, ours / HDiffPatch over ${sum.diffCost.cpu.count} pairs: CPU ${times(sum.diffCost.cpu)}; ` +
        `memory ${times(sum.diffCost.memory)}`,
    `- proved: ${sum.proved} of ${sum.pairs} pairs${failed.length === 0 ? '' : `; not ${failed.join(', ')}`}` +
      (skippedPairs.length === 0 ? '' : `; ${skippedPairs.length} skipped`),
  ];
  return lines.filter((line) => line !== '').join('\n') + '\n';
}

const times = ({ mean, largest }: Mean): string =>
  `${mean?.toFixed(2) ?? NONE} (geometric mean), ${largest?.toFixed(2) ?? NONE} at most`;

function sizeTable(pairs: readonly PairResult[]): string {
  const head = ['pair', 'kind', 'target bytes', 'ours', 'best peer', 'by', 'ratio'];
  const rows = pairs.map((pair) => [
    pair.name,
    isExecutable(pair) ? 'executable' : isCompressed(pair) ? 'compressed' : pair.family,
    count(pair.targetBytes),
    bytesOf(pair.ours) + (pair.ours.facts?.kind === 'full' ? ' (full payload)' : ''),
    pair.best === null ? NONE : count(pair.best.bytes),
    pair.best === null ? NONE : `${pair.best.tool} (${pair.best.from})`,
    ratio(pair.ratio),
  ]);
  return markdownTable(head, rows);
}

function costTable({ pairs, floor }: SizeRun): string {
  const rate = (bytes: number, apply: Usage): string => {
    const perSecond = decodingRate(bytes, apply, floor);
    return perSecond === null ? NONE : (perSecond / 1e6).toFixed(2);
  };
  const head = [
    ...['pair', 'diff CPU s', 'of HDiffPatch', 'diff MiB', 'of HDiffPatch'],
    ...['apply CPU s', 'apply MiB', 'over it MiB', 'target MB/s', 'patch MB/s'],
  ];
  const rows = pairs.flatMap((pair) => {
    const { ours } = pair;
    if (ours.state !== 'proved') return [];
    const cost = diffCost(pair);
    const over = Math.max(0, ours.apply.peakBytes - floor.peakBytes);
    return [
      [
        ...[pair.name, seconds(ours.diff.cpuSeconds), cost?.cpu.toFixed(2) ?? NONE],
        ...[mib(ours.diff.peakBytes), cost?.memory.toFixed(2) ?? NONE],
        ...[seconds(ours.apply.cpuSeconds), mib(ours.apply.peakBytes), mib(over)],
        ...[rate(pair.targetBytes, ours.apply), rate(ours.bytes, ours.apply)],
      ],
    ];
  });
  return markdownTable(head, rows);
}

function streamSection(pairs: readonly PairResult[]): string[] {
  const names = [...new Set(pairs.flatMap((pair) => Object.keys(pair.ours.costs ?? {})))];
  if (names.length === 0) return [];
  const rows = pairs.flatMap((pair) => {
    const { ours, name, targetBytes } = pair;
    if (ours.state !== 'proved' || ours.costs === undefined) return [];
    const costs = names.map((stream) => (ours.costs![stream] === undefined ? NONE : count(ours.costs![stream])));
    const covered = ours.facts === undefined ? NONE : ((100 * ours.facts.coveredBytes) / targetBytes).toFixed(2);
    return [[name, count(ours.bytes), count(ours.facts?.covers ?? 0), covered, ...costs]];
  });
  return ['## Bytes by stream\n', markdownTable(['pair', 'patch', 'covers', '% covered', ...names], rows)];
}

function peerSection({ pairs, peers }: SizeRun): string[] {
  if (peers.length === 0) return [];
  const head = ['pair', 'tool', 'bytes', 'ours / it', 'diff CPU s', 'diff MiB', 'apply CPU s', 'apply MiB'];
  const rows = pairs.flatMap((pair) =>
    Object.entries(pair.peers).map(([tool, outcome]) => {
      if (outcome.state !== 'proved')
        return [pair.name, tool, inCell(`${outcome.state}: ${outcome.reason}`), ...blank(5)];
      const against = pair.ours.state === 'proved' ? pair.ours.bytes / outcome.bytes : null;
      return [
        ...[pair.name, tool, count(outcome.bytes), ratio(against)],
        ...[seconds(outcome.diff.cpuSeconds), mib(outcome.diff.peakBytes)],
        ...[seconds(outcome.apply.cpuSeconds), mib(outcome.apply.peakBytes)],
      ];
    }),
  );
  const settings = peers.map(({ name, setting }) => `- ${name}: \`${setting}\`\n`).join('');
  return ['## Peers measured in this run\n', settings, markdownTable(head, rows)];
}

const blank = (cells: number): string[] => Array.from({ length: cells }, () => NONE);

function skippedSection({ pairs, skippedPairs, skippedPeers }: SizeRun): string[] {
  const failed = pairs.flatMap(({ name, ours }) =>
    ours.state === 'proved' ? [] : [{ name: `engraft on ${name}`, reason: ours.reason }],
  );
  const rows = [...failed, ...skippedPairs, ...skippedPeers].map(({ name, reason }) => [name, inCell(reason)]);
  return rows.length === 0 ? [] : ['## Not measured\n', markdownTable(['what', 'why'], rows)];
}
