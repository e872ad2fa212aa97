/**
 * What is tried once a delta between contents is made: a stream whose tokens or content cost more than its packed bytes
 * stays packed, and where units as a whole gain little, there may be more in the images as they are. A stream that another
 * compressor made is the usual case: its tokens are nearly as dear as its bytes.
 * @module
 */
import { CODEC_ID, type Unit } from '../../format/unit-map.ts';
import type { EncodedUnitSegment } from '../write/encode-unit-segment.ts';
import type { Explored } from './explored.ts';
import type { UnpackedPair } from './unpack-pair.ts';

/** Packed bytes do not compress; what they are as raw bytes costs a little more. */
const RAW_OVERHEAD_BYTES = 4;
/** Of a payload, what has to be saved for it to be made again. */
const SAVED_SHARE = 1 / 32;
const SAVED_BYTES_MIN = 64;
/** Units that cost less than this share of their packed bytes are better than any match of those. */
const PLAIN_SHARE = 1 / 2;
/**
 * The same of units whose packed bytes are literals as they are: what did not change in the content did not change there
 * either, wherever it went, so the images as they are may win by far.
 */
const PLAIN_SHARE_BYTEWISE = 1 / 128;
/** Targets of more bytes are tried as they are only where more is in question: it takes as long again. */
const QUICK_BYTES = 8 * 2 ** 20;
const PLAIN_SHARE_LARGE = 1 / 16;
/** Less than this share of the target is noise. */
const NOISE_SHARE = 1 / 4096;

/** A delta with what it takes to judge its units. */
export interface TriedDelta {
  readonly payload: Uint8Array;
  /** Null: nothing was taken apart. */
  readonly trial: Trial | null;
}

export interface Trial {
  /** By explored unit: those that are to stay packed. */
  readonly dear: ReadonlySet<number>;
  /** Whether a delta of the images as they are may be smaller. */
  readonly mayBePlain: boolean;
}

/**
 * The smallest of the deltas that are worth trying: the first, with all units; `again` without those that are too dear;
 * `plain` with none. Of equals the first.
 */
export async function smallestOf<D extends TriedDelta>(
  first: D,
  again: (dear: ReadonlySet<number>) => Promise<D>,
  plain: () => Promise<D | null>,
): Promise<D> {
  let best = first;
  if (first.trial !== null && first.trial.dear.size > 0) best = smaller(best, await again(first.trial.dear));
  if (best.trial?.mayBePlain === true) best = smaller(best, await plain());
  return best;
}

function smaller<D extends TriedDelta>(best: D, other: D | null): D {
  return other !== null && other.payload.length < best.payload.length ? other : best;
}

/** Judges the units of a delta by what they cost in its segments. */
export function trialOf(
  { maps, origins }: UnpackedPair,
  segments: readonly EncodedUnitSegment[],
  payload: { readonly bytes: number; readonly mapBytes: number; readonly targetBytes: number },
): Trial {
  const { units } = maps.target;
  const costs = costsOf(units, segments);
  const { dear, saved } = dearUnits(units, costs);
  // What a segment is stored for was not paid.
  const stored = segments.reduce((sum, { codedBytes, encoded }) => sum + Math.max(0, codedBytes - encoded.length), 0);
  const isWorthIt = saved - stored >= Math.max(SAVED_BYTES_MIN, SAVED_SHARE * payload.bytes);
  return {
    dear: new Set(isWorthIt ? dear.map((unit) => origins[unit]!) : []),
    mayBePlain: mayBePlain(units, costs, payload),
  };
}

function costsOf(units: readonly Unit[], segments: readonly EncodedUnitSegment[]): Float64Array {
  const costs = new Float64Array(units.length);
  for (const { unitCosts } of segments) unitCosts.units.forEach((unit, i) => (costs[unit]! += unitCosts.bytes[i]!));
  return costs;
}

/** All parts of a stream together, since it is entered at its beginning only; and what lies in them with them. */
function dearUnits(units: readonly Unit[], costs: Float64Array): { readonly dear: number[]; readonly saved: number } {
  const heads = new Int32Array(units.length);
  units.forEach(({ continues }, i) => (heads[i] = continues ? heads[i - 1]! : i));
  /** By the first part of a stream. */
  const cost = new Float64Array(units.length);
  const raw = new Float64Array(units.length).fill(RAW_OVERHEAD_BYTES);
  units.forEach(({ packedBytes }, i) => {
    cost[heads[i]!]! += costs[i]!;
    raw[heads[i]!]! += packedBytes;
  });
  const isDear = new Uint8Array(units.length);
  let saved = 0;
  // What lies in a unit has a larger index than it.
  for (let i = units.length - 1; i >= 0; i--) {
    if (heads[i] !== i) continue;
    const gain = cost[i]! - raw[i]!;
    const { parent } = units[i]!;
    if (gain > 0) {
      isDear[i] = 1;
      saved += gain;
    }
    if (parent >= 0) cost[heads[parent]!]! += Math.min(cost[i]!, raw[i]!);
  }
  const dear: number[] = [];
  units.forEach(({ parent }, i) => {
    if (parent >= 0 && isDear[heads[parent]!] === 1) isDear[heads[i]!] = 1;
    if (isDear[heads[i]!] === 1) dear.push(i);
  });
  return { dear, saved };
}

function mayBePlain(
  units: readonly Unit[],
  costs: Float64Array,
  { bytes, mapBytes, targetBytes }: { readonly bytes: number; readonly mapBytes: number; readonly targetBytes: number },
): boolean {
  const spent = costs.reduce((sum, cost) => sum + cost, mapBytes);
  const bytewise = targetBytes > QUICK_BYTES ? PLAIN_SHARE_LARGE : PLAIN_SHARE_BYTEWISE;
  const allowed = units.reduce((sum, unit) => {
    const share = isBytewise(unit) ? bytewise : PLAIN_SHARE;
    return sum + (unit.parent < 0 && unit.copyOf < 0 ? share * unit.packedBytes : 0);
  }, 0);
  return spent > allowed && spent > SAVED_SHARE * bytes && spent > NOISE_SHARE * targetBytes;
}

/** Codecs that write whole bytes; others do so where there is nothing to gain. */
const isBytewise = ({ codec, packedBytes, contentBytes }: Unit): boolean =>
  codec === CODEC_ID.lz4 || codec === CODEC_ID.lzo || packedBytes >= contentBytes;

/** What was explored, but for some units, and what lies in them: their packed bytes are raw. */
export function withoutUnits(explored: Explored, gone: ReadonlySet<number>): Explored {
  if (gone.size === 0) return explored;
  const indexes = new Int32Array(explored.units.length).fill(-1);
  let count = 0;
  const units = explored.units.filter(({ parent, continues }, i) => {
    const isGone = gone.has(i) || (parent >= 0 && indexes[parent]! < 0) || (continues && indexes[i - 1]! < 0);
    if (!isGone) indexes[i] = count++;
    return !isGone;
  });
  const indexOf = (unit: number): number => (unit < 0 ? -1 : indexes[unit]!);
  const items = explored.items.flatMap((item) => {
    const spans = item.spans.filter(({ unit }) => unit < 0 || indexOf(unit) >= 0);
    return spans.length === 0 ? [] : [{ ...item, spans: spans.map((span) => ({ ...span, unit: indexOf(span.unit) })) }];
  });
  return { ...explored, items, units: units.map((unit) => ({ ...unit, parent: indexOf(unit.parent) })) };
}
