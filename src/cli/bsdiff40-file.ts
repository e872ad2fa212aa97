/**
 * Applying a BSDIFF40 patch from a file. Apart from `commands/apply.ts`, so that the device path does not load it.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { applyBsdiff40, parseBsdiff40 } from '../../native-free/compat/index.ts';
import type { CancelSignal, RandomSource } from '../../native-free/io.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';
import { writeFileAtomically } from '../engine/files.ts';
import { fileByteSource } from '../engine/node-io.ts';
import type { Progress } from './progress.ts';

export interface Bsdiff40Work {
  readonly patchPath: string;
  readonly output: string;
  readonly source: RandomSource;
  readonly signal: CancelSignal;
  readonly progress: Progress;
  readonly checkSpace: (output: string, bytes: number) => Promise<void>;
}

/** The whole patch. Throws UpdateError `input_unreadable`, `limit_exceeded`. */
export function readForeignPatch(path: string): Uint8Array {
  const file = fileByteSource(path, 1);
  file.close();
  if (file.size > LIMITS.foreign_patch_bytes_max) {
    throw new UpdateError(
      'limit_exceeded',
      `${path} has ${file.size} bytes; ${LIMITS.foreign_patch_bytes_max} are the most`,
    );
  }
  return readFileSync(path);
}

/** Apply to `output`, which appears only when it is whole. BSDIFF40 carries no digest, so there is none to check. */
export async function applyBsdiff40File(work: Bsdiff40Work): Promise<{
  kind: 'bsdiff40';
  targetBytes: number;
  targetDigest: Uint8Array;
}> {
  const patch = readForeignPatch(work.patchPath);
  const { targetBytes } = parseBsdiff40(patch);
  return writeFileAtomically(
    work.output,
    async (file) => {
      await work.checkSpace(work.output, targetBytes);
      work.progress.start('apply', targetBytes);
      const hash = createHash('sha256');
      let done = 0;
      for await (const piece of applyBsdiff40({ patch, source: work.source, signal: work.signal, pause: breathe })) {
        hash.update(piece);
        await file.write(piece);
        done += piece.length;
        work.progress.update(done);
      }
      return { kind: 'bsdiff40' as const, targetBytes: done, targetDigest: new Uint8Array(hash.digest()) };
    },
    { signal: work.signal },
  );
}
