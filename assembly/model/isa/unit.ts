/** What an instruction set has just read: the fields of native-free's ReferenceReader. */

export const NO_REFERENCE: u32 = 0;

let unitLength: i32 = 4;
let unitWord: u32 = 0;
let unitKind: u32 = NO_REFERENCE;
let unitTarget: u32 = 0;
let unitOpcode: u32 = 0;

/** A unit that refers to nothing. */
export function setPlain(word: u32, length: i32): void {
  unitWord = word;
  unitLength = length;
  unitKind = NO_REFERENCE;
  unitOpcode = word;
}

/** What was set as plain refers to something; `opcode` is what is left without the field. */
export function refer(kind: u32, target: u32, opcode: u32): void {
  unitKind = kind;
  unitTarget = target;
  unitOpcode = opcode;
}

// @ts-ignore: decorator
@inline
export function readLength(): i32 {
  return unitLength;
}

// @ts-ignore: decorator
@inline
export function readWord(): u32 {
  return unitWord;
}

// @ts-ignore: decorator
@inline
export function readKind(): u32 {
  return unitKind;
}

// @ts-ignore: decorator
@inline
export function readTarget(): u32 {
  return unitTarget;
}

// @ts-ignore: decorator
@inline
export function readOpcode(): u32 {
  return unitOpcode;
}
