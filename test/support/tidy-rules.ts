/**
 * The rules of the house as functions over file texts, so that test/tidy.test.ts can show them bad examples first and
 * the tree second (the idea of style rules in a test is TigerBeetle's).
 *
 * Every function returns violations as sentences; an empty list is a pass. Paths are relative to the checkout, with
 * slashes.
 */
import ts from 'typescript';

export type Files = ReadonlyMap<string, string>;

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;

/** What one import statement, re-export or `import()` of a file asks for. */
export interface Import {
  readonly from: string;
  readonly specifier: string;
  readonly typeOnly: boolean;
  readonly dynamic: boolean;
  readonly line: number;
}

interface Room {
  /** Rooms whose files may be imported. The own room always may. */
  readonly rooms: readonly string[];
  /** Rooms of which only types may be imported. */
  readonly types?: readonly string[];
  /** Packages that may be imported; without it all of package.json's. */
  readonly packages?: readonly RegExp[];
  /** May Node's own modules be imported? */
  readonly node: boolean;
}

const ALL_ROOMS = [
  'native-free',
  'src',
  'src/platform',
  'src/engine',
  'src/release',
  'src/transfer',
  'src/agent',
  'src/server',
  'src/client',
  'src/testing',
  'src/wasm',
];
const DEVICE_PACKAGES = [
  /^@noble\//,
  /^@scure\/base$/,
  /^stream-chain(\/|$)/,
  /^@tufjs\/canonical-json$/,
  /^smol-toml$/,
  /^fzstd$/,
  // An optional peer, loaded only where the configuration asks for a token.
  /^pkcs11js$/,
];

