/**
 * Compressed streams for vectors, the same on every machine: real compressors differ between their versions.
 * @module
 */
import { ChunkList, CONTROL_RESET_ALL } from '../../native-free/unpack/lzma/chunks.ts';
import { codecOf } from '../../native-free/unpack/codecs/list.ts';
import { CODEC_ID } from '../../native-free/format/unit-map.ts';
import { OP, TokenList } from '../../native-free/unpack/tokens.ts';
import type { TokenRules } from '../../native-free/unpack/unit-codec.ts';
import { BlockTokens } from '../../native-free/unpack/zstd/block-writer.ts';
import { KINDS, literalCode, matchCode } from '../../native-free/unpack/zstd/codes.ts';
import { SYMBOLS } from '../../native-free/unpack/zstd/huffman.ts';
import { usualLiterals, usualMode, usualSizeFormat } from '../../native-free/unpack/zstd/libzstd/costs.ts';
import { usualTable } from '../../native-free/unpack/zstd/libzstd/tables.ts';
import { usualLimit, usualTree } from '../../native-free/unpack/zstd/libzstd/tree.ts';
import { LITERALS } from '../../native-free/unpack/zstd/literals.ts';
import { Offsets } from '../../native-free/unpack/zstd/offsets.ts';
import { BLOCK, type ZstdBlock } from '../../native-free/unpack/zstd/params.ts';
import { MODE } from '../../native-free/unpack/zstd/sequences.ts';

const MATCH_MIN = 4;

/** Greedy: the last place with the same four bytes, as far as it goes; none over a multiple of `blockBytes`. */
function tokensOf(content: Uint8Array, rules: TokenRules, blockBytes = Infinity): TokenList {
  const tokens = new TokenList(content.length);
  const last = new Map<number, number>();
  const recent = [...rules.reps];
  const keyAt = (at: number): number => content.slice(at, at + MATCH_MIN).reduce((sum, byte) => sum * 256 + byte, 0);
  for (let at = 0; at < content.length;) {
    const from = at + MATCH_MIN <= content.length ? last.get(keyAt(at)) : undefined;
    const end = Math.min(content.length, at + rules.matchMax, at + blockBytes - (at % blockBytes));
    let length = 0;
    if (from !== undefined && at - from <= rules.distanceMax)
      while (at + length < end && content[from + length] === content[at + length]) length++;
    if (length < MATCH_MIN) {
      const isShort = rules.hasShortRep && at > 0 && content[at] === content[at - recent[0]!];
      tokens.push(isShort ? OP.shortRep : OP.literal, 1, isShort ? recent[0]! : 0);
      length = 1;
    } else {
      const distance = at - from!;
      const rep = recent.indexOf(distance);
      tokens.push(rep < 0 ? OP.match : OP.rep0 + rep, length, distance);
      recent.splice(rep < 0 ? recent.length - 1 : rep, recent.length > 0 ? 1 : 0);
      if (rules.reps.length > 0) recent.unshift(distance);
    }
    for (const stop = at + length; at < stop; at++) if (at + MATCH_MIN <= content.length) last.set(keyAt(at), at);
  }
  return tokens;
}

function packed(codec: number, content: Uint8Array, params: unknown): Uint8Array {
  const { rules, pack, tokenBytes, headOf } = codecOf(codec);
  return pack(content, tokensOf(tokenBytes(content, headOf(params)), rules), params);
}

/** Blocks of `blockBytes`; of the first, some tokens more stand in a stored one of 9 bytes before it. */
export function deflated(content: Uint8Array, blockBytes: number, isStoredFirst = false): Uint8Array {
  const { rules, pack } = codecOf(CODEC_ID.deflate);
  const tokens = tokensOf(content, rules, blockBytes);
  const starts = isStoredFirst ? [0] : [];
  for (let token = 0, at = 0; token < tokens.count; at += tokens.lengthAt(token++))
    if (at % blockBytes === 0) starts.push(at === 0 && isStoredFirst ? 9 : token);
  const blocks = starts.map((firstToken, i) => ({
    ...{ firstToken, type: isStoredFirst && i === 0 ? 0 : i % 3 === 2 ? 1 : 2 },
    ...{ isLast: i === starts.length - 1, padding: 0 },
  }));
  return pack(content, tokens, { leadBits: 0, lead: 0, blocks, padding: 0 });
}

export function zlibbed(content: Uint8Array, header: readonly [number, number] = [0x78, 0x9c]): Uint8Array {
  const blocks = [{ firstToken: 0, type: 2, isLast: true, padding: 0 }];
  return packed(CODEC_ID.zlib, content, { header: Uint8Array.from(header), blocks, padding: 0 });
}

