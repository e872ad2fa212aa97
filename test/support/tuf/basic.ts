/** Scenarios of the upstream suite's `test_basic` and `test_repository_simulator`, in our words. */
import { expect } from 'vitest';
import { initialised, type Scenario, trusting, upToDate, type World } from './contract.ts';
import { bytesOf, inDays, jsonOf, newSigner, TufRepository } from './repository.ts';

const ALL = ['root', 'targets', 'snapshot', 'timestamp'];
const FIRST_REQUESTS = [['root', 2], ['timestamp', null], ['snapshot', 1], ['targets', 1]]; // prettier-ignore

function expectAllTrusted({ repo, client }: World): void {
  for (const role of ALL) expect(client.trusted(role)).toEqual(repo.latest(role));
}

async function refusedRoot({ repo, client }: World, change: (json: any) => void): Promise<void> {
  const json = jsonOf(repo.latest('root'));
  change(json);
  await client.init(bytesOf(JSON.stringify(json)));
  expect(await client.refresh()).toBe(1);
  expect(repo.asked).toEqual([]);
}

const unsigned: readonly [string, string[]][] = [
  ['root', ['root 1']],
  ['timestamp', ['root 2']],
  ['snapshot', ['root 2', 'timestamp 2']],
  ['targets', ['root 2', 'snapshot 2', 'timestamp 2']],
];

