/**
 * The PKCS#11 keystore against SoftHSM, through pkcs11js. The token's files stand for the token: what is restored from a
 * backup in these tests is the device's disk, never the token.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { nodeFileSystem } from '../../src/agent/index.ts';
import { Pkcs11Token, type Pkcs11Options } from '../../src/agent/keystore-pkcs11.ts';
import { keystoreSuite } from '../support/keystore-suite.ts';
import type { Bench } from '../support/keystore-suite.ts';

const MODULES = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so'];
const module = MODULES.find((path) => existsSync(path)) ?? '';
const hasTool = spawnSync('softhsm2-util', ['--version']).error === undefined;
const hasAddon = await import('pkcs11js').then(
  () => true,
  () => false,
);
const missing = [
  ...(module === '' || !hasTool ? ['softhsm2'] : []),
  ...(hasAddon ? [] : ['pkcs11js (it was not compiled)']),
];
const why = missing.length === 0 ? '' : ` (skipped: no ${missing.join(', ')})`;

class SoftToken implements Bench {
  readonly folder = mkdtempSync(join(tmpdir(), 'engraft-token-'));
  readonly pinFile = join(this.folder, 'pin');
  readonly #open: Pkcs11Token[] = [];

  constructor() {
    const conf = join(this.folder, 'softhsm2.conf');
    mkdirSync(join(this.folder, 'tokens'));
    writeFileSync(conf, `directories.tokendir = ${join(this.folder, 'tokens')}\nlog.level = ERROR\n`);
    // The library reads it when it is initialized.
    process.env['SOFTHSM2_CONF'] = conf;
    const made = spawnSync(
      'softhsm2-util',
      ['--init-token', '--free', '--label', 'engraft', '--so-pin', '12345678', '--pin', '4321'],
      { encoding: 'utf8' },
    );
    expect(made.status, made.stderr).toBe(0);
    writeFileSync(this.pinFile, '4321\n');
  }

  hardware(more: Partial<Pkcs11Options> = {}): Pkcs11Token {
    // One client at a time: the library knows one session with a login in a process.
    this.#closeAll();
    const { pinFile } = this;
    const made = new Pkcs11Token({ fs: nodeFileSystem, module, token: 'engraft', pinFile, addon: null, ...more });
    this.#open.push(made);
    return made;
  }

  #closeAll(): void {
    for (const token of this.#open.splice(0)) token.close();
  }

  async powerCycle(): Promise<void> {
    this.#closeAll();
  }

  async close(): Promise<void> {
    this.#closeAll();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const PIN = 'a'.repeat(64);

describe.skipIf(missing.length > 0)(`a PKCS#11 token${why}`, () => {
  keystoreSuite(async () => new SoftToken());

  test('keeps its pin: it is made once, and cannot be destroyed', async () => {
    const token = new SoftToken();
    await token.hardware().provision(PIN);
    await expect(token.hardware().provision('b'.repeat(64))).rejects.toThrow(/has a pin already/);
    expect(await token.hardware().pin()).toBe(PIN);
    await token.close();
  });

  test('has one anchor after many, and keeps the highest counters', async () => {
    const token = new SoftToken();
    await token.hardware().provision(PIN);
    const hardware = token.hardware();
    for (let i = 1; i <= 20; i++) await hardware.commit(i.toString(16).padStart(64, '0'), { 'rollback.cam.rootfs': i });
    await hardware.commit('c'.repeat(64), { 'rollback.cam.rootfs': 7, 'tuf.root': 3 });
    expect(await token.hardware().anchor()).toBe('c'.repeat(64));
    expect(await token.hardware().counters()).toEqual({ 'rollback.cam.rootfs': 20 });
    await token.close();
  });

  test('that is absent, a wrong PIN, a missing file and a missing library are named', async () => {
    const token = new SoftToken();
    const failed = async (more: Partial<Pkcs11Options>): Promise<unknown> =>
      token
        .hardware(more)
        .pin()
        .catch((error: unknown) => error);
    expect(await failed({ token: 'another' })).toMatchObject({ code: 'keystore_failed', outcome: 30 });
    expect(String(await failed({ token: 'another' }))).toMatch(/no token with the label 'another' is present/);
    writeFileSync(join(token.folder, 'wrong'), '9999');
    expect(String(await failed({ pinFile: join(token.folder, 'wrong') }))).toMatch(/CKR_PIN_INCORRECT/);
    expect(String(await failed({ pinFile: '/nonexistent/pin' }))).toMatch(/does not exist/);
    expect(String(await failed({ module: '/nonexistent/lib.so' }))).toMatch(/cannot open/);
    expect(String(await failed({ addon: '/nonexistent/pkcs11js' }))).toMatch(/pkcs11js cannot be loaded/);
    const addon = fileURLToPath(new URL('../../node_modules/pkcs11js', import.meta.url));
    expect(await token.hardware({ addon }).pin()).toBe(null);
    await token.close();
  });
});
