/**
 * Which part of an instruction of x86-64 the next byte is, told byte by byte: what literals are coded by, where nothing is
 * known yet of what follows. x64.ts reads whole instructions by the same tables. Who begins in the middle of one is in step
 * after a few.
 * @module
 */
import {
  DISTANCE,
  immediateBytes,
  MODRM,
  ONE_BYTE,
  shapeInMap,
  SPECIAL,
  TWO_BYTES,
  type Prefixes,
} from './x64-opcodes.ts';

/** Parts of an instruction; `mapped` is an opcode in a map that was named before, `payload` what VEX and EVEX consist of. */
export const PART = {
  start: 0,
  second: 1,
  mapped: 2,
  payload: 3,
  modrm: 4,
  sib: 5,
  displacement: 6,
  immediate: 7,
} as const;

/** Bytes before a run that are looked at to be in step. */
export const STEP_BYTES = 32;

export class X64Parts implements Prefixes {
  /** The part that the next byte is. */
  part: number = PART.start;
  /** Bytes of it that are left: of payload, displacement, immediate. */
  left = 0;
  /** Whether a displacement is a distance from the instruction's end, and how many bytes follow it. */
  isDistance = false;
  tail = 0;
  /** Bytes of the field so far, the last one lowest. */
  field = 0;
  /** Map and opcode of the instruction at hand (at its start: the last one), and of the two before it; its ModRM. */
  opcode = 0;
  before = 0;
  earlier = 0;
  modrm = 0;
  isNarrow = false;
  isAddressNarrow = false;
  rex = 0;
  #map = 0;
  #shape = 0;
  /** Bytes of the whole field. */
  #length = 0;

  begin(): void {
    this.#ended();
    this.opcode = this.before = this.earlier = this.modrm = this.field = 0;
  }

  /** The part with the place in it: below 128. */
  get place(): number {
    const { part, left } = this;
    let index = 0;
    if (part === PART.start) index = this.rex !== 0 ? 2 : this.isNarrow ? 1 : 0;
    else if (part === PART.displacement) index = (this.isDistance ? 4 : 0) + (this.#length === 1 ? 8 : left - 1);
    else if (part === PART.immediate) index = this.#length === 1 ? 8 : left - 1;
    return (part << 4) | index;
  }

  next(byte: number): void {
    switch (this.part) {
      case PART.start:
        return this.#start(byte);
      case PART.second:
        return this.#second(byte);
      case PART.mapped:
        return this.#opcode(byte, this.#map, shapeInMap(this.#map, byte));
      case PART.payload:
        return this.#payload(byte);
      case PART.modrm:
        return this.#modrm(byte);
      case PART.sib:
        if ((this.modrm & 0xc0) === 0 && (byte & 7) === 5) this.#length = 4;
        return this.#displacement();
      default:
        this.field = (this.field << 8) | byte;
        if (--this.left > 0) return;
        if (this.part === PART.displacement) this.#immediate();
        else this.#ended();
    }
  }

  #ended(): void {
    this.part = PART.start;
    this.isNarrow = this.isAddressNarrow = this.isDistance = false;
    this.rex = 0;
    this.left = this.tail = this.#length = 0;
  }

  #start(byte: number): void {
    const shape = ONE_BYTE[byte]!;
    if (shape === SPECIAL.prefix) {
      if (byte === 0x66) this.isNarrow = true;
      else if (byte === 0x67) this.isAddressNarrow = true;
    } else if (shape === SPECIAL.rex) this.rex = byte;
    else if (shape === SPECIAL.map0f) this.part = PART.second;
    else if (shape === SPECIAL.vex2) this.#vector(1, 1);
    else if (shape === SPECIAL.vex3) this.#vector(2, 0);
    else if (shape === SPECIAL.evex) this.#vector(3, 0);
    else this.#opcode(byte, 0, shape === SPECIAL.popOrXop ? MODRM : shape);
  }

  #second(byte: number): void {
    const shape = TWO_BYTES[byte]!;
    if (shape !== SPECIAL.map0f38 && shape !== SPECIAL.map0f3a) return this.#opcode(byte, 1, shape);
    this.part = PART.mapped;
    this.#map = shape === SPECIAL.map0f38 ? 2 : 3;
  }

  #vector(bytes: number, map: number): void {
    this.part = PART.payload;
    this.left = bytes;
    this.#map = map;
  }

  /** The first byte of the longer ones says which map. */
  #payload(byte: number): void {
    if (this.#map === 0) this.#map = byte & 7;
    if (--this.left === 0) this.part = PART.mapped;
  }

  #opcode(byte: number, map: number, shape: number): void {
    this.earlier = this.before;
    this.before = this.opcode;
    this.opcode = (map << 8) | byte;
    this.modrm = 0;
    this.field = 0;
    this.#shape = shape;
    if (shape >= MODRM) this.part = PART.modrm;
    else if (shape >= DISTANCE) {
      this.isDistance = true;
      this.#length = (shape & 15) > 3 ? 1 : 4;
      this.#displacement();
    } else if (shape >= SPECIAL.prefix) this.#ended();
    else {
      this.tail = immediateBytes(shape, this, 0);
      this.#immediate();
    }
  }

  /** ModRM (section 2.1.5, tables 2-2 and 2-3). */
  #modrm(byte: number): void {
    const mod = byte >>> 6;
    this.modrm = byte;
    this.tail = immediateBytes(this.#shape & 15, this, byte);
    this.#length = mod === 1 ? 1 : mod === 2 ? 4 : 0;
    if (mod !== 3 && (byte & 7) === 4) {
      this.part = PART.sib;
      return;
    }
    if ((byte & 0xc7) === 5) {
      this.isDistance = true;
      this.#length = 4;
    }
    this.#displacement();
  }

  #displacement(): void {
    if (this.#length === 0) return this.#immediate();
    this.part = PART.displacement;
    this.left = this.#length;
  }

  #immediate(): void {
    if (this.tail === 0) return this.#ended();
    this.part = PART.immediate;
    this.isDistance = false;
    this.left = this.#length = this.tail;
    this.tail = 0;
    this.field = 0;
  }
}
