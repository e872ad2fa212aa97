import { foreignBundleOf } from '../../../src/release/foreign-bundle.ts';
import { cpioOf } from '../../support/swu.ts';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { applyPayload, bytesSource, memorySink, memorySource } from '../../../native-free/index.ts';
import { UpdateError } from '../../../native-free/status.ts';
import {
  keygen,
  loadSigners,
  targetCustomSchema,
  TEMPORARY_MARK,
  withLock,
  type PayloadMaker,
} from '../../../src/release/index.ts';
import { sha256, sha256Node } from '../../support/images.ts';
import { imageOf, plainMaker, publisher, releasing, temporaryFolder } from '../../support/release.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('publish', () => {
  test('lists a full payload and a delta from each wanted release, under their content', async () => {
    const { repository, release } = await publisher();
    for (const version of [1, 2, 3]) await release(version);
    const last = await release(4, { from: 2 });
    expect(last.added.map(({ kind, source }) => [kind, source?.version])).toEqual([
      ['full', undefined],
      ['delta', '3.0'],
      ['delta', '2.0'],
    ]);
    const { targets } = await repository.state();
    expect(Object.keys(targets).filter((name) => name.startsWith('cam/4.0/'))).toHaveLength(3);
    const name = `cam/4.0/v1/rootfs/delta/${hex(sha256(imageOf(3)))}`;
    const target = targets[name]!;
    const payload = new Uint8Array(await readFile(repository.blobs.path(target.hashes['sha256']!)));
    expect(payload.length).toBe(target.length);
    const custom = targetCustomSchema.parse(target.custom);
    expect(custom).toMatchObject({ kind: 'delta', version: '4.0', source: { bytes: 150_000 }, rollbackIndex: 4 });
    expect(hex(sha256(payload.subarray(0, custom.headerBytes)))).toBe(custom.headerDigest);
    const made = new Uint8Array(custom.target.bytes);
    const [source, sink] = [memorySource(imageOf(3)), memorySink(made)];
    for await (const event of applyPayload({ payload: bytesSource(payload), source, sink, hash: sha256Node }))
      void event;
    expect(hex(sha256(made))).toBe(custom.target.sha256);
  });

  test('keeps the raw image for foreign clients, with the digests they ask for', async () => {
    const { repository, release } = await publisher();
    const { artifact } = (await release(1)).release;
    expect(artifact).toMatchObject({ filename: 'cam-1.0-v1-rootfs.img', bytes: 150_000 });
    expect(new Uint8Array(await readFile(repository.blobs.path(artifact.sha256)))).toEqual(imageOf(1));
    expect([artifact.sha1.length, artifact.md5.length]).toEqual([40, 32]);
  });

  test('is idempotent for the same content and refuses other content under a known version', async () => {
    const { repository, release } = await publisher();
    await release(1);
    await release(2, { from: 0 });
    const { versions } = await repository.state();
    expect((await release(2, { from: 0 })).added).toEqual([]);
    expect((await repository.state()).versions).toEqual(versions);
    const again = await release(2);
    expect(again.added.map(({ kind }) => kind)).toEqual(['delta']);
    expect(again.release.payloads).toHaveLength(2);
    await expect(release(2, { image: imageOf(9) })).rejects.toMatchObject({ code: 'release_exists' });
    await expect(release(2, { rollbackIndex: 5 })).rejects.toMatchObject({ code: 'release_exists' });
    expect((await repository.state()).catalog.releases).toHaveLength(2);
  });

  test('refuses a rollback index below a published one, unless forced; other lines have their own', async () => {
    const { release } = await publisher();
    await release(1, { rollbackIndex: 3 });
    await expect(release(3, { rollbackIndex: 2 })).rejects.toMatchObject({ code: 'release_rollback' });
    expect((await release(3, { rollbackIndex: 2, force: true })).release.rollbackIndex).toBe(2);
    expect((await release(4, { hardware: 'v2' })).release.rollbackIndex).toBe(1);
  });

  test('raises the rollback index with every release, or keeps it where devices may go back', async () => {
    const { release, repository } = await publisher();
    const index = async (...args: Parameters<typeof release>) => (await release(...args)).release.rollbackIndex;
    expect(await release(1)).toMatchObject({ founded: true, release: { rollbackIndex: 1 } });
    expect(await release(1)).toMatchObject({ founded: false });
    expect(await index(2)).toBe(2);
    expect(await index(3, { rollbackIndex: 'keep' })).toBe(2);
    expect(await index(4, { rollbackIndex: 9 })).toBe(9);
    expect(await index(5)).toBe(10);
    expect(await index(5)).toBe(10);
    const { targets } = await repository.state();
    const signed = Object.entries(targets).filter(([name]) => name.startsWith('cam/5.0/'));
    expect(new Set(signed.map(([, target]) => targetCustomSchema.parse(target.custom).rollbackIndex))).toEqual(
      new Set([10]),
    );
  });

  test('raises the index above what others published while the payloads were made', async () => {
    const { dir, signers, release } = await publisher();
    await release(1);
    const engine: PayloadMaker = {
      ...plainMaker,
      full: async (target) => {
        await releasing(dir, signers).release(7);
        await releasing(dir, signers).release(8);
        return plainMaker.full(target);
      },
    };
    expect((await release(9, { engine })).release.rollbackIndex).toBe(4);
  });

  test('refuses a delta that there is no memory for by its sizes: nothing is read, made or written before', async () => {
    const { dir, repository, release } = await publisher();
    const { artifact } = (await release(1)).release;
    await rm(repository.blobs.path(artifact.sha256));
    const before = await readdir(dir, { recursive: true });
    const asked: unknown[] = [];
    const engine: PayloadMaker = {
      ...plainMaker,
      full: () => Promise.reject(new Error('made')),
      checkSizes: (...sizes) => {
        asked.push(sizes);
        throw new UpdateError('memory_exceeded', 'too much');
      },
    };
    await expect(release(2, { engine, matcher: 'bsdiff', image: imageOf(2, 90_000) })).rejects.toMatchObject({
      ...{ code: 'memory_exceeded', message: 'the delta from 1.0: too much' },
    });
    // How much of the source is content is not known before it is read: as much as of the target, at most.
    expect(asked).toEqual([[90_000, 90_000, { matcher: 'bsdiff' }]]);
    expect(await readdir(dir, { recursive: true })).toEqual(before);
    // Where no delta is wanted there is nothing to ask.
    expect((await release(2, { engine: { ...engine, full: plainMaker.full }, from: 0 })).added).toHaveLength(1);
  });

  test('keeps bundles of foreign clients as they are, and never makes a delta from one', async () => {
    const { release, repository } = await publisher();
    const swu = cpioOf(new Map([['sw-description', Buffer.from('software = {}')]]));
    const kept = await release(1, { image: swu });
    expect(kept).toMatchObject({
      withoutPayloads: 'SWUpdate',
      added: [],
      release: { payloads: [], artifact: { bytes: swu.length } },
    });
    expect(new Uint8Array(await readFile(repository.blobs.path(kept.release.artifact.sha256)))).toEqual(
      new Uint8Array(swu),
    );
    expect((await release(2)).added.map(({ kind }) => kind)).toEqual(['full']);
    expect((await release(3, { image: swu, payloads: 'all', from: 0 })).added.map(({ kind }) => kind)).toEqual([
      'full',
    ]);
    expect(await release(4, { payloads: 'none' })).toMatchObject({ withoutPayloads: 'asked', added: [] });
  });

  test('tells bundles from images by their content', () => {
    const squashfs = Buffer.alloc(8192);
    squashfs.write('hsqs');
    expect(foreignBundleOf(squashfs, 'rootfs.squashfs')).toBeNull();
    const cms = Buffer.concat([Buffer.from([0x30, 0x82, 0x04, 0x00]), Buffer.alloc(1024)]);
    const size = Buffer.alloc(8);
    size.writeBigUInt64BE(BigInt(cms.length));
    expect(foreignBundleOf(Buffer.concat([squashfs, cms, size]), 'bundle')).toBe('RAUC');
    expect(foreignBundleOf(imageOf(1), 'encrypted.raucb')).toBe('RAUC');
    expect(foreignBundleOf(cpioOf(new Map([['init', Buffer.from('#!/bin/sh')]])), 'initramfs.cpio')).toBeNull();
    for (const length of [0, 1, 5, 8, 16, 110, 124]) {
      expect(foreignBundleOf(squashfs.subarray(0, length), 'image')).toBeNull();
    }
  });

  test('drops a delta that is not smaller and says so', async () => {
    const { release } = await publisher();
    await release(1);
    const engine: PayloadMaker = { ...plainMaker, delta: async (_source, target) => plainMaker.full(target) };
    const { added, release: made } = await release(2, { engine });
    expect(added.map(({ kind }) => kind)).toEqual(['full']);
    expect(made.dropped).toMatchObject([{ version: '1.0', reason: expect.stringContaining('bytes against') }]);
  });

  test('refuses unusable names, empty images and keys that the root does not name', async () => {
    const { release, repository } = await publisher();
    for (const product of ['', '../x', 'a/b', '-a', 'a'.repeat(65), 'ä']) {
      await expect(release(1, { product })).rejects.toMatchObject({ code: 'usage_invalid' });
    }
    await expect(release(1, { image: new Uint8Array(0) })).rejects.toMatchObject({ code: 'usage_invalid' });
    await expect(release(1, { rollbackIndex: -1 })).rejects.toMatchObject({ code: 'usage_invalid' });
    await release(1);
    const strangers = temporaryFolder();
    await keygen(strangers);
    const signers = await loadSigners(strangers);
    await expect(release(2, { signers })).rejects.toMatchObject({ code: 'signature_invalid' });
    expect((await repository.state()).catalog.releases).toHaveLength(1);
  });

  test('founds a repository only with the root key, and goes on without it', async () => {
    const { dir, signers, release } = await publisher();
    const { root, ...without } = signers;
    expect(root).toBeDefined();
    await expect(release(1, { signers: without })).rejects.toMatchObject({ code: 'key_unreadable' });
    await release(1);
    await releasing(dir, without).release(2, { signers: without });
    expect((await releasing(dir, without).repository.state()).catalog.releases).toHaveLength(2);
  });

  test('will not sign what someone without keys put into the repository', async () => {
    const { dir, release } = await publisher();
    await release(1);
    const path = join(dir, 'metadata', '1.targets.json');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('"rollbackIndex": 1', '"rollbackIndex": 9'));
    await expect(release(2)).rejects.toMatchObject({ code: 'signature_invalid' });
    await writeFile(path, '{');
    await expect(release(2)).rejects.toMatchObject({ code: 'signature_invalid' });
    await rm(path);
    await expect(release(2)).rejects.toMatchObject({ code: 'input_unreadable' });
  });

  test('notices a damaged source image instead of making a delta from it', async () => {
    const { repository, release } = await publisher();
    const { artifact } = (await release(1)).release;
    const path = repository.blobs.path(artifact.sha256);
    const bytes = await readFile(path);
    bytes[1000]! ^= 1;
    await writeFile(path, bytes);
    await expect(release(2)).rejects.toMatchObject({ code: 'source_digest' });
    // Publishing the same image again repairs its blob.
    await release(1);
    await expect(release(2)).resolves.toMatchObject({ added: [{ kind: 'full' }, { kind: 'delta' }] });
  });
});

