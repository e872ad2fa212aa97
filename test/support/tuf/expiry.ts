/** Scenarios of the upstream suite's `test_expiration` and `test_rollback`, in our words. */
import { expect } from 'vitest';
import { trusting, upToDate, type Scenario, type World } from './contract.ts';
import { inDays } from './repository.ts';

const DAY_MS = 86_400_000;

const expired = (role: string, published: string[], trusted: string[]): Scenario =>
  upToDate(`test_${role}_expired`, async ({ repo, client }) => {
    repo.documents.get(role).expires = inDays(-5);
    repo.publish(...published);
    expect(await client.refresh()).toBe(1);
    expect(client.lastError?.code).toBe('metadata_expired');
    expect(client.versions()).toEqual(trusted);
  });

export const expiry: readonly Scenario[] = [
  upToDate('test_root_expired', async ({ repo, client }) => {
    repo.publish('root');
    expect(await client.refresh()).toBe(0);
    repo.root.expires = inDays(-1);
    repo.publish('root', 'targets', 'snapshot', 'timestamp');
    expect(await client.refresh()).toBe(1);
    // It is kept before it is found to have expired (5.3.10); nothing is asked for after that.
    expect(client.versions()).toEqual(['root 3', 'snapshot 1', 'targets 1', 'timestamp 1']);
  }),
  expired('timestamp', ['timestamp'], ['root 1', 'snapshot 1', 'targets 1', 'timestamp 1']),
  expired('snapshot', ['snapshot', 'timestamp'], ['root 1', 'snapshot 1', 'targets 1', 'timestamp 2']),
  expired('targets', ['targets', 'snapshot', 'timestamp'], ['root 1', 'snapshot 2', 'targets 1', 'timestamp 2']),
  trusting('test_expired_local_root', async ({ repo, client }) => {
    repo.root.expires = inDays(7);
    repo.publish('root');
    expect(await client.refresh()).toBe(0);
    repo.root.expires = inDays(21);
    repo.publish('root');
    client.aheadMs = 18 * DAY_MS;
    expect(await client.refresh()).toBe(0);
    expect(client.version('root')).toBe(3);
  }),
  trusting('test_expired_local_timestamp', async ({ repo, client }) => {
    repo.timestamp.expires = inDays(7);
    repo.publish('timestamp');
    expect(await client.refresh()).toBe(0);
    repo.timestamp.expires = inDays(21);
    repo.publish('targets', 'snapshot', 'timestamp');
    client.aheadMs = 18 * DAY_MS;
    expect(await client.refresh()).toBe(0);
    expect(client.versions()).toEqual(['root 1', 'snapshot 2', 'targets 2', 'timestamp 3']);
  }),
];

async function refusesRollback({ client }: World, trusted: string[]): Promise<void> {
  expect(await client.refresh()).toBe(1);
  expect(client.lastError?.code).toBe('metadata_rollback');
  expect(client.versions()).toEqual(trusted);
}

/** With and without digests: the stored document is what a new one is compared with either way. */
const HASHES = [
  ['basic', false],
  ['with hashes', true],
] as const;

function republish({ repo }: World, times: number, role: string): void {
  for (let i = 0; i < times; i++) repo.publish(role);
}

export const rollback: readonly Scenario[] = [
  trusting('test_new_timestamp_version_rollback', async (world) => {
    const { repo } = world;
    repo.publish('timestamp');
    expect(await world.client.refresh()).toBe(0);
    repo.startAgain('timestamp');
    repo.publish('timestamp');
    await refusesRollback(world, ['root 1', 'snapshot 1', 'targets 1', 'timestamp 2']);
    expect(repo.asked.at(-1)).toEqual(['timestamp', null]);
  }),
  ...HASHES.map(([id, hasHashes]) =>
    trusting(`test_snapshot_rollback[${id}]`, async (world) => {
      const { repo } = world;
      repo.hasHashes = hasHashes;
      repo.publish('snapshot', 'timestamp');
      expect(await world.client.refresh()).toBe(0);
      repo.startAgain('snapshot');
      repo.publish('snapshot', 'timestamp');
      await refusesRollback(world, ['root 1', 'snapshot 2', 'targets 1', 'timestamp 2']);
      expect(repo.asked.at(-1)).toEqual(['timestamp', null]);
    }),
  ),
  trusting('test_targets_role_removal', async (world) => {
    const { repo } = world;
    repo.delegate('targets', 'delegated', { paths: ['delegatedpath/*'] });
    repo.publish('delegated', 'targets', 'snapshot', 'timestamp');
    expect(await world.client.refresh()).toBe(0);
    delete repo.snapshot.meta['delegated.json'];
    repo.publish('snapshot', 'timestamp');
    await refusesRollback(world, ['root 1', 'snapshot 2', 'targets 2', 'timestamp 3']);
  }),
  trusting('test_targets_fast_forward_recovery', async (world) => {
    const { repo, client } = world;
    repo.delegate('targets', 'delegated', { paths: ['delegatedpath/*'] });
    repo.publish('delegated');
    republish(world, 99, 'targets');
    repo.publish('snapshot', 'timestamp');
    expect(await client.refresh()).toBe(0);
    expect(client.version('targets')).toBe(100);
    repo.rotateKeys('snapshot');
    repo.startAgain('targets');
    delete repo.snapshot.meta['delegated.json'];
    repo.publish('root', 'targets', 'snapshot', 'timestamp');
    expect(await client.refresh()).toBe(0);
    expect(client.version('targets')).toBe(1);
  }),
  trusting('test_new_snapshot_fast_forward_recovery', async (world) => {
    const { repo, client } = world;
    republish(world, 99, 'snapshot');
    repo.publish('timestamp');
    expect(await client.refresh()).toBe(0);
    expect(client.version('snapshot')).toBe(100);
    repo.rotateKeys('snapshot');
    repo.rotateKeys('timestamp');
    repo.startAgain('snapshot');
    repo.publish('root', 'targets', 'snapshot', 'timestamp');
    expect(await client.refresh()).toBe(0);
    expect(client.version('snapshot')).toBe(1);
  }),
  trusting('test_new_timestamp_fast_forward_recovery', async (world) => {
    const { repo, client } = world;
    republish(world, 99, 'timestamp');
    expect(await client.refresh()).toBe(0);
    expect(client.version('timestamp')).toBe(100);
    repo.rotateKeys('timestamp');
    repo.startAgain('timestamp');
    repo.publish('root', 'timestamp');
    expect(await client.refresh()).toBe(0);
    expect(client.version('timestamp')).toBe(1);
  }),
  ...HASHES.map(([id, hasHashes]) =>
    trusting(`test_targets_rollback[${id}]`, async (world) => {
      const { repo } = world;
      repo.hasHashes = hasHashes;
      repo.publish('targets', 'snapshot', 'timestamp');
      expect(await world.client.refresh()).toBe(0);
      repo.startAgain('targets');
      repo.publish('targets', 'snapshot', 'timestamp');
      await refusesRollback(world, ['root 1', 'snapshot 2', 'targets 2', 'timestamp 3']);
    }),
  ),
];
