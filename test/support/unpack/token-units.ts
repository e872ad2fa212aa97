/**
 * For tests of the token coder: units of all codecs with their sources, and a round trip through it.
 */
import zlib from 'node:zlib';
import { DEFAULT_SIZES } from '../../../native-free/format/model-sizes.ts';
import { MixCoder } from '../../../native-free/model/mix-coder.ts';
import { unpackDeflate } from '../../../native-free/unpack/deflate/deflate.ts';
import { unpackLz4 } from '../../../native-free/unpack/lz4.ts';
import { TokenCoder, type TokenUnit } from '../../../native-free/unpack/token-coder/token-coder.ts';
import type { TokenList } from '../../../native-free/unpack/tokens.ts';
import type { AlignedRun, SourceUnit, TokenRules } from '../../../native-free/unpack/unit-codec.ts';
import { packSimply } from './lz4.ts';

export const DEFLATE_RULES: TokenRules = {
  matchMin: 3,
  matchMax: 258,
  distanceMax: 32_768,
  reps: [],
  hasShortRep: false,
};
export const LZ4_RULES: TokenRules = { ...DEFLATE_RULES, matchMin: 4, matchMax: 2 ** 24, distanceMax: 65_535 };
export const LZMA_RULES: TokenRules = {
  matchMin: 2,
  matchMax: 273,
  distanceMax: 2 ** 30,
  reps: [1, 1, 1, 1],
  hasShortRep: true,
};
/** Three recent distances and no short rep, as zstd has them. */
export const ZSTD_RULES: TokenRules = {
  matchMin: 3,
  matchMax: 131_074,
  distanceMax: 2 ** 27,
  reps: [1, 4, 8],
  hasShortRep: false,
};

/** A unit and its tokens. */
export interface Case {
  readonly unit: TokenUnit;
  readonly tokens: TokenList;
}

export function deflateTokens(content: Uint8Array, options: zlib.ZlibOptions = {}): TokenList {
  return unpackDeflate(zlib.deflateRawSync(content, options), { contentBytesMax: content.length }).tokens;
}

export function lz4Tokens(content: Uint8Array): TokenList {
  return unpackLz4(packSimply(content), { contentBytesMax: content.length }).tokens;
}

export function sourceUnit(bytes: Uint8Array, tokens: TokenList): SourceUnit {
  return { bytes, tokens };
}

/** Runs of a simple aligner: the last place of 16 equal bytes, drawn out as long as most bytes are equal. */
export function align(target: Uint8Array, source: SourceUnit): AlignedRun[] {
  const SEED = 16;
  const seen = new Map<string, number>();
  const key = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + SEED));
  for (let at = 0; at + SEED <= source.bytes.length; at += 4) seen.set(key(source.bytes, at), at);
  const runs: AlignedRun[] = [];
  for (let at = 0; at + SEED <= target.length;) {
    const from = seen.get(key(target, at));
    if (from === undefined) {
      at++;
      continue;
    }
    let length = SEED;
    for (let i = length, score = 0; score > -16 && at + i < target.length && from + i < source.bytes.length; i++) {
      score = target[at + i] === source.bytes[from + i] ? Math.min(8, score + 1) : score - 1;
      if (score > 0) length = i + 1;
    }
    runs.push({ at, length, source, from });
    at += length;
  }
  return runs;
}

/** `content` with some bytes changed, some put in and some taken out. */
export function edited(content: Uint8Array, roll: (sides: number) => number, edits: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; i < edits && at < content.length; i++) {
    const to = Math.min(content.length, at + 1 + roll(Math.ceil((2 * content.length) / edits)));
    parts.push(
      content.subarray(at, to),
      Uint8Array.from({ length: roll(6) }, () => roll(256)),
    );
    at = to + roll(6);
  }
  parts.push(content.subarray(Math.min(at, content.length)));
  return new Uint8Array(Buffer.concat(parts));
}

/** The bytes of a segment with these units, and how much work they took, without and with the start. */
export function encodeTokens(cases: readonly Case[]): { stream: Uint8Array; spent: number; all: number } {
  const coder = new MixCoder(true, DEFAULT_SIZES);
  const tokens = new TokenCoder(coder);
  coder.start(null);
  tokens.reset();
  const before = coder.work.spent;
  for (const { unit, tokens: list } of cases) tokens.code(unit, list);
  return { stream: coder.finish(), spent: coder.work.spent - before, all: coder.work.spent };
}

export function decodeTokens(stream: Uint8Array, units: readonly TokenUnit[], limit = Infinity): TokenList[] {
  const coder = new MixCoder(false, DEFAULT_SIZES);
  const tokens = new TokenCoder(coder);
  coder.start(stream);
  coder.work.limit = limit;
  tokens.reset();
  return units.map((unit) => tokens.code(unit, null));
}

/** '' where tokens are equal, else the first that is not. */
export function differenceOf(a: TokenList, b: TokenList): string {
  if (a.count !== b.count) return `${a.count} and ${b.count} tokens`;
  for (let i = 0; i < a.count; i++) {
    const same = a.opAt(i) === b.opAt(i) && a.lengthAt(i) === b.lengthAt(i) && a.distanceAt(i) === b.distanceAt(i);
    if (!same)
      return `token ${i}: ${a.opAt(i)} ${a.lengthAt(i)} ${a.distanceAt(i)}, ${b.opAt(i)} ${b.lengthAt(i)} ${b.distanceAt(i)}`;
  }
  return '';
}

/** '' if tokens are what the rules allow and make the content, else what is wrong. */
export function illegality({ bytes, rules, first = 0 }: TokenUnit, tokens: TokenList): string {
  let at = first;
  for (let i = 0; i < tokens.count; i++) {
    const op = tokens.opAt(i);
    const length = tokens.lengthAt(i);
    const distance = tokens.distanceAt(i);
    const what = `token ${i}: ${op} ${length} ${distance} at ${at}`;
    if (op === 0) {
      if (length !== 1 || distance !== 0) return what;
    } else {
      if (distance < 1 || distance > at || distance > rules.distanceMax) return what;
      if (op === 2 && (!rules.hasShortRep || length !== 1)) return what;
      if (op !== 2 && (length < rules.matchMin || length > rules.matchMax)) return what;
      if (op > 2 + rules.reps.length) return what;
      for (let k = 0; k < length; k++) if (bytes[at + k] !== bytes[at + k - distance]) return what;
    }
    at += length;
  }
  return at === bytes.length ? '' : `they end at ${at} of ${bytes.length}`;
}
