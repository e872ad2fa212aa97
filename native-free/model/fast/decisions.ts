/**
 * What the fast loop over units codes with, in both directions.
 *
 * A decoder is told how long a run is before the run, an encoder knows it afterwards; but nothing that a run teaches
 * depends on how it is coded. So an encoder notes the decisions of a stretch, and codes them when it is over.
 * @module
 */
import { STREAM, type CostMeter } from '../costs.ts';
import { bitLength, contextHash } from '../hash.ts';
import { FAST_FLAG_SETS_OF, FAST_TAGS } from './fast-contexts.ts';
import type { FastModels } from './fast-models.ts';

/** Most bits of a run's length; of those below the top one, so many depend on each other. */
const RUN_BITS_MAX = 14;
const TREE_BITS = 3;
/** Numbers that a noted decision takes. */
const NOTE = 7;
const FLAG = 0;
const BYTE = 1;
const RUN = 2;

export class Decisions {
  readonly #models: FastModels;
  readonly #meter: CostMeter;
  readonly #encoding: boolean;
  readonly #notes: number[] = [];
  /** Where the run is noted that has not ended. */
  #runAt = 0;

  constructor(models: FastModels, meter: CostMeter, encoding: boolean) {
    this.#models = models;
    this.#meter = meter;
    this.#encoding = encoding;
  }

  /** One flag; an encoder is told its value again. */
  flag(value: number, set: number, c0: number, c1: number, c2: number, c3: number): number {
    if (!this.#encoding) return this.#models.flag(value, set, c0, c1, c2, c3);
    this.#notes.push(FLAG, value, set, c0, c1, c2, c3);
    return value;
  }

  byte(value: number, set: number, c0: number, c1: number, c2: number, c3: number): number {
    if (!this.#encoding) return this.#models.byte(value, set, c0, c1, c2, c3);
    this.#notes.push(BYTE, value, set, c0, c1, c2, c3);
    return value;
  }

  /** A run begins; `a` and `b` are small and known on both sides. A decoder is told its length, 0 for one without an end. */
  beginRun(a: number, b: number): number {
    if (!this.#encoding) return this.#run(0, a, b);
    this.#runAt = this.#notes.length;
    this.#notes.push(RUN, 0, a, b, 0, 0, 0);
    return 0;
  }

  /** Encoder: the run that was begun last has this length. */
  endRun(length: number): void {
    if (this.#encoding) this.#notes[this.#runAt + 1] = length;
  }

  /** The stretch is over. */
  flush(): void {
    const notes = this.#notes;
    for (let i = 0; i < notes.length; i += NOTE) {
      const [value, a, b] = [notes[i + 1]!, notes[i + 2]!, notes[i + 3]!];
      this.#meter.stream(notes[i] === BYTE ? STREAM.misses : STREAM.flags);
      if (notes[i] === RUN) this.#run(value, a, b);
      else if (notes[i] === FLAG) this.#models.flag(value, a, b, notes[i + 4]!, notes[i + 5]!, notes[i + 6]!);
      else this.#models.byte(value, a, b, notes[i + 4]!, notes[i + 5]!, notes[i + 6]!);
    }
    notes.length = 0;
  }

  /** How many bits the length has, in unary, then those below the top one. */
  #run(value: number, a: number, b: number): number {
    const { run, runBits } = FAST_TAGS;
    const set = FAST_FLAG_SETS_OF.run;
    const models = this.#models;
    const length = bitLength(value);
    let bits = 0;
    for (; bits < RUN_BITS_MAX; bits++) {
      const contexts = [contextHash(run, bits), contextHash(run + 1, bits, a), contextHash(run + 2, bits, b)] as const;
      if (models.flag(bits < length ? 1 : 0, set + bits, ...contexts, contextHash(run + 3, bits, a, b)) === 0) break;
    }
    let result = bits === 0 ? 0 : 1;
    for (let left = bits - 2; left >= 0; left--) {
      const place = (bits << 8) | (bits - 2 - left < TREE_BITS ? result : 64 + left);
      const bit = models.flag(
        (value >> left) & 1,
        set + RUN_BITS_MAX,
        contextHash(runBits, place),
        contextHash(runBits + 1, place, a),
        contextHash(runBits + 2, place, b),
        contextHash(runBits + 3, left),
      );
      result = (result << 1) | bit;
    }
    return result;
  }
}
