/**
 * keygen, publish and serve as a user runs them, with the real engine; a TUF client and a device on the other end.
 */
import { existsSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { applyPayload, bytesSource, memorySink, memorySource } from '../../native-free/index.ts';
import { EXPIRE_DAYS_DEFAULT } from '../../src/cli/expiry.ts';
import { defaultExpiryDays } from '../../src/release/index.ts';
import { sha256, sha256Node } from '../support/images.ts';
import { engraft, start, until } from '../support/program.ts';
import { imageOf, temporaryFolder, tufClient } from '../support/release.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function desk() {
  const folder = temporaryFolder();
  const [repo, keys] = [join(folder, 'repo'), join(folder, 'keys')];
  const image = (version: number): string => {
    const path = join(folder, `image-${version}`);
    writeFileSync(path, imageOf(version));
    return path;
  };
  const publish = (version: number, ...more: string[]) =>
    engraft(
      ...['publish', image(version), '--repo', repo, '--keys', keys, '--product', 'cam', '--workers', '1'],
      ...['--release-version', `${version}.0`, '--hardware', 'v1', '--json', ...more],
    );
  return { folder, repo, keys, image, publish };
}

/** Every file below a folder, with its digest. */
async function contentOf(folder: string): Promise<Map<string, string>> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = files.filter((file) => file.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return new Map(await Promise.all(paths.map(async (path) => [path, hex(sha256(await readFile(path)))] as const)));
}

/** Starts the server; resolves with its URL once it has printed it. */
async function serve(...args: string[]) {
  const running = start(['serve', '--port', '0', '--json', ...args], { ENGRAFT_MANAGEMENT_TOKEN: 'tok' });
  let text = '';
  running.child.stdout!.on('data', (piece: string) => (text += piece));
  await until(() => text.includes('}') || running.child.exitCode !== null, 'the URL');
  return { ...running, url: (JSON.parse(text) as { url: string }).url };
}

