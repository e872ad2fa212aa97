/**
 * Publishing is cut short at every one of its writes; a client must see the repository before or the one after.
 */
import { cpSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FileSystem } from '../../src/platform/filesystem.ts';
import { nodeFileSystem } from '../../src/platform/node-filesystem.ts';
import { keygen, loadSigners } from '../../src/release/index.ts';
import { faultyWatcher, watchFileSystem } from '../../src/testing/index.ts';
import { publisher, releasing, temporaryFolder, tufClient } from '../support/release.ts';

class PowerCut extends Error {}

const CHANGES = new Set(['makeFolder', 'write', 'rename', 'syncFolder', 'unlink']);

/**
 * Node's files until the `limit`-th change; then nothing happens any more. Of the write before it, half has happened; a
 * rename before it was not synced.
 */
function cutAt(limit: number): FileSystem {
  let changes = 0;
  return watchFileSystem(nodeFileSystem, ({ name, bytes }) => {
    if (!CHANGES.has(name)) return;
    changes++;
    if (changes >= limit) throw new PowerCut(`cut at change ${limit}`);
    if (changes === limit - 1 && name === 'write') return bytes! >> 1;
  });
}

let web: Server;
let served = '';
let url = '';
beforeAll(async () => {
  web = createHttpServer((request, response) => {
    readFile(join(served, 'metadata', request.url!.replace('/tuf/', ''))).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => {
    web.listen(0, '127.0.0.1', resolve);
  });
  url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
});
afterAll(() => web.close());

const full = (version: number): string => `cam/${version}.0/v1/rootfs/full`;

function copyOf(repo: string): string {
  const copy = join(temporaryFolder(), 'repo');
  cpSync(repo, copy, { recursive: true });
  served = copy;
  return copy;
}

/** Runs `work` against a copy of `repo` with a cut at change 1, 2, ... until it gets through. Returns that number. */
async function cutEverywhere(
  repo: string | null,
  work: (dir: string, files: FileSystem) => Promise<unknown>,
  check: (dir: string, cut: number) => Promise<void>,
): Promise<number> {
  for (let cut = 1; ; cut++) {
    const dir = repo === null ? join(temporaryFolder(), 'repo') : copyOf(repo);
    served = dir;
    const failed = await work(dir, cutAt(cut)).then(
      () => false,
      (error: { cause?: unknown; code?: string }) => {
        const cause = error instanceof PowerCut ? error : error.cause;
        if (!(cause instanceof PowerCut)) throw error;
        return true;
      },
    );
    await check(dir, cut);
    if (!failed) return cut - 1;
  }
}

describe('a publisher that dies at any write', () => {
  test('leaves a repository that clients accept, and that the next publisher goes on with', async () => {
    const { dir: before, signers, release } = await publisher();
    await release(1);
    let sawBefore = 0;
    let sawAfter = 0;
    const changes = await cutEverywhere(
      before,
      (dir, files) => releasing(dir, signers, { files }).release(2),
      async (dir) => {
        const client = tufClient(url, dir);
        expect(await client.target(full(1))).toBeDefined();
        const there = (await client.target(full(2))) !== undefined;
        if (there) sawAfter++;
        else sawBefore++;
        const { catalog } = await releasing(dir, signers).repository.state();
        expect(catalog.releases.map(({ version }) => version)).toEqual(there ? ['1.0', '2.0'] : ['1.0']);
        await releasing(dir, signers).release(2);
        await releasing(dir, signers).release(3);
        // The same client, which may have seen either repository, goes on; so does a new one.
        expect(await client.target(full(3))).toBeDefined();
        expect(await tufClient(url, dir).target(full(2))).toBeDefined();
      },
    );
    expect(changes).toBeGreaterThan(20);
    expect(sawBefore).toBeGreaterThan(15);
    expect(sawAfter).toBeGreaterThan(0);
  });

  test('while it founds the repository: the next one founds it, or goes on', async () => {
    const { signers } = await publisher();
    const changes = await cutEverywhere(
      null,
      (dir, files) => releasing(dir, signers, { files }).release(1),
      async (dir) => {
        await releasing(dir, signers).release(1);
        expect(await tufClient(url, dir).target(full(1))).toBeDefined();
      },
    );
    expect(changes).toBeGreaterThan(20);
  });

  test('while it changes the keys: clients that trust the first root are served at every moment', async () => {
    const { dir: before, signers, release } = await publisher();
    await release(1);
    const folder = temporaryFolder();
    await keygen(folder);
    const fresh = { ...(await loadSigners(folder)) } as Required<Awaited<ReturnType<typeof loadSigners>>>;
    await cutEverywhere(
      before,
      (dir, files) => releasing(dir, signers, { files }).repository.rotateRoot(signers, fresh),
      async (dir) => {
        expect(await tufClient(url, dir).target(full(1))).toBeDefined();
        const { versions } = await releasing(dir, signers).repository.state();
        await releasing(dir, versions.root === 2 ? fresh : signers).release(2);
        expect(await tufClient(url, dir).target(full(2))).toBeDefined();
      },
    );
  });
});

describe('a publisher without space', () => {
  test('says so and leaves the repository as it was', async () => {
    const { dir: before, signers, release } = await publisher();
    await release(1);
    const { versions } = await releasing(before, signers).repository.state();
    for (const call of [1, 2, 3, 4, 5, 6, 7]) {
      const dir = copyOf(before);
      const watcher = faultyWatcher({ at: call, code: 'ENOSPC', matches: ({ mode }) => mode === 'new' });
      const files = watchFileSystem(nodeFileSystem, watcher);
      const full = releasing(dir, signers, { files }).release(2);
      await expect(full).rejects.toMatchObject({ code: 'disk_full' });
      expect((await releasing(dir, signers).repository.state()).versions).toEqual(versions);
    }
  });
});
