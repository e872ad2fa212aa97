/**
 * `npm run docs:exports`: test/public-exports.json, the names that each entry of the package gives to the world.
 *
 * A test compares the file with the sources, so that no name comes or goes unnoticed: who changes the public surface
 * runs this and commits the difference.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { repositoryRoot } from '../corpus/manifest.ts';

/** Names of an entry; `name: type` marks what exists for the compiler only. */
export type PublicExports = Record<string, string[]>;

/** The source file of each entry in package.json's `exports`, by entry; `null` where the mapping is not ours. */
export function entrySources(exportsField: Record<string, unknown>): Record<string, string | null> {
  const sources: Record<string, string | null> = {};
  for (const [entry, value] of Object.entries(exportsField)) {
    if (typeof value === 'string') continue;
    const target = (value as { default?: string }).default ?? '';
    const match = /^\.\/dist\/(.+)\.js$/.exec(target);
    sources[entry] = match === null ? null : `${match[1]}.ts`;
  }
  return sources;
}

/** Read the public surface from the sources, sorted. Entries whose file is missing have no names. */
export function readPublicExports(root: string): PublicExports {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: Record<string, unknown> };
  const sources = Object.entries(entrySources(manifest.exports)).filter(([, file]) => file !== null) as [
    string,
    string,
  ][];
  const config = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)).config,
    ts.sys,
    root,
  );
  const files = sources.map(([, file]) => join(root, file));
  const program = ts.createProgram(files, config.options);
  const checker = program.getTypeChecker();
  const surface: PublicExports = {};
  sources.forEach(([entry], i) => {
    const file = program.getSourceFile(files[i]!);
    const symbol = file === undefined ? undefined : checker.getSymbolAtLocation(file);
    const symbols = symbol === undefined ? [] : checker.getExportsOfModule(symbol);
    surface[entry] = symbols.map((found) => describe(checker, found)).sort();
  });
  return surface;
}

function describe(checker: ts.TypeChecker, symbol: ts.Symbol): string {
  const resolved = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  return resolved.flags & ts.SymbolFlags.Value ? symbol.name : `${symbol.name}: type`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const root = repositoryRoot();
  writeFileSync(join(root, 'test', 'public-exports.json'), `${JSON.stringify(readPublicExports(root), null, 2)}\n`);
}
