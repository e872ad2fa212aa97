/**
 * Every example of the documents runs: those of README.md and docs/, and the one in the docstring of each entry of the
 * package, where that entry's own names are at hand. Those of native-free run in all its runtimes.
 *
 * What an example takes for granted (two images, a payload, a running server) is made here. An example that makes a
 * `copy` must have made the target.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { transformSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../corpus/manifest.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { entrySources } from '../../scripts/public-exports.ts';
import { AGENT_PROGRAM, programDevice } from '../support/device/agent-program.ts';
import { FROM_THE_FIELD } from '../support/bsdiff40.ts';
import { deltaPayload, editedPair, imageBytes } from '../support/images.ts';
import { missing, PROGRAMS, runInProgram, runInQuickJs, type Script } from '../support/runtimes.ts';

const ROOT = repositoryRoot();
const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const { exports } = JSON.parse(text('package.json')) as { exports: Record<string, unknown> };
const surface = JSON.parse(text('test/public-exports.json')) as Record<string, string[]>;
const nameOf = (entry: string): string => `engraft${entry.slice(1)}`;
const ENTRIES = Object.entries(entrySources(exports)).flatMap(([entry, file]) =>
  file === null ? [] : [{ entry, file }],
);
/** Of the source, as it is bundled for other runtimes. The longest name first: a name is also taken for a folder. */
const ALIAS = Object.fromEntries(ENTRIES.map(({ entry, file }) => [nameOf(entry), file]).reverse());
const PORTABLE = new Set(['engraft/native-free', 'engraft/native-free/diff', 'engraft/compat', 'engraft/wasm']);

interface Example {
  readonly where: string;
  readonly imports: string;
  readonly body: string;
  readonly uses: readonly string[];
}

/** Import lines apart, so that the rest can stand in a function. */
function exampleOf(where: string, code: string, entries: readonly string[] = []): Example {
  const imports: string[] = code.match(/^import .*;$/gm) ?? [];
  const body = code.replace(/^import .*;\n/gm, '');
  for (const entry of entries) {
    const names = surface[entry]!.filter((name) => !name.endsWith(': type') && new RegExp(`\\b${name}\\b`).test(body));
    const taken = names.filter((name) => !imports.some((line) => line.includes(` ${name}`)));
    if (taken.length > 0) imports.push(`import { ${taken.join(', ')} } from '${nameOf(entry)}';`);
  }
  const uses = imports.map((line) => /from '(.*)';$/.exec(line)![1]!);
  return { where, imports: imports.join('\n'), body, uses };
}

function documented(): Example[] {
  const pages = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)];
  return pages
    .filter((page) => page.endsWith('.md'))
    .flatMap((page) => [...text(page).matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => exampleOf(page, code!)));
}

