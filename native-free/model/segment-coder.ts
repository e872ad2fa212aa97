/**
 * One segment of a delta: pieces in target order, each coded by the models of its kind.
 *
 * Written once for both directions (see ModelCoder). All state is reset at the start of a segment, which makes
 * segments independent restart points at no measurable cost in bytes.
 * @module
 */
import type { Piece } from '../format/pieces.ts';
import type { Plan } from '../format/plan.ts';
import { REGION_KIND, type Region } from '../format/regions.ts';
import { RegionCursor } from '../predict/region-cursor.ts';
import type { Run } from '../predict/unit-reader.ts';
import { BITS_OF } from './contexts.ts';
import { noMeter, type CostMeter } from './costs.ts';
import { fastLoops } from './fast/fast-loops.ts';
import { LiteralCoder } from './literals/literal-coder.ts';
import type { ModelCoder } from './model-coder.ts';
import { ReferenceUnits } from './reference-units.ts';
import type { LiteralLoop, SegmentLoops, UnitLoop } from './unit-loop.ts';
import { WORK } from '../format/work.ts';

/** A page of this many bytes is first asked whether it is the source's, as it is. */
const PAGE_BYTES = 4096;

export class SegmentCoder {
  readonly #coder: ModelCoder;
  readonly #units: UnitLoop;
  readonly #literals: LiteralLoop;
  readonly #source: RegionCursor;
  readonly #target: RegionCursor;
  #pageHistory = 0;

  constructor(plan: Plan, coder: ModelCoder, meter: CostMeter = noMeter) {
    this.#coder = coder;
    const isFast = coder.sizes.fast === true;
    const { units, literals } = isFast ? fastLoops(plan, coder, meter) : mixingLoops(plan, coder, meter);
    this.#units = units;
    this.#literals = literals;
    this.#source = new RegionCursor(plan.source.regions);
    this.#target = new RegionCursor(plan.target.regions);
  }

  /** Starts a segment; a decoder gives the coded bytes. */
  begin(encoded: Uint8Array | null): void {
    this.#units.reset();
    this.#coder.start(encoded);
    this.#literals.reset();
    this.#pageHistory = 0;
  }

  /**
   * Codes one piece. `target` is the segment, of which `[at, at + piece.length)` is read by an encoder and filled by a
   * decoder; `source` holds the piece's source bytes from index 0, or for literals what follows the cover before.
   */
  piece(piece: Piece, source: Uint8Array, target: Uint8Array, at: number): void {
    this.#coder.work.spent += WORK.piece;
    if (piece.sourceOffset < 0) this.#codeLiterals(piece, source, target, at);
    else this.#codeCovered(piece, source, target, at);
  }

  #codeLiterals(piece: Piece, follow: Uint8Array, target: Uint8Array, at: number): void {
    for (let done = 0; done < piece.length;) {
      const offset = piece.targetOffset + done;
      const region = this.#target.at(offset);
      const end = Math.min(piece.length, this.#target.end - piece.targetOffset);
      const va = region === null ? offset : region.va + (offset - region.offset);
      const run = { target, start: at + done, end: at + end, kind: region?.kind ?? REGION_KIND.raw, va };
      this.#literals.code({ ...run, follow: follow.subarray(Math.min(done, follow.length)) });
      done = end;
    }
  }

  #codeCovered(piece: Piece, source: Uint8Array, target: Uint8Array, at: number): void {
    if (piece.isFirst) this.#units.begin();
    for (let done = 0; done < piece.length;) {
      const a = this.#source.at(piece.sourceOffset + done);
      const b = this.#target.at(piece.targetOffset + done);
      const end = Math.min(piece.length, this.#source.end - piece.sourceOffset, this.#target.end - piece.targetOffset);
      const run: Run = {
        source,
        start: done,
        end,
        sourceVa: addressOf(a, piece.sourceOffset + done),
        targetVa: addressOf(b, piece.targetOffset + done),
        region: this.#source.index,
      };
      if (a !== null) this.#units.select(a.module);
      this.#codeRun(run, a, target, at + done, piece.coverLeft + piece.length - end);
      done = end;
    }
  }

  /** Pages that are the source's as they are, and everything between them. */
  #codeRun(run: Run, region: Region | null, target: Uint8Array, at: number, coverLeft: number): void {
    const kind = region?.kind ?? REGION_KIND.raw;
    let begun = false;
    for (let from = run.start; from < run.end;) {
      const to = at + from - run.start;
      let end = Math.min(run.end, from + PAGE_BYTES);
      if (end - from === PAGE_BYTES && this.#isExactPage(kind, run.source, from, target, to)) {
        begun = false;
        from = end;
        continue;
      }
      if (!begun) {
        this.#units.beginRun(kind, run);
        this.#coder.work.spent += WORK.begin;
      }
      begun = true;
      end = this.#units.code({ run, regionKind: kind, from, end, coverLeft }, target, to);
      from = end;
    }
  }

  #isExactPage(kind: number, source: Uint8Array, from: number, target: Uint8Array, to: number): boolean {
    let same = 0;
    if (this.#coder.encoding) {
      while (same < PAGE_BYTES && source[from + same] === target[to + same]) same++;
    }
    const index = BITS_OF.page + ((kind << 8) | (this.#pageHistory & 255));
    this.#coder.work.spent++;
    const exact = this.#coder.bit(same === PAGE_BYTES ? 1 : 0, index);
    this.#pageHistory = (this.#pageHistory << 1) | exact;
    if (exact !== 0 && !this.#coder.encoding) target.set(source.subarray(from, from + PAGE_BYTES), to);
    return exact !== 0;
  }
}

function mixingLoops(plan: Plan, coder: ModelCoder, meter: CostMeter): SegmentLoops {
  const units = coder.unitLoop?.(plan) ?? new ReferenceUnits(plan, coder, meter);
  return { units, literals: new LiteralCoder(coder, meter) };
}

function addressOf(region: Region | null, offset: number): number {
  return region === null ? offset >>> 0 : (region.va + (offset - region.offset)) >>> 0;
}
