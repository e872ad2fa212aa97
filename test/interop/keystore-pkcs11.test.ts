/**
 * The PKCS#11 keystore against SoftHSM, through pkcs11js. The token's files stand for the token: what is restored from a
 * backup in these tests is the device's disk, never the token.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Handle, PKCS11 } from 'pkcs11js';
import type * as Names from 'pkcs11js';
import { describe, expect, test } from 'vitest';
import { nodeFileSystem } from '../../src/agent/index.ts';
import { Pkcs11Token, type Pkcs11Options } from '../../src/agent/keystore/pkcs11.ts';
import { keystoreSuite, type Bench } from '../support/device/keystore-suite.ts';

const MODULES = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so'];
const module = MODULES.find((path) => existsSync(path)) ?? '';
const hasTool = spawnSync('softhsm2-util', ['--version']).error === undefined;
const pkcs11 = await import('pkcs11js').then(
  (loaded) => ('default' in loaded ? (loaded.default as typeof Names) : loaded),
  () => null as unknown as typeof Names,
);
const hasAddon = pkcs11 !== null;
const missing = [
  ...(module === '' || !hasTool ? ['softhsm2'] : []),
  ...(hasAddon ? [] : ['pkcs11js (it was not compiled)']),
];
const why = missing.length === 0 ? '' : ` (skipped: no ${missing.join(', ')})`;

class SoftToken implements Bench {
  readonly folder = mkdtempSync(join(tmpdir(), 'engraft-token-'));
  readonly pinFile = join(this.folder, 'pin');
  readonly #open: Pkcs11Token[] = [];
  readonly #inners: PKCS11[] = [];

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

  #library<T>(pin: string | null, work: (api: PKCS11, session: Handle) => T): T {
    this.#closeAll();
    const api = new pkcs11.PKCS11();
    api.load(module);
    api.C_Initialize();
    try {
      const [slot] = api.C_GetSlotList(true);
      const session = api.C_OpenSession(slot!, pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION);
      if (pin !== null) api.C_Login(session, pkcs11.CKU_USER, pin);
      return work(api, session);
    } finally {
      api.C_Finalize();
      api.close();
    }
  }

  asUser<T>(work: (api: PKCS11, session: Handle) => T): T {
    return this.#library('4321', work);
  }

  /** What a process can do that has the library and no PIN. */
  placePublic(label: string, text: string): void {
    this.#library(null, (api, session) =>
      api.C_CreateObject(session, [
        { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_DATA },
        { type: pkcs11.CKA_TOKEN, value: true },
        { type: pkcs11.CKA_PRIVATE, value: false },
        { type: pkcs11.CKA_LABEL, value: label },
        { type: pkcs11.CKA_APPLICATION, value: 'engraft' },
        { type: pkcs11.CKA_VALUE, value: Buffer.from(text) },
      ]),
    );
  }

  /** How many objects with this label the token's user sees. */
  objects(label: string): number {
    return this.asUser((api, session) => {
      api.C_FindObjectsInit(session, [{ type: pkcs11.CKA_LABEL, value: label }]);
      const found = api.C_FindObjects(session, 64).length;
      api.C_FindObjectsFinal(session);
      return found;
    });
  }

  /** The addon behind a watcher of its calls: a module on the disk, as the configuration's `addon` names one. */
  watchedAddon(watch: (name: string, number: number) => void, when: 'before' | 'after' = 'before') {
    const folder = mkdtempSync(join(this.folder, 'addon-'));
    let count = 0;
    let flags = 0;
    const PKCS11 = class {
      constructor() {
        const inner = new pkcs11.PKCS11();
        inners.push(inner);
        return new Proxy(inner, {
          get: (target, name: keyof typeof inner & string) => {
            const method = target[name] as unknown as (...args: unknown[]) => unknown;
            // The library itself is not on the token: opening and closing it is no operation there.
            const call = (...args: unknown[]): unknown => method.apply(target, args);
            if (!name.startsWith('C_') || /Initialize|Finalize|GetSlotList/.test(name)) return call;
            return (...args: unknown[]): unknown => {
              const number = ++count;
              if (when === 'before') watch(name, number);
              const result = call(...args);
              if (when === 'after') watch(name, number);
              return name === 'C_GetTokenInfo' && flags !== 0 ? { ...(result as object), flags } : result;
            };
          },
        });
      }
    };
    const inners = this.#inners;
    (globalThis as Record<string, unknown>)[folder] = { ...pkcs11, PKCS11 };
    writeFileSync(join(folder, 'package.json'), '{"main": "index.cjs"}');
    writeFileSync(join(folder, 'index.cjs'), `module.exports = globalThis[${JSON.stringify(folder)}];`);
    return { addon: folder, calls: () => count, setFinalTry: () => (flags = pkcs11.CKF_USER_PIN_FINAL_TRY) };
  }

  /** As when a token is pulled and put back. */
  loseSessions(): void {
    for (const inner of this.#inners) for (const slot of inner.C_GetSlotList(true)) inner.C_CloseAllSessions(slot);
  }

  /** The process that was cut off is gone, and its library with it. */
  reset(): void {
    this.#closeAll();
    for (const inner of this.#inners.splice(0)) {
      try {
        inner.C_Finalize();
        inner.close();
      } catch {
        // It was closed in order.
      }
    }
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
    // Nor by somebody who has the user's PIN, with the library itself.
    token.asUser((api, session) => {
      api.C_FindObjectsInit(session, [{ type: pkcs11.CKA_LABEL, value: 'engraft-pin' }]);
      const [object] = api.C_FindObjects(session, 2);
      api.C_FindObjectsFinal(session);
      // CKR_ACTION_PROHIBITED, for which pkcs11js has no name.
      const prohibited = expect.objectContaining({ code: 0x1b });
      expect(() => api.C_DestroyObject(session, object!)).toThrow(prohibited);
      for (const type of [pkcs11.CKA_VALUE, pkcs11.CKA_MODIFIABLE, pkcs11.CKA_DESTROYABLE]) {
        expect(() => api.C_SetAttributeValue(session, object!, [{ type, value: Buffer.from([1]) }])).toThrow(/:27$/);
      }
    });
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

  test('does not take an anchor or a pin that somebody without the PIN has made', async () => {
    const token = new SoftToken();
    await token.hardware().provision(PIN);
    await token.hardware().commit('b'.repeat(64), { 'rollback.cam.rootfs': 5 });
    const anchor = JSON.stringify({ epoch: 99, digest: 'e'.repeat(64), counters: {} });
    token.placePublic('engraft-anchor', anchor);
    token.placePublic('engraft-pin', 'e'.repeat(64));
    expect(await token.hardware().anchor()).toBe('b'.repeat(64));
    expect(await token.hardware().counters()).toEqual({ 'rollback.cam.rootfs': 5 });
    expect(await token.hardware().pin()).toBe(PIN);
    await token.close();
  });

  test('cut off at any call of its library has the earlier anchor or the new one, and goes on', async () => {
    const [before, after] = ['b'.repeat(64), 'c'.repeat(64)];
    for (const when of ['before', 'after'] as const) {
      for (let cut = 1; ; cut++) {
        const token = new SoftToken();
        await token.hardware().provision(PIN);
        await token.hardware().commit(before, { 'rollback.cam.rootfs': 1 });
        const { addon, calls } = token.watchedAddon((_name, number) => {
          if (number >= cut) throw new Error('power cut');
        }, when);
        const cutting = token.hardware({ addon });
        const done = await cutting.commit(after, { 'rollback.cam.rootfs': 2 }).then(
          () => true,
          () => false,
        );
        token.reset();
        const value = [await token.hardware().anchor(), (await token.hardware().counters())['rollback.cam.rootfs']];
        expect(
          done
            ? [[after, 2]]
            : [
                [before, 1],
                [after, 2],
              ],
          `cut ${when} call ${cut}`,
        ).toContainEqual(value);
        await token.hardware().commit(after, { 'rollback.cam.rootfs': 2 });
        expect(await token.hardware().anchor()).toBe(after);
        expect(token.objects('engraft-anchor')).toBe(1);
        await token.close();
        if (done) {
          expect(calls()).toBeGreaterThan(8);
          break;
        }
        expect(cut).toBeLessThan(60);
      }
    }
  });

  test('opens a session that was lost anew, at the next call', async () => {
    const token = new SoftToken();
    await token.hardware().provision(PIN);
    const hardware = token.hardware({ addon: token.watchedAddon(() => undefined).addon });
    expect(await hardware.pin()).toBe(PIN);
    token.loseSessions();
    await expect(hardware.pin()).rejects.toMatchObject({ code: 'keystore_failed' });
    expect(await hardware.pin()).toBe(PIN);
    await token.close();
  });

  test('is not locked by an agent that asks again and again with a wrong PIN, nor at its last try', async () => {
    const token = new SoftToken();
    await token.hardware().provision(PIN);
    let logins = 0;
    const { addon } = token.watchedAddon((name) => {
      if (name === 'C_Login') logins++;
    });
    writeFileSync(token.pinFile, '9999');
    const hardware = token.hardware({ addon });
    for (let i = 0; i < 5; i++) await expect(hardware.pin()).rejects.toThrow(/CKR_PIN_INCORRECT/);
    expect(logins).toBe(1);
    writeFileSync(token.pinFile, '4321');
    expect(await hardware.pin()).toBe(PIN);
    expect(logins).toBe(2);

    const last = token.watchedAddon((name) => {
      if (name === 'C_Login') logins++;
    });
    last.setFinalTry();
    await expect(token.hardware({ addon: last.addon }).pin()).rejects.toThrow(/one try of its PIN is left/);
    expect(logins).toBe(2);
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
    expect(String(await failed({ pinFile: join(token.folder, 'wrong') }))).toMatch(
      /C_Login: CKR_PIN_INCORRECT \(160\)/,
    );
    expect(String(await failed({ pinFile: '/nonexistent/pin' }))).toMatch(/does not exist/);
    expect(String(await failed({ module: '/nonexistent/lib.so' }))).toMatch(/cannot open/);
    expect(String(await failed({ addon: '/nonexistent/pkcs11js' }))).toMatch(/pkcs11js cannot be loaded/);
    const addon = fileURLToPath(new URL('../../node_modules/pkcs11js', import.meta.url));
    expect(await token.hardware({ addon }).pin()).toBe(null);
    await token.close();
  });
});
