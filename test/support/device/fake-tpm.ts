/**
 * As much of tpm2-tools as the TPM keystore uses, over NV indices in memory: fast enough for a power cut at every call.
 * Its rules are those that the tests against swtpm find: locked indices refuse writes, counters only rise, and one that is
 * made anew begins above all that ever were.
 */
import type { CommandRequest, CommandResult, CommandRunner } from '../../../src/agent/index.ts';

interface NvIndex {
  readonly attributes: readonly string[];
  bytes: Uint8Array | null;
  locked: boolean;
}

const answer = (stdoutBytes: Uint8Array, exitCode = 0): CommandResult => {
  const stdout = Buffer.from(stdoutBytes).toString('latin1');
  return { exitCode, timedOut: false, output: stdout, stdout, stdoutBytes };
};
const say = (text: string, exitCode = 0): CommandResult => answer(new TextEncoder().encode(text), exitCode);

export class FakeTpm {
  readonly #indices = new Map<string, NvIndex>();
  #highestCount = 0n;
  /** Names of the tools, in the order of their calls. */
  readonly calls: string[] = [];

  readonly run: CommandRunner = async ({ argv, input }: CommandRequest) => {
    const [tool = '', handle = ''] = argv;
    this.calls.push(tool);
    if (tool === 'tpm2_getcap') return say([...this.#indices.keys()].map((each) => `- ${each}\n`).join(''));
    const index = this.#indices.get(handle);
    if (tool === 'tpm2_nvdefine') return index === undefined ? this.#define(handle, argv) : say('already defined', 1);
    if (index === undefined) return say(`no index ${handle}`, 1);
    return this.#use(tool, handle, index, input ?? '');
  };

  #define(handle: string, argv: readonly string[]): CommandResult {
    const attributes = (argv[argv.indexOf('-a') + 1] ?? '').split('|');
    this.#indices.set(handle, { attributes, bytes: null, locked: false });
    return say('');
  }

  #use(tool: string, handle: string, index: NvIndex, input: string): CommandResult {
    switch (tool) {
      case 'tpm2_nvundefine':
        this.#indices.delete(handle);
        return say('');
      case 'tpm2_nvreadpublic':
        return say(`friendly: ${[...index.attributes, ...(index.locked ? ['writelocked'] : [])].join('|')}`);
      case 'tpm2_nvwritelock':
        index.locked = true;
        return say('');
      case 'tpm2_nvwrite':
        if (index.locked) return say('NV access locked', 1);
        index.bytes = new TextEncoder().encode(input);
        return say('');
      case 'tpm2_nvincrement':
        index.bytes = this.#next(index.bytes);
        return say('');
      case 'tpm2_nvread':
        return index.bytes === null ? say('not written', 1) : answer(index.bytes);
      default:
        return say(`unknown tool ${tool}`, 127);
    }
  }

  #next(before: Uint8Array | null): Uint8Array {
    const value = (before === null ? this.#highestCount : Buffer.from(before).readBigUInt64BE()) + 1n;
    if (value > this.#highestCount) this.#highestCount = value;
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return new Uint8Array(bytes);
  }
}
