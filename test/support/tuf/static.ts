/**
 * Scenarios of the upstream suite's `test_static_repositories`: repositories as two tools of the field write them, from
 * files. Theirs are copies of real ones; these are made here in the same form.
 *
 * Both have what those tools add: fields of their own in keys and roles, signatures that are still empty, ECDSA keys in
 * PEM, other files between the metadata, and a root that is not the first.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { temporaryFolder } from '../release.ts';
import { ContractClient, type Scenario } from './contract.ts';
import { bytesOf, inDays, jsonOf, newSigner, TufRepository } from './repository.ts';

interface Written {
  readonly folder: string;
  readonly root: Uint8Array;
  readonly path: string;
  readonly atMs: number;
}

const keyOf = (owner: string) => newSigner('ecdsa-sha2-nistp256', { 'x-tuf-on-ci-keyowner': owner });

/** Every published version, as a web server would have it. */
function write(repo: TufRepository, more: Readonly<Record<string, string>> = {}): string {
  const folder = temporaryFolder();
  const put = (path: string, bytes: string | Uint8Array): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  };
  for (const [role, versions] of repo.published) {
    for (const bytes of versions) {
      const { version } = jsonOf(bytes).signed;
      const name = role === 'timestamp' ? 'timestamp.json' : `${version}.${role}.json`;
      put(`metadata/${name}`, `${JSON.stringify(jsonOf(bytes), null, 2)}\n`);
    }
  }
  for (const [path, { data, hashes }] of repo.artifacts) {
    const at = path.lastIndexOf('/') + 1;
    for (const hash of Object.values(hashes)) put(`targets/${path.slice(0, at)}${hash}.${path.slice(at)}`, data);
  }
  for (const [path, text] of Object.entries(more)) put(path, text);
  return folder;
}

/** One role of a person's hardware key and one of a cloud key, a delegated role with one artifact, valid for long. */
function hostedRepository(): Written {
  const repo = new TufRepository();
  for (const role of ['root', 'targets']) {
    repo.root.roles[role] = { keyids: [], threshold: 1, 'x-tuf-on-ci-expiry-period': 365 };
    repo.signersOf(role).clear();
    repo.addKey(role, keyOf('@maintainer'));
    repo.listKey(role, keyOf('@other'));
  }
  repo.root.expires = inDays(7000);
  repo.delegate('targets', 'delegatedrole', { paths: ['delegatedrole/*'] });
  repo.addArtifact('delegatedrole', 'an artifact', 'delegatedrole/artifact', ['sha256', 'sha512']);
  repo.published.delete('root');
  repo.root.version = 1;
  repo.publish('root', 'delegatedrole', 'targets', 'snapshot', 'timestamp');
  const missing = repo.root.roles.root.keyids[1];
  repo.tamper('root', ({ signatures }) => signatures.push({ keyid: missing, sig: '' }));
  const folder = write(repo, { 'metadata/index.html': '<html></html>', 'metadata/index.md': '# metadata' });
  return { folder, root: repo.published.get('root')![0]!, path: 'delegatedrole/artifact', atMs: Date.now() };
}

/** Many holders with a threshold, of whom some have not signed; days from expiring; the trusted root is the newest. */
function ceremonyRepository(): Written {
  const atMs = Date.UTC(2025, 1, 9, 12, 2, 8);
  const repo = new TufRepository(atMs);
  const holders = ['@a', '@b', '@c', '@d', '@e'].map(keyOf);
  for (const role of ['root', 'targets']) {
    repo.root.roles[role] = { keyids: [], threshold: 3, 'x-tuf-on-ci-signing-period': 31 };
    repo.signersOf(role).clear();
    for (const holder of holders) repo.listKey(role, holder);
    for (const holder of holders.slice(1, 4)) repo.addSigner(role, holder);
  }
  repo.timestamp.expires = inDays(3, atMs);
  repo.root['x-tuf-on-ci-online'] = { uri: 'kms://online' };
  repo.delegate('targets', 'registry.npmjs.org', { paths: ['registry.npmjs.org/*'], terminating: true });
  repo.addArtifact('targets', '{"mediaType": "trusted root"}', 'trusted_root.json');
  repo.published.delete('root');
  repo.root.version = 12;
  repo.publish('root', 'registry.npmjs.org', 'targets', 'snapshot', 'timestamp');
  for (const role of ['root', 'targets']) {
    repo.tamper(role, ({ signatures }) => {
      for (const { keyId } of [holders[0]!, holders[4]!]) signatures.unshift({ keyid: keyId, sig: '' });
    });
  }
  return { folder: write(repo), root: repo.published.get('root')![0]!, path: 'trusted_root.json', atMs };
}

const fromFiles = (id: string, make: () => Written): Scenario => ({
  name: `test_static_repository[${id}]`,
  run: async ({ server }) => {
    const { folder, root, path, atMs } = make();
    const url = server.serve((asked) => {
      try {
        return new Uint8Array(readFileSync(join(folder, decodeURIComponent(asked))));
      } catch {
        return null;
      }
    });
    const client = new ContractClient(url);
    client.aheadMs = atMs - Date.now();
    expect(await client.init(bytesOf(new TextDecoder().decode(root)))).toBe(0);
    expect(await client.refresh()).toBe(0);
    expect(await client.download(path)).toBe(0);
    expect(client.downloads()).toHaveLength(1);
  },
});

export const staticRepositories: readonly Scenario[] = [
  fromFiles('tuf-on-ci-0.11', hostedRepository),
  fromFiles('sigstore-root-signing', ceremonyRepository),
];
