/**
 * A compressor that takes any token its format allows, at random: no one's choices, which must come back all the same.
 */
import { OP, TokenList } from '../../../native-free/unpack/tokens.ts';
import type { TokenRules } from '../../../native-free/unpack/unit-codec.ts';

const SEED = 2;

export function randomTokens(content: Uint8Array, rules: TokenRules, roll: (sides: number) => number): TokenList {
  const tokens = new TokenList(content.length);
  const recent = [...rules.reps];
  const places = new Map<number, number[]>();
  const lengthOf = (at: number, distance: number): number => {
    if (distance > at || distance > rules.distanceMax) return 0;
    let length = 0;
    while (
      length < rules.matchMax &&
      at + length < content.length &&
      content[at + length] === content[at + length - distance]
    )
      length++;
    return length;
  };
  let inserted = 0;
  for (let at = 0; at < content.length;) {
    for (; inserted < at && inserted + SEED <= content.length; inserted++) {
      const key = content[inserted]! | (content[inserted + 1]! << 8);
      places.set(key, [...(places.get(key) ?? []).slice(-7), inserted]);
    }
    // LZMA2 begins them anew within a stream.
    if (roll(500) === 0) recent.splice(0, recent.length, ...rules.reps);
    const choices: [number, number, number][] = [];
    recent.forEach((distance, i) => choices.push([OP.rep0 + i, lengthOf(at, distance), distance]));
    // Distances that are recent are said in full, too.
    for (const distance of recent) choices.push([OP.match, lengthOf(at, distance), distance]);
    for (const place of places.get(content[at]! | (content[at + 1]! << 8)) ?? [])
      choices.push([OP.match, lengthOf(at, at - place), at - place]);
    const legal = choices.filter(([, length]) => length >= rules.matchMin);
    let taken: [number, number, number] = [OP.literal, 1, 0];
    const dice = roll(10);
    if (legal.length > 0 && dice < 7) {
      const [op, length, distance] = legal[roll(legal.length)]!;
      const shorter = rules.matchMin + roll(length - rules.matchMin + 1);
      taken = [op, roll(3) > 0 ? length : shorter, distance];
    } else if (rules.hasShortRep && dice < 9 && lengthOf(at, recent[0]!) > 0) taken = [OP.shortRep, 1, recent[0]!];
    tokens.push(...taken);
    at += taken[1];
    if (recent.length === 0 || taken[0] === OP.literal || taken[0] === OP.shortRep) continue;
    recent.splice(taken[0] === OP.match ? recent.length - 1 : taken[0] - OP.rep0, 1);
    recent.unshift(taken[2]);
  }
  return tokens;
}
