/**
 * A TPM 2.0 through tpm2-tools: the anchor in an ordinary NV index, the pin in one that is write-locked for ever, and a
 * NV counter for each rollback counter. The TPM never lets a NV counter fall: not even after its index was deleted and
 * defined anew does it begin below the highest value that any counter had (TPM 2.0 library, part 3, NV_DefineSpace).
 *
 * Indices: base (pin), base + 1 (anchor), base + 2 and up (counters, in the order in which the pin names them). Digests are
 * kept as text, so that a technician can read them with `tpm2_nvread`.
 * @module
 */
import { digestOf, toHex } from '../../../native-free/hash.ts';
import type { HashFactory } from '../../../native-free/io.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { failureOf, type CommandRunner } from '../life/commands.ts';
import type { Tpm2Config } from '../config/keystore.ts';
import type { KeystoreHardware } from './hardware.ts';

export interface Tpm2Options extends Tpm2Config {
  readonly run: CommandRunner;
  readonly hash: HashFactory;
  /** Names of the counters that the TPM keeps. */
  readonly counterNames: readonly string[];
  /** For `provision` where the owner hierarchy has an authorization, as tpm2-tools take it (`file:PATH`). */
  readonly ownerAuth?: string;
}

const PIN_BYTES = 512;
const DIGEST = /^[0-9a-f]{64}$/;
const NONE = '0'.repeat(64);
/** More than a fleet sees in its life; a larger step is a mistake, and each increment wears the TPM. */
const INCREMENTS_MAX = 4096;
const ORDINARY = 'ownerread|ownerwrite|authread|authwrite|no_da';

interface Pin {
  readonly root: string;
  /** By tag of the counter's name: a configuration that names them in another order must not mix them up. */
  readonly counters: ReadonlyMap<string, PinnedCounter>;
}

interface PinnedCounter {
  readonly index: string;
  /** What the NV counter read when the counter was 0. */
  readonly base: number;
}

interface Due extends PinnedCounter {
  readonly name: string;
  readonly value: number;
  readonly wanted: number;
}

export class Tpm2 implements KeystoreHardware {
  readonly name = 'the TPM';
  readonly stepMax = INCREMENTS_MAX;
  readonly #options: Tpm2Options;
  #pin: Pin | null = null;

  constructor(options: Tpm2Options) {
    this.#options = options;
  }

