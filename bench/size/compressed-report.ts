/**
 * The tables of `npm run bench:size -- --compressed`.
 * @module
 */
import { machineFacts, markdownTable } from '../harness.ts';
import { bestPeer, geometricMean, type OurOutcome } from './results.ts';
import { bytesOf, count, inCell, mib, NONE, ratio, seconds } from './cells.ts';
import type { CompressedFigures, CompressedRow } from './compressed-figures.ts';
import type { Skipped } from './report.ts';

type Rows = readonly (readonly [string, CompressedRow])[];

/** The whole report, as Markdown. */
export function renderCompressed({ pairs }: CompressedFigures, skipped: readonly Skipped[]): string {
  const rows = Object.entries(pairs);
  return [
    '# Patches between compressed images\n',
    'Command: `npm run bench:size -- --compressed --write`, for any of these pairs; rows of other pairs stay. `--plain` adds',
    'ours with nothing unpacked, `--idealised` the other tools on contents: where a run was not asked for them, those of the',
    'run before stand. Every patch was applied and the result compared with the target by SHA-256. The best peer is the',
    'smallest of the tools measured and of the figures stored in `stored-peers.json`.\n',
    machineFacts(),
    summary(rows),
    '## Bytes\n',
    'Idealised: the best of the tools measured here on the contents of all streams, files put together, as if packing',
    'the target again cost nothing.\n',
    bytesTable(rows),
    '## Cost\n',
    'CPU seconds and peaks are of whole processes, Node with them; declared is the memory that the payload says a decoder',
    'takes over its runtime. Plain is ours on the pair of the corpus with the same content (of the tar archive, its',
    'largest file; of the root file systems, the ext4 images) in no compressed form.\n',
    costTable(rows),
    '## Units\n',
    'Needed: units of the source that a decoder unpacks, each counted once for the image; by segment: summed over segments,',
    'each of which is decoded on its own. Amplification is units unpacked over units needed; in segments, over the sum.\n',
    unitTable(rows),
    ...peerSection(rows),
    ...skippedSection(rows, skipped),
  ].join('\n');
}

function summary(rows: Rows): string {
  const ratios = rows.flatMap(([, row]) => row.ratio ?? []);
  const failed = rows.filter(([, { ours }]) => ours.state !== 'proved').map(([name]) => name);
  const proved = `- proved: ${rows.length - failed.length} of ${rows.length} pairs`;
  return [
    `- geometric mean of the ratios: **${ratio(geometricMean(ratios))}** over ${ratios.length} pairs`,
    failed.length === 0 ? proved : `${proved}; not ${failed.join(', ')}`,
    '',
  ].join('\n');
}

const ourBytes = (ours: OurOutcome | undefined): string =>
  bytesOf(ours) + (ours?.facts?.kind === 'full' ? ' (full payload)' : '');

function bytesTable(rows: Rows): string {
  const head = ['pair', 'target bytes', 'ours', 'best peer', 'by', 'ratio', 'not unpacked', 'idealised', 'by'];
  const cells = rows.map(([name, { targetBytes, ours, best, ratio: r, packed, idealised }]) => {
    const ideal = idealised === undefined ? null : bestPeer(idealised.peers);
    return [
      ...[name, count(targetBytes), ourBytes(ours), best === null ? NONE : count(best.bytes)],
      ...[best === null ? NONE : `${best.tool} (${best.from})`, ratio(r), ourBytes(packed)],
      ...[ideal === null ? NONE : count(ideal.bytes), ideal?.tool ?? NONE],
    ];
  });
  return markdownTable(
    [...head, 'measured'],
    cells.map((row, i) => [...row, measuredAt(rows[i]![1])]),
  );
}

const measuredAt = ({ commit, date }: CompressedRow): string => `${commit}, ${date}`;

