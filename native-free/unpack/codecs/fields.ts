/**
 * Fields of params, coded against what is expected of them: one flag where they are that, which soon costs nothing.
 * @module
 */
import type { NumberCoder } from '../../model/number-coder.ts';
import { malformed } from '../tokens.ts';

/** What a field is, to be told from others: kinds of numbers below 12 and of flags below 8, and anything small. */
export interface Field {
  readonly flag: number;
  readonly number: number;
  readonly context: number;
  /** Decoded values are at most that. */
  readonly max: number;
}

/** A number that is nearly always as expected. @throws UpdateError unit_malformed for a decoded one over its bound */
export function codeExpected(numbers: NumberCoder, value: number, expected: number, field: Field): number {
  const { flag, number, context, max } = field;
  if (numbers.flag(value === expected, flag, context)) return expected;
  return codeBounded(numbers, value, max, number, context, Math.min(expected, 255));
}

/** A number up to `max`. @throws UpdateError unit_malformed for a decoded one that is larger */
export function codeBounded(
  numbers: NumberCoder,
  value: number,
  max: number,
  kind: number,
  a = 0,
  b = 0,
  c = 0,
): number {
  const coded = numbers.code(value, kind, a, b, c);
  if (coded > max) malformed('unit', `a number of kind ${kind} is ${coded}, over ${max}`);
  return coded;
}
