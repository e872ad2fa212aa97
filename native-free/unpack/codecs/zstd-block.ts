/**
 * What a block of a zstd frame chose, against what the reference implementation would choose for its tokens.
 * @module
 */
import type { NumberCoder } from '../../model/number-coder.ts';
import { malformed, type TokenList } from '../tokens.ts';
import { BlockTokens } from '../zstd/block-writer.ts';
import { KINDS, literalCode, matchCode, type CodeKind } from '../zstd/codes.ts';
import { singleTable, type FseTable } from '../zstd/fse.ts';
import { SYMBOLS } from '../zstd/huffman.ts';
import { usualLiterals, usualMode, usualSizeFormat } from '../zstd/libzstd/costs.ts';
import { usualTable } from '../zstd/libzstd/tables.ts';
import { usualLimit, usualTree } from '../zstd/libzstd/tree.ts';
import { LITERALS, type LiteralsParams } from '../zstd/literals.ts';
import { Offsets } from '../zstd/offsets.ts';
import { MODE, type TableChoice, type Tables } from '../zstd/sequences.ts';
import { BLOCK, type ZstdBlock } from '../zstd/params.ts';
import { codeBounded } from './fields.ts';
import { FLAG, NUMBER } from './zstd-kinds.ts';
import { codeTable, codeTree } from './zstd-tables.ts';

export class BlockCoder {
  readonly coded: ZstdBlock[] = [];
  readonly #numbers: NumberCoder;
  readonly #content: Uint8Array;
  readonly #tokens: BlockTokens;
  readonly #offsets: Offsets;
  readonly #tables: Tables = [null, null, null];
  #weights: Uint8Array | null = null;

  constructor(numbers: NumberCoder, content: Uint8Array, tokens: TokenList, plain: readonly number[]) {
    this.#numbers = numbers;
    this.#content = content;
    this.#tokens = new BlockTokens(content, tokens);
    this.#offsets = new Offsets(plain);
  }

  /** The next block; a decoder gives none. @throws UpdateError unit_malformed */
  code(contentBytes: number, given: ZstdBlock | null): void {
    const from = this.#tokens.at;
    this.#tokens.take(contentBytes, this.#offsets);
    const hasMatches = this.#tokens.sequences.count > 0;
    const bytes = this.#content.subarray(from, this.#tokens.at);
    const isOne = !hasMatches && bytes.length > 1 && bytes.every((byte) => byte === bytes[0]);
    const before = this.coded.at(-1)?.type ?? BLOCK.compressed;
    const shape = hasMatches ? 0 : isOne ? 1 : 2;
    const type = codeBounded(this.#numbers, given?.type ?? 0, BLOCK.compressed, NUMBER.type, shape, before);
    const literals = type === BLOCK.compressed ? this.#codeLiterals(given?.literals ?? null) : null;
    const tables = type === BLOCK.compressed && hasMatches ? this.#codeTables(given?.tables ?? null) : [];
    this.coded.push({ type, contentBytes, literals, tables });
  }

  #codeLiterals(given: LiteralsParams | null): LiteralsParams {
    const numbers = this.#numbers;
    const { literals } = this.#tokens;
    const counts = new Uint32Array(SYMBOLS);
    for (const literal of literals) counts[literal]!++;
    const size = literals.length;
    const limit = usualLimit(Math.max(size, 2), counts);
    const own = usualTree(counts, limit);
    const usual = usualLiterals(counts, size, own, this.#weights);
    const scale = 32 - Math.clz32(size);
    const mode = codeBounded(numbers, given?.mode ?? 0, LITERALS.treeless, NUMBER.literals, usual, scale);
    const format = usualSizeFormat(mode, size, this.#weights !== null);
    const sizeFormat = codeBounded(numbers, given?.sizeFormat ?? 0, 3, NUMBER.sizeFormat, format, mode);
    if (mode !== LITERALS.compressed) return { mode, sizeFormat, tree: null };
    const tree = codeTree(numbers, given?.tree ?? null, counts, limit, own);
    this.#weights = tree.weights;
    return { mode, sizeFormat, tree };
  }

  #codeTables(given: readonly TableChoice[] | null): readonly TableChoice[] {
    const { count, literals, lengths, offsets } = this.#tokens.sequences;
    const codes = [
      (i: number): number => literalCode(literals[i]!),
      (i: number): number => 31 - Math.clz32(offsets[i]!),
      (i: number): number => matchCode(lengths[i]!),
    ];
    return KINDS.map((kind, k) => {
      const codeOf = codes[k]!;
      const counts = new Uint32Array(kind.symbolMax + 1);
      for (let i = 0; i < count; i++) counts[codeOf(i)]!++;
      return this.#codeChoice(kind, k, counts, count, codeOf(count - 1), given?.[k] ?? null);
    });
  }

  #codeChoice(
    kind: CodeKind,
    k: number,
    counts: Uint32Array,
    count: number,
    last: number,
    given: TableChoice | null,
  ): TableChoice {
    const before = this.#tables[k]!;
    const own = usualTable(counts, count, last, kind.logMax);
    const usual = usualMode(kind, counts, count, own, before);
    const scale = 32 - Math.clz32(count);
    const mode = codeBounded(this.#numbers, given?.mode ?? 0, MODE.repeat, NUMBER.mode, usual, k, scale);
    const table = this.#tableOf(mode, kind, own, last, given?.table ?? null);
    if (mode !== MODE.repeat) this.#tables[k] = table ?? kind.predefined;
    else if (before === null) malformed('zstd', `there are no ${kind.name} to repeat`);
    return { mode, table };
  }

  #tableOf(mode: number, kind: CodeKind, own: FseTable | null, last: number, given: FseTable | null): FseTable | null {
    if (mode === MODE.single) return singleTable(last);
    return mode === MODE.own ? codeTable(this.#numbers, given, own, kind.logMax, kind.symbolMax, FLAG.table) : null;
  }
}
