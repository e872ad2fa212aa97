/**
 * What every command that writes checks before it reads: that no output is one of the inputs, and that the output can
 * be written at all.
 *
 * Files are the same when device and inode are (links of both kinds followed), block devices when their numbers are.
 *
 * @module
 */
import { fstatSync, type BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { UpdateError } from '../../../native-free/status.ts';
import { checkOutputFile } from '../../platform/files/atomic-file.ts';
import { unwritable } from '../../platform/files/io-errors.ts';
import { outputPlace } from '../../platform/files/output-place.ts';
import { isDevicePath } from '../../platform/filesystem.ts';

export interface Input {
  /** For messages: 'the patch'. */
  readonly what: string;
  /** As given; `-` is standard input. */
  readonly path: string;
  /** Its file may be replaced as a whole, when the new one is complete. Never true of a device. */
  readonly replaceable?: boolean;
}

/** What a path leads to. */
export interface Place {
  /** Equal for equal places. */
  readonly key: string;
  readonly isBlockDevice: boolean;
}

const placeOf = (facts: BigIntStats): Place =>
  facts.isBlockDevice()
    ? { key: `device ${facts.rdev}`, isBlockDevice: true }
    : { key: `${facts.dev} ${facts.ino}`, isBlockDevice: false };

/** Null when nothing is there, or nothing that can be looked at: whoever opens it says why. */
export async function placeAt(path: string): Promise<Place | null> {
  try {
    return placeOf(path === '-' ? fstatSync(0, { bigint: true }) : await stat(path, { bigint: true }));
  } catch {
    return null;
  }
}

/** Throws UpdateError `output_is_input` when writing `output` would destroy one of the inputs. */
export async function refuseInputs(output: string, inputs: readonly Input[]): Promise<void> {
  const place = await placeAt(output);
  if (place === null) return;
  for (const input of inputs) {
    if (input.replaceable === true && !place.isBlockDevice) continue;
    if ((await placeAt(input.path))?.key === place.key) throw isInput(output, input);
  }
}

/** The error for an output that is this input. */
export function isInput(output: string, { what, path }: Input): UpdateError {
  return new UpdateError('output_is_input', `${output} is ${what} (${path}), which would be destroyed`, {
    detail: { output, input: path },
  });
}

/**
 * Is the output a file or a block device? Throws UpdateError `output_is_input`, `output_unwritable` or, for `-`,
 * `usage_invalid`.
 */
export async function checkOutput(output: string, inputs: readonly Input[]): Promise<'file' | 'device'> {
  if (output === '-') {
    const why = 'what is written appears when it is whole, and standard output cannot take anything back';
    throw new UpdateError('usage_invalid', `--output - is not possible: ${why}; for a file of that name say ./-`);
  }
  await refuseInputs(output, inputs);
  const { path, before } = await outputPlace(output);
  if (before?.isBlockDevice() === true) return 'device';
  if (before === null && isDevicePath(resolve(path))) {
    throw unwritable(output, 'it would be a regular file in /dev; is the device missing?');
  }
  await checkOutputFile(output);
  return 'file';
}

/** For outputs that are files and nothing else. Throws as `checkOutput`. */
export async function checkFileOutput(output: string, inputs: readonly Input[]): Promise<void> {
  if ((await checkOutput(output, inputs)) === 'device') throw unwritable(output, 'it is a block device');
}
