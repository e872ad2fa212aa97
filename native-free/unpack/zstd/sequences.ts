/**
 * The sequences section of a block (RFC 8878, 3.1.1.3.2): how many, three tables, and one stream of bits that is read
 * backwards.
 * @module
 */
import type { BitWriter } from '../deflate/bit-writer.ts';
import { malformed } from '../tokens.ts';
import {
  KINDS,
  LITERAL_BASE,
  LITERAL_BITS,
  literalCode,
  MATCH_BASE,
  MATCH_BITS,
  matchCode,
  type CodeKind,
} from './codes.ts';
import { checkSymbol, firstState, readTable, singleTable, writeTable, type FseEncoding, type FseTable } from './fse.ts';
import { ReverseReader } from './reverse-reader.ts';

export const MODE = { predefined: 0, single: 1, own: 2, repeat: 3 } as const;

/** How one of the three kinds of codes is coded. */
export interface TableChoice {
  /** One of MODE. */
  readonly mode: number;
  /** Where it is the block's own, or has a single symbol. */
  readonly table: FseTable | null;
}

const COUNT_SHORT = 128;
const COUNT_LONG = 0x7f00;
/** Three states of nine bits, two lengths and an offset. */
const SEQUENCE_BYTES_MAX = 12;
/** No more than three bytes say. */
const SEQUENCES_MAX = COUNT_LONG + 0xffff;

/** Sequences of a block in columns. Offsets are as they are coded: below 4 they are repeated ones. */
export class SequenceList {
  count = 0;
  literals = new Uint32Array(1024);
  lengths = new Uint32Array(1024);
  offsets = new Uint32Array(1024);

  reserve(count: number): void {
    if (count <= this.offsets.length) return;
    const size = Math.max(count, this.offsets.length * 2);
    const { literals, lengths, offsets } = this;
    (this.literals = new Uint32Array(size)).set(literals);
    (this.lengths = new Uint32Array(size)).set(lengths);
    (this.offsets = new Uint32Array(size)).set(offsets);
  }
}

/** The tables that are in force: repeated ones are those of the last block that had sequences. */
export type Tables = (FseTable | null)[];

/** Reads how many sequences there are and their tables; where the bits begin. @throws UpdateError unit_malformed */
function readHead(
  block: Uint8Array,
  from: number,
  end: number,
  tables: Tables,
): { readonly count: number; readonly choices: readonly TableChoice[]; readonly at: number } {
  if (from >= end) malformed('zstd', 'the sequences of a block are cut off');
  let at = from + 1;
  let count = block[from]!;
  if (count === 255) {
    count = COUNT_LONG + block[at]! + block[at + 1]! * 256;
    at += 2;
  } else if (count >= COUNT_SHORT) count = ((count - COUNT_SHORT) << 8) | block[at++]!;
  if (count === 0) return { count, choices: [], at };
  if (at >= end) malformed('zstd', 'the sequences of a block are cut off');
  const modes = block[at++]!;
  if ((modes & 3) !== 0) malformed('zstd', 'a reserved bit of a block is set');
  const choices = KINDS.map((kind, i): TableChoice => {
    const mode = (modes >> (6 - 2 * i)) & 3;
    const read = readChoice(block, at, end, mode, kind);
    at = read.end;
    tables[i] = mode === MODE.repeat ? tables[i]! : (read.table ?? kind.predefined);
    if (tables[i] === null) malformed('zstd', `there are no ${kind.name} to repeat`);
    return { mode, table: read.table };
  });
  return { count, choices, at };
}

function readChoice(
  block: Uint8Array,
  at: number,
  end: number,
  mode: number,
  kind: CodeKind,
): { readonly table: FseTable | null; readonly end: number } {
  if (mode === MODE.own) return readTable(block, at, end, kind.logMax, kind.symbolMax);
  if (mode !== MODE.single) return { table: null, end: at };
  if (at >= end || block[at]! > kind.symbolMax) malformed('zstd', `${kind.name} have no code ${block[at]}`);
  return { table: singleTable(block[at]!), end: at + 1 };
}

