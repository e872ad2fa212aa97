/**
 * Models of literals in WebAssembly: the same bytes as ReferenceLiterals. Blocks go through a window of the module's memory;
 * of the rest of a segment it asks for what matches lead to, so that no second copy of it is held.
 * @module
 */
import type { WorkMeter } from '../../native-free/format/work.ts';
import { FOLLOW_BYTES_MAX } from '../../native-free/format/pieces.ts';
import type { LiteralModels, LiteralRun } from '../../native-free/model/literals/literal-models.ts';

/** What the module exports for literals. */
export interface LiteralExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Addresses of the windows. */
  literalRoom(): number;
  followRoom(): number;
  resetLiterals(): void;
  beginLiterals(kind: number, start: number, end: number, va: number, followBytes: number): void;
  codeLiterals(at: number, to: number): number;
  passLiterals(at: number, end: number): void;
  knowsLiterals(at: number, end: number): number;
  spentLiterals(): number;
}

/** What the module imports: copies target bytes [place, place + count) to address `to`. */
export type SegmentImport = (place: number, count: number, to: number) => void;

interface Coder {
  readonly encoding: boolean;
  readonly work: WorkMeter;
}

/** Bytes before a block that are in the window with it, a block, and what its last unit may cross its end by. */
const BEFORE_BYTES = 64;
const BLOCK_BYTES_MAX = 2176;
const CROSSING_BYTES_MAX = 8;
const NO_BYTES = new Uint8Array(0);

export class WasmLiterals implements LiteralModels {
  readonly #exports: LiteralExports;
  readonly #coder: Coder;
  #target: Uint8Array = NO_BYTES;
  #end = 0;
  /** Views that go when the memory grows. */
  #memory: Uint8Array = NO_BYTES;
  #window: Uint8Array = NO_BYTES;

  constructor(exports: LiteralExports, coder: Coder) {
    this.#exports = exports;
    this.#coder = coder;
  }

  readonly segment: SegmentImport = (place, count, to) => {
    this.#memory.set(this.#target.subarray(place, place + count), to);
  };

  reset(): void {
    this.#exports.resetLiterals();
  }

  begin({ target, start, end, kind, va, follow }: LiteralRun): void {
    this.#look();
    this.#target = target;
    this.#end = end;
    const known = follow.subarray(0, FOLLOW_BYTES_MAX);
    this.#memory.set(known, this.#exports.followRoom());
    this.#place(start, start);
    this.#exports.beginLiterals(kind, start, end, va, known.length);
  }

  code(at: number, to: number): number {
    const { encoding, work } = this.#coder;
    this.#place(at, encoding ? Math.min(this.#end, to + CROSSING_BYTES_MAX) : at);
    const done = this.#exports.codeLiterals(at, to);
    work.spent += this.#exports.spentLiterals();
    if (!encoding) this.#target.set(this.#window.subarray(BEFORE_BYTES, BEFORE_BYTES + done - at), at);
    return done;
  }

  stored(at: number, end: number): void {
    this.#place(at, end);
    this.#exports.passLiterals(at, end);
  }

  isKnown(at: number, end: number): boolean {
    this.#place(at, end);
    return this.#exports.knowsLiterals(at, end) !== 0;
  }

  #look(): void {
    const { memory, literalRoom } = this.#exports;
    if (this.#memory.buffer === memory.buffer) return;
    this.#memory = new Uint8Array(memory.buffer);
    this.#window = this.#memory.subarray(
      literalRoom(),
      literalRoom() + BEFORE_BYTES + BLOCK_BYTES_MAX + CROSSING_BYTES_MAX,
    );
  }

  /** Lays down [at, to) with what is before it. */
  #place(at: number, to: number): void {
    const first = Math.max(0, at - BEFORE_BYTES);
    const before = at - first;
    if (before < BEFORE_BYTES) this.#window.fill(0, 0, BEFORE_BYTES - before);
    this.#window.set(this.#target.subarray(first, to), BEFORE_BYTES - before);
  }
}