describe('keygen, publish, serve', () => {
  test('bring a release from an image to a device', async () => {
    const { repo, keys, publish } = desk();
    const made = await engraft('keygen', keys, '--json');
    expect(made.code).toBe(0);
    expect((JSON.parse(made.stdout) as { keys: unknown[] }).keys).toHaveLength(4);
    expect((await publish(1)).code).toBe(0);
    const server = await serve('--repo', repo);
    const second = await publish(2, '--deploy-to', 'dev-1, dev-2', '--register');
    expect(second.code).toBe(0);
    expect(second.stderr).toBe('');
    const result = JSON.parse(second.stdout) as { added: { kind: string; bytes: number }[]; deployment: number };
    expect(result).toMatchObject({ deployment: 1, release: { rollbackIndex: 2 } });
    expect(result.added.map(({ kind }) => kind)).toEqual(['full', 'delta']);
    expect(result.added[1]!.bytes).toBeLessThan(result.added[0]!.bytes / 10);

    const target = await tufClient(server.url, repo).target(`cam/2.0/v1/rootfs/delta/${hex(sha256(imageOf(1)))}`);
    const answer = await fetch(`${server.url}/blobs/sha256/${target!.hashes['sha256']}`);
    const payload = new Uint8Array(await answer.arrayBuffer());
    const sink = new Uint8Array(imageOf(2).length);
    const options = { payload: bytesSource(payload), source: memorySource(imageOf(1)), sink: memorySink(sink) };
    for await (const event of applyPayload({ ...options, hash: sha256Node })) void event;
    expect(hex(sha256(sink))).toBe(hex(sha256(imageOf(2))));

    const poll = (await (await fetch(`${server.url}/default/controller/v1/dev-2`)).json()) as {
      _links: Record<string, { href: string }>;
    };
    expect(poll._links['deploymentBase']!.href).toContain(server.url);
    const devices = await fetch(`${server.url}/api/v1/devices`, { headers: { Authorization: 'Bearer tok' } });
    expect(((await devices.json()) as { devices: unknown[] }).devices).toHaveLength(2);

    server.child.kill('SIGTERM');
    const ended = await server.ended;
    expect([ended.code, ended.signal]).toEqual([0, null]);
    expect(ended.stderr).toContain('/blobs/sha256/');
  });

  test('sign the metadata anew with refresh, with the keys that are at hand', async () => {
    const { repo, keys, publish } = desk();
    await engraft('keygen', keys);
    await publish(1, '--expire-days', '1');
    const expires = async () => {
      const text = await readFile(join(repo, 'metadata', 'timestamp.json'), 'utf8');
      return Date.parse((JSON.parse(text) as { signed: { expires: string } }).signed.expires) - Date.now();
    };
    expect(await expires()).toBeLessThan(86_400_000);
    for (const offline of ['root', 'targets', 'snapshot']) await rm(join(keys, `${offline}.key.pem`));
    const renewed = await engraft('refresh', '--repo', repo, '--keys', keys, '--json');
    expect(renewed.code).toBe(0);
    expect(JSON.parse(renewed.stdout)).toMatchObject({
      renewed: ['timestamp'],
      versions: { targets: 1, timestamp: 2 },
    });
    expect(Math.round((await expires()) / 86_400_000)).toBe(EXPIRE_DAYS_DEFAULT);
    expect(EXPIRE_DAYS_DEFAULT).toBe(defaultExpiryDays.timestamp);
  });

  test('does not found a repository to refresh where there is none', async () => {
    const { repo, keys } = desk();
    await engraft('keygen', keys);
    const none = await engraft('refresh', '--repo', repo, '--keys', keys, '--json');
    expect([none.code, existsSync(repo)]).toEqual([30, false]);
    expect(JSON.parse(none.stdout)).toMatchObject({ error: { code: 'repository_missing' } });
  });

  test('say what is wrong and leave the repository as it was', async () => {
    const { repo, keys, image, publish, folder } = desk();
    const error = (stdout: string) => (JSON.parse(stdout) as { error: { code: string } }).error.code;
    const noKeys = await publish(1);
    expect([noKeys.code, error(noKeys.stdout)]).toEqual([20, 'key_unreadable']);
    await engraft('keygen', keys);
    const again = await engraft('keygen', keys, '--json');
    expect([again.code, error(again.stdout)]).toEqual([30, 'output_unwritable']);
    await publish(1);
    const before = readdirSync(repo, { recursive: true }).sort();
    const other = await publish(2, '--release-version', '1.0');
    expect([other.code, error(other.stdout)]).toEqual([30, 'release_exists']);
    const lower = await publish(2, '--slot-class', '../x');
    expect([lower.code, error(lower.stdout)]).toEqual([2, 'usage_invalid']);
    await rm(image(3));
    const missing = await engraft('publish', join(folder, 'image-3'), '--repo', repo, '--keys', keys);
    expect(missing.code).toBe(2);
    const rate = await engraft('serve', '--repo', repo, '--rate-limit', 'fast', '--json');
    expect([rate.code, error(rate.stdout)]).toEqual([2, 'usage_invalid']);
    expect(readdirSync(repo, { recursive: true }).sort()).toEqual(before);
  });

  test('refuse an image or a key that is what publishing writes, and take one that is a blob', async () => {
    const { folder, repo, keys, image, publish } = desk();
    await engraft('keygen', keys);
    expect((await publish(1)).code).toBe(0);
    const timestamp = join(repo, 'metadata', 'timestamp.json');
    symlinkSync(timestamp, join(folder, 'link'));
    writeFileSync(join(repo, 'server.db'), 'an image of that name');
    const before = await contentOf(folder);
    const rest = ['--repo', repo, '--keys', keys, '--product', 'cam', '--hardware', 'v1', '--release-version', '2.0', '--json']; // prettier-ignore
    for (const args of [
      [timestamp],
      [join(folder, 'link')],
      [join(repo, 'server.db'), '--deploy-to', 'dev-1'],
      [image(1), '--store', image(1), '--deploy-to', 'dev-1', '--register'],
      [image(1), '--store', join(keys, 'root.key.pem'), '--deploy-to', 'all'],
    ]) {
      const ended = await engraft('publish', ...args, ...rest);
      const { error } = JSON.parse(ended.stdout) as { error: { code: string } };
      expect([args, ended.code, error.code]).toEqual([args, 30, 'output_is_input']);
    }
    expect(await contentOf(folder)).toEqual(before);
    const blob = join(repo, 'blobs', 'sha256', hex(sha256(imageOf(1))));
    expect(await engraft('publish', blob, ...rest)).toMatchObject({ code: 0 });
    expect(hex(sha256(await readFile(blob)))).toBe(hex(sha256(imageOf(1))));
  });

  test('stop on Ctrl-C in the middle of publishing, with nothing published', async () => {
    const { repo, keys, folder, publish } = desk();
    await engraft('keygen', keys);
    await publish(1);
    const timestamp = join(repo, 'metadata', 'timestamp.json');
    const before = await readFile(timestamp, 'utf8');
    const large = join(folder, 'large');
    writeFileSync(large, imageOf(2, 40_000_000));
    const running = start([
      ...['publish', large, '--repo', repo, '--keys', keys, '--product', 'cam', '--release-version', '2.0'],
      ...['--hardware', 'v1', '--workers', '1', '--json'],
    ]);
    // The raw image is stored before the payloads are made.
    const blob = join(repo, 'blobs', 'sha256', hex(sha256(imageOf(2, 40_000_000))));
    for (;;) {
      const found = await stat(blob).catch(() => null);
      if (found !== null || running.child.exitCode !== null) break;
      await delay(20);
    }
    running.child.kill('SIGINT');
    const ended = await running.ended;
    expect(ended.code).toBe(130);
    expect(await readFile(timestamp, 'utf8')).toBe(before);
    expect(readdirSync(repo, { recursive: true }).filter((name) => String(name).includes('part-'))).toEqual([]);
  });
});