describe('publishers at the same time', () => {
  test('all get their releases in, and the metadata versions count them', async () => {
    const { dir, signers, release } = await publisher();
    await release(1);
    const others = [2, 3, 4, 5].map((version) => releasing(dir, signers).release(version));
    await Promise.all(others);
    const { catalog, versions, targets } = await releasing(dir, signers).repository.state();
    expect(catalog.releases.map(({ version }) => version).sort()).toEqual(['1.0', '2.0', '3.0', '4.0', '5.0']);
    expect(versions.targets).toBe(5);
    expect(catalog.releases.map(({ rollbackIndex }) => rollbackIndex)).toEqual([1, 2, 3, 4, 5]);
    const listed = catalog.releases.flatMap(({ payloads }) => payloads.map(({ targetName }) => targetName));
    expect(Object.keys(targets).sort()).toEqual(listed.sort());
  });

  test('of the same version with other content: one wins, the other is refused', async () => {
    const { dir, signers, release } = await publisher();
    await release(1);
    const tries = [imageOf(20), imageOf(21)].map((image) => releasing(dir, signers).release(2, { image }));
    const settled = await Promise.allSettled(tries);
    expect(settled.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const refused = settled.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    expect(refused.reason).toMatchObject({ code: 'release_exists' });
  });

  test('are told when the lock stays taken; a killed holder gives it up', async () => {
    const folder = temporaryFolder();
    mkdirSync(folder, { recursive: true });
    const path = join(folder, 'lock');
    const script = `const D = require('libsql'); new D(${JSON.stringify(path)}).exec('BEGIN EXCLUSIVE');
      console.log('held'); setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    await expect(withLock(path, async () => 1, { waitMs: 100 })).rejects.toMatchObject({ code: 'repository_busy' });
    const abort = new AbortController();
    const waiting = withLock(path, async () => 1, { signal: abort.signal });
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await expect(withLock(path, async () => 2, { waitMs: 1000 })).resolves.toBe(2);
  });

  test('leave no temporary file behind, and sweep what a killed one left', async () => {
    const { dir, release } = await publisher();
    await release(1);
    const litter = [join('metadata', `${TEMPORARY_MARK}x`), join('blobs', 'sha256', `${TEMPORARY_MARK}x`)];
    for (const name of litter) await writeFile(join(dir, name), 'half');
    await utimes(join(dir, litter[1]!), 0, 0);
    const busy = join('blobs', 'sha256', `${TEMPORARY_MARK}busy`);
    await writeFile(join(dir, busy), 'half');
    await release(2);
    const names = (await readdir(dir, { recursive: true })).filter((name) => name.includes(TEMPORARY_MARK));
    expect(names).toEqual([busy]);
  });
});