/** The example in the docstring of an entry; with it come the parts of native-free that it is about. */
function ofEntry({ entry, file }: { entry: string; file: string }): Example | null {
  const docstring = /^(?:#!.*\n)?\/\*\*[^]*?@module[^]*?\*\//.exec(text(file))?.[0] ?? '';
  const code = /@example\n([^]*?) \* @module/.exec(docstring)?.[1]?.replace(/^ \* ?/gm, '');
  if (code === undefined) return null;
  return exampleOf(file, code, PORTABLE.has(nameOf(entry)) ? [entry, './native-free'] : [entry]);
}

const ofEntries = ENTRIES.map((entry) => ({ ...entry, example: ofEntry(entry) }));
const examples = [...documented(), ...ofEntries.flatMap(({ example }) => (example === null ? [] : [example]))];
const isPortable = ({ uses }: Example): boolean => uses.every((name) => PORTABLE.has(name));

const pair = editedPair(9, 4096, 5);
const foreignSource = imageBytes(300, 5);
const images = (example: Example): Record<string, Uint8Array> =>
  example.uses.includes('engraft/compat')
    ? {
        source: foreignSource,
        target: foreignSource.subarray(0, 150),
        patch: new Uint8Array(Buffer.from(FROM_THE_FIELD['no extra stream'], 'base64')),
      }
    : { source: pair.source, target: pair.target, payload: deltaPayload(pair, LIMITS.segment_bytes_min) };

/** The example as a script whose `result` is what it logged. */
function scriptOf(example: Example, given: Record<string, unknown>): Script {
  const bytes = Object.entries(images(example)).map(
    ([name, value]) => `const ${name} = new Uint8Array([${value.join()}]);`,
  );
  const values = Object.entries(given).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};`);
  const wrong = "if (copy.join() !== target.join()) throw new Error('the copy is not the target');";
  const contents = `${example.imports}
const said: string[] = [];
${[...bytes, ...values].join('\n')}
async function example(): Promise<string[]> {
const console = { log: (...words: unknown[]) => said.push(words.join(' ')), error: (..._words: unknown[]) => undefined };
${example.body}
${/\bconst copy\b/.test(example.body) ? wrong : ''}
return said;
}
const result = example();`;
  return { contents, folder: '.', alias: ALIAS };
}

let scratch = '';
beforeAll(() => {
  // Inside the checkout, whose package.json gives the entries their names.
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  scratch = mkdtempSync(join(ROOT, '.cache', 'examples-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Runs an example against what was built, as a user's program would. */
async function runBuilt(example: Example, given: Record<string, unknown>): Promise<string[]> {
  const { contents } = scriptOf(example, given);
  const { code } = transformSync(`${contents}\nprocess.stdout.write(JSON.stringify(await result));`, { loader: 'ts' });
  const file = join(scratch, 'example.mjs');
  writeFileSync(file, code);
  const ended = promisify(execFile)(process.execPath, [file], { cwd: scratch, timeout: 50_000 });
  // The images stand in the line that Node shows.
  const { stdout } = await ended.catch(({ stderr }: { stderr: string }) =>
    Promise.reject(new Error(stderr.slice(-1000))),
  );
  return JSON.parse(stdout) as string[];
}

describe('every entry', () => {
  it.each(ofEntries)(
    '$entry has an example that uses it, and says which codes it throws',
    ({ entry, file, example }) => {
      expect(example?.uses, `@example in ${file}`).toContain(nameOf(entry));
      expect(text(file).slice(0, 2000)).toMatch(/throws? |Throws /i);
    },
  );
});

describe('an example that needs nothing but the language', () => {
  const portable = examples.filter(isPortable);
  it.for(PROGRAMS)('runs in %s', async (program, { skip }) => {
    skip(missing(program) !== '', missing(program));
    for (const example of portable) await runInProgram(program, scriptOf(example, {}), scratch);
  });

  it('runs in QuickJS', async () => {
    for (const example of portable) await runInQuickJs(scriptOf(example, {}));
  });

  it('would be noticed if it made something else', async () => {
    const [example] = portable.filter(({ body }) => body.includes('const copy'));
    const worse = { ...example!, body: `${example!.body}\ncopy[0]! ^= 1;` };
    await expect(runInQuickJs(scriptOf(worse, {}))).rejects.toThrow(/not the target/);
  });
});

describe.skipIf(!existsSync(AGENT_PROGRAM))('an example for Node (skipped unless all is built)', () => {
  let device: Awaited<ReturnType<typeof programDevice>>;
  let given: Record<string, unknown>;
  beforeAll(async () => {
    const token = 'management-token';
    device = await programDevice('', { auth: { managementToken: token } });
    const { config, publisher, home, url } = device;
    given = { url, token, repo: publisher.dir, folder: dirname(config), text: readFileSync(config, 'utf8'), home };
  });
  afterAll(() => device.server.close(0));

  it.each(examples.filter((example) => !isPortable(example)))('of $where runs', async (example) => {
    await runBuilt(example, given);
  });
});