/** "Who may import whom" of ARCHITECTURE.md. */
const ROOMS: Readonly<Record<string, Room>> = {
  'native-free': { rooms: [], packages: [/^@noble\//, /^@scure\/base$/, /^fzstd$/], node: false },
  'src/wasm': { rooms: ['native-free'], packages: [], node: false },
  'src/platform': { rooms: ['native-free'], packages: [], node: true },
  'src/engine': { rooms: ['native-free', 'src/wasm', 'src/platform'], node: true },
  'src/transfer': { rooms: ['native-free', 'src/wasm', 'src/platform'], packages: DEVICE_PACKAGES, node: true },
  'src/release': { rooms: ['native-free', 'src/engine', 'src/platform'], node: true },
  'src/agent': {
    rooms: ['native-free', 'src/transfer', 'src/wasm', 'src/platform'],
    packages: DEVICE_PACKAGES,
    node: true,
  },
  'src/server': { rooms: ALL_ROOMS.filter((room) => room !== 'src/agent'), node: true },
  'src/client': { rooms: ['native-free'], types: ['src/server'], packages: [], node: false },
  'src/testing': { rooms: ['native-free'], types: ['src/agent', 'src/transfer', 'src/platform'], node: true },
  'src/cli': { rooms: ALL_ROOMS, node: true },
  src: { rooms: ALL_ROOMS, node: true },
  assembly: { rooms: [], packages: [], node: false },
  corpus: { rooms: ['native-free'], node: true },
  scripts: { rooms: ['native-free', 'corpus', 'src/agent'], node: true },
  demo: { rooms: [...ALL_ROOMS, 'src/cli', 'corpus'], node: true },
  bench: { rooms: [...ALL_ROOMS, 'src/cli', 'corpus'], node: true },
  campaign: { rooms: [...ALL_ROOMS, 'src/cli', 'corpus'], node: true },
  qemu: { rooms: [...ALL_ROOMS, 'src/cli', 'corpus'], node: true },
  test: { rooms: [...ALL_ROOMS, 'src/cli', 'corpus', 'scripts', 'bench', 'demo', 'campaign', 'qemu'], node: true },
};

/** Rooms that use the others as a user of the package would: through the files that package.json exports. */
const OUTSIDE_ROOMS = ['bench', 'demo'];
const PUBLIC_ENTRIES =
  /^(native-free\/(index|diff\/index|compat\/index)|src\/index|src\/(engine|release|wasm|agent|server|client|testing)\/index|corpus\/index)\.ts$/;

/** The room of a file: its folder below src/, else its first folder. */
function roomOf(path: string): string {
  const parts = path.split('/');
  if (parts[0] === 'src') return parts.length > 2 ? `src/${parts[1]}` : 'src';
  return parts.length > 1 ? parts[0]! : '.';
}

/** All imports of a file, read by the TypeScript parser. */
function importsOf(path: string, text: string): Import[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  const found: Import[] = [];
  const add = (node: ts.Node, literal: ts.Node | undefined, typeOnly: boolean, dynamic: boolean): void => {
    if (literal === undefined || !ts.isStringLiteralLike(literal)) return;
    const line = file.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    found.push({ from: path, specifier: literal.text, typeOnly, dynamic, line });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, importIsTypeOnly(node), false);
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, exportIsTypeOnly(node), false);
    else if (ts.isImportTypeNode(node))
      add(node, ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true, false);
    else if (ts.isCallExpression(node) && isLoadingCall(node)) add(node, node.arguments[0], false, true);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function importIsTypeOnly({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false;
  if (importClause.isTypeOnly) return true;
  const { name, namedBindings } = importClause;
  return name === undefined && namedBindings !== undefined && allTypeOnly(namedBindings);
}

function exportIsTypeOnly(node: ts.ExportDeclaration): boolean {
  return node.isTypeOnly || (node.exportClause !== undefined && allTypeOnly(node.exportClause));
}

function allTypeOnly(bindings: ts.NamedImportBindings | ts.NamedExportBindings): boolean {
  if (!ts.isNamedImports(bindings) && !ts.isNamedExports(bindings)) return false;
  return bindings.elements.length > 0 && [...bindings.elements].every((element) => element.isTypeOnly);
}

function isLoadingCall(node: ts.CallExpression): boolean {
  const callee = node.expression;
  return callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require');
}

/** Room rules. `packages` are the names that package.json depends on at run time. */
export function checkImports(files: Files, packages: ReadonlySet<string>): string[] {
  return [...files].flatMap(([path, text]) =>
    importsOf(path, text).flatMap((item) => {
      const problem = problemWith(item, files, packages);
      return problem === null ? [] : [`${path}:${item.line} imports ${item.specifier}: ${problem}`];
    }),
  );
}

function problemWith(item: Import, files: Files, packages: ReadonlySet<string>): string | null {
  const roomName = roomOf(item.from);
  const room = ROOMS[roomName];
  if (room === undefined) return roomName === '.' ? null : `there is no room "${roomName}" in the house`;
  const { specifier } = item;
  if (specifier.startsWith('node:')) return room.node ? null : `${roomName} may not use Node's modules`;
  if (specifier.startsWith('.')) return problemWithFile(item, roomName, room, files);
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  if (room.packages !== undefined && !room.packages.some((allowed) => allowed.test(specifier)))
    return `${roomName} may not use this package`;
  const shipped = roomName === 'native-free' || roomName.startsWith('src');
  return shipped && !packages.has(name) ? `${name} is not among the dependencies of package.json` : null;
}

function problemWithFile(item: Import, roomName: string, room: Room, files: Files): string | null {
  const path = resolvePath(item.from, item.specifier);
  if (path.endsWith('.ts') && !files.has(path)) return 'there is no such file';
  if (!/\.(ts|json|mjs)$/.test(path)) return 'relative imports name the file with its extension';
  const other = roomOf(path);
  if (other === roomName)
    return isCommand(path) && !isCommand(item.from) && !item.dynamic
      ? 'commands are loaded lazily, with import()'
      : null;
  if (OUTSIDE_ROOMS.includes(roomName) && ROOMS[other] !== undefined) {
    return PUBLIC_ENTRIES.test(path) || other === 'src/cli' ? null : `${roomName} uses public entries only`;
  }
  if (room.rooms.includes(other)) return null;
  if (room.types?.includes(other)) return item.typeOnly ? null : `${roomName} may import types of ${other} only`;
  return `${roomName} may not import from ${other}`;
}

/**
 * Floors of a folder, the lowest first: files of one import neither from a floor above it nor from a folder that is no
 * floor. Files that lie in the folder itself serve all floors.
 */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  'native-free': ['format', 'predict', 'model'],
};

/** Arrows that lead up, types too. */
export function checkFloors(files: Files): string[] {
  return [...files].flatMap(([path, text]) => {
    const [folder, floors] = Object.entries(FLOORS).find(([name]) => path.startsWith(`${name}/`)) ?? ['', []];
    const floorOf = (file: string): number => {
      const [floor, isDeeper] = file.slice(folder.length + 1).split('/');
      if (!file.startsWith(`${folder}/`) || isDeeper === undefined) return -1;
      return floors.includes(floor!) ? floors.indexOf(floor!) : floors.length;
    };
    return arrowsOf(path, text)
      .filter((other) => floorOf(path) >= 0 && floorOf(path) < floorOf(other))
      .map((other) => `${path} imports ${other}, which is above it`);
  });
}

/** Circles of imports among the files of each folder, types too: one line for all files that reach each other. */
export function checkCircles(files: Files, folders: readonly string[]): string[] {
  return folders.flatMap((folder) => {
    const own = [...files].filter(([path]) => path.startsWith(`${folder}/`));
    const arrows = new Map(own.map(([path, text]) => [path, arrowsOf(path, text)]));
    const reached = new Map(own.map(([path]) => [path, reachedFrom(path, arrows)]));
    const told = new Set<string>();
    return own.flatMap(([path]) => {
      const circle = [...reached.get(path)!].filter((other) => reached.get(other)?.has(path) === true).sort();
      if (circle.length === 0 || told.has(circle[0]!)) return [];
      told.add(circle[0]!);
      return [`a circle of imports: ${circle.join(', ')}`];
    });
  });
}

/** All files that a file imports, directly or not; itself only where it is in a circle. */
function reachedFrom(path: string, arrows: ReadonlyMap<string, readonly string[]>): Set<string> {
  const reached = new Set<string>();
  const open = [path];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const other of arrows.get(next) ?? []) {
      if (reached.has(other)) continue;
      reached.add(other);
      open.push(other);
    }
  }
  return reached;
}

