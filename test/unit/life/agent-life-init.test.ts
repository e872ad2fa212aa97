/**
 * `engraft-agent init`, at the factory.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { journalOf, nodeFileSystem } from '../../../src/agent/index.ts';
import { readConfig } from '../../../src/cli/agent-commands/common.ts';
import { define } from '../../../src/cli/agent-commands/init.ts';
import { sha256Hex } from '../../support/device/agent.ts';
import { imageBytes, sha256Node as hash } from '../../support/images.ts';
import { publisher, temporaryFolder } from '../../support/release.ts';

beforeEach(() => void vi.spyOn(process.stdout, 'write').mockReturnValue(true));
const loops: string[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const loop of loops.splice(0)) spawnSync('losetup', ['-d', loop]);
});

const image = imageBytes(100_000, 3);
let root: string;
beforeAll(async () => {
  const { dir, release } = await publisher();
  await release(1);
  root = readFileSync(join(dir, 'metadata', '1.root.json'), 'utf8');
});

function bench() {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder, name);
  writeFileSync(at('image'), image);
  writeFileSync(at('root.json'), root);
  const rest = ['--image-version', '1.0', '--root', at('root.json'), '--server', 'http://x', '--id', 'd', '--product', 'p', '--hardware', 'h']; // prettier-ignore
  const init = (...args: string[]): Promise<unknown> =>
    define()
      .exitOverride()
      .parseAsync([at('device'), ...rest, ...args], { from: 'user' });
  const slots = async () =>
    (await journalOf(await readConfig(at('device/agent.toml')), { fs: nodeFileSystem, hash }).peek())!.slots;
  return { at, init, slots };
}

describe('init', () => {
  test('sets token, tenant, health and reboot command, and says when nothing tests a release', async () => {
    const { at, init } = bench();
    const said = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const health = ['--health', '/usr/bin/self-test --quick', '--health', '["/bin/sh", "-c", "exit 0"]'];
    await init('--image', at('image'), '--tenant', 'acme', '--target-token', 's3cret', '--reboot-command', 'systemctl reboot', ...health); // prettier-ignore
    const config = await readConfig(at('device/agent.toml'));
    expect(config.server).toMatchObject({ tenant: 'acme', token: { kind: 'target', value: 's3cret' } });
    expect(config.health.commands).toEqual([
      ['/usr/bin/self-test', '--quick'],
      ['/bin/sh', '-c', 'exit 0'],
    ]);
    expect(config.rebootCommand).toEqual(['systemctl', 'reboot']);
    expect(statSync(at('device/agent.toml')).mode & 0o777).toBe(0o600);
    expect(said.mock.calls.join()).not.toContain('health.commands');
    const without = bench();
    await without.init('--image', without.at('image'));
    expect(said.mock.calls.join()).toContain('health.commands is empty');
  });

  test('takes several slot classes, and a file target', async () => {
    const { at, init, slots } = bench();
    for (const name of ['a', 'b', 'boot-b']) writeFileSync(at(name), image);
    const boot = imageBytes(5_000, 4);
    writeFileSync(at('boot-a'), boot);
    const classes = `boot=${at('boot-a')},${at('boot-b')}`;
    await init('--slot-a', at('a'), '--slot-b', at('b'), '--image', at('image'), '--more-class', classes);
    const { place } = await readConfig(at('device/agent.toml'));
    expect(place).toMatchObject({ slots: { A: { rootfs: at('a'), boot: at('boot-a') }, B: { boot: at('boot-b') } } });
    expect((await slots())['A/boot']).toEqual({ bytes: 5_000, sha256: sha256Hex(boot), version: '1.0' });
    const file = bench();
    await file.init('--target', file.at('app.img'), '--image', file.at('image'));
    expect((await readConfig(file.at('device/agent.toml'))).place).toEqual({ kind: 'file', path: file.at('app.img') });
    expect(new Uint8Array(readFileSync(file.at('app.img')))).toEqual(image);
    await expect(bench().init('--target', 'x', '--slot-a', 'y')).rejects.toMatchObject({ code: 'usage_invalid' });
    await expect(bench().init('--image', 'x', '--more-class', 'boot')).rejects.toMatchObject({ code: 'usage_invalid' });
  });

  test('makes two file slots from an image, once', async () => {
    const { at, init, slots } = bench();
    await init('--image', at('image'));
    expect(await slots()).toEqual({ A: { bytes: 100_000, sha256: sha256Hex(image), version: '1.0' }, B: null });
    expect(new Uint8Array(readFileSync(at('device/slot-a.img')))).toEqual(image);
    const before = readdirSync(at('device'));
    await expect(init('--image', at('image'))).rejects.toMatchObject({ code: 'output_unwritable' });
    expect(readdirSync(at('device'))).toEqual(before);
  });

  test('takes existing slots, and learns what the first one holds', async () => {
    const { at, init, slots } = bench();
    const slot = new Uint8Array(150_000);
    slot.set(image);
    writeFileSync(at('a'), slot);
    writeFileSync(at('b'), '');
    await init('--slot-a', at('a'), '--slot-b', at('b'), '--image', at('image'));
    expect(await slots()).toEqual({ A: { bytes: 100_000, sha256: sha256Hex(image), version: '1.0' }, B: null });
    expect(new Uint8Array(readFileSync(at('a')))).toEqual(slot);
    expect(readFileSync(at('device/agent.toml'), 'utf8')).toContain(`A = ${JSON.stringify(at('a'))}`);
    expect(existsSync(at('device/slot-a.img'))).toBe(false);
    const whole = bench();
    writeFileSync(whole.at('a'), slot);
    await whole.init('--slot-a', whole.at('a'), '--slot-b', whole.at('b'));
    expect(await whole.slots()).toMatchObject({ A: { bytes: 150_000, sha256: sha256Hex(slot) } });
  });

  test.each([
    ['only one of two slots', ['--slot-a', 'x'], 'usage_invalid'],
    ['neither image nor slots', [], 'usage_invalid'],
    ['a slot that does not exist', ['--slot-a', '/no/a', '--slot-b', '/no/b'], 'slot_missing'],
    ['one path for both slots', ['--slot-a', '/no/a', '--slot-b', '/no/a'], 'config_invalid'],
    ['an image that does not exist', ['--image', '/no/image'], 'input_unreadable'],
    ['a name that is none', ['--image', '/no/image', '--slot-class', 'a b'], 'config_invalid'],
    ['a backend that nobody knows', ['--image', '/no/image', '--boot-backend', 'punchcard'], 'config_invalid'],
  ])('leaves nothing half made: %s', async (_what, args, code) => {
    const { at, init } = bench();
    await expect(init(...args)).rejects.toMatchObject({ code });
    await init('--image', at('image'));
  });

  test.each([
    ['is none, such as an image', () => 'an image', 'key_unreadable'],
    ['is of another role', () => root.replace('"_type": "root"', '"_type": "targets"'), 'key_unreadable'],
    ['was changed after it was signed', () => root.replace('"threshold": 1', '"threshold":  2'), 'signature_invalid'],
  ])('refuses a root that %s, and leaves nothing half made', async (_what, content, code) => {
    const { at, init } = bench();
    expect(content()).not.toBe(root);
    writeFileSync(at('root.json'), content());
    const message = expect.stringContaining(`--root ${at('root.json')}`) as unknown;
    await expect(init('--image', at('image'))).rejects.toMatchObject({ code, message });
    expect(existsSync(at('device'))).toBe(false);
  });

  test('refuses a slot that does not hold the image', async () => {
    const { at, init } = bench();
    const slot = image.slice();
    slot[99_999]! ^= 1;
    writeFileSync(at('a'), slot);
    writeFileSync(at('b'), '');
    const args = ['--slot-a', at('a'), '--slot-b', at('b'), '--image', at('image')];
    await expect(init(...args)).rejects.toMatchObject({ code: 'source_digest' });
    writeFileSync(at('a'), image.subarray(0, 5000));
    await expect(init(...args)).rejects.toMatchObject({ code: 'source_digest', message: expect.stringMatching(/5000/) as unknown }); // prettier-ignore
    expect(existsSync(at('device'))).toBe(false);
  });

  const loop = spawnSync('losetup', ['-f']).status === 0 && process.getuid?.() === 0;
  test.skipIf(!loop)(`reads a block device ${loop ? '' : '(skipped: no loop devices)'}`, async () => {
    const { at, init, slots } = bench();
    const slot = new Uint8Array(1024 * 1024);
    slot.set(image);
    writeFileSync(at('disk'), slot);
    const { stdout } = spawnSync('losetup', ['-f', '--show', '-r', at('disk')], { encoding: 'utf8' });
    const path = stdout.trim();
    loops.push(path);
    await init('--slot-a', path, '--slot-b', '/dev/none', '--image', at('image'));
    expect(await slots()).toMatchObject({ A: { bytes: 100_000, sha256: sha256Hex(image) } });
    await expect(init('--slot-a', path, '--slot-b', '/dev/none')).rejects.toMatchObject({ code: 'output_unwritable' });
  });
});
