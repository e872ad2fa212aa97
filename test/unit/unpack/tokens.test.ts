/**
 * The list of a unit's tokens: chunks that grow with what comes, and nothing beyond the bound.
 */
import { describe, expect, it } from 'vitest';
import { OP, TokenList } from '../../../native-free/unpack/tokens.ts';
import { listOf, rowsOf, type TokenRow } from '../../support/unpack/token-rows.ts';
import { refusalOf } from '../../support/unpack/tools.ts';

/** More than two chunks of 4,096. */
const ROWS = Array.from({ length: 9000 }, (_, i): TokenRow => {
  return i % 3 === 0 ? [OP.literal, 1, 0] : [1 + (i % 6), 1 + (i % 273), 1 + ((i * 7919) % (2 ** 24 - 1))];
});

describe('a list of tokens', () => {
  it('has what was put in, and where each begins', () => {
    const list = listOf(ROWS);
    expect(rowsOf(list)).toEqual(ROWS);
    let at = 0;
    for (let i = 0; i < ROWS.length; i++) {
      expect(list.startAt(i)).toBe(at);
      at += ROWS[i]![1];
    }
    expect(list.startAt(ROWS.length)).toBe(at);
    expect(list.end).toBe(at);
  });

  it('goes on behind what was given back', () => {
    for (const before of [0, 1, 100, 4095, 4096, 4097, 8192]) {
      const list = new TokenList(ROWS.length);
      ROWS.slice(0, before).forEach((row) => list.push(...row));
      list.trim();
      expect(rowsOf(list)).toEqual(ROWS.slice(0, before));
      ROWS.slice(before).forEach((row) => list.push(...row));
      expect(rowsOf(list)).toEqual(ROWS);
    }
  });

  it('begins anew', () => {
    const list = listOf([...ROWS]);
    list.clear();
    expect([list.count, list.end]).toEqual([0, 0]);
    ROWS.forEach((row) => list.push(...row));
    expect(rowsOf(list)).toEqual(ROWS);
  });

  it('takes as many tokens as it may have, and no more', () => {
    for (const most of [0, 1, 3, 64, 4096, 4097, 8191, 8192, 8193]) {
      const list = new TokenList(most);
      list.pushLiterals(most);
      const message = `unit: it has more than ${most} tokens`;
      expect(refusalOf(() => list.push(OP.literal, 1, 0))).toBe(message);
      expect(refusalOf(() => new TokenList(most).pushLiterals(most + 1))).toBe(message);
      expect(list.count).toBe(most);
    }
  });

  it('refuses a distance that no unit has content for', () => {
    const list = new TokenList(2);
    list.push(OP.match, 3, 2 ** 24 - 1);
    expect(refusalOf(() => list.push(OP.match, 3, 2 ** 24))).toMatch(/distance of 16777216/);
  });
});
