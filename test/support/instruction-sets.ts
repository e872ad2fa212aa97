/**
 * What every instruction set must hold, checked over a stretch of real code: called by the tests of each of them.
 *
 * Throws an error that names the unit at the first violation. No expectations per unit: images have millions of them.
 */
import {
  NO_REFERENCE,
  NOWHERE,
  type InstructionSet,
  type ReferenceReader,
} from '../../native-free/predict/isa/instruction-set.ts';

export interface InvariantOptions {
  /**
   * How far the code is moved in the second walk: its inner references move along, those that leave it stay. A multiple
   * of what fields count in. Default 0x21a40.
   */
  readonly shift?: number;
}

/** What was found on the way. */
export interface InvariantReport {
  units: number;
  /** Units of each kind. */
  readonly byKind: number[];
  /** Of each kind, how many lead into the checked stretch. */
  readonly inside: number[];
  /** References that had to be rewritten for the moved code, and those of them that led to the right place then. */
  moved: number;
  arrived: number;
  /** Answers of `resolve` over the moved code that were an address, and those of them that were the right one. */
  resolved: number;
  resolvedRightly: number;
}

interface Unit {
  length: number;
  word: number;
  kind: number;
  target: number;
  opcode: number;
}

/** Units read from a stretch, field by field. */
class Units {
  count = 0;
  readonly at: Int32Array;
  readonly word: Uint32Array;
  readonly kind: Uint8Array;
  readonly target: Uint32Array;
  readonly opcode: Uint32Array;

  constructor(bytes: number) {
    this.at = new Int32Array(bytes + 1);
    this.word = new Uint32Array(bytes);
    this.kind = new Uint8Array(bytes);
    this.target = new Uint32Array(bytes);
    this.opcode = new Uint32Array(bytes);
  }
}

/**
 * Checks an instruction set over bytes[start, end), which are loaded at `va`:
 * - units fill the stretch, hold its bytes, and are read without a look at anything behind its end;
 * - a reference written to where it leads gives the same word, and resolves to where it leads;
 * - what is no reference resolves to nowhere and has itself as opcode;
 * - references written to new places keep kind and opcode, and lead there as far as their fields reach.
 */
export function checkInvariants(
  set: InstructionSet,
  bytes: Uint8Array,
  start: number,
  end: number,
  va: number,
  { shift = 0x21a40 }: InvariantOptions = {},
): InvariantReport {
  const units = new Units(end - start);
  const report: InvariantReport = {
    ...{ units: 0, byKind: new Array<number>(16).fill(0), inside: new Array<number>(16).fill(0) },
    ...{ moved: 0, arrived: 0, resolved: 0, resolvedRightly: 0 },
  };
  const isa = set.makeReader();
  walkAsItIs(isa, bytes, start, end, va, units, report);
  walkMoved(isa, bytes, start, end, va, units, report, shift);
  checkEnds(set, bytes, start, end, va);
  const strange = report.byKind.findIndex((count, kind) => count > 0 && kind >= set.kinds);
  if (strange >= 0) throw new Error(`kind ${strange} was not announced`);
  return report;
}

function walkAsItIs(
  isa: ReferenceReader,
  bytes: Uint8Array,
  start: number,
  end: number,
  va: number,
  units: Units,
  report: InvariantReport,
): void {
  isa.begin();
  let at = start;
  for (let i = 0; at < end; i++) {
    const place = (va + at - start) >>> 0;
    isa.read(bytes, at, start, end, place);
    const { length, word, kind, target, opcode } = isa;
    const fail = failure(at, place, { length, word, kind, target, opcode });
    checkUnit(isa, bytes, at, end, fail);
    units.at[i] = at;
    units.word[i] = word;
    units.kind[i] = kind;
    units.target[i] = target;
    units.opcode[i] = opcode;
    units.count = i + 1;
    report.byKind[kind]!++;
    if (kind !== NO_REFERENCE) {
      if (target - va < end - start && target >= va) report.inside[kind]!++;
      const again = isa.write(word, kind, place, target);
      if (again !== word) throw fail(`is not written back: ${hex(again)}`);
    }
    const reached = isa.resolve(word, kind, word, place);
    if (kind === NO_REFERENCE && reached !== NOWHERE) throw fail(`leads to ${hex(reached)}, without a reference`);
    if (reached !== NOWHERE && reached !== target) throw fail(`leads to ${hex(reached)} on the other side`);
    at += length;
  }
  units.at[units.count] = at;
  report.units = units.count;
}

function checkUnit(isa: ReferenceReader, bytes: Uint8Array, at: number, end: number, fail: Fail): void {
  const { length, word, kind, target, opcode } = isa;
  if (![1, 2, 4].includes(length) || length > end - at) throw fail(`has ${length} bytes, ${end - at} are left`);
  if (!isUint32(word) || !isUint32(opcode)) throw fail('is no unsigned number');
  const little = valueOf(bytes, at, length, false);
  if (word !== little && word !== valueOf(bytes, at, length, true)) throw fail(`is not what stands there`);
  if (!(kind >= 0 && kind < 16)) throw fail('has a kind that is none');
  if (kind === NO_REFERENCE && opcode !== word) throw fail('is all opcode');
  if (kind !== NO_REFERENCE && !isUint32(target)) throw fail('leads to no address');
}