/**
 * All sequences of a block whose section is `[from, end)`.
 * @throws UpdateError unit_malformed
 */
export function readSequences(
  block: Uint8Array,
  from: number,
  end: number,
  tables: Tables,
  list: SequenceList,
): readonly TableChoice[] {
  const { count, choices, at } = readHead(block, from, end, tables);
  list.count = count;
  if (count === 0) {
    if (at !== end) malformed('zstd', 'something follows the literals of a block');
    return choices;
  }
  list.reserve(count);
  const reader = new ReverseReader(block, at, end);
  const [literalTable, offsetTable, matchTable] = tables as [FseTable, FseTable, FseTable];
  const [literalStates, offsetStates, matchStates] = [literalTable.decoding, offsetTable.decoding, matchTable.decoding];
  let literalState = reader.read(literalTable.log);
  let offsetState = reader.read(offsetTable.log);
  let matchState = reader.read(matchTable.log);
  for (let i = 0; i < count; i++) {
    const literalEntry = literalStates[literalState]!;
    const offsetEntry = offsetStates[offsetState]!;
    const matchEntry = matchStates[matchState]!;
    const offsetBits = offsetEntry & 255;
    const matchSymbol = matchEntry & 255;
    const literalSymbol = literalEntry & 255;
    list.offsets[i] = 2 ** offsetBits + (offsetBits === 0 ? 0 : reader.read(offsetBits));
    const matchBits = MATCH_BITS[matchSymbol]!;
    list.lengths[i] = MATCH_BASE[matchSymbol]! + (matchBits === 0 ? 0 : reader.read(matchBits));
    const literalBits = LITERAL_BITS[literalSymbol]!;
    list.literals[i] = LITERAL_BASE[literalSymbol]! + (literalBits === 0 ? 0 : reader.read(literalBits));
    if (i === count - 1) break;
    literalState = (literalEntry >>> 16) + reader.read((literalEntry >> 8) & 255);
    matchState = (matchEntry >>> 16) + reader.read((matchEntry >> 8) & 255);
    offsetState = (offsetEntry >>> 16) + reader.read((offsetEntry >> 8) & 255);
  }
  if (reader.left !== 0) malformed('zstd', `${reader.left} bits follow the sequences of a block`);
  return choices;
}

/** Writes what `readSequences` reads. @throws UpdateError unit_malformed */
export function writeSequences(
  writer: BitWriter,
  list: SequenceList,
  choices: readonly TableChoice[],
  tables: Tables,
): void {
  const { count } = list;
  if (count > SEQUENCES_MAX) malformed('zstd', `a block has ${count} sequences`);
  if (count < COUNT_SHORT) writer.bits(count, 8);
  else if (count < COUNT_LONG) {
    writer.bits(COUNT_SHORT + (count >> 8), 8);
    writer.bits(count & 255, 8);
  } else {
    writer.bits(255, 8);
    writer.bits(count - COUNT_LONG, 16);
  }
  if (count === 0) return;
  if (choices.length !== KINDS.length) malformed('zstd', 'a block has sequences and no tables');
  writer.bits((choices[0]!.mode << 6) | (choices[1]!.mode << 4) | (choices[2]!.mode << 2), 8);
  KINDS.forEach((kind, i) => {
    tables[i] = writeChoice(writer, choices[i]!, kind, tables[i]!);
  });
  writeBits(writer, list, tables as [FseTable, FseTable, FseTable]);
}

/** The table that is in force then. */
function writeChoice(writer: BitWriter, choice: TableChoice, kind: CodeKind, before: FseTable | null): FseTable {
  const { mode, table } = choice;
  if (mode === MODE.predefined) return kind.predefined;
  const used = mode === MODE.repeat ? before : table;
  if (used === null) malformed('zstd', `there is no table for ${kind.name}`);
  if (mode === MODE.own) writeTable(writer, used);
  else if (mode === MODE.single) writer.bits(used.frequencies.length - 1, 8);
  return used;
}

