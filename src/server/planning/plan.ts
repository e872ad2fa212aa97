/**
 * Which deltas to a release are worth making: from the versions that run out there, ordered by devices × bytes that a
 * delta saves them, then from the latest releases, which devices that were not heard of may run. A pure function.
 * @module
 */

/** A release of the same line that a delta may begin at. */
export interface PlanSource {
  readonly version: string;
  /** Of its image. */
  readonly sha256: string;
  readonly bytes: number;
}

export interface PlanInput {
  readonly target: { readonly sha256: string; readonly bytes: number };
  /** Of the target's full payload: made, or estimated. */
  readonly fullBytes: number;
  /** Releases of the line with their payloads, the latest first, without the target. */
  readonly sources: readonly PlanSource[];
  /** Devices of the line by what they run; null: not known. */
  readonly devices: readonly { readonly version: string | null; readonly devices: number }[];
  /** Digests of sources that have their delta, or whose delta was made and was not smaller. */
  readonly settled: ReadonlySet<string>;
  /** What deltas of this line came to so far, as a share of the full payload; null: nothing is known. */
  readonly knownShare: number | null;
  readonly bounds: PlanBounds;
}

export interface PlanBounds {
  /** Deltas in all. */
  readonly deltasMax: number;
  /** So many of the latest releases get one, also where no device is known to run them. */
  readonly latest: number;
  /** What making them may take, by estimate. */
  readonly cpuSecondsMax: number;
  /** What they may take of storage, by estimate. */
  readonly storageBytesMax: number;
}

export interface PlannedDelta extends PlanSource {
  readonly devices: number;
  readonly estimateBytes: number;
  /** Devices × bytes. */
  readonly savedBytes: number;
}

export interface DeltaPlan {
  /** The most valuable first. */
  readonly chosen: readonly PlannedDelta[];
  /** What runs out there and gets none. */
  readonly left: readonly { readonly version: string | null; readonly devices: number; readonly why: LeftOut }[];
}

export type LeftOut = 'unpublished' | 'untold' | 'current' | 'bounds' | 'worthless';

export const DEFAULT_BOUNDS: PlanBounds = {
  deltasMax: 16,
  latest: 3,
  cpuSecondsMax: 4 * 3600,
  storageBytesMax: 2 ** 34,
};

/** Of a line that nothing is known of. */
const USUAL_SHARE = 0.1;
/** With each release between the two more has changed. */
const SHARE_PER_RELEASE = 0.25;
const SHARE_MAX = 0.9;

/** Making a delta: CPU seconds a MiB of both images, measured over programs and root file systems, rounded up. */
const CPU_SECONDS_PER_MIB = 1.5;

const MIB = 2 ** 20;

/** What a delta over so many releases may come to. */
export function estimateDeltaBytes(fullBytes: number, releasesBetween: number, knownShare: number | null): number {
  const share = (knownShare ?? USUAL_SHARE) * (1 + SHARE_PER_RELEASE * releasesBetween);
  return Math.ceil(fullBytes * Math.min(SHARE_MAX, share));
}

/** The plan. The same input gives the same plan. */
export function planDeltas(input: PlanInput): DeltaPlan {
  const { target, sources, settled, bounds } = input;
  const running = countVersions(input.devices);
  const known = new Map(sources.map((source) => [source.version, source]));
  const left: { version: string | null; devices: number; why: LeftOut }[] = [];
  for (const [version, devices] of running) {
    const why = version === null ? 'untold' : known.get(version) === undefined ? 'unpublished' : null;
    if (why !== null) left.push({ version, devices, why });
    else if (known.get(version!)!.sha256 === target.sha256) left.push({ version, devices, why: 'current' });
  }
  const wanted = new Map<string, PlannedDelta>();
  sources.forEach((source, releasesBetween) => {
    const devices = running.get(source.version) ?? 0;
    if (source.sha256 === target.sha256 || settled.has(source.sha256)) return;
    if (devices === 0 && releasesBetween >= bounds.latest) return;
    const estimateBytes = estimateDeltaBytes(input.fullBytes, releasesBetween, input.knownShare);
    // Several versions may be one image.
    const before = wanted.get(source.sha256);
    const all = devices + (before?.devices ?? 0);
    const savedBytes = all * Math.max(0, input.fullBytes - estimateBytes);
    wanted.set(source.sha256, { ...(before ?? source), devices: all, estimateBytes, savedBytes });
  });
  const ordered = [...wanted.values()];
  // Sorting is stable: of equals the later release, and so are those that nobody runs.
  ordered.sort((a, b) => b.savedBytes - a.savedBytes);
  const chosen = withinBounds(ordered, target.bytes, bounds);
  for (const delta of ordered) {
    if (delta.devices > 0 && !chosen.includes(delta)) {
      left.push({ version: delta.version, devices: delta.devices, why: delta.savedBytes > 0 ? 'bounds' : 'worthless' });
    }
  }
  return { chosen, left };
}

/** As many of the most valuable as the bounds allow; a large one that does not fit leaves room for the next. */
function withinBounds(ordered: readonly PlannedDelta[], targetBytes: number, bounds: PlanBounds): PlannedDelta[] {
  let [cpuSeconds, storageBytes] = [0, 0];
  const chosen: PlannedDelta[] = [];
  for (const delta of ordered) {
    if (chosen.length >= bounds.deltasMax) break;
    const cpu = (CPU_SECONDS_PER_MIB * (delta.bytes + targetBytes)) / MIB;
    if (delta.devices > 0 && delta.savedBytes === 0) continue;
    if (cpuSeconds + cpu > bounds.cpuSecondsMax || storageBytes + delta.estimateBytes > bounds.storageBytesMax)
      continue;
    cpuSeconds += cpu;
    storageBytes += delta.estimateBytes;
    chosen.push(delta);
  }
  return chosen;
}

function countVersions(rows: PlanInput['devices']): Map<string | null, number> {
  const counts = new Map<string | null, number>();
  for (const { version, devices } of rows) counts.set(version, (counts.get(version) ?? 0) + devices);
  return counts;
}