/** Moves the code, writes every reference anew, and reads and resolves the result. */
function walkMoved(
  isa: ReferenceReader,
  bytes: Uint8Array,
  start: number,
  end: number,
  va: number,
  units: Units,
  report: InvariantReport,
  shift: number,
): void {
  const movedVa = (va + shift) >>> 0;
  const movedTarget = (target: number): number =>
    target >= va && target - va < end - start ? (target + shift) >>> 0 : target;
  const moved = bytes.slice(0, end);
  isa.begin();
  for (let i = 0; i < units.count; i++) {
    const at = units.at[i]!;
    const place = (movedVa + at - start) >>> 0;
    const [word, kind] = [units.word[i]!, units.kind[i]!];
    const wanted = movedTarget(units.target[i]!);
    const written = kind === NO_REFERENCE ? word : isa.write(word, kind, place, wanted);
    const bigEndian = word !== valueOf(bytes, at, units.at[i + 1]! - at, false);
    store(moved, at, units.at[i + 1]! - at, written, bigEndian);
    const reached = isa.resolve(word, kind, written, place);
    if (kind === NO_REFERENCE || reached === NOWHERE) continue;
    report.resolved++;
    if (reached === wanted) report.resolvedRightly++;
    const again = isa.write(written, kind, place, reached);
    if (again !== written)
      throw new Error(`${hex(written)} at ${hex(place)} resolves to ${hex(reached)}: ${hex(again)}`);
  }
  readMoved(isa, moved, start, end, movedVa, units, report, movedTarget);
}

function readMoved(
  isa: ReferenceReader,
  moved: Uint8Array,
  start: number,
  end: number,
  movedVa: number,
  units: Units,
  report: InvariantReport,
  movedTarget: (target: number) => number,
): void {
  isa.begin();
  for (let i = 0; i < units.count; i++) {
    const at = units.at[i]!;
    const place = (movedVa + at - start) >>> 0;
    isa.read(moved, at, start, end, place);
    const { length, word, kind, target, opcode } = isa;
    const fail = failure(at, place, { length, word, kind, target, opcode });
    if (length !== units.at[i + 1]! - at) throw fail(`was a unit of ${units.at[i + 1]! - at} bytes`);
    if (kind !== units.kind[i]!) throw fail(`was of kind ${units.kind[i]!}, ${hex(units.word[i]!)}`);
    if (opcode !== units.opcode[i]!) throw fail(`had the opcode ${hex(units.opcode[i]!)}`);
    if (kind !== NO_REFERENCE) {
      report.moved++;
      if (target === movedTarget(units.target[i]!)) report.arrived++;
      // Told of its own side for the kinds that depend on it, as the decoder does.
      const again = isa.write(word, kind, place, target);
      if (again !== word) throw fail(`is not written back: ${hex(again)}`);
    }
    isa.resolve(word, kind, word, place);
  }
}

const WINDOW = 48;
const WINDOWS = 200;

/** Reads short windows of the stretch twice, with other bytes behind their ends: nothing may differ. */
function checkEnds(set: InstructionSet, bytes: Uint8Array, start: number, end: number, va: number): void {
  const isa = set.makeReader();
  const step = Math.max(set.alignment, Math.floor((end - start - WINDOW) / WINDOWS / 4) * 4);
  for (let at = start; at + WINDOW <= end; at += step) {
    for (let length = WINDOW - 8; length <= WINDOW; length++) {
      const first = readWindow(isa, bytes.subarray(at, at + length), 0x00, va + at - start);
      const second = readWindow(isa, bytes.subarray(at, at + length), 0xff, va + at - start);
      if (first !== second) throw new Error(`${length} bytes at ${hex(at)} are read otherwise by what follows them`);
    }
  }
}

function readWindow(isa: ReferenceReader, window: Uint8Array, filler: number, va: number): string {
  const padded = new Uint8Array(window.length + 64).fill(filler);
  padded.set(window, 0);
  let seen = '';
  isa.begin();
  for (let at = 0; at < window.length; at += isa.length) {
    isa.read(padded, at, 0, window.length, (va + at) >>> 0);
    seen += `${isa.length} ${isa.word} ${isa.kind} ${isa.kind === NO_REFERENCE ? 0 : isa.target} ${isa.opcode}\n`;
    if (isa.length < 1 || isa.length > window.length - at) throw new Error(`${isa.length} bytes at ${at}`);
  }
  return seen;
}

/** Reads all units of a few bytes from their start: for hand-checked encodings. */
export function readUnits(isa: ReferenceReader, bytes: Uint8Array, va: number): (Unit & { va: number })[] {
  const units = [];
  isa.begin();
  for (let at = 0; at < bytes.length; at += isa.length) {
    isa.read(bytes, at, 0, bytes.length, va + at);
    const { length, word, kind, target, opcode } = isa;
    units.push({ va: va + at, length, word, kind, target, opcode });
  }
  return units;
}

type Fail = (what: string) => Error;

function failure(at: number, va: number, unit: Unit): Fail {
  return (what) =>
    new Error(
      `${hex(unit.word)} at offset ${at}, address ${hex(va)}, kind ${unit.kind} to ${hex(unit.target)}: ${what}`,
    );
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function isUint32(value: number): boolean {
  return value >>> 0 === value;
}

function valueOf(bytes: Uint8Array, at: number, length: number, bigEndian: boolean): number {
  let value = 0;
  for (let i = 0; i < length; i++) value = (value << 8) | bytes[bigEndian ? at + i : at + length - 1 - i]!;
  return value >>> 0;
}

function store(bytes: Uint8Array, at: number, length: number, value: number, bigEndian: boolean): void {
  for (let i = 0; i < length; i++) bytes[bigEndian ? at + length - 1 - i : at + i] = value >>> (8 * i);
}
