/**
 * Where the token coder's decisions stand among tags and weight sets; part of the format.
 * @module
 */
import { CONTEXT_TAGS, FLAG_SETS_OF } from '../../model/contexts.ts';

/** First tags. */
export const TAG = {
  number: CONTEXT_TAGS.token,
  group: CONTEXT_TAGS.token + 4,
  hit: CONTEXT_TAGS.token + 10,
  plain: CONTEXT_TAGS.token + 21,
  kind: CONTEXT_TAGS.token + 25,
  rep: CONTEXT_TAGS.token + 36,
  full: CONTEXT_TAGS.token + 41,
  nearest: CONTEXT_TAGS.token + 47,
} as const;

/** Kinds of numbers. */
export const TOKEN_NUMBER = { shorter: 0, length: 1, rank: 2, distance: 3 } as const;

const FIRST = FLAG_SETS_OF.token;
/** First weight sets, of 704. */
export const SET = {
  number: FIRST,
  group: FIRST + 256,
  hit: FIRST + 272,
  plain: FIRST + 400,
  kind: FIRST + 408,
  rep: FIRST + 440,
  full: FIRST + 448,
  nearest: FIRST + 456,
} as const;
