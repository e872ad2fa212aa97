/**
 * Every scenario of the TUF project's conformance suite (github.com/theupdateframework/tuf-conformance, August 2026), by
 * its name there, written anew: the agent's TUF client against real files and a real server on the loopback. How to run
 * the suite itself is in docs/trust.md.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { basic, simulator } from '../support/tuf/basic.ts';
import { newWorld, RepositoryServer } from '../support/tuf/contract.ts';
import { delegations } from '../support/tuf/delegations.ts';
import { download, quoting } from '../support/tuf/download.ts';
import { expiry, rollback } from '../support/tuf/expiry.ts';
import { keys, rotations } from '../support/tuf/keys.ts';
import { staticRepositories } from '../support/tuf/static.ts';

const GROUPS = {
  basic,
  expiry,
  download,
  keys,
  quoting,
  simulator,
  rollback,
  'static repositories': staticRepositories,
  delegations,
  rotations,
};

const server = new RepositoryServer();
beforeAll(() => server.open());
afterAll(() => server.close());

describe.each(Object.entries(GROUPS))('%s', (_group, scenarios) => {
  test.each(scenarios.map(({ name, run }) => [name, run] as const))('%s', async (_name, run) => {
    await run(newWorld(server));
  });
});

test('these are all 113, each of them once', () => {
  const names = Object.values(GROUPS).flatMap((scenarios) => scenarios.map(({ name }) => name));
  expect(new Set(names).size).toBe(113);
  expect(names).toHaveLength(113);
});