function costTable(rows: Rows): string {
  const head = ['pair', 'diff CPU s', 'diff MiB', 'apply CPU s', 'apply MiB', 'declared MiB'];
  const ofPlain = ['plain', 'its patch', 'its apply CPU s', 'its apply MiB', 'its declared MiB'];
  const applying = (ours: OurOutcome | undefined): string[] => {
    if (ours?.state !== 'proved') return [NONE, NONE, NONE];
    return [seconds(ours.apply.cpuSeconds), mib(ours.apply.peakBytes), mib(ours.facts?.decoderMemoryBytes ?? 0)];
  };
  const cells = rows.map(([name, { ours, plain }]) => [
    name,
    ...(ours.state === 'proved' ? [seconds(ours.diff.cpuSeconds), mib(ours.diff.peakBytes)] : [NONE, NONE]),
    ...applying(ours),
    ...[plain?.name ?? NONE, ourBytes(plain?.ours), ...applying(plain?.ours)],
  ]);
  const floors = rows.map(([, { floor }]) => floor);
  const most = (values: readonly number[]): number => Math.max(0, ...values);
  const empty = `An empty Node process: at most ${seconds(most(floors.map(({ cpuSeconds }) => cpuSeconds)))} CPU seconds, `;
  const peak = `${mib(most(floors.map(({ peakBytes }) => peakBytes)))} MiB.\n`;
  return `${empty}${peak}\n${markdownTable([...head, ...ofPlain], cells)}`;
}

function unitTable(rows: Rows): string {
  const head = ['pair', 'containers of the target', 'units of it', 'copied', 'units of the source'];
  const reading = ['needed', 'by segment', 'unpacked', 'amplification', 'in segments'];
  const cells = rows.map(([name, { ours }]) => {
    const units = ours.facts?.units;
    if (units === undefined) return [name, ...Array.from({ length: 9 }, () => NONE)];
    const { source, target, copied, needed, neededBySegment, unpacked, containers } = units;
    const kinds = Object.entries(containers.target).map(([kind, found]) => `${count(found)} ${kind}`);
    const over = (many: number): string => (many === 0 ? NONE : (unpacked / many).toFixed(2));
    return [
      ...[name, kinds.join(', '), count(target), count(copied), count(source)],
      ...[count(needed), count(neededBySegment), count(unpacked), over(needed), over(neededBySegment)],
    ];
  });
  return markdownTable([...head, ...reading], cells);
}

function peerSection(rows: Rows): string[] {
  const head = ['pair', 'tool', 'bytes', 'diff CPU s', 'diff MiB', 'apply CPU s', 'apply MiB'];
  const cells = rows.flatMap(([name, { peers, idealised }]) => [
    ...Object.entries(peers).map((entry) => [name, entry] as const),
    ...Object.entries(idealised?.peers ?? {}).map((entry) => [`contents of ${name}`, entry] as const),
  ]);
  if (cells.length === 0) return [];
  const lines = cells.map(([name, [tool, outcome]]) => {
    if (outcome.state !== 'proved')
      return [name, tool, inCell(`${outcome.state}: ${outcome.reason}`), NONE, NONE, NONE, NONE];
    const costs = [outcome.diff, outcome.apply].flatMap((use) => [seconds(use.cpuSeconds), mib(use.peakBytes)]);
    return [name, tool, count(outcome.bytes), ...costs];
  });
  return ['## Peers measured\n', markdownTable(head, lines)];
}

/** What failed, and what is not there at all: a pair that was skipped now may have figures of an earlier run. */
function skippedSection(rows: Rows, skipped: readonly Skipped[]): string[] {
  const failed = rows.flatMap(([name, { ours }]) =>
    ours.state === 'proved' ? [] : [{ name: `engraft on ${name}`, reason: ours.reason }],
  );
  const absent = skipped.filter(({ name }) => !rows.some(([known]) => known === name));
  const cells = [...failed, ...absent].map(({ name, reason }) => [name, inCell(reason)]);
  return cells.length === 0 ? [] : ['## Not measured\n', markdownTable(['what', 'why'], cells)];
}
