/**
 * The house rules, held by a test: who imports whom, what the package exports, which error codes exist, how long
 * files and functions are, and that nothing of one machine leaks in. Each rule first has to find a bad example.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../src/platform/hash.ts';
import { corpusPairs, repositoryRoot } from '../corpus/manifest.ts';
import { STATUS } from '../native-free/status.ts';
import { renderErrors } from '../scripts/errors-doc.ts';
import { entrySources, readPublicExports } from '../scripts/public-exports.ts';
import {
  checkCircles,
  checkErrorCodes,
  checkFloors,
  checkHiddenState,
  checkImports,
  checkLeaks,
  checkSizes,
  checkThrows,
} from './support/tidy-rules.ts';

const ROOT = repositoryRoot();
const UNKEPT = new Set(['node_modules', 'dist', 'coverage', '.git', '.cache']);

/** Codes that the table promises and that later work will throw. A test fails when one is used by now. */
const RESERVED = new Set<string>([]);

/** Files that throw plain errors on purpose, and who turns them into an UpdateError. */
const PLAIN_ERRORS: Readonly<Record<string, string>> = {
  'src/wasm/instance.ts':
    'modelCoder, suffixArrayWasm and wasmMatching take any error for "there is none" and use TypeScript instead',
  'src/platform/filesystem.ts': 'ioError wraps it with the code that fits the file',
};

const PUBLIC_ENTRIES = ['.', './native-free', './native-free/diff', './compat', './wasm'].concat([
  './agent',
  './server',
  './client',
  './testing',
]);

interface Manifest {
  exports: Record<string, unknown>;
  bin: Record<string, string>;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
}
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;

/** Texts of the files below the checkout whose name matches, by path. */
function readTree(wanted: RegExp, folder = ''): Map<string, string> {
  const files = new Map<string, string>();
  for (const name of readdirSync(join(ROOT, folder))) {
    if (UNKEPT.has(name)) continue;
    const path = folder === '' ? name : `${folder}/${name}`;
    if (statSync(join(ROOT, path)).isDirectory())
      for (const [inner, text] of readTree(wanted, path)) files.set(inner, text);
    else if (wanted.test(path)) files.set(path, readFileSync(join(ROOT, path), 'utf8'));
  }
  return files;
}

const sources = readTree(/\.ts$/);
const shipped = new Map([...sources].filter(([path]) => /^(native-free|src)\//.test(path)));
const dependencies = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }));
const one = (path: string, text: string): Map<string, string> => new Map([[path, text]]);

