/**
 * Where the compiled twin of an engine module is.
 *
 * A worker thread or child process is started from a JavaScript file. Run from dist/ that file is beside this one, in
 * the bundled program as well; run from the TypeScript sources (tests, Bun, Deno) it is in dist/, which has to be built
 * first.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { UpdateError } from '../../../native-free/status.ts';

/** The bundler defines it; all files of a bundle that import from here are in one folder. */
declare const __ENGRAFT_BUNDLED__: boolean | undefined;

/**
 * File path of the compiled `src/engine/NAME.js`, NAME with its folder.
 * Throws UpdateError `config_invalid` when it is not there.
 */
export function builtFile(name: string, base: string = import.meta.url): string {
  const beside = typeof __ENGRAFT_BUNDLED__ === 'boolean' ? `./${name}.js` : `../${name}.js`;
  const place = base.endsWith('.ts') ? `../../../dist/src/engine/${name}.js` : beside;
  const path = fileURLToPath(new URL(place, base));
  if (existsSync(path)) return path;
  throw new UpdateError('config_invalid', `${path} is missing: run \`npm run build\` first`, { detail: { path } });
}
