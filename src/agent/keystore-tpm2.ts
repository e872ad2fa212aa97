/**
 * A TPM 2.0 through tpm2-tools: the anchor in an ordinary NV index, the pin in one that is write-locked for ever, and a
 * NV counter for each rollback counter. The TPM never lets a NV counter fall: not even after its index was deleted and
 * defined anew does it begin below the highest value that any counter had (TPM 2.0 library, part 3, NV_DefineSpace).
 *
 * Indices: base (pin), base + 1 (anchor), base + 2 and up (counters, in the order of the configuration). Digests are kept
 * as text, so that a technician can read them with `tpm2_nvread`.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import type { CommandRunner } from './commands.ts';
import type { KeystoreHardware } from './keystore-hardware.ts';

export interface Tpm2Options {
  readonly run: CommandRunner;
  readonly nvBase: number;
  /** Names of the counters that the TPM keeps. */
  readonly counterNames: readonly string[];
  /** As in TPM2TOOLS_TCTI; null: the tools' own default. */
  readonly tcti: string | null;
  readonly deadlineMs: number;
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
  /** What each NV counter read when its counter was 0. */
  readonly bases: readonly number[];
}

export class Tpm2 implements KeystoreHardware {
  readonly name = 'the TPM';
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
    for (const [i, name] of this.#options.counterNames.entries()) {
      counters[name] = (await this.#count(i)) - this.#base(pin, i);
    }
    return counters;
  }

  async commit(digest: string, counters: Readonly<Record<string, number>>): Promise<void> {
    const index = this.#index(1);
    const pin = await this.#readPin();
    if (pin === null) throw this.#error('it is not provisioned');
    if ((await this.#text(index, digest.length)) !== digest) {
      await this.#tool(['tpm2_nvwrite', index, '-C', index, '-i', '-'], digest);
      const kept = await this.#text(index, digest.length);
      if (kept !== digest) throw this.#error(`the anchor was set to ${digest} and reads ${kept}`);
    }
    for (const [i, name] of this.#options.counterNames.entries()) await this.#raise(i, pin, name, counters[name] ?? 0);
  }

  /** The pin is written last: until then nothing counts, and all of it is done again. */
  async provision(root: string, counters: Readonly<Record<string, number>>): Promise<void> {
    await this.#define(this.#index(1), NONE.length, ORDINARY);
    await this.#tool(['tpm2_nvwrite', this.#index(1), '-C', this.#index(1), '-i', '-'], NONE);
    const bases: number[] = [];
    for (const [i, name] of this.#options.counterNames.entries()) {
      const index = this.#index(2 + i);
      await this.#define(index, 8, `${ORDINARY}|nt=counter`);
      // Before its first increment a counter cannot be read.
      await this.#tool(['tpm2_nvincrement', index, '-C', index]);
      bases.push((await this.#count(i)) - (counters[name] ?? 0));
    }
    const pin = this.#index(0);
    await this.#define(pin, PIN_BYTES, `${ORDINARY}|writedefine`);
    const text = `engraft 1 ${root} ${bases.join(' ')}`.padEnd(PIN_BYTES);
    await this.#tool(['tpm2_nvwrite', pin, '-C', pin, '-i', '-'], text);
    await this.#tool(['tpm2_nvwritelock', pin, '-C', pin]);
    if ((await this.#readPin())?.root !== root) throw this.#error('the pin does not read back');
  }

  #index(number: number): string {
    return `0x${(this.#options.nvBase + number).toString(16)}`;
  }

  #base({ bases }: Pin, i: number): number {
    const base = bases[i];
    if (base !== undefined) return base;
    throw this.#error(`it was provisioned for ${bases.length} counters, and the configuration names more`);
  }

  async #raise(i: number, pin: Pin, name: string, wanted: number): Promise<void> {
    let value = (await this.#count(i)) - this.#base(pin, i);
    if (wanted - value > INCREMENTS_MAX) {
      throw this.#error(`${name} is ${value} and should be ${wanted}: at most ${INCREMENTS_MAX} steps at once`);
    }
    const index = this.#index(2 + i);
    for (; value < wanted; value++) await this.#tool(['tpm2_nvincrement', index, '-C', index]);
    const kept = (await this.#count(i)) - this.#base(pin, i);
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
    const found = /^engraft 1 ([0-9a-f]{64})((?: -?\d{1,15})*)$/.exec(text.trim());
    if (found === null) throw this.#error(`NV index ${index} holds something else than a pin`);
    const bases = found[2]!.trim();
    return (this.#pin = { root: found[1]!, bases: bases === '' ? [] : bases.split(' ').map(Number) });
  }

  /** Anew: an index that is there is from a provisioning that was cut off, since there is no pin yet. */
  async #define(index: string, bytes: number, attributes: string): Promise<void> {
    const { ownerAuth } = this.#options;
    const owner = ['-C', 'o', ...(ownerAuth === undefined ? [] : ['-P', ownerAuth])];
    if ((await this.#handles()).has(index)) await this.#tool(['tpm2_nvundefine', index, ...owner]);
    await this.#tool(['tpm2_nvdefine', index, ...owner, '-s', String(bytes), '-a', attributes]);
  }

  async #count(i: number): Promise<number> {
    const index = this.#index(2 + i);
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
    const how = result.timedOut ? `did not end within ${deadlineMs / 1000} s` : `ended with ${result.exitCode}`;
    throw this.#error(`'${withoutSecrets(argv)}' ${how}: ${result.output.slice(-400)}`);
  }

  #error(what: string): UpdateError {
    return new UpdateError('keystore_failed', `the TPM keystore: ${what}`);
  }
}

const withoutSecrets = (argv: readonly string[]): string =>
  argv.map((part, i) => (argv[i - 1] === '-P' ? '(authorization)' : part)).join(' ');
