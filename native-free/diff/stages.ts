/**
 * How a delta is made, stage by stage. Each stage is a pure function of images and of what earlier stages found, so that
 * it can run on any thread. match-images.ts says how the first five follow each other; who calls it decides on threads
 * and memory.
 *
 * 1. `analyse`: the structure of both images.
 * 2. `maskReferences` of each image: a copy with all references alike; `alignMasked`: their coarse alignment.
 * 3. `matchMasked`, for each window of the target: what resembles what, good enough for an address map.
 * 4. `tablesOf`, then `nameSource` and `nameTarget`: copies in which references are what they mean, given the covers so far.
 * 5. `matchNamed`, for each window of the target: covers by cost.
 * 6. `finishPlan`: covers trimmed, bases of tables, the plan's bytes.
 * 7. SegmentEncoder, for each segment.
 * @module
 */
import { coverAt, coverListOf, coversIn, firstCoverEndingAfter, type Cover, type CoverList } from '../format/cover.ts';
import type { Layout } from '../format/regions.ts';
import { LIMITS } from '../limits.ts';
import { referenceModels } from '../model/mix-coder.ts';
import type { ModelCoderFactory } from '../model/model-coder.ts';
import type { ModelSizes } from '../format/model-sizes.ts';
import { decodePlan, encodePlan, needsOf, type PlanCosts, type PlanNeeds } from '../model/plan-coder.ts';
import { AddressMap } from '../predict/address-map.ts';
import { UpdateError } from '../status.ts';
import { rangesOf, type Images, type TargetRange } from './images.ts';
import { canonicalImage, masked, sourceNames, targetNames } from './naming/canonical.ts';
import { coarseCovers } from './match/coarse-align.ts';
import { PROFILE_SEGMENT_BYTES, PROFILE_SIZES, type Profile } from '../format/profile.ts';
import { modelSizesFor, segmentBytesOf, type CodedPlan } from './write/encode-segment.ts';
import { findBases, findTables, inverted, type Tables } from './naming/find-bases.ts';
import { layoutOf } from './layout/layout.ts';
import type { NamedLayout } from './layout/named-layout.ts';
import { pairModules } from './layout/pair-modules.ts';
import { pairRegions, withBases, type PairedLayouts } from './layout/pair-regions.ts';
import { referenceMatching, type Matching } from './match/matching.ts';
import { matchLength } from './match/source-index.ts';
import { coversOf, settle, type Settled } from './match/settled.ts';
import { SourceView, sourceViewFor, type SourceRanges } from './match/source-view.ts';
import { trimCovers } from './write/trim-covers.ts';

/** About how many target bytes are matched at a time. Part of what decides a patch's bytes. */
export const WINDOW_BYTES = 16 * 2 ** 20;
/** A window is cut at multiples of this. */
const WINDOW_STEP_BYTES = 64 * 1024;
/** A window is matched with so much more of the source than it has bytes itself, at most. */
const VIEW_SURPLUS_BYTES = 4 * 2 ** 20;
/** Most bytes of a window, and of what it is matched with. */
export const WINDOW_BYTES_MAX = 1.5 * WINDOW_BYTES + WINDOW_STEP_BYTES;
export const VIEW_BYTES_MAX = 1.25 * WINDOW_BYTES_MAX + VIEW_SURPLUS_BYTES;
const NEAR_BYTES = 2 ** 20;

/** What is known of a pair of images before its payload is encoded. */
export interface Matched {
  readonly layouts: PairedLayouts;
  readonly covers: CoverList;
}

/** Which module of the source each of the target comes from; -1 also where it is the same to the byte: that is copied. */
function changedPairs(images: Images, source: NamedLayout, target: NamedLayout): Int32Array {
  return pairModules(source, target).map((from, to) => {
    if (from < 0) return from;
    const a = source.modules[from]!;
    const b = target.modules[to]!;
    if (a.length !== b.length) return from;
    return matchLength(images.source, a.offset, images.target, b.offset, 0, a.length) === a.length ? -1 : from;
  });
}

/** Images within the images, in their order. */
export interface ImageParts {
  readonly source: readonly TargetRange[];
  readonly target: readonly TargetRange[];
}

