/**
 * Reading JSON that nobody vouches for yet: every field is asked for by its type, and what is wrong is named.
 *
 * Objects are read through their own properties only, so that a key called `__proto__` or `constructor` is a key like any
 * other.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';

const bad = (where: string, what: string): UpdateError =>
  new UpdateError('metadata_malformed', `${where} ${what}`, { detail: { field: where } });

/** One value and the words for where it stands. */
export class Field {
  readonly value: unknown;
  readonly where: string;

  constructor(value: unknown, where: string) {
    this.value = value;
    this.where = where;
  }

  /** Throws `metadata_malformed`. */
  fail(what: string): never {
    throw bad(this.where, what);
  }

  get isMissing(): boolean {
    return this.value === undefined;
  }

  get(name: string): Field {
    const object = this.#object();
    return new Field(Object.hasOwn(object, name) ? object[name] : undefined, `${this.where}: ${name}`);
  }

  /** The object's own entries, in the order in which they were written down. */
  entries(): [string, Field][] {
    return Object.entries(this.#object()).map(([name, value]) => [name, new Field(value, `${this.where}: ${name}`)]);
  }

  items(): Field[] {
    if (!Array.isArray(this.value)) this.fail('is no list');
    return this.value.map((value: unknown, i) => new Field(value, `${this.where}[${i}]`));
  }

  text(): string {
    return typeof this.value === 'string' ? this.value : this.fail('is no text');
  }

  flag(): boolean {
    return typeof this.value === 'boolean' ? this.value : this.fail('is neither true nor false');
  }

  integer(min: number, max: number = Number.MAX_SAFE_INTEGER): number {
    const { value } = this;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
    return this.fail(`is ${JSON.stringify(value)?.slice(0, 40)} and should be an integer of ${min} or more`);
  }

  /** Texts, each of them once. */
  names(): string[] {
    const names = this.items().map((item) => item.text());
    if (new Set(names).size !== names.length) this.fail('names something twice');
    return names;
  }

  #object(): Record<string, unknown> {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return this.fail('is no object');
    return value as Record<string, unknown>;
  }
}

/** Throws `metadata_malformed` unless `bytes` are JSON in UTF-8. */
export function parseJson(bytes: Uint8Array, what: string): Field {
  try {
    return new Field(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)), what);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UpdateError('metadata_malformed', `${what} is no JSON: ${reason}`, { cause: error });
  }
}
