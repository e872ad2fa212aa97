/**
 * One unit of the target, coded: what its compressor chose, in the light of what was chosen for the source.
 * @module
 */
import type { CoverList } from '../../format/cover.ts';
import { concat } from '../../format/bytes.ts';
import { WORK } from '../../format/work.ts';
import { noMeter, STREAM, type CostMeter } from '../../model/costs.ts';
import type { ModelCoder } from '../../model/model-coder.ts';
import { NumberCoder, UNIT_SPACE } from '../../model/number-coder.ts';
import { codecOf } from '../codecs/list.ts';
import type { VirtualLayout } from '../map/virtual-layout.ts';
import { asSource, type DecodedUnit, type UnitCache } from '../source/unit-cache.ts';
import { finderBytes } from '../token-coder/match-finder.ts';
import { TokenCoder } from '../token-coder/token-coder.ts';
import { GROWING_BYTES, TOKEN_BYTES, type TokenList } from '../tokens.ts';
import type { AlignedRun, SourceUnit } from '../unit-codec.ts';
import { mostOf, runsOf } from './runs.ts';

/** All that packing a unit takes beside its content. */
export interface UnitChoices {
  readonly tokens: TokenList;
  readonly params: unknown;
}

export class UnitReplay {
  readonly #coder: ModelCoder;
  readonly #numbers: NumberCoder;
  readonly #tokens: TokenCoder;
  readonly #covers: CoverList;
  readonly #source: UnitCache;
  readonly #target: VirtualLayout;
  /** Memory of the finder, which is kept until the segment ends. */
  #finderBytes = 0;
  readonly #meter: CostMeter;

  constructor(
    coder: ModelCoder,
    covers: CoverList,
    source: UnitCache,
    target: VirtualLayout,
    meter: CostMeter = noMeter,
  ) {
    this.#coder = coder;
    this.#numbers = new NumberCoder(coder, UNIT_SPACE);
    this.#tokens = new TokenCoder(coder);
    this.#covers = covers;
    this.#source = source;
    this.#target = target;
    this.#meter = meter;
  }

  /** A segment begins. */
  reset(): void {
    this.#source.memory.take(-this.#finderBytes);
    this.#finderBytes = 0;
    this.#tokens.reset();
  }

  /**
   * Codes unit `index` with this content, before which `history` stood; a decoder gives no choices, and gets them. Memory of the
   * tokens stays taken.
   * @throws UpdateError unit_malformed, payload_work, and what reading the source throws
   */
  async code(index: number, content: Uint8Array, history: Uint8Array, given: UnitChoices | null): Promise<UnitChoices> {
    const { codec } = this.#target.units[index]!;
    const { rules, headOf, codeHead, codeTail, tokenBytes, isFiltered } = codecOf(codec);
    const { memory } = this.#source;
    this.#takeFinder(finderBytes(rules, history.length + content.length));
    const { work } = this.#coder;
    work.spent += WORK.unpackedUnit + WORK.unpackedByte * content.length;
    work.check();
    const found = runsOf(this.#covers, this.#source.layout, this.#target, index);
    const sources = new Map<number, { readonly unit: SourceUnit; readonly params: unknown }>();
    const runs: AlignedRun[] = [];
    let filtered = 0;
    for (const { at, length, unit, from } of found) {
      let source = sources.get(unit);
      if (source === undefined) {
        const decoded = await this.#source.pinned(unit);
        filtered += this.#takeFiltered(decoded, codec);
        source = { unit: asSource(decoded, codec), params: decoded.params };
        sources.set(unit, source);
      }
      runs.push({ at: history.length + at, length, from, source: source.unit });
    }
    const like = sources.get(mostOf(found))?.params ?? null;
    this.#meter.stream(STREAM.params);
    const head = codeHead(this.#numbers, given === null ? null : headOf(given.params), like, content);
    // What filters make of it, or what it is with its history, is another copy.
    const copied = isFiltered(head) || history.length > 0 ? history.length + content.length : 0;
    memory.take(copied + GROWING_BYTES);
    const own = tokenBytes(content, head);
    const bytes = history.length === 0 ? own : concat([history, own]);
    this.#meter.stream(STREAM.tokens);
    const tokens = this.#tokens.code(
      { bytes, first: history.length, rules, runs, tokensMax: memory.tokensLeft },
      given?.tokens ?? null,
    );
    this.#meter.stream(STREAM.params);
    const params = codeTail(this.#numbers, head, given?.params ?? null, like, content, tokens);
    memory.take(TOKEN_BYTES * tokens.count);
    memory.take(-copied - GROWING_BYTES - filtered);
    this.#source.unpin();
    work.check();
    return { tokens, params };
  }

  /** A source unit of xz may have filters: then its tokens are about other bytes than its content. */
  #takeFiltered({ content, params }: DecodedUnit, codec: number): number {
    const bytes = codecOf(codec).isFiltered(codecOf(codec).headOf(params)) ? content.length : 0;
    this.#source.memory.take(bytes);
    return bytes;
  }

  #takeFinder(bytes: number): void {
    if (bytes <= this.#finderBytes) return;
    this.#source.memory.take(bytes - this.#finderBytes);
    this.#finderBytes = bytes;
  }
}