function arrowsOf(path: string, text: string): string[] {
  const relative = importsOf(path, text).filter(({ specifier }) => specifier.startsWith('.'));
  return relative.map(({ specifier }) => resolvePath(path, specifier));
}

const isCommand = (path: string): boolean => /^src\/cli\/[^/]*commands\//.test(path);

function resolvePath(from: string, specifier: string): string {
  const parts = from.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** File and function lengths, and a header comment with `@module`. */
export function checkSizes(files: Files): string[] {
  const problems: string[] = [];
  for (const [path, text] of files) {
    const lines = text.split('\n').length - 1;
    if (lines > FILE_LINES_MAX)
      problems.push(`${path} has ${lines} lines, over ${FILE_LINES_MAX}: are there two ideas in it?`);
    if (!/^(#!.*\n)?\s*\/\*\*[^]*?@module[^]*?\*\//.test(text))
      problems.push(`${path} has no header comment with @module`);
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
    const visit = (node: ts.Node): void => {
      if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
        const first = file.getLineAndCharacterOfPosition(node.getStart()).line;
        const length = file.getLineAndCharacterOfPosition(node.end).line - first + 1;
        const name = node.name?.getText() ?? 'a function';
        if (length > FUNCTION_LINES_MAX)
          problems.push(`${path}:${first + 1} ${name} has ${length} lines, over ${FUNCTION_LINES_MAX}`);
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return problems;
}

/**
 * Codes given to UpdateError must be in the table, and every code of the table must be used somewhere or be reserved.
 * A code counts as used where it stands as a string outside the table's own file.
 */
export function checkErrorCodes(files: Files, codes: ReadonlySet<string>, reserved: ReadonlySet<string>): string[] {
  const problems: string[] = [];
  const used = new Set<string>();
  for (const [path, text] of files) {
    if (path === 'native-free/status-table.ts') continue;
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
    const visit = (node: ts.Node): void => {
      if (ts.isStringLiteralLike(node)) used.add(node.text);
      const literal = codeArgument(node);
      if (literal !== undefined && !codes.has(literal.text)) {
        const line = file.getLineAndCharacterOfPosition(literal.getStart()).line + 1;
        problems.push(`${path}:${line} uses the code '${literal.text}', which status-table.ts does not list`);
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  for (const code of codes)
    if (!used.has(code) && !reserved.has(code)) problems.push(`nothing uses the code '${code}'`);
  for (const code of reserved) {
    if (!codes.has(code)) problems.push(`'${code}' is reserved but not in the table`);
    if (used.has(code)) problems.push(`'${code}' is used by now: it is no longer reserved`);
  }
  return problems;
}

/** The code in `new UpdateError(code, ...)` and `UpdateError.from(value, code, ...)`. */
function codeArgument(node: ts.Node): ts.StringLiteralLike | undefined {
  let argument: ts.Expression | undefined;
  if (ts.isNewExpression(node) && node.expression.getText() === 'UpdateError') argument = node.arguments?.[0];
  else if (ts.isCallExpression(node) && node.expression.getText() === 'UpdateError.from') argument = node.arguments[1];
  return argument !== undefined && ts.isStringLiteralLike(argument) ? argument : undefined;
}

/** No other error class, and no error without a code, in what is shipped. */
export function checkThrows(files: Files): string[] {
  const problems: string[] = [];
  for (const [path, text] of files) {
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
    const complain = (node: ts.Node, what: string): void => {
      problems.push(`${path}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1} ${what}`);
    };
    const visit = (node: ts.Node): void => {
      if (ts.isThrowStatement(node) && ts.isNewExpression(node.expression)) {
        const name = node.expression.expression.getText();
        if (/^(Error|TypeError|RangeError)$/.test(name) && !isCaughtHere(node))
          complain(node, `throws ${name} instead of UpdateError`);
      }
      if (ts.isClassDeclaration(node) && path !== 'native-free/status.ts') {
        const parents = (node.heritageClauses ?? []).flatMap((clause) =>
          clause.types.map((type) => type.expression.getText()),
        );
        if (parents.some((parent) => /Error$/.test(parent)))
          complain(node, 'declares an error class besides UpdateError');
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return problems;
}

/** A throw inside a `try` of the same function is a jump to its `catch`, which gives it a code. */
function isCaughtHere(node: ts.Node): boolean {
  for (let at = node; !ts.isFunctionLike(at) && !ts.isSourceFile(at); at = at.parent) {
    if (ts.isTryStatement(at.parent) && at.parent.tryBlock === at && at.parent.catchClause !== undefined) return true;
  }
  return false;
}

/**
 * No state at module level, where nobody sees whose it is, nor in a class as a whole: no `let`, no Map or Set that can be
 * written, and no list or object that begins empty. A table of constants says so in its type: `ReadonlyMap`,
 * `readonly X[]`.
 */
export function checkHiddenState(files: Files): string[] {
  const problems: string[] = [];
  for (const [path, text] of files) {
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
    const complain = ({ name }: { readonly name: ts.Node }): void => {
      const line = file.getLineAndCharacterOfPosition(name.getStart()).line + 1;
      problems.push(`${path}:${line} keeps state in ${name.getText()}, which belongs to nobody`);
    };
    for (const { declarationList: list } of file.statements.filter(ts.isVariableStatement)) {
      const isConst = (list.flags & ts.NodeFlags.Const) !== 0;
      for (const one of list.declarations) if (!isConst || holdsState(one)) complain(one);
    }
    const visit = (node: ts.Node): void => {
      const kinds = ts.isPropertyDeclaration(node) ? (node.modifiers ?? []).map(({ kind }) => kind) : [];
      if (ts.isPropertyDeclaration(node) && kinds.includes(ts.SyntaxKind.StaticKeyword))
        if (!kinds.includes(ts.SyntaxKind.ReadonlyKeyword) || holdsState(node)) complain(node);
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return problems;
}

/** Does it begin with something to write into, and is its type none that forbids it? */
function holdsState({ type, initializer }: ts.VariableDeclaration | ts.PropertyDeclaration): boolean {
  if (initializer === undefined) return false;
  const made = ts.isNewExpression(initializer) ? initializer.expression.getText() : '';
  const isEmpty =
    (ts.isArrayLiteralExpression(initializer) && initializer.elements.length === 0) ||
    (ts.isObjectLiteralExpression(initializer) && initializer.properties.length === 0);
  if (!isEmpty && !/^((Weak)?(Map|Set)|Array)$/.test(made)) return false;
  return /^Weak/.test(made) || !/^(Readonly(Map|Set|Array)?\b|readonly )/.test(type?.getText() ?? '');
}

/** Paths of one machine, and words that admit to be unfinished. The patterns are put together, so as not to match here. */
const LEAKS: readonly (readonly [RegExp, string])[] = [
  [new RegExp(`/${'work'}/(main|shared|steering|\\.library|\\.mirror)`), 'a path of one machine'],
  [new RegExp(`/${'farm'}/|/${'root'}/|/tmp/(${'brief'}|${'lab'}|${'issues'})`), 'a path of one machine'],
  [new RegExp(`/home/[a-z]|/${'Users'}/[A-Za-z]|C:\\\\${'Users'}`), 'a path of one machine'],
  [new RegExp(`\\b(${'TO'}DO|${'FIX'}ME|${'X'}XX|${'HA'}CK)\\b`), 'a word that admits to be unfinished'],
];

export function checkLeaks(files: Files, hostNames: readonly string[] = []): string[] {
  const patterns: (readonly [RegExp, string])[] = [...LEAKS];
  for (const name of hostNames)
    patterns.push([new RegExp(`\\b${name.replace(/[^\w]/g, '\\$&')}\\b`), 'the name of a machine']);
  const problems: string[] = [];
  for (const [path, text] of files) {
    text.split('\n').forEach((line, i) => {
      for (const [pattern, what] of patterns)
        if (pattern.test(line)) problems.push(`${path}:${i + 1} has ${what}: ${line.trim().slice(0, 80)}`);
    });
  }
  return problems;
}