  async pin(): Promise<string | null> {
    return (await this.#readPin())?.root ?? null;
  }

  async anchor(): Promise<string | null> {
    if (!(await this.#handles()).has(this.#index(1))) return null;
    const text = await this.#text(this.#index(1), NONE.length);
    return DIGEST.test(text) && text !== NONE ? text : null;
  }

  async counters(): Promise<Readonly<Record<string, number>>> {
    const pin = await this.#readPin();
    if (pin === null) return {};
    const counters: Record<string, number> = {};
    for (const name of this.#options.counterNames) {
      const { index, base } = this.#pinned(pin, name);
      counters[name] = (await this.#count(index)) - base;
    }
    return counters;
  }

  async commit(digest: string, counters: Readonly<Record<string, number>>): Promise<void> {
    const index = this.#index(1);
    const pin = await this.#readPin();
    if (pin === null) throw this.#error('it is not provisioned');
    // Before the anchor: a record that counts and counters that can never follow it would be refused for ever.
    const due = await this.#due(pin, counters);
    if ((await this.#text(index, digest.length)) !== digest) {
      await this.#tool(['tpm2_nvwrite', index, '-C', index, '-i', '-'], digest);
      const kept = await this.#text(index, digest.length);
      if (kept !== digest) throw this.#error(`the anchor was set to ${digest} and reads ${kept}`);
    }
    for (const each of due) await this.#raise(each);
  }

  /** The pin is written last: until then nothing counts, and all of it is done again. */
  async provision(root: string, counters: Readonly<Record<string, number>>): Promise<void> {
    await this.#define(this.#index(1), NONE.length, ORDINARY);
    await this.#tool(['tpm2_nvwrite', this.#index(1), '-C', this.#index(1), '-i', '-'], NONE);
    const entries: string[] = [];
    for (const [i, name] of this.#options.counterNames.entries()) {
      const index = this.#index(2 + i);
      await this.#define(index, 8, `${ORDINARY}|nt=counter`);
      // Before its first increment a counter cannot be read.
      await this.#tool(['tpm2_nvincrement', index, '-C', index]);
      entries.push(`${this.#tag(name)}=${(await this.#count(index)) - (counters[name] ?? 0)}`);
    }
    const pin = this.#index(0);
    await this.#define(pin, PIN_BYTES, `${ORDINARY}|writedefine`);
    const text = `engraft 1 ${root} ${entries.join(' ')}`.padEnd(PIN_BYTES);
    await this.#tool(['tpm2_nvwrite', pin, '-C', pin, '-i', '-'], text);
    await this.#tool(['tpm2_nvwritelock', pin, '-C', pin]);
    if ((await this.#readPin())?.root !== root) throw this.#error('the pin does not read back');
  }

  #index(number: number): string {
    return `0x${(this.#options.nvBase + number).toString(16)}`;
  }

  /** 32 bits are enough to tell a handful of names from each other, and eight of them fit into the pin's index. */
  #tag(name: string): string {
    return toHex(digestOf(this.#options.hash, new TextEncoder().encode(name))).slice(0, 8);
  }

  #pinned(pin: Pin, name: string): PinnedCounter {
    const found = pin.counters.get(this.#tag(name));
    if (found !== undefined) return found;
    throw this.#error(
      `it was provisioned without the counter ${name}: keystore.counters can only name those it was given`,
    );
  }

  /** The increments that are missing. Throws when they are too many. */
  async #due(pin: Pin, counters: Readonly<Record<string, number>>): Promise<readonly Due[]> {
    const due: Due[] = [];
    for (const name of this.#options.counterNames) {
      const { index, base } = this.#pinned(pin, name);
      const [value, wanted] = [(await this.#count(index)) - base, counters[name] ?? 0];
      if (wanted - value > INCREMENTS_MAX) {
        throw this.#error(`${name} is ${value} and should be ${wanted}: at most ${INCREMENTS_MAX} steps at once`);
      }
      if (wanted > value) due.push({ name, index, base, value, wanted });
    }
    return due;
  }

  async #raise({ name, index, base, value, wanted }: Due): Promise<void> {
    for (let i = value; i < wanted; i++) await this.#tool(['tpm2_nvincrement', index, '-C', index]);
    const kept = (await this.#count(index)) - base;
    if (kept < wanted) throw this.#error(`${name} was raised to ${wanted} and reads ${kept}`);
  }

  /** Null before the pin is written and locked. */
  async #readPin(): Promise<Pin | null> {
    if (this.#pin !== null) return this.#pin;
    const index = this.#index(0);
    if (!(await this.#handles()).has(index)) return null;
    const attributes = await this.#tool(['tpm2_nvreadpublic', index]);
    // Unlocked, it is from a provisioning that was cut off, or somebody is about to write his own.
    if (!/\bwritelocked\b/.test(attributes)) return null;
    const text = await this.#text(index, PIN_BYTES);
    const found = /^engraft 1 ([0-9a-f]{64})((?: [0-9a-f]{8}=-?\d{1,15})*)$/.exec(text.trim());
    if (found === null) throw this.#error(`NV index ${index} holds something else than a pin`);
    const entries = [...found[2]!.matchAll(/([0-9a-f]{8})=(\S+)/g)];
    const counters = new Map(
      entries.map(([, tag, base], i) => [tag!, { index: this.#index(2 + i), base: Number(base) }]),
    );
    return (this.#pin = { root: found[1]!, counters });
  }

  /** Anew: an index that is there is from a provisioning that was cut off, since there is no pin yet. */
  async #define(index: string, bytes: number, attributes: string): Promise<void> {
    const { ownerAuth } = this.#options;
    const owner = ['-C', 'o', ...(ownerAuth === undefined ? [] : ['-P', ownerAuth])];
    if ((await this.#handles()).has(index)) await this.#tool(['tpm2_nvundefine', index, ...owner]);
    await this.#tool(['tpm2_nvdefine', index, ...owner, '-s', String(bytes), '-a', attributes]);
  }

  async #count(index: string): Promise<number> {
    const bytes = await this.#bytes(['tpm2_nvread', index, '-C', index, '-s', '8']);
    const value = bytes.length === 8 ? Number(Buffer.from(bytes).readBigUInt64BE()) : NaN;
    if (Number.isSafeInteger(value)) return value;
    throw this.#error(`NV counter ${index} cannot be read`);
  }

  async #handles(): Promise<Set<string>> {
    const text = await this.#tool(['tpm2_getcap', 'handles-nv-index']);
    return new Set([...text.matchAll(/0x[0-9A-Fa-f]+/g)].map(([handle]) => `0x${parseInt(handle, 16).toString(16)}`));
  }

  async #text(index: string, bytes: number): Promise<string> {
    return new TextDecoder().decode(await this.#bytes(['tpm2_nvread', index, '-C', index, '-s', String(bytes)]));
  }

  async #tool(argv: readonly string[], input?: string): Promise<string> {
    return new TextDecoder().decode(await this.#bytes(argv, input));
  }

  async #bytes(argv: readonly string[], input?: string): Promise<Uint8Array> {
    const { run, tcti, deadlineMs } = this.#options;
    const env = tcti === null ? undefined : { TPM2TOOLS_TCTI: tcti };
    const result = await run({ argv, deadlineMs, env, input });
    if (result.exitCode === 0) return result.stdoutBytes ?? new TextEncoder().encode(result.stdout);
    throw this.#error(failureOf(withoutSecrets(argv), result, deadlineMs));
  }

  #error(what: string): UpdateError {
    return new UpdateError('keystore_failed', `the TPM keystore: ${what}`);
  }
}

const withoutSecrets = (argv: readonly string[]): readonly string[] =>
  argv.map((part, i) => (argv[i - 1] === '-P' ? '(authorization)' : part));
