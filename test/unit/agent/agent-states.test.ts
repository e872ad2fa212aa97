/** The table of states says what the agent's machine does, and docs/protocol.md shows it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it, vi } from 'vitest';
import { repositoryRoot } from '../../../corpus/manifest.ts';
import { STATUS, UpdateError, type StatusCode } from '../../../native-free/status.ts';
import { withStates } from '../../../scripts/states-doc.ts';
import { newMemory, type Context } from '../../../src/agent/context.ts';
import { runMachine } from '../../../src/agent/states/machine.ts';
import { afterFailure, requireWay, STATE_TABLE, STATES, type State } from '../../../src/agent/states/states.ts';

const read = (path: string): string => readFileSync(join(repositoryRoot(), path), 'utf8');
const FACES: readonly State[] = ['IDLE', 'WAIT_NET'];

/** Names of states that a file has as values, not as types. */
function statesNamedIn(path: string): string[] {
  const found = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteral(node) && !ts.isLiteralTypeNode(node.parent)) found.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, read(path), ts.ScriptTarget.ES2022, true));
  return [...STATES, 'STOP'].filter((name) => found.has(name)).sort();
}

/** A handler that is not what the table says; the types would refuse it. */
vi.mock('../../../src/agent/states/commit.ts', () => ({ commit: () => Promise.resolve('ARM') }));

describe('the table of states', () => {
  it.each(STATES.filter((state) => !FACES.includes(state)))('has the ways that %s can take, and no more', (state) => {
    // That it takes no others is held by the types: Promise<Next<...>>.
    expect(statesNamedIn(`src/agent/states/${state.toLowerCase()}.ts`)).toEqual([...STATE_TABLE[state].next].sort());
  });

  it('has what failures lead to, and no more', () => {
    for (const state of STATES) {
      const errors = (Object.keys(STATUS) as StatusCode[]).map((code) => new UpdateError(code, code));
      const led = new Set(errors.map((error) => afterFailure(state, error)).filter((to) => to !== null));
      expect([...led].sort(), state).toEqual([...STATE_TABLE[state].failed].sort());
    }
  });

  it('has what the start of a process may do', () => {
    const known = new Set(STATES.flatMap((state): readonly string[] => STATE_TABLE[state].atStart));
    const text = read('src/agent/states/reconcile.ts') + read('src/agent/start/confirm-running.ts');
    const named = STATES.filter((state) => new RegExp(`(enter\\(.*|\\.state = )'${state}'`).test(text));
    expect(named.sort()).toEqual([...known].sort());
  });

  it('lets everything be reached, and end', () => {
    for (const state of STATES) {
      const { next, atStart } = STATE_TABLE[state];
      for (const to of [...next, ...atStart]) expect([...STATES, 'STOP']).toContain(to);
      const from = STATES.filter((each) =>
        ([...STATE_TABLE[each].next, ...STATE_TABLE[each].failed] as string[]).includes(state),
      );
      if (state !== 'WAIT_NET') expect(from, state).not.toEqual([]);
    }
  });

  it('refuses every other way', async () => {
    expect(() => requireWay('next', 'PLAN', 'PREPARE')).not.toThrow();
    expect(() => requireWay('atStart', 'REPORT', 'ARM')).toThrow('no way leads from REPORT to ARM');
    const context = { journal: { body: { state: 'COMMIT', attempt: {} } }, memory: newMemory() } as unknown as Context;
    await expect(runMachine(context)).rejects.toMatchObject({ code: 'bug', detail: { from: 'COMMIT', to: 'ARM' } });
  });

  it('is shown in docs/protocol.md (npm run docs:states writes it)', () => {
    const text = read('docs/protocol.md');
    expect(text).toContain('| `WAIT_NET` |');
    expect(text).toBe(withStates(text));
  });
});
