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
import { asSource, type UnitCache } from '../source/unit-cache.ts';
import { TOKEN_BYTES } from '../source/unit-memory.ts';
import { finderBytes } from '../token-coder/match-finder.ts';
import { TokenCoder } from '../token-coder/token-coder.ts';
import type { TokenList } from '../tokens.ts';
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
    this.#tokens.reset();
  }

  /**
   * Codes unit `index` with this content, before which `history` stood; a decoder gives no choices, and gets them.
   * @throws UpdateError unit_malformed, payload_work, and what reading the source throws
   */
  async code(index: number, content: Uint8Array, history: Uint8Array, given: UnitChoices | null): Promise<UnitChoices> {
    const { codec, packedBytes } = this.#target.units[index]!;
    const { rules, headOf, codeHead, codeTail, tokenBytes } = codecOf(codec);
    const { memory } = this.#source;
    const held = 2 * content.length + packedBytes + finderBytes(rules, history.length + content.length);
    memory.take(held);
    const { work } = this.#coder;
    work.spent += WORK.unpackedUnit + WORK.unpackedByte * content.length;
    work.check();
    const found = runsOf(this.#covers, this.#source.layout, this.#target, index);
    const sources = new Map<number, { readonly unit: SourceUnit; readonly params: unknown }>();
    const runs: AlignedRun[] = [];
    for (const { at, length, unit, from } of found) {
      let source = sources.get(unit);
      if (source === undefined) {
        const decoded = await this.#source.pinned(unit);
        source = { unit: asSource(decoded, codec), params: decoded.params };
        sources.set(unit, source);
      }
      runs.push({ at: history.length + at, length, from, source: source.unit });
    }
    const like = sources.get(mostOf(found))?.params ?? null;
    this.#meter.stream(STREAM.params);
    const head = codeHead(this.#numbers, given === null ? null : headOf(given.params), like, content);
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
    memory.take(-held - TOKEN_BYTES * tokens.count);
    this.#source.unpin();
    work.check();
    return { tokens, params };
  }
}
