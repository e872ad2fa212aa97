/**
 * The logistic domain in integers: probabilities are mixed as ln(p / (1 - p)), as in Mahoney's PAQ mixers
 * ("Adaptive Weighing of Context Models for Lossless Data Compression", 2005).
 *
 * A stretched probability is an integer from -2047 to 2047 in units of 1/256. Everything follows from 33 integers, so
 * that every machine agrees on every bit.
 * @module
 */

/** 65536 / (1 + e^-x) for x = -8, -7.5, … 8. */
const SQUASH_KNOTS = [
  22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955, 17625, 24743, 32768, 40793, 47911, 53581,
  57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269, 65374, 65438, 65476, 65500, 65514,
];
const STRETCH_MAX = 2047;

/** Probability of a 1 in 1/65536 for a stretched one: index it with the value + 2048. Linear between the knots. */
export const SQUASH: Uint16Array = Uint16Array.from({ length: 4096 }, (_, i) => {
  const knot = i >> 7;
  const part = i & 127;
  return (SQUASH_KNOTS[knot]! * (128 - part) + SQUASH_KNOTS[knot + 1]! * part + 64) >> 7;
});

/** The stretched value of a probability in 1/4096: the smallest one that squashes to at least it. */
export const STRETCH: Int16Array = inverse();

function inverse(): Int16Array {
  const table = new Int16Array(4096);
  let next = 0;
  for (let x = -STRETCH_MAX; x <= STRETCH_MAX; x++) {
    const reached = SQUASH[x + 2048]! >> 4;
    while (next <= reached) table[next++] = x;
  }
  return table.fill(STRETCH_MAX, next);
}
