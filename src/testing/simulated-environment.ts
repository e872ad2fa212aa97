/**
 * A boot loader's environment in two copies on a block device, as U-Boot keeps a redundant one and libubootenv writes
 * it: each copy is a CRC-32, a counter of one byte and `NAME=value` texts. The valid copy with the higher counter is
 * active; a write goes to the other one, so that a power cut leaves at least the active copy whole.
 * @module
 */
import { crc32 } from 'node:zlib';
import { UpdateError } from '../../native-free/status.ts';
import type { BootVariables } from '../agent/boot/control.ts';
import type { FileHandle, FileSystem } from '../platform/filesystem.ts';

export interface EnvironmentPlace {
  readonly fs: FileSystem;
  /** A block device of at least two copies. */
  readonly path: string;
  /** Default 4096. */
  readonly copyBytes?: number;
}

export interface SimulatedEnvironmentOptions extends EnvironmentPlace {
  readonly chosen: () => { readonly slot: string; readonly bootId: string };
  /** True for a write that is silently lost, as by a tool that ends with 0 and wrote nothing. */
  readonly ignores?: () => boolean;
}

const HEAD_BYTES = 5;
const DEFAULT_COPY_BYTES = 4096;

interface Copy {
  readonly counter: number;
  readonly variables: Map<string, string>;
}

/** Null when the CRC is wrong. */
function parseCopy(bytes: Uint8Array): Copy | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const data = bytes.subarray(HEAD_BYTES);
  if (view.getUint32(0, true) !== crc32(data)) return null;
  const variables = new Map<string, string>();
  // An empty text ends them.
  let end = 0;
  while (end < data.length && (data[end] !== 0 || data[end + 1] !== 0)) end++;
  for (const line of new TextDecoder().decode(data.subarray(0, end)).split('\0')) {
    const at = line.indexOf('=');
    if (at > 0) variables.set(line.slice(0, at), line.slice(at + 1));
  }
  return { counter: bytes[4]!, variables };
}

/** The bytes of one copy. */
export function formatCopy(variables: ReadonlyMap<string, string>, counter: number, copyBytes: number): Uint8Array {
  const bytes = new Uint8Array(copyBytes);
  const text = [...variables].map(([name, value]) => `${name}=${value}\0`).join('');
  bytes.set(new TextEncoder().encode(`${text}\0`), HEAD_BYTES);
  bytes[4] = counter;
  new DataView(bytes.buffer).setUint32(0, crc32(bytes.subarray(HEAD_BYTES)), true);
  return bytes;
}

/** U-Boot's rule: the higher counter is the newer one, and 0 follows 255. */
function newerOf([first, second]: readonly (Copy | null)[]): 0 | 1 | null {
  if (!first || !second) return first ? 0 : second ? 1 : null;
  if (first.counter === 255 && second.counter === 0) return 1;
  if (second.counter === 255 && first.counter === 0) return 0;
  return second.counter > first.counter ? 1 : 0;
}

function copiesOf(bytes: Uint8Array, copyBytes: number): (Copy | null)[] {
  if (bytes.length < 2 * copyBytes) return [null, null];
  return [parseCopy(bytes.subarray(0, copyBytes)), parseCopy(bytes.subarray(copyBytes, 2 * copyBytes))];
}

async function readCopies(file: FileHandle, copyBytes: number): Promise<(Copy | null)[]> {
  const bytes = new Uint8Array(2 * copyBytes);
  const count = await file.read(bytes, 0);
  return copiesOf(bytes.subarray(0, count), copyBytes);
}

/** The active copy's variables; null when no copy is whole: then a boot loader has nothing to go by. */
export function parseEnvironment(bytes: Uint8Array, copyBytes = DEFAULT_COPY_BYTES): Map<string, string> | null {
  const copies = copiesOf(bytes, copyBytes);
  const active = newerOf(copies);
  return active === null ? null : copies[active]!.variables;
}

/** The counters of both copies; null where a copy is not whole. */
export function environmentCounters(bytes: Uint8Array, copyBytes = DEFAULT_COPY_BYTES): (number | null)[] {
  return copiesOf(bytes, copyBytes).map((copy) => copy?.counter ?? null);
}

/** As `parseEnvironment`, from its place. */
export async function readEnvironment({ fs, path, copyBytes }: EnvironmentPlace): Promise<Map<string, string> | null> {
  const file = await fs.open(path, 'read');
  try {
    const bytes = new Uint8Array(await file.size());
    await file.read(bytes, 0);
    return parseEnvironment(bytes, copyBytes);
  } finally {
    await file.close();
  }
}

/** Change variables: into the copy that is not active, durable when it resolves. */
export async function writeEnvironment(
  { fs, path, copyBytes = DEFAULT_COPY_BYTES }: EnvironmentPlace,
  values: ReadonlyMap<string, string>,
): Promise<void> {
  const file = await fs.open(path, 'update');
  try {
    const copies = await readCopies(file, copyBytes);
    const active = newerOf(copies);
    const before = active === null ? null : copies[active]!;
    const variables = new Map([...(before?.variables ?? []), ...values]);
    const target = active === 0 ? 1 : 0;
    const copy = formatCopy(variables, ((before?.counter ?? 0) + 1) % 256, copyBytes);
    for (let done = 0; done < copy.length;) {
      done += await file.write(copy.subarray(done), target * copyBytes + done);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The agent's side, through what would be `fw_printenv` and `fw_setenv`. */
export class SimulatedEnvironment implements BootVariables {
  readonly #options: SimulatedEnvironmentOptions;

  constructor(options: SimulatedEnvironmentOptions) {
    this.#options = options;
  }

  async read(): Promise<ReadonlyMap<string, string>> {
    const { path } = this.#options;
    try {
      return (await readEnvironment(this.#options)) ?? new Map();
    } catch (cause) {
      throw new UpdateError('boot_unreadable', `cannot read ${path}: ${String(cause)}`, { cause });
    }
  }

  async write(values: ReadonlyMap<string, string>): Promise<void> {
    const { path, ignores } = this.#options;
    if (ignores?.() === true) return;
    try {
      await writeEnvironment(this.#options, values);
    } catch (cause) {
      throw new UpdateError('boot_unwritable', `cannot write ${path}: ${String(cause)}`, { cause });
    }
  }

  chosen(): Promise<{ slot: string; bootId: string }> {
    return Promise.resolve(this.#options.chosen());
  }
}
