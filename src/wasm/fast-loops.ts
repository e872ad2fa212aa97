/**
 * The loops of the fast profile in WebAssembly, for decoders: the same bytes as FastUnits and FastLiterals. Which blocks
 * of literals are stored is asked here; all else of a segment is decoded in the module.
 * @module
 */
import type { Plan } from '../../native-free/format/plan.ts';
import { LIMITS } from '../../native-free/limits.ts';
import type { LiteralRun } from '../../native-free/model/literals/literal-models.ts';
import { blockEnd, StoredBlocks } from '../../native-free/model/literals/stored-blocks.ts';
import type { ModelCoder } from '../../native-free/model/model-coder.ts';
import type { LiteralLoop, SegmentLoops } from '../../native-free/model/unit-loop.ts';
import { unitLoopOf, type UnitExports } from './unit-loop.ts';

/** What the module exports for them. */
export interface FastExports extends UnitExports {
  resetFast(): void;
  beginFastCover(): void;
  decodeUnits(kind: number, from: number, end: number, phase: number): number;
  spentFast(): number;
  beginFastLiterals(kind: number, before: number, follow: number): void;
  storedLiterals(count: number): void;
  decodeLiterals(count: number, left: number, va: number): number;
}

/** Bytes before a run of literals that are looked at. */
const BEFORE_BYTES = 8;

/** The loops for a plan, or null where there can be none. */
export function fastLoopsOf(exports: FastExports, coder: ModelCoder, plan: Plan): SegmentLoops | null {
  const units = unitLoopOf(exports, coder, plan, {
    reset: exports.resetFast,
    begin: exports.beginFastCover,
    code: (kind, from, end, phase) => exports.decodeUnits(kind, from, end, phase),
    spent: exports.spentFast,
  });
  return units && { units, literals: new WasmLiterals(exports, coder) };
}

class WasmLiterals implements LiteralLoop {
  readonly #exports: FastExports;
  readonly #coder: ModelCoder;
  readonly #blocks: StoredBlocks;
  /** The windows: views that go when the memory grows. */
  #source = new Uint8Array(0);
  #target = new Uint8Array(0);

  constructor(exports: FastExports, coder: ModelCoder) {
    this.#exports = exports;
    this.#coder = coder;
    this.#blocks = new StoredBlocks(coder);
  }

  /** What literals taught is forgotten with the units. */
  reset(): void {
    this.#blocks.reset();
  }

  code({ target, start, end, kind, va, follow }: LiteralRun): void {
    this.#begin(target, start, kind, follow);
    for (let at = start; at < end;) {
      const to = blockEnd(at, end);
      if (this.#blocks.code(target, at, to, () => false)) {
        this.#target.set(target.subarray(at, to));
        this.#exports.storedLiterals(to - at);
        at = to;
        continue;
      }
      const count = this.#exports.decodeLiterals(to - at, end - at, va + at - start);
      this.#coder.work.spent += this.#exports.spentFast();
      target.set(this.#target.subarray(0, count), at);
      at += count;
    }
  }

  #begin(target: Uint8Array, start: number, kind: LiteralRun['kind'], follow: Uint8Array): void {
    const { memory, sourceRoom, targetRoom, beginFastLiterals } = this.#exports;
    if (this.#source.buffer !== memory.buffer) {
      this.#source = new Uint8Array(memory.buffer, sourceRoom(), LIMITS.source_window_bytes);
      this.#target = new Uint8Array(memory.buffer, targetRoom(), LIMITS.source_window_bytes);
    }
    this.#source.set(follow);
    this.#target.fill(0, 0, BEFORE_BYTES);
    const before = Math.min(BEFORE_BYTES, start);
    this.#target.set(target.subarray(start - before, start), BEFORE_BYTES - before);
    beginFastLiterals(kind, BEFORE_BYTES, follow.length);
  }
}
