/**
 * Units of machine code: references go through the address map and what was learned of it, everything else is what it
 * was, or what it became before.
 * @module
 */
import { loadWord } from '../format/words.ts';
import { type Candidates } from './candidates.ts';
import { ORIGIN } from '../format/origins.ts';
import {
  NOWHERE,
  NO_REFERENCE,
  type InstructionSet,
  type Operands,
  type ReferenceReader,
} from './isa/instruction-set.ts';
import type { Knowledge } from './knowledge.ts';
import type { UnitBlock } from './unit-block.ts';
import type { Run, UnitReader } from './unit-reader.ts';

/** A word of a literal pool that is an address by itself: 32-bit instruction sets only. */
const POOL = 31;
/** Units whose origins tell which origin comes next. */
const TRAIL_UNITS = 0;
/** A byte before the first whole unit. */
const EDGE = 30;

export class CodeReader implements UnitReader {
  readonly bigEndian: boolean;
  readonly #isa: ReferenceReader;
  readonly #set: InstructionSet;
  readonly #knowledge: Knowledge;
  readonly #operands: Operands | null;
  #run: Run | null = null;

  constructor(set: InstructionSet, knowledge: Knowledge) {
    this.bigEndian = set.bigEndian;
    this.#set = set;
    this.#isa = set.makeReader();
    this.#operands = set.makeOperands();
    this.#knowledge = knowledge;
  }

  begin(run: Run): void {
    this.#run = run;
    this.#isa.begin();
    this.#operands?.begin();
  }

  read(block: UnitBlock, at: number, limit: number): void {
    const isa = this.#isa;
    const { alignment, hasPools } = this.#set;
    const { source, start, end, sourceVa } = this.#run!;
    const { space } = this.#knowledge;
    for (const first = at; at < limit; at = first + block.bytes) {
      const va = (sourceVa + at - start) >>> 0;
      if ((va & (alignment - 1)) !== 0) {
        block.push(1, source[at]!, EDGE, 0, source[at]!);
        continue;
      }
      isa.read(source, at, start, end, va);
      if (hasPools && (va & 3) === 0 && at + 4 <= end && !isPlaced(isa)) {
        const word = loadWord(source, at);
        if (space.isAddress(word)) {
          block.push(4, word, POOL, word, 0);
          continue;
        }
      }
      block.push(isa.length, isa.word, isa.kind, isa.target, isa.opcode);
    }
  }

  propose(block: UnitBlock, i: number, at: number, candidates: Candidates): void {
    const knowledge = this.#knowledge;
    const va = this.#targetVa(block, i, at);
    const word = block.word[i]!;
    const kind = block.kind[i]!;
    candidates.begin((this.#run!.region << 5) | kind, TRAIL_UNITS);
    if (kind !== NO_REFERENCE && kind !== EDGE) {
      const target = block.target[i]!;
      const { module } = knowledge.space;
      if (knowledge.overrides.find(module, target)) {
        candidates.add(this.#written(word, kind, va, knowledge.overrides.value), ORIGIN.known);
      }
      const mapped = knowledge.map.map(target);
      if (mapped !== NOWHERE) candidates.add(this.#written(word, kind, va, mapped), ORIGIN.map);
      if (knowledge.moves.find(module, target)) {
        candidates.add(this.#written(word, kind, va, target + knowledge.moves.change), ORIGIN.near);
      }
    } else if (kind !== EDGE) {
      if (knowledge.words.find(block.at[i + 1]! - block.at[i]!, word)) {
        const { value, confirmed } = knowledge.words;
        candidates.add(value, confirmed > 0 ? ORIGIN.surely : ORIGIN.again);
      }
      this.#operands?.propose(word, candidates);
    }
    candidates.add(word, ORIGIN.same);
  }

  expect(block: UnitBlock, i: number, at: number, origin: number): number {
    const word = block.word[i]!;
    const kind = block.kind[i]!;
    if (kind === NO_REFERENCE) {
      const { words } = this.#knowledge;
      return words.find(block.at[i + 1]! - block.at[i]!, word) ? words.value : word;
    }
    if (kind === EDGE || origin === ORIGIN.same) return word;
    const reached = this.#knowledge.expected(block.target[i]!, origin);
    return reached === NOWHERE ? word : this.#written(word, kind, this.#targetVa(block, i, at), reached);
  }

  pass(block: UnitBlock, i: number, at: number, actual: number): void {
    const kind = block.kind[i]!;
    if (kind < EDGE) this.#isa.resolve(block.word[i]!, kind, actual, this.#targetVa(block, i, at));
  }

  learn(block: UnitBlock, i: number, at: number, actual: number): void {
    const knowledge = this.#knowledge;
    const word = block.word[i]!;
    const kind = block.kind[i]!;
    if (kind === EDGE) return;
    const va = this.#targetVa(block, i, at);
    const reached = kind === POOL ? actual : this.#isa.resolve(word, kind, actual, va);
    if (kind === NO_REFERENCE) {
      const length = block.at[i + 1]! - block.at[i]!;
      this.#operands?.learn(word, actual);
      if (actual !== word || knowledge.words.find(length, word)) knowledge.words.learn(length, word, actual);
    } else if (reached !== NOWHERE) {
      knowledge.learnAddress(block.target[i]!, reached);
    }
  }

  #written(word: number, kind: number, va: number, target: number): number {
    return kind === POOL ? target : this.#isa.write(word, kind, va, target >>> 0);
  }

  #targetVa(block: UnitBlock, i: number, at: number): number {
    const run = this.#run!;
    return (run.targetVa + (at + block.at[i]! - run.start)) >>> 0;
  }
}

/** Whether the unit is a whole word that is relative to its place: only those have nothing left without their field. */
export function isPlaced(isa: ReferenceReader): boolean {
  return isa.kind !== NO_REFERENCE && isa.opcode === 0;
}