export const basic: readonly Scenario[] = [
  upToDate('test_basic_refresh_requests', async (world) => {
    expect(world.repo.asked).toEqual(FIRST_REQUESTS);
  }),
  upToDate('test_basic_refresh_trusted_data', async (world) => {
    expectAllTrusted(world);
  }),
  trusting('test_implicit_refresh', async (world) => {
    expect(await world.client.download('nonexistent artifact')).toBe(1);
    expect(world.client.lastError?.code).toBe('target_unknown');
    expect(world.repo.asked).toEqual(FIRST_REQUESTS);
    expectAllTrusted(world);
  }),
  {
    name: 'test_invalid_initial_root',
    run: (world) => refusedRoot(world, (json) => delete json.signed.version),
  },
  {
    name: 'test_unsigned_initial_root',
    run: (world) => refusedRoot(world, (json) => (json.signatures[0].sig = newSigner().sign(bytesOf('other')))),
  },
  ...unsigned.map(([role, trusted]) => ({
    name: `test_unsigned_metadata[${role}]`,
    run: async (world: World) => {
      const { repo, client } = world;
      repo.signersOf(role).clear();
      repo.publish(...ALL);
      await initialised(world);
      expect(await client.refresh()).toBe(1);
      expect(client.lastError?.code).toBe('signature_invalid');
      expect(client.versions()).toEqual(trusted);
    },
  })),
  ...unsigned
    .filter(([role]) => role !== 'timestamp')
    .map(([role, trusted]) => ({
      name: `test_url_and_metadata_version_mismatch[${role}]`,
      run: async (world: World) => {
        const { repo, client } = world;
        repo.mislabelled = role;
        repo.publish(...ALL);
        await initialised(world);
        expect(await client.refresh()).toBe(1);
        expect(client.lastError?.code).toBe('metadata_mismatch');
        expect(client.versions()).toEqual(trusted);
      },
    })),
  upToDate('test_timestamp_content_changes', async ({ repo, client }) => {
    const before = client.trusted('timestamp');
    repo.startAgain('timestamp');
    repo.timestamp.meta['snapshot.json'].version = 100;
    repo.publish('timestamp');
    expect(await client.refresh()).toBe(0);
    expect(repo.asked.at(-1)).toEqual(['timestamp', null]);
    expect(client.trusted('timestamp')).toEqual(before);
  }),
  {
    name: 'test_basic_metadata_hash_support',
    run: async (world) => {
      world.repo.hasHashes = true;
      world.repo.publish('targets', 'snapshot', 'timestamp');
      await initialised(world);
      expect(await world.client.refresh()).toBe(0);
      expect(world.client.versions()).toEqual(['root 1', 'snapshot 2', 'targets 2', 'timestamp 2']);
    },
  },
  {
    name: 'test_targets_hash_mismatch',
    run: async (world) => {
      const { repo, client } = world;
      repo.hasHashes = true;
      repo.publish('targets', 'snapshot', 'timestamp');
      await initialised(world);
      expect(await client.refresh()).toBe(0);
      repo.publish('targets');
      repo.snapshot.meta['targets.json'].hashes.sha256 = '0'.repeat(64);
      repo.publish('snapshot', 'timestamp');
      expect(await client.refresh()).toBe(1);
      expect(client.versions()).toEqual(['root 1', 'snapshot 3', 'targets 2', 'timestamp 3']);
    },
  },
  {
    name: 'test_snapshot_hash_mismatch',
    run: async (world) => {
      const { repo, client } = world;
      repo.hasHashes = true;
      repo.publish('snapshot', 'timestamp');
      await initialised(world);
      expect(await client.refresh()).toBe(0);
      repo.publish('snapshot');
      repo.timestamp.meta['snapshot.json'].hashes.sha256 = '0'.repeat(64);
      repo.publish('timestamp');
      expect(await client.refresh()).toBe(1);
      expect(client.versions()).toEqual(['root 1', 'snapshot 2', 'targets 1', 'timestamp 3']);
    },
  },
  trusting('test_metadata_bytes_match', async ({ repo, client }) => {
    const odd = bytesOf(`${new TextDecoder().decode(repo.latest('timestamp'))} `);
    repo.published.get('timestamp')!.splice(-1, 1, odd);
    expect(await client.refresh()).toBe(0);
    expect(client.trusted('timestamp')).toEqual(odd);
  }),
  upToDate('test_custom_fields', async ({ repo, client }) => {
    repo.root['custom-field'] = 'value';
    repo.root.roles.root['another-field'] = 'value';
    repo.addKey('root', newSigner(undefined, { 'extra-field': { a: 1, b: 2 } }));
    repo.publish('root');
    expect(await client.refresh()).toBe(0);
    expect(client.version('root')).toBe(2);
  }),
  trusting('test_deprecated_keyid_hash_algorithms', async ({ repo, client }) => {
    repo.root.roles.snapshot.keyids = [];
    repo.signersOf('snapshot').clear();
    repo.addKey('snapshot', newSigner(undefined, { keyid_hash_algorithms: 'md5' }));
    repo.publish('root', 'snapshot', 'timestamp');
    expect(await client.refresh()).toBe(0);
    expect(client.versions()).toEqual(['root 2', 'snapshot 2', 'targets 1', 'timestamp 2']);
  }),
  upToDate('test_snapshot_404', async ({ repo, client }) => {
    repo.timestamp.meta['snapshot.json'].version++;
    repo.publish('timestamp');
    expect(await client.refresh()).toBe(1);
    expect(repo.asked.at(-1)).toEqual(['snapshot', 2]);
    expect(client.versions()).toEqual(['root 1', 'snapshot 1', 'targets 1', 'timestamp 2']);
  }),
  upToDate('test_targets_404', async ({ repo, client }) => {
    repo.snapshot.meta['targets.json'].version++;
    repo.publish('snapshot', 'timestamp');
    expect(await client.refresh()).toBe(1);
    expect(repo.asked.at(-1)).toEqual(['targets', 2]);
    expect(client.versions()).toEqual(['root 1', 'snapshot 2', 'targets 1', 'timestamp 2']);
  }),
  upToDate('test_timestamp_404', async (world) => {
    world.repo.published.delete('timestamp');
    expect(await world.client.refresh()).toBe(1);
    expect(world.repo.asked.at(-1)).toEqual(['timestamp', null]);
  }),
  trusting('test_incorrect_metadata_type', async ({ repo, client }) => {
    // A snapshot that is all that a timestamp has to be, signed by the timestamp's key, and served in its place.
    repo.addKey('snapshot', [...repo.signersOf('timestamp').values()][0]);
    repo.snapshot.meta = { 'snapshot.json': { version: 1 } };
    repo.publish('root', 'snapshot');
    repo.published.get('timestamp')!.push(repo.published.get('snapshot')!.pop()!);
    expect(await client.refresh()).toBe(1);
    expect(client.lastError?.message).toMatch(/is 'snapshot' and should be 'timestamp'/);
    expect(client.versions()).toEqual(['root 2']);
  }),
  trusting('test_faketime', async ({ repo, client }) => {
    repo.root.expires = inDays(7);
    repo.publish('root');
    expect(await client.refresh()).toBe(0);
    client.aheadMs = 8 * 86_400_000;
    expect(await client.refresh()).toBe(1);
    expect(client.lastError?.code).toBe('metadata_expired');
  }),
];

/** The repository that all other scenarios rest on does what they think it does. */
export const simulator: readonly Scenario[] = [
  {
    name: 'test_repo_initialzation_unittest',
    run: ({ repo }) => {
      expect(repo.published.size).toBe(4);
      for (const role of ALL) expect(jsonOf(repo.latest(role)).signed).toMatchObject({ _type: role, version: 1 });
    },
  },
  {
    name: 'test_basic_metadata_hash_support_unittest',
    run: ({ repo }) => {
      repo.hasHashes = true;
      repo.publish('targets', 'snapshot', 'timestamp');
      const { version, length, hashes } = jsonOf(repo.latest('timestamp')).signed.meta['snapshot.json'];
      expect([version, length]).toEqual([2, repo.latest('snapshot').length]);
      expect(hashes.sha256).toMatch(/^[0-9a-f]{64}$/);
    },
  },
  {
    name: 'test_update_timestamp',
    run: () => {
      const repo = new TufRepository();
      const past = inDays(-5);
      repo.timestamp.expires = past;
      repo.publish('timestamp');
      expect(jsonOf(repo.latest('timestamp')).signed).toMatchObject({ version: 2, expires: past });
    },
  },
];
