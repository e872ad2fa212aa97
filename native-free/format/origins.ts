/**
 * Origins: why a unit of the target is expected to be what it is expected to be. Their numbers are part of what contexts
 * are made of, and so of the format.
 * @module
 */
import { LIMITS } from '../limits.ts';

/** Where a candidate comes from. */
export const ORIGIN = {
  /** The source's own value. */
  same: 0,
  /** An address that was met before and went elsewhere than the map says. */
  known: 1,
  /** Through the address map. */
  map: 2,
  /** Moved like the addresses near it. */
  near: 3,
  /** A word that changed before, into what it became: seen once; confirmed. */
  again: 4,
  surely: 5,
  /** Differs by as much as the last changed unit of this kind did. */
  shift: 6,
  /** A distance from its own place; a value that moved like the values near it. */
  place: 7,
  nearValue: 8,
  /** Registers renamed; stack offsets moved by the last and the last but one change. */
  registers: 9,
  stack: 10,
  stackBefore: 11,
  /** Distances from the bases of the region. */
  base: 12,
} as const;
export const ORIGINS = ORIGIN.base + LIMITS.bases_max;
