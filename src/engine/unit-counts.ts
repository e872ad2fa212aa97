/**
 * What a delta has to do with compressed units: for the report, and to see how much a device reads for what it needs.
 * @module
 */
import type { UnitMaps } from '../../native-free/unpack/map/map-coder.ts';

/** Kinds of containers, with how many of each an image has. */
type ContainerCounts = Readonly<Record<string, number>>;

export interface PairContainers {
  readonly source: ContainerCounts;
  readonly target: ContainerCounts;
}

export interface UnitCounts {
  /** Units that were taken apart. */
  readonly source: number;
  readonly target: number;
  /** Units of the target that are those of the source, byte for byte. */
  readonly copied: number;
  /** Units of the source that a decoder unpacks: each once, however many segments need it. */
  readonly needed: number;
  /** The same summed over segments, each of which is decoded on its own. */
  readonly neededBySegment: number;
  /** How often a decoder unpacks a unit of the source. Over `needed` it is what reading is amplified by. */
  readonly unpacked: number;
}

/** What was found when a pair was looked into; numbers are of the target. */
export interface FoundUnits {
  readonly containers: PairContainers;
  /** Compressed streams of its containers. */
  readonly streams: number;
  /** Those that can be made again, and are not left packed for what they cost. */
  readonly units: number;
  /** Those that are. */
  readonly dear: number;
}

/** What a delta says of its units. Streams of the target are replayed, copied, unchanged or raw. */
export interface UnitReport extends UnitCounts {
  readonly containers: PairContainers;
  readonly streams: number;
  readonly replayed: number;
  /** Both images have them to the byte, and nothing asked for what is in them: they stay packed. */
  readonly unchanged: number;
  /** They do not come back exactly, or are dearer than their bytes. */
  readonly raw: number;
  /** The latter, of the raw ones. */
  readonly dear: number;
}

export function reportOf(counts: UnitCounts, { containers, streams, units, dear }: FoundUnits): UnitReport {
  const { target, copied } = counts;
  const modes = { replayed: target - copied, unchanged: units - target, raw: streams - units, dear };
  return { ...counts, containers, streams, ...modes };
}

interface SegmentUnits {
  readonly unitsNeeded: Uint32Array;
  readonly unitsUnpacked: number;
}

export function countUnits({ source, target }: UnitMaps, segments: readonly SegmentUnits[]): UnitCounts {
  const needed = new Set(segments.flatMap(({ unitsNeeded }) => [...unitsNeeded]));
  const sum = (count: (segment: SegmentUnits) => number): number =>
    segments.reduce((total, segment) => total + count(segment), 0);
  return {
    source: source.units.length,
    target: target.units.length,
    copied: target.units.filter(({ copyOf }) => copyOf >= 0).length,
    needed: needed.size,
    neededBySegment: sum(({ unitsNeeded }) => unitsNeeded.length),
    unpacked: sum(({ unitsUnpacked }) => unitsUnpacked),
  };
}
