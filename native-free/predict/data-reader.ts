/**
 * Units of tables: words of 32 bits, and addresses of 64 bits where the program is one of 64 bits.
 *
 * What a word means is not known, so every meaning that gives an address is tried: the address itself, a distance from
 * its own place (C++ exception tables, the Linux kernel's PREL32 entries), a distance from one of the region's bases
 * (Go's pclntab and type links, .eh_frame_hdr, jump tables). Which one is right is learned.
 * @module
 */
import type { Base } from '../format/plan.ts';
import { loadWord } from '../format/words.ts';
import { type Candidates } from './candidates.ts';
import { ORIGIN } from '../format/origins.ts';
import { NOWHERE } from './isa/instruction-set.ts';
import type { Knowledge } from './knowledge.ts';
import type { UnitBlock } from './unit-block.ts';
import type { Run, UnitReader } from './unit-reader.ts';

/** A word, at an address divisible by 8 or not. */
const WORD_EVEN = 0;
const WORD_ODD = 1;
/** An address: its low word, and its high word. */
const ADDRESS = 2;
const ADDRESS_HIGH = 3;
/** An address of 32 bits. */
const ADDRESS_32 = 4;
/** Units whose origins tell which origin comes next. */
const TRAIL_UNITS = 2;
/** Bytes at the edge. */
const EDGE = 5;

export class DataReader implements UnitReader {
  readonly bigEndian = false;
  readonly #knowledge: Knowledge;
  readonly #isWide: boolean;
  readonly #bases: readonly (readonly Base[])[];
  #run: Run | null = null;
  #shift = 0;

  /** `bases` by region of the source. */
  constructor(isWide: boolean, bases: readonly (readonly Base[])[], knowledge: Knowledge) {
    this.#isWide = isWide;
    this.#bases = bases;
    this.#knowledge = knowledge;
  }

  begin(run: Run): void {
    this.#run = run;
    this.#shift = 0;
  }

  read(block: UnitBlock, at: number, limit: number): void {
    const { source, start, end, sourceVa } = this.#run!;
    const { space } = this.#knowledge;
    for (const first = at; at < limit; at = first + block.bytes) {
      const va = (sourceVa + at - start) >>> 0;
      if ((va & 3) !== 0 || at + 4 > end) {
        block.push(1, source[at]!, EDGE, 0, source[at]!);
        continue;
      }
      const word = loadWord(source, at);
      if (this.#isWide && (va & 7) === 0 && at + 8 <= end) {
        const high = loadWord(source, at + 4);
        if (high === space.sourceHigh && space.isAddress(word)) {
          block.push(4, word, ADDRESS, word, 0);
          block.push(4, high, ADDRESS_HIGH, 0, 0);
          continue;
        }
      }
      const isAddress = !this.#isWide && space.isAddress(word);
      block.push(4, word, isAddress ? ADDRESS_32 : (va >> 2) & 1, word, word);
    }
  }

  propose(block: UnitBlock, i: number, at: number, candidates: Candidates): void {
    const { map, moves, overrides, space } = this.#knowledge;
    const word = block.word[i]!;
    const kind = block.kind[i]!;
    candidates.begin((this.#run!.region << 5) | kind, TRAIL_UNITS);
    if (kind === ADDRESS || kind === ADDRESS_32) {
      if (overrides.find(space.module, word)) candidates.add(overrides.value, ORIGIN.known);
      const mapped = map.map(word);
      if (mapped !== NOWHERE) candidates.add(mapped, ORIGIN.map);
      if (moves.find(space.module, word)) candidates.add(word + moves.change, ORIGIN.near);
    } else if (kind === ADDRESS_HIGH) {
      candidates.add(space.targetHigh, ORIGIN.map);
    } else if (kind !== EDGE && word !== 0) {
      this.#proposeMeanings(word, this.#va(block, i, at), candidates);
    }
    candidates.add(word, ORIGIN.same);
  }

  #proposeMeanings(word: number, offset: number, candidates: Candidates): void {
    const { map, changes, space } = this.#knowledge;
    const run = this.#run!;
    const place = (run.sourceVa + offset + word) >>> 0;
    if (space.isAddress(place)) {
      const mapped = map.map(place);
      if (mapped !== NOWHERE) candidates.add(mapped - (run.targetVa + offset), ORIGIN.place);
    }
    const bases = this.#bases[run.region] ?? [];
    for (let b = 0; b < bases.length; b++) {
      const base = bases[b]!;
      const address = (base.source + Math.imul(word, base.scale)) >>> 0;
      if (!space.isAddress(address)) continue;
      const mapped = map.map(address);
      if (mapped === NOWHERE) continue;
      const distance = (mapped - base.target) | 0;
      candidates.add(base.scale === 1 ? distance : Math.floor(distance / base.scale), ORIGIN.base + b);
    }
    if (changes.find(run.region, word)) candidates.add(word + changes.change, ORIGIN.nearValue);
    if (this.#shift !== 0) candidates.add(word + this.#shift, ORIGIN.shift);
  }

  expect(block: UnitBlock, i: number, at: number, origin: number): number {
    const word = block.word[i]!;
    const kind = block.kind[i]!;
    if (origin === ORIGIN.same) return word;
    if (kind === ADDRESS || kind === ADDRESS_32) {
      const reached = this.#knowledge.expected(word, origin);
      return reached === NOWHERE ? word : reached;
    }
    if (kind === ADDRESS_HIGH) return this.#knowledge.space.targetHigh;
    return kind === EDGE || word === 0 ? word : this.#meaning(word, this.#va(block, i, at), origin) >>> 0;
  }

  /** What the word becomes by one origin. */
  #meaning(word: number, offset: number, origin: number): number {
    const { map, changes, space } = this.#knowledge;
    const run = this.#run!;
    if (origin === ORIGIN.nearValue) return changes.find(run.region, word) ? word + changes.change : word;
    if (origin === ORIGIN.shift) return word + this.#shift;
    const base = this.#bases[run.region]?.[origin - ORIGIN.base];
    if (origin !== ORIGIN.place && base === undefined) return word;
    const place = base === undefined ? run.sourceVa + offset + word : base.source + Math.imul(word, base.scale);
    const mapped = space.isAddress(place >>> 0) ? map.map(place >>> 0) : NOWHERE;
    if (mapped === NOWHERE) return word;
    if (base === undefined) return mapped - (run.targetVa + offset);
    const distance = (mapped - base.target) | 0;
    return base.scale === 1 ? distance : Math.floor(distance / base.scale);
  }

  pass(): void {
    // There are no registers.
  }

  learn(block: UnitBlock, i: number, _at: number, actual: number): void {
    const knowledge = this.#knowledge;
    const word = block.word[i]!;
    const kind = block.kind[i]!;
    if (kind === ADDRESS || kind === ADDRESS_32) {
      knowledge.learnAddress(word, actual);
      this.#shift = (actual - word) | 0;
    } else if (kind === WORD_EVEN || kind === WORD_ODD) {
      const change = (actual - word) | 0;
      knowledge.changes.learn(this.#run!.region, word, change);
      if (change !== 0) this.#shift = change;
    }
  }

  #va(block: UnitBlock, i: number, at: number): number {
    return at + block.at[i]! - this.#run!.start;
  }
}
