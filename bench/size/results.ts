/**
 * What `npm run bench:size` finds out, and the sums over it. Nothing here runs or prints anything.
 * @module
 */
import type { CorpusPair } from '../../corpus/index.ts';
import type { UnitReport } from '../../src/engine/index.ts';
import type { Usage } from '../measured-process.ts';
import type { Outcome } from '../peers/index.ts';
import type { ToolBytes } from './stored.ts';

/** Our patch; the facts are those that `engraft diff --json` names, absent where it names none. */
export type OurOutcome = Outcome & {
  readonly facts?: {
    readonly kind: string;
    readonly covers: number;
    readonly coveredBytes: number;
    readonly decoderMemoryBytes: number;
    /** Where images were taken apart. */
    readonly units?: UnitReport;
  };
  /** Bytes by stream of the patch. */
  readonly costs?: ToolBytes;
};

export interface BestPeer {
  readonly tool: string;
  readonly bytes: number;
  readonly from: 'measured' | 'stored';
}

export interface PairResult {
  readonly name: string;
  readonly family: CorpusPair['family'];
  readonly arch: string;
  readonly sourceBytes: number;
  readonly targetBytes: number;
  readonly ours: OurOutcome;
  /** Tools measured in this run. */
  readonly peers: Readonly<Record<string, Outcome>>;
  /** Absent for pairs that the stored figures do not know: those stay out of the means. */
  readonly stored?: ToolBytes;
  readonly best: BestPeer | null;
  /** Ours / best peer; null without either. */
  readonly ratio: number | null;
}

export interface Summary {
  readonly pairs: number;
  readonly proved: number;
  readonly overall: Mean;
  readonly executables: Mean;
  readonly compressed: Mean;
  readonly worst: { readonly name: string; readonly ratio: number } | null;
  /** Ours / HDiffPatch on the same pair in this run. */
  readonly diffCost: { readonly cpu: Mean; readonly memory: Mean };
}

export interface Mean {
  /** Geometric mean; null of nothing. */
  readonly mean: number | null;
  readonly largest: number | null;
  readonly count: number;
}

/** Pairs whose targets are compressed content: measured, but their targets belong to later work. */
export const COMPRESSED_PAIRS: readonly string[] = [
  'rootfs-bookworm-sqgzip',
  'rootfs-bookworm-sqxz',
  'rootfs-bookworm-sqzstd',
  'rootfs-bookworm-erofs',
  'appium-apk',
  'typescript-tgz',
  'kernel-imagegz-arm64',
  'libssl-deb',
];

const CODE_FAMILIES: readonly CorpusPair['family'][] = ['exec', 'kernel', 'firmware'];

export const isCompressed = ({ name }: PairResult): boolean => COMPRESSED_PAIRS.includes(name);

export const isExecutable = (pair: PairResult): boolean => CODE_FAMILIES.includes(pair.family) && !isCompressed(pair);

/** The smallest patch of another tool: of those measured and proved in this run, and of the stored ones. */
export function bestPeer(measured: Readonly<Record<string, Outcome>>, stored: ToolBytes = {}): BestPeer | null {
  const found: BestPeer[] = [];
  for (const [tool, outcome] of Object.entries(measured))
    if (outcome.state === 'proved') found.push({ tool, bytes: outcome.bytes, from: 'measured' });
  for (const [tool, bytes] of Object.entries(stored)) found.push({ tool, bytes, from: 'stored' });
  return found.reduce<BestPeer | null>((best, one) => (best !== null && best.bytes <= one.bytes ? best : one), null);
}

/** A pair's result with its best peer and ratio. */
export function withRatio(pair: Omit<PairResult, 'best' | 'ratio'>): PairResult {
  const best = bestPeer(pair.peers, pair.stored);
  const ratio = best === null || pair.ours.state !== 'proved' ? null : pair.ours.bytes / best.bytes;
  return { ...pair, best, ratio };
}

/** exp of the mean logarithm; null of nothing. Throws for values that have no logarithm. */
export function geometricMean(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const wrong = values.find((value) => !(value > 0 && Number.isFinite(value)));
  if (wrong !== undefined) throw new Error(`${wrong} has no place in a geometric mean`);
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

function meanOf(values: readonly number[]): Mean {
  return {
    mean: geometricMean(values),
    largest: values.length === 0 ? null : Math.max(...values),
    count: values.length,
  };
}

export function summarize(pairs: readonly PairResult[]): Summary {
  const counted = pairs.filter((pair) => pair.stored !== undefined && pair.ratio !== null);
  const ratios = (wanted: (pair: PairResult) => boolean): Mean =>
    meanOf(counted.filter(wanted).map((pair) => pair.ratio!));
  const open = counted.filter((pair) => !isCompressed(pair));
  const worst = open.reduce<PairResult | null>(
    (most, one) => (most !== null && most.ratio! >= one.ratio! ? most : one),
    null,
  );
  const costs = pairs.flatMap((pair) => diffCost(pair) ?? []);
  return {
    pairs: pairs.length,
    proved: pairs.filter((pair) => pair.ours.state === 'proved').length,
    overall: ratios((pair) => !isCompressed(pair)),
    executables: ratios(isExecutable),
    compressed: ratios(isCompressed),
    worst: worst === null ? null : { name: worst.name, ratio: worst.ratio! },
    diffCost: { cpu: meanOf(costs.map(({ cpu }) => cpu)), memory: meanOf(costs.map(({ memory }) => memory)) },
  };
}

/** What our diff took over what HDiffPatch took; null where either is missing or too short for the clock. */
export function diffCost({ ours, peers }: PairResult): { cpu: number; memory: number } | null {
  const theirs = peers['hdiffpatch'];
  if (ours.state !== 'proved' || theirs?.state !== 'proved') return null;
  const cpu = ours.diff.cpuSeconds / theirs.diff.cpuSeconds;
  const memory = ours.diff.peakBytes / theirs.diff.peakBytes;
  return cpu > 0 && memory > 0 && Number.isFinite(cpu) && Number.isFinite(memory) ? { cpu, memory } : null;
}

/** Bytes a CPU second that apply takes over an empty process; null when it takes no longer than that. */
export function decodingRate(bytes: number, apply: Usage, floor: Usage): number | null {
  const seconds = apply.cpuSeconds - floor.cpuSeconds;
  return seconds > 0 ? bytes / seconds : null;
}