/** Stage 1. */
export function analyse(images: Images, parts?: ImageParts): PairedLayouts {
  const source = layoutOf(images.source, parts?.source);
  const target = layoutOf(images.target, parts?.target);
  return pairRegions(source, target, changedPairs(images, source, target));
}

/** Stage 2, for each image. `copy`, which has the image's length, is overwritten. */
export function maskReferences(image: Uint8Array, layout: Layout, copy: Uint8Array): void {
  canonicalImage(image, layout, masked, [], copy);
}

/** Stage 2, of masked copies. */
export function alignMasked(copies: Images): CoverList {
  return coverListOf(coarseCovers(copies.source, copies.target));
}

/** A window of the target to be matched, with all covers that are known so far. */
export interface Window extends TargetRange {
  readonly covers: CoverList;
}

/** The windows of a target: of equal size, as near to WINDOW_BYTES as may be. */
export function windowsOf(targetBytes: number): TargetRange[] {
  const count = Math.max(1, Math.round(targetBytes / WINDOW_BYTES));
  const step = Math.ceil(targetBytes / count / WINDOW_STEP_BYTES) * WINDOW_STEP_BYTES;
  return rangesOf(targetBytes, step);
}

/** A window with what is settled of it, and the part of the source that the rest is matched with: data only. */
export interface OpenWindow {
  readonly settled: Settled;
  readonly view: SourceRanges;
  /** What is known of the open parts already, as covers of the view. */
  readonly seeds: CoverList;
}

/** What there is to do in a window of two copies. */
export function openWindow(copies: Images, window: Window): OpenWindow {
  const { start, end } = window;
  const known = coversNear(window);
  const settled = settle(copies.source, copies.target, known, start, end);
  const openBytes = settled.open.reduce((sum, [from, to]) => sum + to - from, 0);
  const most = Math.floor(1.25 * (end - start)) + VIEW_SURPLUS_BYTES;
  // The whole source is taken where it is small, unless little of the window is open.
  const isLittle = openBytes < (end - start) / 2 && copies.source.length > VIEW_SURPLUS_BYTES;
  const near = isLittle ? coversOf(known, settled.open, WINDOW_STEP_BYTES) : known;
  const view = sourceViewFor(
    copies.source,
    near,
    start,
    end,
    isLittle ? Math.min(most, copies.source.length - 1) : most,
  );
  return { settled, view: view.ranges, seeds: coverListOf(view.toView(known)) };
}

/** Settled covers and those that were found between them, in target order. */
export function joinWindow(source: Uint8Array, { settled, view }: OpenWindow, found: CoverList): CoverList {
  const between = new SourceView(source, view).toSource(coversIn(found));
  return coverListOf([...settled.covers, ...between].sort((a, b) => a.targetOffset - b.targetOffset));
}

/** Covers that touch the window or its neighbourhood. Only within a window covers are objects. */
function coversNear({ covers, start, end }: Window): Cover[] {
  const near: Cover[] = [];
  for (let i = firstCoverEndingAfter(covers, start - NEAR_BYTES); i < covers.count; i++) {
    if (covers.targetOffset[i]! >= end + NEAR_BYTES) break;
    near.push(coverAt(covers, i));
  }
  return near;
}

/** Stage 3: exact and approximate matches of a window of masked images. */
export function matchMasked(copies: Images, window: Window, matching: Matching = referenceMatching()): CoverList {
  const opened = openWindow(copies, window);
  const { open } = opened.settled;
  if (open.length === 0) return coverListOf(opened.settled.covers);
  const index = matching.index(new SourceView(copies.source, opened.view));
  matching.begin(index);
  return joinWindow(copies.source, opened, matching.findCovers(index, copies.target, open));
}

/** Stage 4: what is known of both images' tables. */
export function tablesOf(images: Images, layouts: PairedLayouts, covers: CoverList): Tables {
  const { source, target } = layouts;
  return findTables(images.source, images.target, { covers, source, target }, layouts);
}

/** Stage 4: the copy of the source becomes canonical. Equal bytes of both mean that the coder will expect the right thing. */
export function nameSource(image: Uint8Array, layouts: PairedLayouts, tables: Tables, copy: Uint8Array): void {
  canonicalImage(image, layouts.source, sourceNames(), tables.source, copy);
}

