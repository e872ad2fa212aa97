/**
 * Bundles `engraft` and the worker of its engine into dist/program: a few files instead of hundreds of modules, most of
 * which a start would spend its time on finding. Packages stay outside, each command is a file of its own.
 *
 * Plain JavaScript, because it runs as part of the build. Not minified: a stack trace is to name functions, and
 * `node --enable-source-maps` their lines.
 */
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const outdir = 'dist/program';

// Files of the last build have other names.
rmSync(root + outdir, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  // Places below are those that src/engine/workers/built-file.ts looks at.
  entryPoints: {
    engraft: 'src/cli/engraft.ts',
    'workers/worker': 'src/engine/workers/worker.ts',
    'bsdiff/child': 'src/engine/bsdiff/child.ts',
  },
  outdir,
  bundle: true,
  splitting: true,
  chunkNames: '[name]-[hash]',
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  packages: 'external',
  sourcemap: true,
  sourcesContent: false,
  legalComments: 'none',
  define: { __ENGRAFT_BUNDLED__: 'true' },
  logLevel: 'warning',
});