export function lz4ed(content: Uint8Array): Uint8Array {
  return packed(CODEC_ID.lz4, content, { endsInLiterals: true, spareHalf: 0 });
}

export function lzoed(content: Uint8Array): Uint8Array {
  return packed(CODEC_ID.lzo, content, { hasFirstRun: true, usesNear: true, exceptions: [] });
}

export function lzmaed(content: Uint8Array): Uint8Array {
  return packed(CODEC_ID.lzma, content, {
    ...{ properties: 93, dictionaryBytes: 65_536 },
    ...{ hasEndMarker: false, hasSize: true },
  });
}

export function microLzmaed(content: Uint8Array): Uint8Array {
  return packed(CODEC_ID.microLzma, content, { properties: 93, hasEndMarker: false });
}

/** Blocks of so many bytes, through the x86 filter where `isFiltered`. */
export function xzed(content: Uint8Array, sizes: readonly number[], isFiltered: boolean): Uint8Array {
  const { rules, pack, tokenBytes, headOf } = codecOf(CODEC_ID.xz);
  const blocks = sizes.map((contentBytes) => {
    const chunks = new ChunkList(1);
    chunks.push(CONTROL_RESET_ALL, 0, 93, 0);
    const filters = isFiltered ? [{ id: 4, start: null }] : [];
    const lengths = { hasPackedBytes: false, hasContentBytes: false };
    return { headerBytes: 12, ...lengths, filters, dictionaryCode: 8, contentBytes, chunks };
  });
  const params = { check: 1, blocks };
  const bytes = tokenBytes(content, headOf(params));
  const tokens = new TokenList(content.length);
  let from = 0;
  for (const size of sizes) {
    // Each block begins its dictionary, and its list of distances, anew.
    const own = tokensOf(bytes.subarray(from, from + size), rules);
    for (let i = 0; i < own.count; i++) tokens.push(own.opAt(i), own.lengthAt(i), own.distanceAt(i));
    from += size;
  }
  return pack(content, tokens, params);
}

/** Blocks of `blockBytes` as libzstd would code these tokens; literals of every second one are raw where `isPlain`. */
export function zstded(content: Uint8Array, blockBytes: number, isPlain: boolean): Uint8Array {
  const { rules, pack } = codecOf(CODEC_ID.zstd);
  const tokens = tokensOf(content, rules, blockBytes);
  const walk = new BlockTokens(content, tokens);
  const offsets = new Offsets();
  const blocks: ZstdBlock[] = [];
  let weights: Uint8Array | null = null;
  while (walk.at < content.length) {
    const contentBytes = Math.min(blockBytes, content.length - walk.at);
    walk.take(contentBytes, offsets);
    const { literals } = walk;
    const counts = new Uint32Array(SYMBOLS);
    for (const literal of literals) counts[literal]!++;
    const own = usualTree(counts, usualLimit(Math.max(literals.length, 2), counts));
    const mode =
      isPlain && blocks.length % 2 === 1 ? LITERALS.raw : usualLiterals(counts, literals.length, own, weights);
    const sizeFormat = usualSizeFormat(mode, literals.length, weights !== null);
    if (mode === LITERALS.compressed) weights = own!.weights;
    const tree = mode === LITERALS.compressed ? own : null;
    blocks.push({ type: BLOCK.compressed, contentBytes, literals: { mode, sizeFormat, tree }, tables: tablesOf(walk) });
  }
  return pack(content, tokens, { head: { hasChecksum: true, sizeCode: 1, window: null }, plain: [], blocks });
}

/** Tables of its own or predefined ones for each kind of codes. */
function tablesOf({ sequences }: BlockTokens): ZstdBlock['tables'] {
  const { count, literals, lengths, offsets } = sequences;
  if (count === 0) return [];
  const codes = [
    (i: number): number => literalCode(literals[i]!),
    (i: number): number => 31 - Math.clz32(offsets[i]!),
    (i: number): number => matchCode(lengths[i]!),
  ];
  return KINDS.map((kind, k) => {
    const counts = new Uint32Array(kind.symbolMax + 1);
    for (let i = 0; i < count; i++) counts[codes[k]!(i)]!++;
    const own = usualTable(counts, count, codes[k]!(count - 1), kind.logMax);
    const isOwn = own !== null && usualMode(kind, counts, count, own, null) === MODE.own;
    return isOwn ? { mode: MODE.own, table: own } : { mode: MODE.predefined, table: null };
  });
}
