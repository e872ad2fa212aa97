/** Scenarios of the upstream suite's `test_file_download` and `test_quoting_issues`, in our words. */
import { expect } from 'vitest';
import { initialised, type Scenario, trusting } from './contract.ts';
import { bytesOf } from './repository.ts';

const PATH = 'target_file.txt';
const CONTENT = 'target file contents';
const RELEASE = ['targets', 'snapshot', 'timestamp'];

const downloads = (name: string, path: string, isRefreshedBefore: boolean): Scenario => ({
  name,
  run: async (world) => {
    const { repo, client } = world;
    await initialised(world);
    repo.addArtifact('targets', CONTENT, path);
    repo.publish(...RELEASE);
    if (isRefreshedBefore) expect(await client.refresh()).toBe(0);
    expect(client.downloads()).toEqual([]);
    expect(await client.download(path)).toBe(0);
    expect(client.downloads()).toEqual([CONTENT]);
  },
});

const roles = ['?', '#', '/delegatedrole', '../delegatedrole'];

export const download: readonly Scenario[] = [
  downloads('test_client_downloads_expected_file', PATH, true),
  downloads('test_client_downloads_expected_file_in_sub_dir', 'path/to/a/target_file.txt', false),
  trusting('test_repository_substitutes_target_file', async ({ repo, client }) => {
    repo.addArtifact('targets', CONTENT, PATH);
    repo.addArtifact('targets', 'content', 'another_target_file.txt');
    repo.publish(...RELEASE);
    expect(await client.download(PATH)).toBe(0);
    for (const artifact of repo.artifacts.values()) artifact.data = bytesOf('malicious data - should not download');
    await client.download(PATH);
    expect(client.downloads()).toEqual([CONTENT]);
    expect(await client.download('another_target_file.txt')).toBe(1);
    expect(client.lastError?.code).toBe('metadata_mismatch');
    expect(client.downloads()).toEqual([CONTENT]);
  }),
  trusting('test_multiple_changes_to_target', async ({ repo, client }) => {
    repo.addArtifact('targets', CONTENT, PATH);
    repo.publish(...RELEASE);
    expect(await client.download(PATH)).toBe(0);
    const others: string[] = [];
    for (let i = 0; i < 11; i++) {
      repo.addArtifact('targets', `modified file contents ${i}`, PATH);
      repo.addArtifact('targets', `new file contents ${i}`, `new-target-${i}`);
      repo.publish(...RELEASE);
      // The client sees every fifth version only.
      if (i % 5 !== 0) continue;
      expect(await client.download(PATH)).toBe(0);
      expect(await client.download(`new-target-${i}`)).toBe(0);
      others.push(`new file contents ${i}`);
      const expected = [...others, `modified file contents ${i}`].sort();
      expect(client.downloads().sort()).toEqual(expected);
      repo.artifacts.get(PATH)!.data = bytesOf(`malicious contents ${i}`);
      repo.publish(...RELEASE);
      await client.download(PATH);
      expect(client.downloads().sort()).toEqual(expected);
    }
  }),
  ...[['sha256'], ['sha512'], ['sha256', 'sha512']].map((algorithms, i) =>
    trusting(`test_download_with_hash_algorithms[hashes${i}]`, async (world) => {
      const { repo, client } = world;
      repo.addArtifact('targets', CONTENT, PATH, algorithms);
      repo.publish(...RELEASE);
      expect(await client.download(PATH)).toBe(0);
      expect(repo.artifactsAsked).toHaveLength(1);
      expect(Object.values(repo.artifacts.get(PATH)!.hashes)).toContain(repo.artifactsAsked[0]![1]);
      expect(client.downloads()).toEqual([CONTENT]);
    }),
  ),
  trusting('test_download_with_unknown_hash_algorithm', async ({ repo, client }) => {
    repo.addArtifact('targets', CONTENT, PATH, ['sha512']);
    const { sha512 } = repo.targets.targets[PATH].hashes;
    repo.targets.targets[PATH].hashes = { 'unknown-hash': sha512 };
    repo.publish(...RELEASE);
    expect(await client.download(PATH)).toBe(1);
    expect(client.lastError?.message).toMatch(/no digest of a known kind/);
    expect(client.downloads()).toEqual([]);
  }),
  trusting('test_artifact_cache', async ({ repo, client }) => {
    repo.addArtifact('targets', CONTENT, PATH);
    repo.publish(...RELEASE);
    expect(await client.download(PATH)).toBe(0);
    expect(await client.download(PATH)).toBe(0);
    expect(repo.artifactsAsked).toHaveLength(1);
  }),
];

export const quoting: readonly Scenario[] = roles.map((role) => ({
  name: `test_unusual_role_name[${role}]`,
  run: async (world) => {
    const { repo, client } = world;
    repo.delegate('targets', role);
    repo.publish(role, ...RELEASE);
    await initialised(world);
    expect(await client.download('nonexistent target')).toBe(1);
    expect(client.lastError?.code).toBe('target_unknown');
    expect(repo.asked).toContainEqual([encodeURIComponent(role), 1]);
    expect(client.versions()).toHaveLength(5);
  },
}));