describe('who imports whom', () => {
  const bad: readonly (readonly [string, string, string])[] = [
    ['src/agent/a.ts', "import { x } from '../server/x.ts';", 'src/agent may not import from src/server'],
    ['src/agent/a.ts', "import type { X } from '../release/x.ts';", 'src/agent may not import from src/release'],
    ['src/agent/a.ts', "const x = await import('../engine/x.ts');", 'src/agent may not import from src/engine'],
    ['src/agent/a.ts', "export { x } from '../engine/x.ts';", 'src/agent may not import from src/engine'],
    ['src/agent/a.ts', "let x: import('../server/x.ts').X;", 'src/agent may not import from src/server'],
    ['src/agent/a.ts', "import { Hono } from 'hono';", 'may not use this package'],
    ['src/transfer/a.ts', "import { x } from '../agent/x.ts';", 'may not import from src/agent'],
    ['src/engine/a.ts', "import { x } from '../release/x.ts';", 'may not import from src/release'],
    ['src/wasm/a.ts', "import { x } from '../engine/x.ts';", 'may not import from src/engine'],
    ['src/wasm/a.ts', "import fs from 'node:fs';", "may not use Node's modules"],
    ['src/wasm/a.ts', "import { Hono } from 'hono';", 'may not use this package'],
    ['native-free/a.ts', "import { x } from '../src/wasm/x.ts';", 'may not import from src/wasm'],
    ['src/release/a.ts', "import { x } from '../wasm/x.ts';", 'may not import from src/wasm'],
    ['src/engine/a.ts', "import { x } from '../../assembly/x.ts';", 'may not import from assembly'],
    ['src/server/a.ts', "import { x } from '../cli/x.ts';", 'may not import from src/cli'],
    ['src/client/a.ts', "import { x, type Y } from '../server/x.ts';", 'types of src/server only'],
    ['src/testing/a.ts', "import { x } from '../agent/x.ts';", 'types of src/agent only'],
    ['src/cli/engraft.ts', "import { x } from './commands/x.ts';", 'loaded lazily'],
    ['native-free/a.ts', "import fs from 'node:fs';", "may not use Node's modules"],
    ['native-free/a.ts', "import pako from 'pako';", 'may not use this package'],
    ['native-free/a.ts', "import fs from 'fs';", 'may not use this package'],
    ['native-free/a.ts', "import { x } from '../src/engine/x.ts';", 'may not import from src/engine'],
    ['src/engine/a.ts', "import x from 'left-pad';", 'not among the dependencies'],
    ['src/engine/a.ts', "import x from './x.js';", 'no such file'],
    ['bench/a.ts', "import { x } from '../src/engine/x.ts';", 'public entries only'],
    ['attic/a.ts', "import { x } from '../src/engine/x.ts';", 'no room'],
  ];
  it.each(bad)('finds the fault in %s: %s', (path, text, expected) => {
    const files = new Map([
      [path, text],
      ['assembly/x.ts', ''],
      ...['engine', 'release', 'server', 'agent', 'wasm', 'cli', 'cli/commands'].map(
        (room) => [`src/${room}/x.ts`, ''] as const,
      ),
    ]);
    const problems = checkImports(files, dependencies);
    expect(problems.join('\n')).toMatch(
      expected.endsWith('file') ? /no such file|extension/ : new RegExp(expected.replace(/[.']/g, '.')),
    );
  });

  it('accepts what the rules allow', () => {
    const files = new Map([
      ['src/client/a.ts', "import type { X } from '../server/x.ts';\nimport { type Y } from '../server/x.ts';"],
      ['src/server/x.ts', "import { Hono } from 'hono';\nimport { y } from '../release/y.ts';"],
      ['src/release/y.ts', "import { join } from 'node:path';"],
      ['src/cli/engraft.ts', "const load = () => import('./commands/x.ts');"],
      ['src/cli/commands/x.ts', ''],
      ['native-free/a.ts', "import { sha256 } from '@noble/hashes/sha2.js';\nimport { decompress } from 'fzstd';"],
    ]);
    expect(checkImports(files, dependencies)).toEqual([]);
  });

  it('holds in the tree', () => {
    expect(sources.size).toBeGreaterThan(50);
    expect(checkImports(sources, dependencies)).toEqual([]);
  });
});

describe('the import graph', () => {
  /** Folders whose files import each other without a circle, across all rooms of theirs. */
  const FOLDERS = ['native-free', 'src'];

  it('finds circles, also those of types, and arrows that lead up', () => {
    const files = new Map([
      ['native-free/format/a.ts', "import type { B } from '../predict/b.ts';"],
      ['native-free/predict/b.ts', "export { c } from './c.ts';"],
      ['native-free/predict/c.ts', "import { a } from '../format/a.ts';\nimport { d } from '../status.ts';"],
      ['native-free/status.ts', "import { e } from './errno.ts';"],
      ['native-free/errno.ts', "import type { d } from './status.ts';"],
      ['native-free/io.ts', "import { e } from './errno.ts';"],
    ]);
    expect(checkCircles(files, ['native-free'])).toEqual([
      'a circle of imports: native-free/format/a.ts, native-free/predict/b.ts, native-free/predict/c.ts',
      'a circle of imports: native-free/errno.ts, native-free/status.ts',
    ]);
    expect(checkCircles(files, ['native-free/predict'])).toEqual([]);
    expect(checkFloors(files)).toEqual(['native-free/format/a.ts imports native-free/predict/b.ts, which is above it']);
    expect(checkFloors(one('native-free/model/a.ts', "import { x } from '../diff/x.ts';"))).toHaveLength(1);
    expect(checkFloors(one('native-free/diff/a.ts', "import { x } from '../apply/x.ts';"))).toEqual([]);
  });

  it('has neither in the tree', () => {
    expect(checkCircles(sources, FOLDERS)).toEqual([]);
    expect(checkFloors(sources)).toEqual([]);
  });
});

describe('the package', () => {
  it('exports the entries of the design and no other', () => {
    const entries = Object.keys(manifest.exports).filter((entry) => entry !== './package.json');
    expect(entries).toEqual(PUBLIC_ENTRIES);
    expect(manifest.exports['./package.json']).toBe('./package.json');
  });

  it('maps every entry and program to a source that exists', () => {
    // What is in dist/program is bundled from the sources of src/cli.
    const programs = Object.fromEntries(
      Object.entries(manifest.bin).map(([name, file]) => [
        name,
        { default: `./${file.replace('dist/program/', 'dist/src/cli/')}` },
      ]),
    );
    expect(Object.keys(programs)).toEqual(['engraft', 'engraft-agent']);
    for (const [entry, source] of Object.entries(entrySources({ ...manifest.exports, ...programs }))) {
      expect(source, `${entry} maps to dist/`).not.toBeNull();
      expect(sources.has(source!), `${entry} needs ${source}`).toBe(true);
    }
  });

  it('is built of nothing but what has a source (npm run build removes the rest)', () => {
    const built = ['native-free', 'src'].flatMap((room) =>
      readdirSync(join(ROOT, 'dist', room), { recursive: true, encoding: 'utf8' }).map((name) => `${room}/${name}`),
    );
    const scripts = built.filter((path) => path.endsWith('.js'));
    expect(scripts.length).toBeGreaterThan(50);
    expect(scripts.filter((path) => !sources.has(path.replace(/js$/, 'ts')))).toEqual([]);
  });

  it('exports the names in test/public-exports.json (npm run docs:exports writes it)', () => {
    const known = JSON.parse(readFileSync(join(ROOT, 'test', 'public-exports.json'), 'utf8')) as unknown;
    const surface = readPublicExports(ROOT);
    for (const entry of PUBLIC_ENTRIES) expect(surface[entry], `${entry} exports something`).not.toEqual([]);
    expect(surface).toEqual(known);
  });
});

describe('errors', () => {
  const codes = new Set(Object.keys(STATUS));

  it('finds unlisted, unused and wrongly reserved codes', () => {
    const text =
      "throw new UpdateError('no_such_code', 'x');\nthrow UpdateError.from(e, 'neither');\nconst code = 'bug';";
    const problems = checkErrorCodes(one('src/engine/a.ts', text), new Set(['bug', 'idle']), new Set(['bug', 'ghost']));
    expect(problems).toEqual([
      "src/engine/a.ts:1 uses the code 'no_such_code', which status-table.ts does not list",
      "src/engine/a.ts:2 uses the code 'neither', which status-table.ts does not list",
      "nothing uses the code 'idle'",
      "'bug' is used by now: it is no longer reserved",
      "'ghost' is reserved but not in the table",
    ]);
  });

  it('are all listed, and all listed ones are used or reserved', () => {
    expect(checkErrorCodes(shipped, codes, RESERVED)).toEqual([]);
  });

  it('have numbers that are unique and in the family of their neighbours', () => {
    const numbers = Object.values(STATUS).map((row) => row.status);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });

  it('are of one class', () => {
    const text = "throw new Error('x');\nclass NetError extends TypeError {}";
    expect(checkThrows(one('src/engine/a.ts', text))).toHaveLength(2);
    expect(checkThrows(one('src/engine/a.ts', "try { throw new Error('x'); } catch (e) { f(e); }"))).toEqual([]);
    const strict = new Map([...shipped].filter(([path]) => !(path in PLAIN_ERRORS)));
    expect(checkThrows(strict)).toEqual([]);
  });

  it('are documented as the table has them (npm run docs:errors writes docs/errors.md)', () => {
    expect(readFileSync(join(ROOT, 'docs', 'errors.md'), 'utf8')).toBe(renderErrors());
  });
});

describe('sizes', () => {
  const header = '/**\n * x\n * @module\n */\n';
  it('finds long files, long functions and files without a header', () => {
    const long = `${header}function f() {\n${'f();\n'.repeat(70)}}\n${'f();\n'.repeat(330)}`;
    expect(
      checkSizes(
        new Map([
          ['src/engine/a.ts', long],
          ['src/engine/b.ts', 'f();\n'],
        ]),
      ),
    ).toEqual([
      'src/engine/a.ts has 406 lines, over 400: are there two ideas in it?',
      'src/engine/a.ts:5 f has 72 lines, over 70',
      'src/engine/b.ts has no header comment with @module',
    ]);
  });

  it('are kept in what is shipped', () => {
    expect(checkSizes(shipped)).toEqual([]);
  });
});

describe('state', () => {
  it('is found at module level', () => {
    const bad = [
      'let n = 0;',
      'const told = new WeakSet<object>();',
      'export const known: Map<string, X> = new Map();',
      'const told: string[] = [];',
      'const seen: Record<string, number> = {};',
      'class A {\n  static readonly told = new Set();\n}',
      'class A {\n  static #n = 0;\n}',
    ];
    for (const text of bad) expect(checkHiddenState(one('src/agent/a.ts', text)), text).toHaveLength(1);
    const good =
      'const KINDS: ReadonlySet<string> = new Set([]);\nconst NONE: readonly X[] = [];\n' +
      'class A {\n  static readonly max = 3;\n  #told = new Set();\n}\n' +
      'function f() {\n  let n = 0;\n  const m = new Map();\n}';
    expect(checkHiddenState(one('src/agent/a.ts', good))).toEqual([]);
  });

  it('belongs to somebody in the agent and the device core', () => {
    const held = new Map([...shipped].filter(([path]) => /^(native-free|src\/agent)\//.test(path)));
    expect(checkHiddenState(held)).toEqual([]);
  });
});

describe('leaks', () => {
  const folder = ['', 'work', 'main'].join('/');
  it('finds paths and names of a machine and unfinished work', () => {
    const text = `const a = '${folder}/x';\n// ${['TO', 'DO'].join('')}: later\nfetch('http://buildbox-7/');\nconst method = 'x';\n`;
    expect(checkLeaks(one('src/engine/a.ts', text), ['buildbox-7'])).toHaveLength(3);
  });

  it('has none in the tree', () => {
    // A short or ordinary name of this machine ("node", "localhost") would match honest text.
    const names = [hostname()].filter((name) => name.length >= 8 && name !== 'localhost' && /\d/.test(name));
    const texts = readTree(/(\.(ts|js|mjs|json|md|sh|toml|yml)|^\.ci\/run)$/);
    texts.delete('package-lock.json');
    expect(checkLeaks(texts, names)).toEqual([]);
  });
});

describe('the corpus', () => {
  it('has two committed pairs of the stated digests, under 1.5 MB together', () => {
    const pairs = corpusPairs().filter((pair) => pair.committed !== undefined);
    expect(pairs).toHaveLength(2);
    let total = 0;
    for (const pair of pairs) {
      for (const side of ['source', 'target'] as const) {
        const bytes = readFileSync(join(ROOT, 'corpus', pair.committed!, side));
        total += bytes.length;
        expect(sha256Hex(bytes)).toBe(pair[side].sha256);
      }
    }
    expect(total).toBeLessThan(1_500_000);
  });
});
