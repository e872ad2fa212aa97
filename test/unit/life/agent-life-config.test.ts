/**
 * The example configuration: it parses, every line of it, and it has every key that the readers know.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/agent/index.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const example = readFileSync(join(root, 'packaging/agent.toml'), 'utf8');

interface Block {
  /** `[slots.A]` belongs to `slots`. */
  readonly table: string;
  /** Commented out as a whole. */
  readonly off: boolean;
  readonly lines: string[];
}

/** The file cut at its table headers, those in comments included. */
function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  for (const line of text.split('\n')) {
    const header = /^(#?)\[([a-z_]+)[^\]]*\]$/i.exec(line);
    if (header !== null) blocks.push({ table: header[2]!, off: header[1] === '#', lines: [] });
    blocks.at(-1)?.lines.push(line);
  }
  return blocks;
}

const OPTION = /^#((?:[a-z_]+|[A-Z]) = .*|\[[a-z_.]+\])$/i;
const enabled = (line: string): string => OPTION.exec(line)?.[1] ?? line;
const textOf = (blocks: readonly Block[]): string => blocks.flatMap(({ lines }) => lines).join('\n');

/** Options that mean nothing without others: which line needs which. */
const NEEDS: readonly (readonly [RegExp, readonly RegExp[]])[] = [
  [/^#client_cert /, [/^#client_key = "\//]],
  [/^#client_key = "\//, [/^#client_cert /]],
  [/^#client_key = "pkcs11/, [/^#client_cert /, /^#client_key_engine /]],
  [/^#client_key_engine /, [/^#client_cert /, /^#client_key = "pkcs11/]],
];
const neededBy = (line: string): readonly RegExp[] => NEEDS.find(([of]) => of.test(line))?.[1] ?? [];

/** Places that a device has either of. */
const INSTEAD: Readonly<Record<string, readonly string[]>> = { target: ['slots', 'target', 'boot'] };

/** All ways to enable what is commented out: single options of a block, or a block (of one name) instead of others. */
function variants(): [string, string][] {
  const blocks = blocksOf(example);
  const active = blocks.filter(({ off }) => !off);
  const found: [string, string][] = [];
  for (const block of active) {
    block.lines.forEach((line, i) => {
      if (!OPTION.test(line)) return;
      const needed = neededBy(line);
      const lines = block.lines.map((each, at) =>
        at === i || needed.some((of) => of.test(each)) ? enabled(each) : each,
      );
      found.push([
        `[${block.table}] ${enabled(line)}`,
        textOf(active.map((each) => (each === block ? { ...each, lines } : each))),
      ]);
    });
  }
  for (let i = 0; i < blocks.length; i++) {
    if (!blocks[i]!.off) continue;
    const together = [blocks[i]!];
    while (blocks[i + 1]?.off === true && blocks[i + 1]!.table === together[0]!.table && blocks[i + 1]!.lines[0] !== together[0]!.lines[0]) together.push(blocks[++i]!); // prettier-ignore
    const { table, lines } = together[0]!;
    const replaced = INSTEAD[table] ?? [table];
    const kept = active.filter((each) => !replaced.includes(each.table));
    const added = together.map((each) => ({ ...each, lines: each.lines.map(enabled) }));
    found.push([enabled(lines[0]!), textOf([...kept, ...added])]);
  }
  return found;
}

describe('packaging/agent.toml', () => {
  test('is a configuration', () => {
    expect(parseConfig(example, '/etc/engraft')).toMatchObject({ device: { product: 'router' } });
  });

  test.each(variants())('is one with %s', (_what, text) => {
    const parsed = parseConfig(text, '/etc/engraft', 'agent.toml');
    expect(parsed).toBeDefined();
  });

  test('says what the defaults are', () => {
    const defaults = parseConfig(example, '/etc/engraft');
    for (const [what, text] of variants()) {
      // Numbers in comments are defaults, but for those that say otherwise (a limit that there is none of by default).
      if (!/ = \d+$/.test(what) || /budget|rate|capacity/.test(what)) continue;
      expect(parseConfig(text, '/etc/engraft'), what).toEqual(defaults);
    }
  });

  test('has every key that is read, and no other', () => {
    const folder = join(root, 'src/agent/config');
    const readers = readdirSync(folder).filter((name) => name !== 'table-reader.ts' && name !== 'advice.ts');
    const read = new Set<string>();
    for (const name of readers) {
      const text = readFileSync(join(folder, name), 'utf8');
      for (const [, call, key] of text.matchAll(/\b(\w+)\(\s*(?:\w+,\s*)?'([a-z][a-z0-9_]*)'/g)) {
        if (call !== 'wrong' && call !== 'UpdateError') read.add(key!);
      }
    }
    const shown = new Set<string>();
    for (const line of example.split('\n').map(enabled)) {
      const key = /^(?:([a-z][a-z0-9_]*) = |\[([a-z_]+)[^\]]*\]$)/.exec(line);
      if (key !== null) shown.add(key[1] ?? key[2]!);
    }
    expect(read.size).toBeGreaterThan(40);
    const missing = [...read].filter((key) => !shown.has(key));
    // Slot classes are the maker's names.
    const unknown = [...shown].filter((key) => !read.has(key) && key !== 'rootfs');
    expect({ missing, unknown }).toEqual({ missing: [], unknown: [] });
  });
});
