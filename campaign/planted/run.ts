/**
 * Runs tests on the sources with one bug planted in them.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { repositoryRoot } from '../../corpus/manifest.ts';

const MEMORY_MIB = 1024;
const RUN_MS = 900_000;

export interface PlantedRun {
  /** Its name; the code as it is by default. */
  readonly bug?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Which test noticed, in the order of the files; null where all of them pass. */
export function failureOf(
  files: readonly string[],
  { bug = '', environment = {}, timeoutMs }: PlantedRun,
): string | null {
  const args = ['vitest', 'run', '--config', 'campaign/planted/vitest.config.ts', ...files];
  const longer = timeoutMs === undefined ? [] : ['--testTimeout', String(timeoutMs)];
  const { status, stdout, stderr } = spawnSync('npx', [...args, ...longer], {
    cwd: repositoryRoot(),
    // A bug may make a loop endless: it ends when it has taken too much time or memory.
    env: {
      NODE_OPTIONS: `--max-old-space-size=${MEMORY_MIB}`,
      ...process.env,
      ...environment,
      PLANTED_BUG: bug,
      NO_COLOR: '1',
    },
    encoding: 'utf8',
    timeout: RUN_MS,
    killSignal: 'SIGKILL',
  });
  if (status === 0) return null;
  return /^ FAIL .*$/m.exec(`${stdout}${stderr}`)?.[0].trim() ?? `${stdout}${stderr}`.slice(-2000);
}
