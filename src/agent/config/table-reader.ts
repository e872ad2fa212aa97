/**
 * Reading a parsed TOML table with errors that name the key, and noticing keys that nobody asked for.
 * @module
 */
import { isAbsolute, resolve } from 'node:path';
import { UpdateError } from '../../../native-free/status.ts';

type Table = Record<string, unknown>;

const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

export class TableReader {
  readonly file: string;
  readonly present: boolean;
  readonly #table: Table;
  readonly #name: string;
  readonly #folder: string;
  readonly #asked = new Set<string>();
  /** What was read or is the default, by the file's own names. */
  readonly #read: Map<string, unknown>;

  constructor(table: Table | undefined, name: string, file: string, folder: string, read = new Map<string, unknown>()) {
    this.present = table !== undefined;
    this.#table = table ?? {};
    this.#name = name;
    this.file = file;
    this.#folder = folder;
    this.#read = read;
  }

  wrong(key: string, what: string): UpdateError {
    const full = this.#full(key);
    return new UpdateError('config_invalid', `${this.file}: ${full} ${what}`, { detail: { key: full } });
  }

  table(key: string, needed: boolean): TableReader {
    const value = this.#take(key);
    if (value === undefined && needed) throw this.wrong(key, 'is missing: a table is needed');
    if (value !== undefined && !isTable(value)) throw this.wrong(key, 'should be a table');
    const name = this.#name === '' ? key : `${this.#name}.${key}`;
    return new TableReader(value, name, this.file, this.#folder, this.#read);
  }

  text(key: string, fallback?: string): string {
    const value = this.optionalText(key) ?? fallback;
    if (value === undefined) throw this.wrong(key, 'is missing: a text is needed');
    return this.#note(key, value);
  }

  optionalText(key: string): string | undefined {
    const value = this.#take(key);
    if (value === undefined) return this.#note(key, undefined);
    if (typeof value !== 'string' || value === '') throw this.wrong(key, 'should be a text that is not empty');
    return this.#note(key, value);
  }

  /** A path, absolute or from the folder of the configuration file. */
  path(key: string, fallback?: string): string {
    return this.#note(key, this.#resolve(this.text(key, fallback)));
  }

  /** Keys that were not asked for yet; each has to be a name of letters and digits. */
  names(): string[] {
    const names = Object.keys(this.#table).filter((key) => !this.#asked.has(key));
    for (const name of names) {
      if (!/^[A-Za-z0-9]{1,32}$/.test(name)) throw this.wrong(name, 'should be a name of letters and digits');
    }
    return names;
  }

  has(key: string): boolean {
    return this.#table[key] !== undefined;
  }

  isTable(key: string): boolean {
    return isTable(this.#table[key]);
  }

  /** Every remaining key is a name with a path. */
  paths(): Record<string, string> {
    return Object.fromEntries(this.names().map((name) => [name, this.path(name)]));
  }

  /** A table of texts. */
  texts(key: string): Record<string, string> {
    const value = this.#take(key);
    if (value === undefined) return this.#note(key, {});
    if (!isTable(value)) throw this.wrong(key, 'should be a table of texts');
    for (const [name, text] of Object.entries(value)) {
      if (typeof text !== 'string') throw this.wrong(`${key}.${name}`, 'should be a text');
    }
    return this.#note(key, value as Record<string, string>);
  }

  integer(key: string, fallback: number, min: number, max: number): number {
    return this.#note(key, this.optionalInteger(key, min, max) ?? fallback);
  }

  optionalInteger(key: string, min: number, max: number): number | undefined {
    const value = this.#take(key);
    if (value === undefined) return this.#note(key, undefined);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) {
      return this.#note(key, value);
    }
    throw this.wrong(key, `is ${String(value)} and should be an integer from ${min} to ${max}`);
  }

  /** A program and its arguments, or null. */
  optionalCommand(key: string): readonly string[] | null {
    const value = this.#take(key);
    return this.#note(key, value === undefined ? null : this.#command(key, value));
  }

  /** A list of programs with their arguments. */
  commands(key: string): readonly (readonly string[])[] {
    const value = this.#take(key);
    if (value === undefined) return this.#note(key, []);
    if (!Array.isArray(value)) throw this.wrong(key, 'should be a list of commands, each a list of texts');
    return this.#note(
      key,
      value.map((each, i) => this.#command(`${key}[${i}]`, each)),
    );
  }

  /** Throws when the table has a key that was not asked for: most likely a misspelt one. */
  done(): void {
    for (const key of Object.keys(this.#table)) {
      if (!this.#asked.has(key)) throw this.wrong(key, 'is not a known key');
    }
  }

  #command(key: string, value: unknown): readonly string[] {
    const good = Array.isArray(value) && value.length > 0 && value.every((part) => typeof part === 'string');
    if (!good) throw this.wrong(key, 'should be a list of texts: the program and its arguments');
    return value as string[];
  }

  #full(key: string): string {
    return [this.#name, key].filter((part) => part !== '').join('.');
  }

  #note<T>(key: string, value: T): T {
    this.#read.set(this.#full(key), value);
    return value;
  }

  #take(key: string): unknown {
    this.#asked.add(key);
    return this.#table[key];
  }

  #resolve(path: string): string {
    return isAbsolute(path) ? path : resolve(this.#folder, path);
  }
}
