/**
 * The version that `--version` prints. In the one-file agent there is no package.json beside the code, so the
 * bundler defines `__ENGRAFT_VERSION__`; everywhere else package.json is the one place that says it.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

declare const __ENGRAFT_VERSION__: string | undefined;

/** The version of this package, or '0.0.0' where package.json is missing. */
export function packageVersion(): string {
  if (typeof __ENGRAFT_VERSION__ === 'string') return __ENGRAFT_VERSION__;
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    try {
      const facts = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
      if (facts['name'] === 'engraft') return String(facts['version']);
    } catch {
      // Not here: one folder up.
    }
    const parent = dirname(folder);
    if (parent === folder) return '0.0.0';
    folder = parent;
  }
}
