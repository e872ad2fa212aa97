/**
 * Free texts on their way to a server: the output of health checks and hooks, messages of errors. What a firewall, a
 * database or a browser in front of the reader could choke on is taken out here: a report must not be refused for its
 * words.
 * @module
 */
import { LIMITS } from '../../../native-free/limits.ts';

const TERMINAL_SEQUENCES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
/** Controls, marks that change how the text around them is shown, halves of surrogates, and what is no character. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu;
const ASTRAL = /[\u{10000}-\u{10ffff}]/gu;
const INSTEAD: Readonly<Record<string, string>> = { '<': '‹', '>': '›', '&': '+' };

/** One line without markup, controls or broken Unicode; a database that knows only the basic plane takes it as well. */
export function plainLine(text: string): string {
  return text
    .replace(TERMINAL_SEQUENCES, '')
    .replace(ASTRAL, '?')
    .replace(INVISIBLE, ' ')
    .replace(/[<>&]/g, (character: string) => INSTEAD[character]!)
    .replace(/\s+/gu, ' ')
    .trim();
}

/**
 * `text` as lines for a report. Of a text that is too long its beginning stays, and its end: the beginning says what
 * failed, the end what it said last.
 */
export function plainLines(text: string): string[] {
  const { report_line_chars_max: lineMax, report_lines_max: linesMax } = LIMITS;
  const room = lineMax * linesMax;
  const plain = plainLine(text);
  const kept = plain.length <= room ? plain : `${plain.slice(0, room / 2)} … ${plain.slice(3 - room / 2)}`;
  const lines: string[] = [];
  for (let at = 0; at < kept.length; at += lineMax) lines.push(kept.slice(at, at + lineMax));
  return lines;
}
