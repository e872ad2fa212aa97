/**
 * The repository as tuf-js, an independent client, sees it through our server.
 */
import { cpSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { keygen, loadSigners, type RoleSigners, type Signer } from '../../src/release/index.ts';
import { createServer, type EngraftServer } from '../../src/server/index.ts';
import { sha256 } from '../support/images.ts';
import { imageOf, publisher, releasing, temporaryFolder, tufClient } from '../support/release.ts';

const servers: EngraftServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close(0);
});

async function served(repo: string): Promise<string> {
  const server = await createServer({ repo, store: ':memory:' });
  servers.push(server);
  return server.listen(0);
}

const full = (version: number): string => `cam/${version}.0/v1/rootfs/full`;

describe('tuf-js', () => {
  test('verifies a published release and finds its payload', async () => {
    const { dir, release } = await publisher();
    await release(1);
    const url = await served(dir);
    const target = await tufClient(url, dir).target(full(1));
    expect(target?.custom).toMatchObject({ product: 'cam', version: '1.0', kind: 'full', source: null });
    const answer = await fetch(`${url}/blobs/sha256/${target!.hashes['sha256']}`);
    const payload = new Uint8Array(await answer.arrayBuffer());
    expect(payload.length).toBe(target!.length);
    expect(Buffer.from(sha256(payload)).toString('hex')).toBe(target!.hashes['sha256']);
  });

  test('follows releases published while the server runs, and the refresh of the metadata', async () => {
    const { dir, release, repository, signers } = await publisher();
    await release(1);
    const client = tufClient(await served(dir), dir);
    expect(await client.target(full(2))).toBeUndefined();
    await release(2);
    expect(await client.target(full(2))).toBeDefined();
    const lean = await repository.refresh({ timestamp: signers.timestamp });
    expect(lean).toMatchObject({ renewed: ['timestamp'], versions: { targets: 2, snapshot: 2, timestamp: 3 } });
    expect(await client.target(full(1))).toBeDefined();
    const whole = await repository.refresh(signers, { all: true });
    expect(whole.versions).toMatchObject({ targets: 3, snapshot: 3, timestamp: 4 });
    expect(await client.target(full(1))).toBeDefined();
    await release(3);
    expect(await client.target(full(3))).toBeDefined();
  });

  test.each(['1.targets.json', '1.snapshot.json', 'timestamp.json'])('refuses a tampered %s', async (name) => {
    const { dir, release } = await publisher();
    await release(1);
    const path = join(dir, 'metadata', name);
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('"version": 1', '"version": 2'));
    expect(await readFile(path, 'utf8')).not.toBe(text);
    const client = tufClient(await served(dir), dir);
    await expect(client.target(full(1))).rejects.toThrow(/sign|hash|version|length/i);
    await writeFile(path, text);
    expect(await client.target(full(1))).toBeDefined();
  });

  test('refuses expired metadata until it is signed anew', async () => {
    const past = new Date(Date.now() - 400 * 86_400_000);
    const { dir, signers, release } = await publisher({ now: () => past });
    await release(1);
    const client = tufClient(await served(dir), dir);
    await expect(client.target(full(1))).rejects.toThrow(/expired/i);
    await releasing(dir, signers).repository.refresh(signers);
    expect(await client.target(full(1))).toBeDefined();
  });

  test('refuses a repository that was rolled back', async () => {
    const { dir, release } = await publisher();
    await release(1);
    const backup = temporaryFolder();
    cpSync(dir, backup, { recursive: true });
    await release(2);
    const client = tufClient(await served(dir), dir);
    expect(await client.target(full(2))).toBeDefined();
    const rolledBack = tufClient(await served(backup), backup, client.folder);
    await expect(rolledBack.target(full(1))).rejects.toThrow(/version/i);
  });

  test('refuses a repository signed by other keys', async () => {
    const [ours, theirs] = [await publisher(), await publisher()];
    await ours.release(1);
    await theirs.release(1, { image: imageOf(66) });
    const client = tufClient(await served(theirs.dir), ours.dir);
    await expect(client.target(full(1))).rejects.toThrow(/signed by 0/);
  });

  test('follows a change of all keys, also from the first root, and old keys sign no more', async () => {
    const { dir, signers, release, repository } = await publisher();
    await release(1);
    const url = await served(dir);
    const early = tufClient(url, dir);
    expect(await early.target(full(1))).toBeDefined();
    const fresh = await otherKeys();
    expect(await repository.rotateRoot(signers, fresh as Record<keyof RoleSigners, Signer>)).toBe(2);
    await expect(release(2)).rejects.toMatchObject({ code: 'signature_invalid' });
    await releasing(dir, fresh).release(2);
    expect(await early.target(full(2))).toBeDefined();
    expect(await tufClient(url, dir).target(full(2))).toBeDefined();
  });
});

async function otherKeys(): Promise<RoleSigners> {
  const folder = temporaryFolder();
  await keygen(folder);
  return loadSigners(folder);
}
