/**
 * A data partition on which nothing can be written any more, full or read-only, while the device is committed and has
 * nothing to do. It is rebooted again and again, and has to stay where it is.
 * @module
 */
import type { RunResult } from '../../src/agent/index.ts';
import { errnoError, type FileCall } from '../../src/testing/index.ts';
import { checkRunning } from './oracle.ts';
import { PATHS } from './paths.ts';
import { TRIES, type World } from './world.ts';

/** More boots than a slot has tries. */
const BOOTS = TRIES + 2;

/** Throws where a real file system would. What changes nothing is still permitted. */
export function refuseSealed({ scenario, storage, sealedRuns }: World, call: FileCall): void {
  const errno = scenario.sealed;
  const { name, path, mode } = call;
  if (errno === undefined || sealedRuns < 0) return;
  if (path !== PATHS.data && !path.startsWith(`${PATHS.data}/`)) return;
  const grows = name === 'write' || name === 'truncate' || (name === 'open' && mode === 'create') || name === 'link';
  const exists = storage.holds(path);
  const changes =
    grows || name === 'rename' || (name === 'open' && mode !== 'read') || (name === 'unlink' && exists) || (name === 'removeFolder' && exists); // prettier-ignore
  if ((errno === 'EROFS' ? changes : grows) || (name === 'makeFolder' && !exists)) {
    throw errnoError(errno, `${name} of ${path}`);
  }
}

/** After a run on such a partition. True when that was the last of them. */
export function endsSealed(world: World, { code, state }: RunResult): boolean {
  if (code !== 'no_update' || state !== 'IDLE') world.violations.push(`a sealed run ended with ${code} in ${state}`);
  checkRunning(world);
  world.sealedRuns++;
  // Switched off, not shut down: nothing is written any more.
  world.running = null;
  return world.sealedRuns > BOOTS || world.violations.length > 0;
}
