/**
 * `npm run build`: compiles the rooms to dist/, removes from there what has no source any more, bundles the one-file
 * agent and the program, makes the programs executable.
 *
 * Plain JavaScript, because it runs before anything is built.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const node = (...args) => {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
};

node('node_modules/typescript/bin/tsc', '-b', 'tsconfig.build.json');
// tsc leaves the output of files that were moved or removed, and `npm pack` would ship it.
for (const built of readdirSync(`${root}dist`, { recursive: true })) {
  const source = built.replace(/(\.d\.ts|\.js|\.js\.map)$/, '.ts');
  if (source !== built && !existsSync(root + source)) rmSync(`${root}dist/${built}`);
}
if (existsSync(`${root}scripts/bundle-agent.mjs`)) node('scripts/bundle-agent.mjs');
if (existsSync(`${root}scripts/bundle-program.mjs`)) node('scripts/bundle-program.mjs');

const { bin } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
for (const program of Object.values(bin)) if (existsSync(root + program)) chmodSync(root + program, 0o755);
