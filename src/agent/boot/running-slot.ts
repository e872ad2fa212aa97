/**
 * Which slot runs, and which boot this is, from what the kernel says about itself: the boot script names the slot on
 * the kernel command line, and the kernel draws a new boot id at every start.
 * @module
 */
import { ioError } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { readFully, type FileSystem } from '../../platform/filesystem.ts';
import type { RunningConfig } from '../config/boot.ts';

export interface RunningOptions extends RunningConfig {
  readonly fs: FileSystem;
}

const BYTES_MAX = 64 * 1024;

export async function readBootId({ fs, bootIdFile }: RunningOptions): Promise<string> {
  const id = (await readKernelFile(fs, bootIdFile)).trim();
  if (id === '') throw new UpdateError('boot_unreadable', `${bootIdFile} is empty`);
  return id;
}

/** Null when the command line does not say. */
export async function slotOnCommandLine({ fs, cmdlineFile, roots }: RunningOptions): Promise<string | null> {
  const words = (await readKernelFile(fs, cmdlineFile)).split(/\s+/);
  // The kernel takes the last of several, and so do we.
  const last = (name: string): string | undefined =>
    words
      .filter((word) => word.startsWith(`${name}=`))
      .at(-1)
      ?.slice(name.length + 1);
  const named = last('engraft.slot') ?? last('rauc.slot');
  if (named !== undefined) return named;
  const root = last('root');
  return Object.entries(roots).find(([, path]) => path === root)?.[0] ?? null;
}

/** Throws `boot_unreadable` when nothing says which slot runs. */
export async function runningSlot(options: RunningOptions): Promise<{ slot: string; bootId: string }> {
  const slot = await slotOnCommandLine(options);
  if (slot !== null) return { slot, bootId: await readBootId(options) };
  throw new UpdateError(
    'boot_unreadable',
    `${options.cmdlineFile} has no engraft.slot= or rauc.slot=, and its root= is none of boot.root`,
  );
}

/** The kernel's own files say that they have 0 bytes: read until there are no more. */
async function readKernelFile(fs: FileSystem, path: string): Promise<string> {
  const bytes = new Uint8Array(BYTES_MAX);
  try {
    const file = await fs.open(path, 'read');
    try {
      return new TextDecoder().decode(bytes.subarray(0, await readFully(file, bytes, 0)));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError(error, 'boot_unreadable', `cannot read ${path}`);
  }
}
