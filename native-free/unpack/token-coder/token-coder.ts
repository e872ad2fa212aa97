/** Temporary. */
import { UNIT_SPACE, NumberCoder } from '../../model/number-coder.ts';
import type { ModelCoder } from '../../model/model-coder.ts';
import { TokenList } from '../tokens.ts';
import type { AlignedRun, TokenRules } from '../unit-codec.ts';

export interface TokenUnit {
  readonly bytes: Uint8Array;
  readonly rules: TokenRules;
  readonly runs: readonly AlignedRun[];
  readonly imitate: number;
}
export class TokenCoder {
  #numbers: NumberCoder;
  constructor(coder: ModelCoder) {
    this.#numbers = new NumberCoder(coder, UNIT_SPACE);
  }
  reset(): void {}
  code(unit: TokenUnit, tokens: TokenList | null): TokenList {
    const out = new TokenList(unit.bytes.length);
    for (let at = 0, i = 0; at < unit.bytes.length; i++) {
      const op = this.#numbers.code(tokens?.op[i] ?? 0, 8);
      const length = op === 0 ? 1 : this.#numbers.code(tokens?.length[i] ?? 0, 9);
      const distance = op === 0 ? 0 : this.#numbers.code(tokens?.distance[i] ?? 0, 10);
      out.push(op, length, distance);
      at += length;
    }
    return out;
  }
}