/** Symbols of all sequences, which the tables must have. */
function symbolsOf(list: SequenceList, tables: readonly FseTable[]): readonly [Uint8Array, Uint8Array, Uint8Array] {
  const symbols = [new Uint8Array(list.count), new Uint8Array(list.count), new Uint8Array(list.count)] as const;
  for (let i = 0; i < list.count; i++) {
    symbols[0][i] = literalCode(list.literals[i]!);
    symbols[1][i] = 31 - Math.clz32(list.offsets[i]!);
    symbols[2][i] = matchCode(list.lengths[i]!);
  }
  symbols.forEach((column, kind) => {
    const seen = new Uint8Array(KINDS[kind]!.symbolMax + 1);
    for (let i = 0; i < column.length; i++) seen[column[i]!] = 1;
    seen.forEach((isSeen, symbol) => {
      if (isSeen === 1) checkSymbol(tables[kind]!, symbol);
    });
  });
  return symbols;
}

/** Adds bits to a stream. Fewer than 16 are held between calls, so that up to 16 may come. */
class FastBits {
  readonly bytes: Uint8Array;
  at: number;
  hold: number;
  held: number;

  constructor({ bytes, at, hold, held }: BitWriter) {
    this.bytes = bytes;
    this.at = at;
    this.hold = hold;
    this.held = held;
  }

  put(value: number, count: number): void {
    const held = this.held + count;
    const hold = this.hold | (value << this.held);
    if (held < 16) {
      this.hold = hold;
      this.held = held;
      return;
    }
    this.bytes[this.at] = hold;
    this.bytes[this.at + 1] = hold >> 8;
    this.at += 2;
    this.hold = hold >>> 16;
    this.held = held - 16;
  }

  /** What a symbol takes from a state; the state behind it. */
  step(state: number, { states, deltaBits, deltaState }: FseEncoding, symbol: number): number {
    const bits = (state + deltaBits[symbol]!) >> 16;
    this.put(state & ((1 << bits) - 1), bits);
    return states[(state >> bits) + deltaState[symbol]!]!;
  }

  giveBack(writer: BitWriter): void {
    writer.at = this.at;
    writer.hold = this.hold;
    writer.held = this.held;
    writer.flush();
  }
}

/** From the last sequence to the first: each table takes its bits from its state, then come the low bits of values. */
function writeBits(writer: BitWriter, list: SequenceList, tables: readonly [FseTable, FseTable, FseTable]): void {
  const [literals, offsets, matches] = symbolsOf(list, tables);
  const [literalTable, offsetTable, matchTable] = [tables[0].encoding, tables[1].encoding, tables[2].encoding];
  const last = list.count - 1;
  let literalState = firstState(literalTable, literals[last]!);
  let offsetState = firstState(offsetTable, offsets[last]!);
  let matchState = firstState(matchTable, matches[last]!);
  writer.reserve(list.count * SEQUENCE_BYTES_MAX);
  const bits = new FastBits(writer);
  for (let i = last; i >= 0; i--) {
    const literal = literals[i]!;
    const offset = offsets[i]!;
    const match = matches[i]!;
    if (i < last) {
      offsetState = bits.step(offsetState, offsetTable, offset);
      matchState = bits.step(matchState, matchTable, match);
      literalState = bits.step(literalState, literalTable, literal);
    }
    const literalBits = LITERAL_BITS[literal]!;
    if (literalBits > 0) bits.put(list.literals[i]! - LITERAL_BASE[literal]!, literalBits);
    const matchBits = MATCH_BITS[match]!;
    if (matchBits > 0) bits.put(list.lengths[i]! - MATCH_BASE[match]!, matchBits);
    const rest = list.offsets[i]! - 2 ** offset;
    bits.put(rest & 0xffff & ((1 << offset) - 1), Math.min(offset, 16));
    if (offset > 16) bits.put(rest >>> 16, offset - 16);
  }
  bits.giveBack(writer);
  writer.bits(matchState - (1 << tables[2].log), tables[2].log);
  writer.bits(offsetState - (1 << tables[1].log), tables[1].log);
  writer.bits(literalState - (1 << tables[0].log), tables[0].log);
  writer.bits(1, 1);
  writer.align(0);
}
