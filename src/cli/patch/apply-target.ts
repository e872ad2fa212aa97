/**
 * Where `apply` puts the target: a file that appears only when it is whole, or a block device.
 *
 * @module
 */
import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { CancelSignal } from '../../../native-free/io.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { writeFileAtomically } from '../../platform/files/atomic-file.ts';
import { fileSink } from '../../platform/files/node-io.ts';
import { checkOutput, type Input } from '../terminal/outputs.ts';
import { formatBytes } from '../terminal/text.ts';
import type { ApplyTarget } from './target.ts';

export interface TargetOptions {
  readonly output: string;
  /** What must not be destroyed by writing. */
  readonly inputs: readonly Input[];
  readonly signal: CancelSignal;
  readonly onRemark: (text: string) => void;
}

/**
 * Let `produce` write the target; durable when this resolves. A file is as before when it rejects; of a device the
 * error says so if something was written.
 * Throws what `produce` throws and UpdateError `output_is_input`, `output_unwritable`, `disk_full`, `slot_active`,
 * `slot_mounted`, `slot_read_only`, `slot_too_small`, `aborted`.
 */
export async function withTarget<T>(options: TargetOptions, produce: (target: ApplyTarget) => Promise<T>): Promise<T> {
  const { output, inputs } = options;
  if ((await checkOutput(output, inputs)) === 'device') {
    const { writeDevice } = await import('./device-target.ts');
    return writeDevice(output, inputs, produce);
  }
  const { signal, onRemark } = options;
  return writeFileAtomically(
    output,
    (file) => {
      const sink = fileSink(file.handle.fd, output, { fresh: true });
      return produce({ ...sink, reserve: (bytes, zeros = 0) => checkSpace(output, bytes - zeros) });
    },
    { signal, onRemark },
  );
}

/** Refuse early rather than fill the disk. A file system that does not tell is not asked twice. */
async function checkSpace(output: string, neededBytes: number): Promise<void> {
  const facts = await statfs(dirname(resolve(output))).catch(() => null);
  if (facts === null || facts.blocks === 0) return;
  const freeBytes = facts.bavail * facts.bsize;
  if (freeBytes >= neededBytes) return;
  throw new UpdateError(
    'disk_full',
    `the target needs ${formatBytes(neededBytes)}; ${formatBytes(freeBytes)} are free beside ${output}`,
    { detail: { neededBytes, freeBytes } },
  );
}
