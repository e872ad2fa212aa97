/**
 * The model coder in WebAssembly: the same bytes as MixCoder, about twice as fast, and with it the loop over units and
 * the models of literals. One instance is one coder, with its tables in a memory of its own.
 * @module
 */
import { LIMITS } from '../../native-free/limits.ts';
import type { LiteralModels } from '../../native-free/model/literals/literal-models.ts';
import { MixCoder } from '../../native-free/model/mix-coder.ts';
import { StoredBytes } from '../../native-free/model/literals/stored-bytes.ts';
import { type ModelCoder, type ModelCoderFactory } from '../../native-free/model/model-coder.ts';
import { CONTEXTS_MAX, mixingSizes, type ModelSizes } from '../../native-free/format/model-sizes.ts';
import type { Plan } from '../../native-free/format/plan.ts';
import { WorkMeter } from '../../native-free/format/work.ts';
import type { SegmentLoops, UnitLoop } from '../../native-free/model/unit-loop.ts';
import { base64 } from './model-coder.generated.ts';
import { instantiate } from './instance.ts';
import { fastLoopsOf, type FastExports } from './fast-loops.ts';
import { WasmLiterals, type LiteralExports } from './literal-models.ts';
import { unitLoopOf } from './unit-loop.ts';

/** What the module exports of the coder alone. */
interface Exports extends FastExports, LiteralExports {
  create(encoding: number, flagBits: number, byteBits: number): void;
  createFast(flagBits: number, byteBits: number): void;
  contexts(): number;
  /** Address of a stream of `count` bytes. */
  room(count: number): number;
  start(): void;
  flag(value: number, count: number, set: number): number;
  byte(value: number, count: number, set: number, near: number): number;
  bit(value: number, index: number): number;
  codeAt(value: number, probability: number): number;
  written(): number;
  /** 1 where other bytes follow the stream. */
  finish(followed: number): number;
}

/** A coded segment is never kept when it is longer than the segment itself. */
const STREAM_BYTES_MAX = LIMITS.segment_bytes_max + 64 * 1024;

export class WasmCoder implements ModelCoder {
  readonly encoding: boolean;
  readonly sizes: ModelSizes;
  /** A view of the coder's memory: made anew when that has grown. */
  contexts: Uint32Array;
  readonly work = new WorkMeter();
  readonly flag: (value: number, count: number, set: number) => number;
  readonly byte: (value: number, count: number, set: number, near: number) => number;
  readonly bit: (value: number, index: number) => number;
  readonly code: (value: number, probability: number) => number;
  readonly #exports: Exports;
  readonly #stored = new StoredBytes();
  readonly #literals: WasmLiterals;
  /** Where the stream is. */
  #stream = 0;

  /** Throws a plain error where WebAssembly, its SIMD, or the memory cannot be had: see `modelCoder`. */
  constructor(encoding: boolean, sizes: ModelSizes) {
    this.encoding = encoding;
    this.sizes = sizes;
    const exports: Exports = instantiate<Exports>(base64, {
      host: { segment: (place: number, count: number, to: number) => this.#literals.segment(place, count, to) },
    });
    this.#literals = new WasmLiterals(exports, this);
    const { flagBits, byteBits } = mixingSizes(sizes);
    exports.create(encoding ? 1 : 0, flagBits, byteBits);
    if (sizes.fast === true && !encoding) exports.createFast(sizes.flagBits, sizes.byteBits);
    if (encoding) exports.room(STREAM_BYTES_MAX);
    this.#exports = exports;
    this.flag = exports.flag;
    this.byte = exports.byte;
    this.bit = exports.bit;
    this.code = exports.codeAt;
    this.contexts = this.#view();
  }

  get written(): number {
    return this.#exports.written() + this.#stored.length;
  }

  start(bytes: Uint8Array | null): void {
    const { memory, room, start } = this.#exports;
    this.#stream = room(bytes === null ? STREAM_BYTES_MAX : bytes.length);
    if (bytes !== null) new Uint8Array(memory.buffer).set(bytes, this.#stream);
    // Room may have been made by growing, which takes views away.
    this.contexts = this.#view();
    this.work.start(this.sizes);
    this.#stored.start(bytes);
    start();
  }

  finish(): Uint8Array {
    const { memory, finish } = this.#exports;
    const length = finish(this.#stored.length > 0 ? 1 : 0);
    // Too long for any use: who asks stores the segment as it is, and only needs to know the length.
    if (length > STREAM_BYTES_MAX) return new Uint8Array(length + this.#stored.length);
    return this.#stored.behind(new Uint8Array(memory.buffer).slice(this.#stream, this.#stream + length));
  }

  stored(block: Uint8Array): void {
    if (this.encoding) this.#stored.write(block);
    else this.#stored.read(block);
  }

  unitLoop(plan: Plan): UnitLoop | null {
    return unitLoopOf(this.#exports, this, plan);
  }

  literalModels(): LiteralModels {
    return this.#literals;
  }

  /** For decoders: an encoder of the fast profile takes less time in TypeScript than one of another does here. */
  fastLoops(plan: Plan): SegmentLoops | null {
    return this.encoding ? null : fastLoopsOf(this.#exports, this, plan);
  }

  #view(): Uint32Array {
    return new Uint32Array(this.#exports.memory.buffer, this.#exports.contexts(), CONTEXTS_MAX);
  }
}

/** The fastest coder there is: WebAssembly, or the reference where that cannot be had. Their output is equal. */
export const modelCoder: ModelCoderFactory = (encoding, sizes) => {
  try {
    return new WasmCoder(encoding, sizes);
  } catch {
    return new MixCoder(encoding, sizes);
  }
};
