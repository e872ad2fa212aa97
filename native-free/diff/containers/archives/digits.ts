/**
 * Numbers as archives write them: digits in fields of fixed length.
 * @module
 */
const SPACE = 0x20;
const DIGITS = '0123456789abcdef';
/** For each character its digit; 255: none. */
const VALUES = new Uint8Array(256).fill(255);
for (const text of [DIGITS, DIGITS.toUpperCase()])
  for (let digit = 0; digit < text.length; digit++) VALUES[text.charCodeAt(digit)] = digit;

/**
 * The number in [from, to), which must be there: spaces may stand before it, spaces or a zero byte end it. -1: it is none.
 * More digits than a number holds make a number over every bound.
 */
export function readDigits(bytes: Uint8Array, from: number, to: number, base: number): number {
  let at = from;
  while (at < to && bytes[at] === SPACE) at++;
  const start = at;
  let value = 0;
  for (; at < to && VALUES[bytes[at]!]! < base; at++) value = value * base + VALUES[bytes[at]!]!;
  if (at === start) return -1;
  for (; at < to && bytes[at] !== 0; at++) if (bytes[at] !== SPACE) return -1;
  return value;
}

/** Whether bytes at `at` are those of an ASCII text. */
export function isText(bytes: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

export const charCodes = (text: string): number[] => Array.from(text, (char) => char.charCodeAt(0));
