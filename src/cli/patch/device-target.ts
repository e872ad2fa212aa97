/**
 * A block device as the target of `apply`: refused while anything uses it, opened exclusively, synced at the end.
 *
 * A device cannot be replaced in one step. It must not be the source or a part of it, and when the work ends early the
 * error says that the device holds neither the one image nor the other.
 *
 * @module
 */
import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { UpdateError } from '../../../native-free/status.ts';
import { devicesOverlap, readBlockDevice, refuseUnsafe, type BlockDeviceInfo } from '../../agent/slots/block-device.ts';
import { fileSink } from '../../platform/files/node-io.ts';
import { writeError } from '../../platform/files/io-errors.ts';
import type { ApplyTarget } from './target.ts';
import { isInput, placeAt, type Input } from '../terminal/outputs.ts';

/** As `withTarget`, for a path at which there is a block device. */
export async function writeDevice<T>(
  path: string,
  inputs: readonly Input[],
  produce: (target: ApplyTarget) => Promise<T>,
): Promise<T> {
  const device = await readBlockDevice(path);
  if (device === null) throw new UpdateError('output_unwritable', `cannot write ${path}: no block device is there`);
  await refuseOverlaps(device, inputs);
  refuseUnsafe(device, null);
  // Exclusive: the kernel refuses what came into use since, and nobody can mount it meanwhile.
  const flags = constants.O_RDWR | (process.platform === 'linux' ? constants.O_EXCL : 0);
  const handle = await open(path, flags).catch((error: unknown) => {
    throw writeError(error, path);
  });
  let touched = false;
  try {
    const sink = fileSink(handle.fd, path);
    const result = await produce({
      reserve: async (bytes) => refuseUnsafe(device, null, bytes),
      async write(segment) {
        touched = true;
        await sink.write(segment);
      },
      async fill(fill) {
        touched = true;
        await sink.fill(fill);
      },
    });
    await handle.sync().catch((error: unknown) => {
      throw writeError(error, path);
    });
    return result;
  } catch (error) {
    throw touched ? halfWritten(error, path) : error;
  } finally {
    await handle.close().catch(() => undefined);
  }
}

/** Inputs on the same device, on a partition of it or on the disk that it is a partition of, or below it. */
async function refuseOverlaps(device: BlockDeviceInfo, inputs: readonly Input[]): Promise<void> {
  const backing = await backingFile(device);
  for (const input of inputs) {
    const other = input.path === '-' ? null : await readBlockDevice(input.path);
    const overlaps = other !== null && devicesOverlap(device, other);
    const isBacking = backing !== null && (await placeAt(input.path))?.key === backing;
    if (overlaps || isBacking) throw isInput(device.path, input);
  }
}

/** What a loop device is made of; null for any other device. */
async function backingFile({ number }: BlockDeviceInfo): Promise<string | null> {
  try {
    const path = (await readFile(`/sys/dev/block/${number}/loop/backing_file`, 'utf8')).replace(/\n$/, '');
    return (await placeAt(path))?.key ?? null;
  } catch {
    return null;
  }
}

function halfWritten(error: unknown, path: string): UpdateError {
  const known = UpdateError.from(error);
  return new UpdateError(known.code, `${known.message}; ${path} now holds a part of the target: apply again`, {
    detail: { ...known.detail, partlyWritten: path },
    cause: known.cause,
  });
}
