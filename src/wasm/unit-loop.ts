/**
 * The loop over units in WebAssembly: the same bytes as ReferenceUnits, two to three times as fast. It lives in the
 * coder's module and memory, where the address map is placed behind the tables, and each run is copied to a window.
 * @module
 */
import type { Plan } from '../../native-free/format/plan.ts';
import type { RegionKind } from '../../native-free/format/regions.ts';
import type { WorkMeter } from '../../native-free/format/work.ts';
import { LIMITS } from '../../native-free/limits.ts';
import type { Stretch, UnitLoop } from '../../native-free/model/unit-loop.ts';
import { stretchesOf } from '../../native-free/predict/address-map.ts';
import { AddressSpace } from '../../native-free/predict/address-space.ts';
import type { Run } from '../../native-free/predict/unit-reader.ts';
import { UpdateError } from '../../native-free/status.ts';

/** What the module exports for the loop. */
export interface UnitExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Addresses of `count` bytes for the map (0: there are none), of the windows of both sides, of the bases of a run. */
  mapRoom(count: number): number;
  sourceRoom(): number;
  targetRoom(): number;
  baseRoom(): number;
  /** 1 or 0. */
  knowsKind(kind: number): number;
  placeMap(at: number, count: number): void;
  forgetLoop(): void;
  selectModule(
    module: number,
    sourceHigh: number,
    targetHigh: number,
    first: number,
    last: number,
    mapFrom: number,
    mapTo: number,
  ): void;
  beginRun(kind: number, length: number, sourceVa: number, targetVa: number, region: number, bases: number): void;
  resetUnits(): void;
  beginCover(): void;
  codeUnits(from: number, end: number, phase: number, coverLeft: number): number;
  spent(): number;
}

/** What differs between the loops of two profiles. */
export interface LoopCalls {
  reset(): void;
  begin(): void;
  /** Bytes [from, end) of the run in its window. */
  code(kind: RegionKind, from: number, end: number, phase: number, coverLeft: number): number;
  /** Look-ups since this was asked last. */
  spent(): number;
}

function mixing(exports: UnitExports): LoopCalls {
  return {
    reset: exports.resetUnits,
    begin: exports.beginCover,
    code: (_, from, end, phase, coverLeft) => exports.codeUnits(from, end, phase, coverLeft),
    spent: exports.spent,
  };
}

/** The coder whose memory it is. */
interface Coder {
  readonly encoding: boolean;
  readonly work: WorkMeter;
}

/** What is read in one go, a unit or the two of an address of 64 bits, may cross the end of what is to be coded. */
const CROSSING_BYTES_MAX = 7;

/** Whose map a module's memory holds: another loop of the same coder places its own. */
const placed = new WeakMap<UnitExports, WasmUnits>();

/** The loop for a plan, or null where regions are of a kind that the module does not know, or its memory does not do. */
export function unitLoopOf(
  exports: UnitExports,
  coder: Coder,
  plan: Plan,
  calls: LoopCalls = mixing(exports),
): UnitLoop | null {
  if (plan.source.regions.some(({ kind }) => exports.knowsKind(kind) === 0)) return null;
  try {
    return new WasmUnits(exports, coder, plan, calls);
  } catch (error) {
    if (UpdateError.is(error) && error.code === 'memory_exceeded') return null;
    throw error;
  }
}

class WasmUnits implements UnitLoop {
  readonly #exports: UnitExports;
  readonly #calls: LoopCalls;
  readonly #coder: Coder;
  readonly #plan: Plan;
  readonly #space: AddressSpace;
  /** Where each module's part of the map begins, and where the last one ends. */
  #first: Uint32Array = new Uint32Array(1);
  #run: Run | null = null;
  /** The windows: views that go when the memory grows. */
  #source = new Uint8Array(0);
  #target = new Uint8Array(0);
  #bases = new Int32Array(0);

  /** @throws UpdateError memory_exceeded where there is no memory for the map. */
  constructor(exports: UnitExports, coder: Coder, plan: Plan, calls: LoopCalls) {
    this.#exports = exports;
    this.#calls = calls;
    this.#coder = coder;
    this.#plan = plan;
    this.#space = new AddressSpace(plan.source, plan.target);
    this.#place();
  }

  reset(): void {
    if (placed.get(this.#exports) !== this) this.#place();
    this.#calls.reset();
    this.#run = null;
  }

  /** Lays the map down in the module's memory, and keeps nothing of it here. */
  #place(): void {
    const { mapRoom, memory, placeMap, forgetLoop } = this.#exports;
    const { covers, source, target } = this.#plan;
    const { start, last, delta, first } = stretchesOf(covers, source, target);
    const count = start.length;
    const at = mapRoom(12 * count);
    if (at === 0) throw new UpdateError('memory_exceeded', `there is no memory for ${count} stretches`);
    const map = new Uint32Array(memory.buffer, at, 3 * count);
    map.set(start);
    map.set(last, count);
    map.set(delta, 2 * count);
    placeMap(at, count);
    forgetLoop();
    this.#first = first;
    this.#space.module = -1;
    placed.set(this.#exports, this);
  }

  begin(): void {
    this.#calls.begin();
  }

  select(module: number): void {
    const space = this.#space;
    if (space.isSelected(module)) return;
    space.select(module);
    const from = this.#first[module] ?? 0;
    const to = this.#first[module + 1] ?? from;
    // Addresses have 32 bits; a module that ends behind the last of them ends there.
    const last = Math.min(0xffffffff, space.last);
    this.#exports.selectModule(module, space.sourceHigh, space.targetHigh, space.first, last, from, to);
  }

  beginRun(kind: RegionKind, run: Run): void {
    if (run !== this.#run) this.#copy(run);
    const bases = this.#plan.bases[run.region] ?? [];
    for (const [i, { source, target, scale }] of bases.entries()) this.#bases.set([source, target, scale], 3 * i);
    const { start, end, sourceVa, targetVa, region } = run;
    this.#exports.beginRun(kind, end - start, sourceVa, targetVa, region, bases.length);
  }

  #copy(run: Run): void {
    if (run.end - run.start > LIMITS.source_window_bytes) {
      throw new UpdateError('bug', `a run of ${run.end - run.start} bytes is longer than any piece`);
    }
    this.#run = run;
    this.#look();
    this.#source.set(run.source.subarray(run.start, run.end));
  }

  #look(): void {
    const { memory, sourceRoom, targetRoom, baseRoom } = this.#exports;
    const { buffer } = memory;
    if (this.#source.buffer === buffer) return;
    this.#source = new Uint8Array(buffer, sourceRoom(), LIMITS.source_window_bytes);
    this.#target = new Uint8Array(buffer, targetRoom(), LIMITS.source_window_bytes);
    this.#bases = new Int32Array(buffer, baseRoom(), 3 * LIMITS.bases_max);
  }

  code({ run, regionKind, from, end, coverLeft }: Stretch, target: Uint8Array, at: number): number {
    const { encoding, work } = this.#coder;
    const { start } = run;
    const first = from - start;
    if (encoding) {
      const last = Math.min(run.end, end + CROSSING_BYTES_MAX) - from;
      this.#target.set(target.subarray(at, at + last), first);
    }
    const done = this.#calls.code(regionKind, first, end - start, at, coverLeft);
    work.spent += this.#calls.spent();
    if (!encoding) target.set(this.#target.subarray(first, done), at);
    return start + done;
  }
}
