/**
 * The seam between machine code and everything that predicts or matches it.
 *
 * Code is read as a sequence of units of one, two or four bytes. A unit may hold a reference: a field from which an
 * address follows (a branch, an address load). Each instruction set says which units do, in one file, as a table of
 * fields with the manual's section beside each. Addresses are the low 32 bits of virtual addresses, as unsigned
 * numbers: a module never spans more.
 *
 * The same object serves the encoder, which replaces references by what they mean before it searches for matches, and
 * the decoder, which asks where a reference of the source leads in the target.
 * @module
 */

/** `kind` of a unit that refers to nothing. */
export const NO_REFERENCE = 0;

/** Result of `resolve` for a unit that does not refer to anything in the way that was expected. */
export const NOWHERE = -1;

/** Reads, rewrites and resolves references. Results of `read` are fields: scanning must not allocate. */
export interface InstructionSet {
  /** Units begin at multiples of this virtual address: 1, 2 or 4. */
  readonly alignment: number;
  /** Most kinds that `read` may give, NO_REFERENCE included; at most 16. */
  readonly kinds: number;

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
