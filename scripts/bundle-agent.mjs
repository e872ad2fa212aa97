/**
 * Bundles the agent into one file, dist/engraft-agent.mjs, that needs nothing but Node beside it.
 *
 * Plain JavaScript, because it runs as part of the build. Some dependencies are CommonJS and ask for Node's modules
 * through `require`, which ES modules do not have: the banner gives it to them.
 */
import { chmodSync, readFileSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Loaded where a token is configured. */
const OPTIONAL = new Set(['pkcs11js']);

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const outfile = `${root}dist/engraft-agent.mjs`;

const result = await build({
  absWorkingDir: root,
  entryPoints: ['src/cli/engraft-agent.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  minify: true,
  external: ['pkcs11js'],
  legalComments: 'eof',
  define: { __ENGRAFT_VERSION__: JSON.stringify(version) },
  banner: {
    js: "import { createRequire as engraftRequire } from 'node:module'; const require = engraftRequire(import.meta.url);",
  },
  metafile: true,
  logLevel: 'warning',
});
for (const { imports } of Object.values(result.metafile.outputs)) {
  const strangers = imports.filter(({ external, path }) => external && !isBuiltin(path) && !OPTIONAL.has(path));
  if (strangers.length > 0) throw new Error(`the bundle would need ${strangers.map((each) => each.path).join(', ')}`);
}
chmodSync(outfile, 0o755);
process.stdout.write(`dist/engraft-agent.mjs: ${statSync(outfile).size} bytes\n`);
