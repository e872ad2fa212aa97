/**
 * Applying a BSDIFF40 patch. Apart from `commands/apply.ts`, so that the device path does not load it.
 *
 * @module
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { applyBsdiff40, parseBsdiff40 } from '../../../native-free/compat/index.ts';
import type { ByteSource, CancelSignal, RandomSource } from '../../../native-free/io.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { sha256Node } from '../../platform/hash.ts';
import type { ApplyTarget } from './target.ts';
import { readToEnd } from './patch-input.ts';
import type { Progress } from '../terminal/progress.ts';

export interface Bsdiff40Work {
  readonly patchName: string;
  readonly patch: ByteSource;
  readonly source: RandomSource;
  readonly target: ApplyTarget;
  readonly signal: CancelSignal;
  readonly progress: Progress;
}

/**
 * The whole patch: its three streams are read side by side, so a pipe has to be taken in first.
 * Throws UpdateError `input_unreadable`, `limit_exceeded`.
 */
export function readForeignPatch(name: string, patch: ByteSource): Promise<Uint8Array> {
  return readToEnd(patch, name, LIMITS.foreign_patch_bytes_max);
}

/** BSDIFF40 carries no digest, so there is none to check. */
export async function applyBsdiff40To(work: Bsdiff40Work): Promise<{
  kind: 'bsdiff40';
  targetBytes: number;
  targetDigest: Uint8Array;
}> {
  const { source, target, signal, progress } = work;
  const patch = await readForeignPatch(work.patchName, work.patch);
  const { targetBytes } = parseBsdiff40(patch);
  await target.reserve(targetBytes);
  progress.start('apply', targetBytes);
  const hash = sha256Node();
  let done = 0;
  let index = 0;
  for await (const bytes of applyBsdiff40({ patch, source, signal, pause: breathe })) {
    hash.update(bytes);
    await target.write({ index: index++, offset: done, bytes, isLast: true });
    done += bytes.length;
    progress.update(done);
  }
  return { kind: 'bsdiff40', targetBytes: done, targetDigest: new Uint8Array(hash.digest()) };
}