/** Stage 4: the copy of the target becomes canonical. */
export function nameTarget(image: Uint8Array, { layouts, tables }: Naming, covers: CoverList, copy: Uint8Array): void {
  const inverse = new AddressMap(inverted(covers), layouts.target, layouts.source);
  canonicalImage(image, layouts.target, targetNames(inverse), tables.target, copy);
}

/** What it takes to name a target again with better covers. */
export interface Naming {
  readonly layouts: PairedLayouts;
  readonly tables: Tables;
}

/**
 * Stage 5: covers by cost of a window of canonical images. Where the window is the whole target, `refine` may be given:
 * the target is then named by the covers just found (in `copies`) and parsed once more with the same index.
 */
export function matchNamed(
  images: Images,
  copies: Images,
  window: Window,
  matching: Matching = referenceMatching(),
  refine: Naming | null = null,
): CoverList {
  const { source, target } = copies;
  const opened = openWindow(copies, window);
  const { open } = opened.settled;
  if (open.length === 0) return coverListOf(opened.settled.covers);
  const { view } = opened;
  const index = matching.index(new SourceView(source, view), undefined, new SourceView(images.source, view));
  const parse = (seeds: CoverList): CoverList => {
    matching.begin(index);
    return joinWindow(source, opened, matching.parseCovers(index, { target, plain: images.target }, open, seeds));
  };
  const found = parse(opened.seeds);
  if (refine === null) return found;
  nameTarget(images.target, refine, found, target);
  return parse(seedsOf(source, opened, found));
}

/** What was found in a window, to be tried in it once more. */
export function seedsOf(source: Uint8Array, { view }: OpenWindow, found: CoverList): CoverList {
  return coverListOf(new SourceView(source, view).toView(coversIn(found)));
}

function sizesOf(profile: Profile, covers: CoverList, targetBytes: number, segmentBytes: number): ModelSizes {
  const most = PROFILE_SIZES[profile];
  return profile === 'low-memory' ? most : modelSizesFor(covers, targetBytes, segmentBytes, most);
}

/** What segments are coded with, and what stands in the payload of it. */
export interface FinishedPlan extends CodedPlan {
  readonly bytes: Uint8Array;
  readonly costs: PlanCosts;
  readonly needs: PlanNeeds;
  readonly segmentBytes: number;
}

/** What is chosen where it is not wanted. */
export interface PlanWishes {
  /** Default `small`. */
  readonly profile?: Profile;
  readonly segmentBytes?: number | null;
  readonly modelSizes?: ModelSizes | null;
}

/**
 * Stage 6; the size of segments and of model tables is chosen where none is wanted. All `models` give the same bytes.
 * @throws UpdateError limit_exceeded for a plan longer than any may be
 */
export function finishPlan(
  images: Images,
  { layouts, covers }: Matched,
  wanted: PlanWishes = {},
  models: ModelCoderFactory = referenceModels,
): FinishedPlan {
  const { source, target } = layouts;
  const trimmed = trimCovers(covers, source, target);
  const bases = findBases(images.source, images.target, { covers: trimmed, source, target }, layouts);
  const costs: PlanCosts = { covers: 0, regions: 0 };
  const sizes = { sourceBytes: images.source.length, targetBytes: images.target.length };
  const profile = wanted.profile ?? 'small';
  const usual = PROFILE_SEGMENT_BYTES[profile] ?? segmentBytesOf(trimmed, images.target.length);
  const segmentBytes = wanted.segmentBytes ?? usual;
  const modelSizes = wanted.modelSizes ?? sizesOf(profile, trimmed, images.target.length, segmentBytes);
  const bytes = encodePlan(trimmed, withBases(layouts, bases), sizes, costs, modelSizes, models);
  if (bytes.length > LIMITS.plan_bytes_max)
    throw new UpdateError('limit_exceeded', `a plan of ${bytes.length} bytes is over ${LIMITS.plan_bytes_max}`);
  // What the decoder will know, and nothing else, is what segments are encoded with.
  const coder = models(false, modelSizes);
  const plan = decodePlan(bytes, sizes, undefined, coder);
  return { plan, bytes, costs, needs: needsOf(plan, coder), modelSizes, segmentBytes };
}
