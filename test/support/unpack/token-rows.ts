/**
 * Token lists as rows of op, length and distance, which tests can compare, change and write down.
 */
import { TokenList } from '../../../native-free/unpack/tokens.ts';

export type TokenRow = readonly [op: number, length: number, distance: number];

export function rowsOf(tokens: TokenList): TokenRow[] {
  return Array.from({ length: tokens.count }, (_, i) => [tokens.opAt(i), tokens.lengthAt(i), tokens.distanceAt(i)]);
}

export function listOf(rows: readonly TokenRow[]): TokenList {
  const tokens = new TokenList(rows.length);
  for (const row of rows) tokens.push(...row);
  return tokens;
}
