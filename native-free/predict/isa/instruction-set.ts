/**
 * The seam between machine code and everything that predicts, matches or recognises it: what an instruction set is to
 * the rest of the house. list.ts lists them; docs/decisions/0119 says what adding one takes.
 *
 * Code is read as a sequence of units of one, two or four bytes. A unit may hold a reference: a field from which an
 * address follows (a branch, an address load). Each instruction set says which units do, in one file, as a table of
 * fields with the manual's section beside each. Addresses are the low 32 bits of virtual addresses, as unsigned
 * numbers: a module never spans more.
 *
 * The same reader serves the encoder, which replaces references by what they mean before it searches for matches, and
 * the decoder, which asks where a reference of the source leads in the target.
 * @module
 */
import type { RegionKind } from '../../format/regions.ts';
import type { Candidates } from '../candidates.ts';

/** `kind` of a unit that refers to nothing. */
export const NO_REFERENCE = 0;

/** Result of `resolve` for a unit that does not refer to anything in the way that was expected. */
export const NOWHERE = -1;

/** Reads, rewrites and resolves references. Results of `read` are fields: scanning must not allocate. */
export interface ReferenceReader {
  /** Forgets registers of both sides: a new run of units begins. */
  begin(): void;

  /**
   * Reads the source unit at `bytes[at]`; units never reach past `end`, and no byte at or past `end` is looked at.
   * `va` is the unit's address in the source. Sets all fields below. Bytes before `at` (down to `start`) may be
   * looked at by instruction sets that find a field by the bytes before it.
   */
  read(bytes: Uint8Array, at: number, start: number, end: number, va: number): void;
  /** Bytes of the unit: 1, 2 or 4, never more than were left. */
  length: number;
  /** The unit's bytes as a number, little-endian (most significant byte first where the instruction set says so). */
  word: number;
  /** NO_REFERENCE, or which field it has. */
  kind: number;
  /** The address it refers to, when `kind` is not NO_REFERENCE. */
  target: number;
  /** What is left of `word` when the field is cleared: the opcode and its registers. */
  opcode: number;

  /** `word` of this kind, placed at `va`, made to refer to `target`; the field is cut to its width. Stateless. */
  write(word: number, kind: number, va: number, target: number): number;

  /**
   * Told every unit of the target in order, once it is known: `actual` stands where `word` of `kind` (as read from the
   * source) was. Returns the address that `actual` refers to, or NOWHERE when it is not a unit of that kind. Follows
   * the target's registers, so that the second half of an address load is understood.
   */
  resolve(word: number, kind: number, actual: number, va: number): number;
}

/** What the last changed instructions tell of the next, where only their operands changed. */
export interface Operands {
  /** A new run begins. */
  begin(): void;
  /** Adds what `word` would become. */
  propose(word: number, candidates: Candidates): void;
  learn(word: number, actual: number): void;
}

/** The units in which literals are coded: new code, which nothing predicts but the code before it. */
export interface LiteralUnits {
  /**
   * What contexts look at. Words are coded whole, most significant byte first, since that is where the opcode is;
   * instructions are those of x86-64, by parts: see x64-parts.ts.
   */
  readonly by: 'bytes' | 'halfwords' | 'words' | 'instructions';
  /** Most bytes of the unit at address `va`: 1 or 4. */
  most(va: number): number;
  /** The order of the bytes of a unit of at most `most`, once its first one is known; -1 before. */
  order(most: number, first: number): readonly number[];
}

/** By what code is recognised in bytes of unknown nature: calls that lead into the image itself. */
export interface CodeSigns {
  /** Distance of places where a sign can begin. */
  readonly step: 1 | 2 | 4;
  /** Signs in a block of 2 KiB of code, at least. */
  readonly blockMin: number;
  /** One in so many places of random bytes seems to hold a sign; of these, one in so many bytes of reach hits the image. */
  readonly rarity: number;
  readonly reach: number;
  /** Else signs are something else that code is full of, and lead to where a function begins. */
  readonly areCalls: boolean;
  /**
   * The offset that the sign at `bytes[at]` leads to, which may be outside; or NOWHERE. Eight bytes from `at` on can be
   * read.
   */
  find(bytes: Uint8Array, at: number): number;
}

/** How addresses stand in tables, which tells where an image of unknown nature is loaded. */
interface AddressForms {
  /** Bits that they may have. */
  readonly widths: readonly (32 | 64)[];
  /** The address of the function that a word of 32 bits in a table names; NOWHERE for a word that names none. */
  functionOf(word: number): number;
  /** Where in the image the word lies that the instruction at `at` loads from a literal pool, or NOWHERE. */
  literalOf(image: Uint8Array, at: number): number;
}

/** What an ELF header says of the machine. */
export interface ElfMachine {
  readonly machine: number;
  readonly flags: number;
  readonly isLittle: boolean;
}

/** All traits of one instruction set. */
export interface InstructionSet {
  /** Its number in the format. */
  readonly kind: RegionKind;
  /** Units begin at multiples of this virtual address. */
  readonly alignment: 1 | 2 | 4;
  /** Most kinds that its reader may give, NO_REFERENCE included; at most 16. */
  readonly kinds: number;
  /** Units are numbers with the most significant byte first. */
  readonly bigEndian: boolean;
  /** Words between its functions are addresses by themselves: see code-reader.ts. */
  readonly hasPools: boolean;
  /** The bits of a name that matching puts into a field: see canonical.ts. */
  readonly nameBits: number;
  makeReader(): ReferenceReader;
  /** Null where nobody has looked at its operands yet. */
  makeOperands(): Operands | null;
  /**
   * A word of code at `va` with the distance in its field replaced by the place that it leads to (`sign` 1), or back (-1),
   * modulo the field's size; other words as they are. Two calls of one function then have the same bytes: what the
   * filters of xz (BCJ) do to whole files. A bijection that leaves alone the bits by which it recognises a reference. The
   * address is cut to the field's unit first, or the two directions would round differently.
   */
  absolute(word: number, va: number, sign: 1 | -1): number;
  readonly literals: LiteralUnits;
  readonly signs: CodeSigns;
  readonly addresses: AddressForms;
  /** Whether code of such a file is of this instruction set. */
  isCodeOf(file: ElfMachine): boolean;
}

/** Fields of code have up to 26 bits, of which the lowest two are mostly not there. */
export const FIELD_NAME_BITS = 0x3ffff;

/** Tables without a habit of their own: words are addresses, and code loads none of them. */
export const PLAIN_ADDRESSES: Pick<AddressForms, 'functionOf' | 'literalOf'> = {
  functionOf: (word) => word,
  literalOf: () => NOWHERE,
};

const ONE = [0];

export const LITERAL_BYTES: LiteralUnits = { by: 'bytes', most: () => 1, order: () => ONE };
export const LITERAL_WORDS: LiteralUnits = { ...LITERAL_BYTES, by: 'words' };
