/**
 * What a rollout costs before it starts: bytes by wave, who gets a delta, who has to take the full payload and why. A pure
 * function of counts, so that a million devices cost what their versions cost.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { payloadFor, type OfferedPayload } from '../store/payload-for.ts';

export interface PriceInput {
  /** The version that is rolled out: who runs it takes nothing. */
  readonly version: string;
  readonly payloads: readonly OfferedPayload[];
  readonly counts: readonly {
    readonly version: string | null;
    readonly decodes: readonly string[] | null;
    readonly devices: number;
  }[];
  /** Versions with a delta that is still being made. */
  readonly making?: ReadonlySet<string>;
  /** Percent of the devices in each wave, in their order, 100 in all. Default: one wave. */
  readonly groups?: readonly number[];
  /** Of 10^6 bytes, in whatever money. */
  readonly pricePerMb?: number;
  /** Of one device's link. */
  readonly linkBits?: number;
}

export const FULL_REASONS = ['no delta', 'delta in the making', 'decoder too old', 'version unknown'] as const;
export type FullReason = (typeof FULL_REASONS)[number];

export interface RolloutPrice {
  readonly devices: number;
  /** They run it. */
  readonly current: number;
  /** There is nothing that they could take: a release for foreign clients alone. */
  readonly without: number;
  readonly deltas: number;
  /** Of the devices that take anything, those that take a delta; 0 to 1. */
  readonly deltaShare: number;
  readonly largestDeltaBytes: number | null;
  readonly bytes: number;
  /** What it would be without deltas. */
  readonly fullOnlyBytes: number;
  readonly full: readonly { readonly version: string | null; readonly devices: number; readonly why: FullReason }[];
  readonly waves: readonly RolloutWave[];
  readonly money: number | null;
  /** What a download takes, at the link's speed: of the largest payload that a device takes, and on average. */
  readonly minutes: { readonly longest: number; readonly mean: number } | null;
}

export interface RolloutWave {
  readonly percent: number;
  readonly devices: number;
  readonly bytes: number;
  readonly deltas: number;
}

/** Devices that take the same. */
interface Taking {
  readonly devices: number;
  readonly payload: Pick<OfferedPayload, 'kind' | 'bytes'>;
}

/** Throws UpdateError usage_invalid for groups that are no percentages of a whole, or prices that are none. */
export function priceRollout(input: PriceInput): RolloutPrice {
  const groups = checkedGroups(input.groups ?? [100]);
  for (const [name, value] of [
    ['price per MB', input.pricePerMb],
    ['link', input.linkBits],
  ] as const) {
    if (value !== undefined && !(value > 0)) throw new UpdateError('usage_invalid', `the ${name} is a number above 0`);
  }
  const full: { version: string | null; devices: number; why: FullReason }[] = [];
  const takings: Taking[] = [];
  let [devices, current, without] = [0, 0, 0];
  for (const count of input.counts) {
    devices += count.devices;
    if (count.version === input.version) {
      current += count.devices;
      continue;
    }
    const taken = taking(input, count);
    if (taken === null) without += count.devices;
    else takings.push({ devices: count.devices, payload: taken.payload });
    if (taken?.why !== undefined) full.push({ version: count.version, devices: count.devices, why: taken.why });
  }
  const all = totals(takings);
  const fullBytes = input.payloads.find(({ kind }) => kind === 'full')?.bytes ?? 0;
  const largest = (kind?: string): number =>
    takings.reduce(
      (max, { payload }) => (kind === undefined || payload.kind === kind ? Math.max(max, payload.bytes) : max),
      0,
    );
  const { linkBits, pricePerMb } = input;
  const minutes = (bytes: number): number => (8 * bytes) / linkBits! / 60;
  return {
    ...{ devices, current, without, deltas: all.deltas, bytes: all.bytes },
    deltaShare: all.devices === 0 ? 0 : all.deltas / all.devices,
    largestDeltaBytes: all.deltas === 0 ? null : largest('delta'),
    fullOnlyBytes: all.devices * fullBytes,
    full: full.sort((a, b) => b.devices - a.devices),
    waves: wavesOf(takings, groups),
    money: pricePerMb === undefined ? null : (all.bytes / 1e6) * pricePerMb,
    minutes:
      linkBits === undefined
        ? null
        : { longest: minutes(largest()), mean: all.devices === 0 ? 0 : minutes(all.bytes / all.devices) },
  };
}

/** What devices of a kind take; null: nothing. */
function taking(
  { payloads, making }: PriceInput,
  { version, decodes }: PriceInput['counts'][number],
): { payload: Taking['payload']; why?: FullReason } | null {
  const payload = payloadFor(payloads, version, decodes);
  if (payload === null || payload.kind === 'delta') return payload && { payload };
  if (version === null) return { payload, why: 'version unknown' };
  if (payloads.some(({ source }) => source?.version === version)) return { payload, why: 'decoder too old' };
  return { payload, why: making?.has(version) === true ? 'delta in the making' : 'no delta' };
}

/** The same mix of versions in every wave; no device is lost or counted twice by rounding. */
function wavesOf(takings: readonly Taking[], groups: readonly number[]): RolloutWave[] {
  let percentBefore = 0;
  return groups.map((percent) => {
    const upTo = (devices: number, share: number): number => Math.round((devices * Math.min(100, share)) / 100);
    const inWave = takings.map(({ devices, payload }) => ({
      payload,
      devices: upTo(devices, percentBefore + percent) - upTo(devices, percentBefore),
    }));
    percentBefore += percent;
    return { percent, ...totals(inWave) };
  });
}

function totals(takings: readonly Taking[]): { devices: number; bytes: number; deltas: number } {
  let [devices, bytes, deltas] = [0, 0, 0];
  for (const taken of takings) {
    devices += taken.devices;
    bytes += taken.devices * taken.payload.bytes;
    if (taken.payload.kind === 'delta') deltas += taken.devices;
  }
  return { devices, bytes, deltas };
}

function checkedGroups(groups: readonly number[]): readonly number[] {
  const sum = groups.reduce((all, percent) => all + percent, 0);
  const isGood =
    groups.length > 0 && groups.length <= LIMITS.rollout_groups_max && groups.every((percent) => percent > 0);
  if (isGood && Math.abs(sum - 100) < 1e-6) return groups;
  throw new UpdateError('usage_invalid', `groups are percentages above 0 with a sum of 100, not of ${sum}`);
}
