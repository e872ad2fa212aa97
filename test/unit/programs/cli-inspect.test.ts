/** `engraft inspect` hears a signal whatever it reads: its loops let the event loop turn. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { define } from '../../../src/cli/commands/inspect.ts';
import { bsdiff40, bzip2, controlBytes, hasProgram } from '../../support/bsdiff40.ts';
import { deltaPayload, editedPair } from '../../support/images.ts';
import { temporaryFolder } from '../../support/release.ts';

beforeEach(() => void vi.spyOn(process.stdout, 'write').mockReturnValue(true));
afterEach(() => vi.restoreAllMocks());

/** Of one byte each. */
function manyCovers(count: number): Uint8Array {
  const control = bzip2(new Uint8Array(Buffer.alloc(24 * count, controlBytes([[1, 0, -1]]))));
  return bsdiff40({ targetBytes: count, control, diff: new Uint8Array(0), extra: new Uint8Array(0) });
}

/** As a signal comes: from the event loop. What never lets go of the thread is over before it is heard. */
async function stoppedAtOnce(patch: Uint8Array): Promise<unknown> {
  const path = join(temporaryFolder(), 'patch');
  writeFileSync(path, patch);
  const others = process.listeners('SIGTERM');
  const inspected = define().exitOverride().parseAsync([path], { from: 'user' });
  setImmediate(() => {
    for (const listener of process.listeners('SIGTERM')) if (!others.includes(listener)) listener('SIGTERM');
  });
  return inspected.catch((error: unknown) => error);
}

const STOPPED = { code: 'aborted', detail: { signal: 'SIGTERM' } };

it('inspect of a payload ends at a signal', async () => {
  expect(await stoppedAtOnce(deltaPayload(editedPair(96, 16 * 1024, 61), 64 * 1024))).toMatchObject(STOPPED);
});

it.skipIf(!hasProgram('bzip2'))('inspect of a BSDIFF40 patch of many covers ends at a signal', async () => {
  expect(await stoppedAtOnce(manyCovers(300_000))).toMatchObject(STOPPED);
});
