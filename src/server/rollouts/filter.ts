/**
 * Filters of devices: a subset of RSQL (https://github.com/jirutka/rsql-parser), as hawkBit's target filters have it.
 *
 * `product==cam;version=in=(1.0,1.1)`, `attribute.region==eu*,controllerId!=lab-*`: `;` and `,` are and and or, the former
 * binds closer, parentheses group; values with other characters stand in quotes; `*` in a value of == and != is any text.
 * @module
 */
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';

/** What a filter may ask of a device. */
export interface Filtered {
  readonly controllerId: string;
  readonly product: string | null;
  readonly hardware: string | null;
  readonly version: string | null;
  readonly attributes: Readonly<Record<string, string>>;
}

export type Filter = (device: Filtered) => boolean;

const FIELDS = ['controllerId', 'product', 'hardware', 'version'] as const;
const OPERATORS = ['==', '!=', '=in=', '=out='] as const;
const PREFIX = 'attribute.';

/** Reads a filter. Throws UpdateError usage_invalid, telling where it is wrong; limit_exceeded. */
export function parseFilter(text: string): Filter {
  if (text.length > LIMITS.filter_chars_max) {
    const most = LIMITS.filter_chars_max;
    throw new UpdateError('limit_exceeded', `the filter has ${text.length} characters; at most ${most}`);
  }
  return new Parser(text).whole();
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Filter {
    const filter = this.#or();
    if (this.#at < this.#text.length) this.#fail("expected ';', ',' or the end");
    return filter;
  }

  #or(): Filter {
    const parts = [this.#and()];
    while (this.#take(',')) parts.push(this.#and());
    return (device) => parts.some((part) => part(device));
  }

  #and(): Filter {
    const parts = [this.#term()];
    while (this.#take(';')) parts.push(this.#term());
    return (device) => parts.every((part) => part(device));
  }

  #term(): Filter {
    if (!this.#take('(')) return this.#comparison();
    this.#depth++;
    if (this.#depth > LIMITS.filter_depth_max) this.#fail('too many parentheses in each other');
    const inner = this.#or();
    if (!this.#take(')')) this.#fail("expected ')'");
    this.#depth--;
    return inner;
  }

  #comparison(): Filter {
    const field = this.#field();
    this.#space();
    const operator = OPERATORS.find((each) => this.#text.startsWith(each, this.#at));
    if (operator === undefined) this.#fail(`expected one of ${OPERATORS.join(' ')}`);
    this.#at += operator.length;
    const isList = operator === '=in=' || operator === '=out=';
    const values = isList ? this.#list() : [this.#value()];
    const tests = values.map(isList ? equals : like);
    const isWanted = operator === '==' || operator === '=in=';
    // What a device has not said is unlike everything.
    return (device) => {
      const own = field(device);
      return tests.some((test) => own !== null && test(own)) === isWanted;
    };
  }

  #field(): (device: Filtered) => string | null {
    this.#space();
    const from = this.#at;
    while (/[A-Za-z0-9_.:-]/.test(this.#text.charAt(this.#at))) this.#at++;
    const name = this.#text.slice(from, this.#at);
    const key = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : '';
    if (key !== '') return ({ attributes }) => (Object.hasOwn(attributes, key) ? attributes[key]! : null);
    const field = FIELDS.find((each) => each.toLowerCase() === name.toLowerCase());
    this.#at = field === undefined ? from : this.#at;
    if (field === undefined) this.#fail(`expected ${FIELDS.join(', ')} or attribute.NAME`);
    return (device) => device[field];
  }

  #list(): string[] {
    if (!this.#take('(')) this.#fail("expected '('");
    const values = [this.#value()];
    while (this.#take(',')) values.push(this.#value());
    if (!this.#take(')')) this.#fail("expected ')'");
    return values;
  }

  #value(): string {
    this.#space();
    const quote = this.#text.charAt(this.#at);
    if (quote === '"' || quote === "'") return this.#quoted(quote);
    const from = this.#at;
    while (this.#at < this.#text.length && !/[\s"'();,=!~<>]/.test(this.#text.charAt(this.#at))) this.#at++;
    if (this.#at === from) this.#fail('expected a value');
    return this.#text.slice(from, this.#at);
  }

  #quoted(quote: string): string {
    let value = '';
    for (let at = this.#at + 1; at < this.#text.length; at++) {
      const char = this.#text.charAt(at);
      if (char === quote) {
        this.#at = at + 1;
        return value;
      }
      value += char === '\\' && at + 1 < this.#text.length ? this.#text.charAt(++at) : char;
    }
    this.#fail(`the text that begins here has no ${quote} at its end`);
  }

  #take(char: string): boolean {
    this.#space();
    if (this.#text.charAt(this.#at) !== char) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at++;
  }

  #fail(what: string): never {
    const rest = this.#text.slice(this.#at, this.#at + 20);
    const where = rest === '' ? 'at its end' : `at character ${this.#at + 1} ('${rest}')`;
    throw new UpdateError('usage_invalid', `the filter is wrong ${where}: ${what}`, { detail: { at: this.#at } });
  }
}

const equals =
  (value: string) =>
  (own: string): boolean =>
    own === value;

/** With `*` for any text: pieces are looked for one after the other, so no pattern takes longer than the text is long. */
function like(pattern: string): (own: string) => boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return equals(pattern);
  return (own) => {
    if (own.length < first.length + last.length || !own.startsWith(first) || !own.endsWith(last)) return false;
    let at = first.length;
    for (const piece of rest) {
      const found = own.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return at <= own.length - last.length;
  };
}
