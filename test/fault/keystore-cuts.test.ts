/**
 * The keystore with hardware under power cuts: at every operation of the storage and every call to the hardware, a cut
 * leaves a keystore that can be read and that holds what was there before, or what was being written.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { AnchoredKeystore } from '../../src/agent/keystore-anchored.ts';
import type { KeystoreHardware } from '../../src/agent/keystore-hardware.ts';
import { SimulatedStorage, seededRandom, watchFileSystem } from '../../src/testing/index.ts';
import type { CutPolicy } from '../../src/testing/index.ts';
import { sha256Node as hash } from '../support/images.ts';
import { keystoreSuite, memoryHardware } from '../support/keystore-suite.ts';
import { rootOf, signersFor } from '../support/roots.ts';

const PATH = '/data/keystore.anchored';
const POLICIES: readonly CutPolicy[] = ['none', 'all', 'random', 'torn'];

describe('hardware that is a memory', () => {
  keystoreSuite(async () => {
    const hardware = memoryHardware();
    return { hardware: () => hardware, powerCycle: async () => undefined, close: async () => undefined };
  });
});

/** Calls to the hardware count as operations, and a cut comes before or after what they do. */
function cutting(inner: KeystoreHardware, use: () => void): KeystoreHardware {
  return {
    name: inner.name,
    pin: () => inner.pin(),
    anchor: () => inner.anchor(),
    counters: () => inner.counters(),
    commit: async (digest, counters) => {
      use();
      await inner.commit(digest, counters);
      use();
    },
    provision: async (pin, counters) => {
      use();
      await inner.provision(pin, counters);
      use();
    },
  };
}

describe('a power cut in the keystore', () => {
  let roots: Uint8Array[];
  beforeAll(async () => {
    const signers = await signersFor();
    roots = [await rootOf(1, signers), await rootOf(2, signers)];
  });

  /** Runs `change` with a cut at every operation and each policy; `check` gets a fresh keystore and whether it was done. */
  async function everywhere(
    change: (keystore: AnchoredKeystore) => Promise<unknown>,
    check: (keystore: AnchoredKeystore, done: boolean) => Promise<void>,
    begin = true,
  ): Promise<number> {
    let cuts = 0;
    for (const policy of POLICIES) {
      for (let cut = 1; ; cut++) {
        const storage = new SimulatedStorage();
        storage.placeFolder('/data');
        const hardware = memoryHardware();
        const open = (fs = storage, chip: KeystoreHardware = hardware) =>
          new AnchoredKeystore({ fs, hash, path: PATH, hardware: chip });
        if (begin) {
          await open().provision(roots[0]!, { 'rollback.cam.rootfs': 1 });
          await open().raise({ 'tuf.root': 1 });
        }
        let left = cut;
        const use = (): void => {
          if (--left <= 0) throw new Error('power cut');
        };
        const watched = watchFileSystem(storage, use) as unknown as SimulatedStorage;
        const done = await change(open(watched, cutting(hardware, use))).then(
          () => true,
          () => false,
        );
        storage.cut(policy, seededRandom(cut));
        await check(open(), done);
        if (done) break;
        cuts++;
        expect(cut).toBeLessThan(100);
      }
    }
    return cuts;
  }

  test('in a raise leaves the counters of before or after, and the next raise ends it', async () => {
    const cuts = await everywhere(
      (keystore) => keystore.raise({ 'rollback.cam.rootfs': 2, 'tuf.root': 2 }),
      async (keystore, done) => {
        const counters = await keystore.counters();
        expect(counters['rollback.cam.rootfs']).toBeGreaterThanOrEqual(done ? 2 : 1);
        expect(counters['tuf.root']).toBeGreaterThanOrEqual(done ? 2 : 1);
        await keystore.raise({ 'rollback.cam.rootfs': 2, 'tuf.root': 2 });
        expect(await keystore.counters()).toEqual({ 'rollback.cam.rootfs': 2, 'tuf.root': 2 });
        expect(await keystore.trustedRoot()).toEqual(roots[0]);
      },
    );
    expect(cuts).toBeGreaterThan(40);
  });

  test('in a change of the root leaves the earlier root or the new one', async () => {
    await everywhere(
      (keystore) => keystore.setTrustedRoot(roots[1]!),
      async (keystore, done) => {
        const root = await keystore.trustedRoot();
        const wanted = done ? [roots[1]] : roots;
        expect(wanted.some((each) => Buffer.compare(each!, root!) === 0)).toBe(true);
        await keystore.setTrustedRoot(roots[1]!);
        expect(await keystore.trustedRoot()).toEqual(roots[1]);
      },
    );
  });

  test('in its provisioning leaves one that is provisioned, or can be', async () => {
    const cuts = await everywhere(
      (keystore) => keystore.provision(roots[0]!, { 'rollback.cam.rootfs': 4 }),
      async (keystore) => {
        await keystore.provision(roots[0]!, { 'rollback.cam.rootfs': 4 });
        expect(await keystore.counters()).toEqual({ 'rollback.cam.rootfs': 4 });
        expect(await keystore.trustedRoot()).toEqual(roots[0]);
      },
      false,
    );
    expect(cuts).toBeGreaterThan(30);
  });

  test('of damage to either copy, the one that does not count is no loss, and damage to both is told', async () => {
    const storage = new SimulatedStorage();
    storage.placeFolder('/data');
    const hardware = memoryHardware();
    const open = () => new AnchoredKeystore({ fs: storage, hash, path: PATH, hardware });
    await open().provision(roots[0]!, {});
    await open().raise({ n: 1 });
    for (const path of [PATH, `${PATH}.copy`]) {
      const good = storage.peek(path)!;
      for (const at of [0, 20, good.length - 3]) {
        const bad = good.slice();
        bad[at]! ^= 1;
        storage.place(path, bad);
        expect(await open().counter('n')).toBe(1);
      }
      storage.place(path, good);
    }
    for (const path of [PATH, `${PATH}.copy`]) storage.place(path, new Uint8Array([1]));
    await expect(open().counter('n')).rejects.toMatchObject({ code: 'keystore_failed' });
  });
});
