/** Scenarios of the upstream suite's `test_updater_delegation_graphs`, in our words. */
import { expect } from 'vitest';
import { type Scenario, trusting, type World } from './contract.ts';

/** Who delegates to whom, with what. */
type Edge = readonly [from: string, to: string, how?: { paths?: string[]; terminating?: boolean }];

const END = { terminating: true };
const PYTHON = { paths: ['*.py'] };

const GRAPHS: readonly [string, readonly Edge[], string][] = [
  ['basic-delegation', [['targets', 'A']], 'A'],
  ['single-level-delegations', [['targets', 'A'], ['targets', 'B']], 'AB'], // prettier-ignore
  ['two-level-delegations', [['targets', 'A'], ['targets', 'B'], ['B', 'C']], 'ABC'], // prettier-ignore
  ['two-level-test-DFS-order-of-traversal', [['targets', 'A'], ['targets', 'B'], ['A', 'C'], ['A', 'D']], 'ACDB'], // prettier-ignore
  ['three-level-delegation-test-DFS-order-of-traversal', [['targets', 'A'], ['targets', 'B'], ['A', 'C'], ['C', 'D']], 'ACDB'], // prettier-ignore
  ['two-level-terminating-ignores-all-but-roles-descendants', [['targets', 'A'], ['targets', 'B'], ['A', 'C', END], ['A', 'D']], 'AC'], // prettier-ignore
  ['three-level-terminating-ignores-all-but-roles-descendants', [['targets', 'A'], ['targets', 'B'], ['A', 'C', END], ['C', 'D']], 'ACD'], // prettier-ignore
  ['two-level-ignores-all-branches-not-matching-paths', [['targets', 'A', PYTHON], ['targets', 'B'], ['A', 'C']], 'B'], // prettier-ignore
  ['three-level-ignores-all-branches-not-matching-paths', [['targets', 'A'], ['targets', 'B'], ['A', 'C', PYTHON], ['C', 'D']], 'AB'], // prettier-ignore
  ['cyclic-graph', [['targets', 'A'], ['targets', 'B'], ['B', 'C'], ['C', 'D'], ['D', 'B']], 'ABCD'], // prettier-ignore
  ['two-roles-delegating-to-a-third', [['targets', 'A'], ['targets', 'B'], ['B', 'C'], ['A', 'C']], 'ACB'], // prettier-ignore
  ['two-roles-delegating-to-a-third-different-paths', [['targets', 'A'], ['targets', 'B'], ['B', 'C'], ['A', 'C', PYTHON]], 'ABC'], // prettier-ignore
];

const TREE: readonly Edge[] = [
  ['targets', 'A', { paths: ['*.doc', '*.md', 'foo-?.tgz'] }],
  ['targets', 'B', { paths: ['releases/*/*'] }],
  ['B', 'C', { paths: ['releases/x/*'] }],
  ['B', 'D', { paths: ['releases/y/*.zip'] }],
];

const TREE_FILES: readonly [string, string][] = [
  ['targets', 'targetfile'],
  ['A', 'README.md'],
  ['A', 'releases/README.md'],
  ['A', 'foo-1.tgz'],
  ['A', 'foo-alpha.tgz'],
  ['C', 'releases/x/x_v1'],
  ['D', 'releases/y/y_v1.zip'],
  ['D', 'releases/z/z_v1.zip'],
];

const SEARCHES: readonly [string, string, boolean, string][] = [
  ['no delegations', 'targetfile', true, ''],
  ['targetpath matches wildcard', 'README.md', true, 'A'],
  ['targetpath with separators x', 'releases/x/x_v1', true, 'BC'],
  ['targetpath with separators y', 'releases/y/y_v1.zip', true, 'BD'],
  ['targetpath is not delegated by all roles in the chain', 'releases/z/z_v1.zip', false, 'B'],
  ['wildcard does not match path separator', 'releases/README.md', false, ''],
  ['targetpath matches question mark wildcard', 'foo-1.tgz', true, 'A'],
  ['targetpath does not match question mark wildcard', 'foo-alpha.tgz', false, ''],
  ['targetpath matching is case sensitive', 'README.MD', false, ''],
];

function grow({ repo }: World, edges: readonly Edge[], files: readonly [string, string][] = []): void {
  for (const [from, to, how] of edges) repo.delegate(from, to, how);
  for (const [role, path] of files) repo.addArtifact(role, `${path} by ${role}`, path);
  repo.publish(...new Set(edges.flatMap(([from, to]) => [from, to])), 'snapshot', 'timestamp');
}

/** Delegated roles in the order in which they were asked for. */
const visited = ({ repo }: World): string =>
  repo.asked
    .slice(4)
    .map(([role, version]) => (version === 1 ? role : `${role}?`))
    .join('');

export const delegations: readonly Scenario[] = [
  ...GRAPHS.map(([id, edges, order]) =>
    trusting(`test_graph_traversal[${id}]`, async (world) => {
      grow(world, edges);
      expect(await world.client.download('missingpath')).toBe(1);
      expect(world.client.lastError?.code).toBe('target_unknown');
      expect(visited(world)).toBe(order);
    }),
  ),
  ...SEARCHES.map(([id, path, isFound, order]) =>
    trusting(`test_targetfile_search[${id}]`, async (world) => {
      const { repo, client } = world;
      grow(world, TREE, TREE_FILES);
      expect(await client.download(path)).toBe(isFound ? 0 : 1);
      const content = repo.artifacts.get(path)?.data;
      expect(client.downloads()).toEqual(isFound ? [new TextDecoder().decode(content)] : []);
      expect(visited(world)).toBe(order);
    }),
  ),
  trusting('test_cached_role_is_verified_against_current_delegator', async ({ repo, client }) => {
    const team = (name: string) => ({ paths: [`team-${name}/*`] });
    for (const name of ['a', 'b']) repo.delegate('targets', `parent-${name}`, team(name));
    for (const name of ['a', 'b']) repo.delegate(`parent-${name}`, 'release', team(name));
    // Both parents name a key of their own; only the first one's signs.
    const [, second] = [...repo.signersOf('release').keys()];
    repo.signersOf('release').delete(second!);
    repo.addArtifact('release', 'trusted A', 'team-a/file');
    repo.addArtifact('release', 'malicious B', 'team-b/file');
    repo.publish('release', 'parent-a', 'parent-b', 'targets', 'snapshot', 'timestamp');
    expect(await client.download('team-a/file', 'team-b/file')).toBe(1);
    expect(client.lastError?.code).toBe('signature_invalid');
    expect(client.downloads()).toEqual(['trusted A']);
    // Nor from the file, in a client that begins anew.
    expect(await client.download('team-b/file')).toBe(1);
    expect(client.downloads()).toEqual(['trusted A']);
  }),
  trusting('test_delegation_not_in_snapshot', async ({ repo, client }) => {
    repo.delegate('targets', 'delegated', { paths: ['delegatedpath/*'] });
    repo.publish('delegated', 'targets');
    delete repo.snapshot.meta['delegated.json'];
    repo.publish('snapshot', 'timestamp');
    expect(await client.refresh()).toBe(0);
    repo.asked.length = 0;
    expect(await client.download('delegatedpath/foo')).toBe(1);
    expect(client.version('delegated')).toBeNull();
    expect(repo.asked).toEqual([['root', 2], ['timestamp', null]]); // prettier-ignore
  }),
];
