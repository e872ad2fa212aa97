/**
 * How many steps a parser may take, so that inodes which all point at the same bytes cost no more than honest ones.
 * @module
 */
import { malformed } from '../../../unpack/tokens.ts';

export class Budget {
  readonly #kind: string;
  #left: number;

  constructor(kind: string, steps: number) {
    this.#kind = kind;
    this.#left = steps;
  }

  /** @throws UpdateError unit_malformed */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) malformed(this.#kind, 'more is pointed at than is there');
  }
}
