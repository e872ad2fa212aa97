/**
 * Tests against sources with a planted bug: the one that PLANTED_BUG names, applied while files are read.
 */
import { defineConfig } from 'vitest/config';
import { repositoryRoot } from '../../corpus/manifest.ts';
import { PLANTED } from '../fuzz/mutants.ts';
import { applyEdit } from '../mutants/run.ts';
import { ROLLOUT_MUTANTS } from '../rollouts/mutants.ts';

const bug = [...PLANTED, ...ROLLOUT_MUTANTS].find(({ name }) => name === process.env['PLANTED_BUG']);

export default defineConfig({
  root: repositoryRoot(),
  test: { include: ['test/**/*.test.ts'], testTimeout: 60_000, bail: 1, maxWorkers: 2 },
  plugins: [
    {
      name: 'planted-bug',
      enforce: 'pre',
      transform: (code, id) => (bug !== undefined && id.endsWith(`/${bug.file}`) ? applyEdit(code, bug) : undefined),
    },
  ],
});
