/**
 * What the engine asks of its worker threads. Images and indexes are in shared memory, so that a task costs no copy; everything that comes back is small.
 *
 * @module
 */
import type { SparseImage } from '../../../native-free/diff/fills/sparse-image.ts';
import type { CodedPlan, SegmentCosts } from '../../../native-free/diff/write/encode-segment.ts';
import type { Images } from '../../../native-free/diff/images.ts';
import type { Layout } from '../../../native-free/format/regions.ts';
import type { PairedLayouts } from '../../../native-free/diff/layout/pair-regions.ts';
import type { Tables } from '../../../native-free/diff/naming/find-bases.ts';
import type { OpenRanges, ParsedTarget } from '../../../native-free/diff/match/matching.ts';
import type {
  FinishedPlan,
  ImageParts,
  Matched,
  OpenWindow,
  PlanWishes,
  Window,
} from '../../../native-free/diff/stages.ts';
import type { Container } from '../../../native-free/diff/containers/container.ts';
import type { ExploredImage } from '../../../native-free/diff/units/select.ts';
import type { StreamRun, UnpackedRun } from '../../../native-free/diff/units/stream-runs.ts';
import type { UnpackedPair } from '../../../native-free/diff/units/unpack-pair.ts';
import type { EncodedUnitSegment } from '../../../native-free/diff/write/encode-unit-segment.ts';
import type { CoverList } from '../../../native-free/format/cover.ts';
import type { MatchIndex } from '../../wasm/matching.ts';
import type { ProofPart, ProvenPart } from '../proof-parts.ts';
import type { StatusCode } from '../../../native-free/status.ts';

/** Digest of a whole image, fills included. */
interface DigestTask {
  readonly kind: 'digest';
  readonly image: SparseImage;
}

/** Structure of both images. */
interface AnalyseTask {
  readonly kind: 'analyse';
  readonly images: Images;
  readonly parts?: ImageParts | undefined;
}

/** How many bytes of the target resemble the source, by long parts alone. */
interface AlikeTask {
  readonly kind: 'alike';
  readonly images: Images;
}

/** A copy of an image with all references masked. */
interface MaskTask {
  readonly kind: 'mask';
  readonly image: Uint8Array;
  readonly layout: Layout;
  readonly copy: Uint8Array;
}

/** Coarse covers of masked copies. */
interface AlignTask {
  readonly kind: 'align';
  readonly copies: Images;
}

/** What is known of tables, given covers. */
interface TablesTask {
  readonly kind: 'tables';
  readonly images: Images;
  readonly layouts: PairedLayouts;
  readonly covers: CoverList;
}

/** The canonical copy of one image. */
interface NameTask {
  readonly kind: 'name';
  readonly image: Uint8Array;
  readonly layouts: PairedLayouts;
  readonly tables: Tables;
  /** Of a target; null: it is the source. */
  readonly covers: CoverList | null;
  readonly copy: Uint8Array;
}

/** What there is to do in a window of two copies, and an index for it. */
interface IndexTask {
  readonly kind: 'index';
  readonly copies: Images;
  readonly window: Window;
  /** Nobody asks it any more. */
  readonly used: MatchIndex | undefined;
  /** The source itself, where its copy is to be parsed. */
  readonly plain: Uint8Array | undefined;
}

/** Covers of some open ranges of a window, in masked copies. */
interface CoversTask {
  readonly kind: 'covers';
  readonly index: MatchIndex;
  readonly target: Uint8Array;
  readonly ranges: OpenRanges;
}

/** The same in canonical copies, by cost. */
interface ParseTask {
  readonly kind: 'parse';
  readonly index: MatchIndex;
  readonly target: ParsedTarget;
  readonly ranges: OpenRanges;
  readonly seeds: CoverList;
}

/** The plan of a delta. */
interface PlanTask {
  readonly kind: 'plan';
  readonly images: Images;
  readonly matched: Matched;
  /** Null: to be chosen. */
  readonly wanted: PlanWishes;
}

/** One segment of a delta. */
interface EncodeTask {
  readonly kind: 'encode';
  readonly images: Images;
  readonly coded: CodedPlan;
  readonly start: number;
  readonly end: number;
  /** Count what each stream costs: slower, the same bytes. */
  readonly metered: boolean;
}

/** Containers in each of some byte strings. */
interface FindTask {
  readonly kind: 'find';
  readonly views: readonly Uint8Array[];
}

/** Streams, taken apart and made again to see that they come back. */
interface ExploreTask {
  readonly kind: 'explore';
  readonly runs: readonly StreamRun[];
}

/** Two explored images, laid out for each other. */
interface UnpackTask {
  readonly kind: 'unpack';
  readonly source: ExploredImage;
  readonly target: ExploredImage;
}

/** One segment of a delta between images with units. */
interface EncodeUnitsTask {
  readonly kind: 'encode-units';
  readonly images: Images;
  readonly unpacked: UnpackedPair;
  readonly coded: CodedPlan;
  readonly start: number;
  readonly end: number;
  readonly metered: boolean;
}

/** One segment of a full payload. */
interface FullTask {
  readonly kind: 'full';
  readonly target: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Apply some segments of a payload and compare what comes out with the target. */
export interface ProveTask extends ProofPart {
  readonly kind: 'prove';
  readonly payload: Uint8Array;
  readonly source: SparseImage;
  readonly target: SparseImage;
  /** Element 0 counts the KiB that all parts have proved, for progress. Shared. */
  readonly doneKib: Int32Array;
}

export type Task =
  | DigestTask
  | AnalyseTask
  | MaskTask
  | AlikeTask
  | AlignTask
  | IndexTask
  | CoversTask
  | TablesTask
  | NameTask
  | ParseTask
  | PlanTask
  | EncodeTask
  | FindTask
  | ExploreTask
  | UnpackTask
  | EncodeUnitsTask
  | FullTask
  | ProveTask;

/** What each task gives back. */
export interface TaskResults {
  digest: Uint8Array;
  analyse: PairedLayouts;
  mask: true;
  alike: number;
  align: CoverList;
  /** Null: nothing is open. */
  index: { readonly opened: OpenWindow; readonly index: MatchIndex | null };
  covers: CoverList;
  tables: Tables;
  name: true;
  parse: CoverList;
  plan: FinishedPlan;
  encode: {
    readonly encoded: Uint8Array;
    readonly digest: Uint8Array;
    readonly work: number;
    readonly costs: SegmentCosts | null;
  };
  find: readonly (readonly Container[])[];
  explore: readonly UnpackedRun[];
  unpack: UnpackedPair | null;
  'encode-units': EncodedUnitSegment & { readonly digest: Uint8Array };
  full: { readonly encoded: Uint8Array; readonly digest: Uint8Array };
  prove: ProvenPart;
}

/** An UpdateError does not survive the way between threads as one; its parts do. */
interface TaskFailure {
  readonly code: StatusCode;
  readonly message: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface TaskOutcome<R> {
  readonly result?: R;
  readonly failure?: TaskFailure;
  readonly cpuSeconds: number;
}
