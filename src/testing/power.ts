/**
 * The plug. Every operation of a simulated device passes here and is counted; from a chosen one on, nothing works any
 * more, as in a device whose power was cut in that operation.
 *
 * The method is MCUboot's: count the operations of one whole update, then repeat it with a cut at each of them.
 * @module
 */

/** Not an UpdateError on purpose: no code of the agent may take a power cut for an outcome. */
function powerCut(message: string): Error {
  return Object.assign(new Error(message), { name: 'PowerCut' });
}

/** True for the error of a power cut, also when it was wrapped. */
export function isPowerCut(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (at.name === 'PowerCut') return true;
  return false;
}

export class Power {
  #operations = 0;
  #cutAt = Infinity;
  readonly log: string[] = [];

  /** Operations so far. */
  get operations(): number {
    return this.#operations;
  }

  get isOff(): boolean {
    return this.#operations >= this.#cutAt;
  }

  /** The power fails in the operation with this number, counted from 1, from now on. */
  cutAt(operation: number): void {
    this.#operations = 0;
    this.#cutAt = operation;
    this.log.length = 0;
  }

  /** Power is back, and stays. */
  restore(): void {
    this.#operations = 0;
    this.#cutAt = Infinity;
  }

  /** Call before an operation. Throws when there is no power. */
  use(what: string): void {
    this.#operations++;
    this.log.push(what);
    if (this.#operations >= this.#cutAt) throw powerCut(`power was cut in operation ${this.#cutAt}: ${what}`);
  }
}
