/**
 * The keystore with hardware under power cuts: at every operation of the storage and every call to the hardware, a cut
 * leaves a keystore that can be read and that holds what was there before, or what was being written.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { Agent } from '../../src/agent/index.ts';
import { AnchoredKeystore } from '../../src/agent/keystore/anchored.ts';
import type { KeystoreHardware } from '../../src/agent/keystore/hardware.ts';
import { Tpm2 } from '../../src/agent/keystore/tpm2.ts';
import { SimulatedStorage, seededRandom, watchFileSystem, type CutPolicy } from '../../src/testing/index.ts';
import { device, imagePair, makeLab } from '../support/device/agent.ts';
import { FakeTpm } from '../support/device/fake-tpm.ts';
import { sha256Node as hash } from '../support/images.ts';
import { keystoreSuite, memoryHardware } from '../support/device/keystore-suite.ts';
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

/** Every call of a tool and every operation of the storage counts: the whole TPM keystore, not only its interface. */
describe('a power cut in the TPM keystore', () => {
  const names = ['rollback.cam.rootfs', 'rollback.cam.boot'];
  const options = { hash, nvBase: 0x1800100, counterNames: names, tcti: null, deadlineMs: 1000 };
  let root: Uint8Array;
  beforeAll(async () => {
    root = await rootOf(1, await signersFor());
  });

  /** A cut before or after each call, with storage that lost, kept or tore what was not yet durable. */
  async function everywhere(
    begin: (keystore: AnchoredKeystore) => Promise<unknown>,
    change: (keystore: AnchoredKeystore) => Promise<unknown>,
    check: (keystore: AnchoredKeystore, done: boolean, chip: Tpm2) => Promise<void>,
  ): Promise<number> {
    let cuts = 0;
    for (const when of ['before', 'after']) {
      for (const policy of POLICIES) {
        for (let cut = 1, done = false; !done; cut++) {
          const storage = new SimulatedStorage();
          storage.placeFolder('/data');
          const tpm = new FakeTpm();
          const open = (fs = storage, run = tpm.run) =>
            new AnchoredKeystore({ fs, hash, path: PATH, hardware: new Tpm2({ ...options, run }) });
          await begin(open());
          let left = cut;
          const use = (): void => {
            if (--left <= 0) throw new Error('power cut');
          };
          const watched = watchFileSystem(storage, use) as unknown as SimulatedStorage;
          const run: typeof tpm.run = async (request) => {
            if (when === 'before') use();
            const result = await tpm.run(request);
            if (when === 'after') use();
            return result;
          };
          done = await change(open(watched, run)).then(
            () => true,
            () => false,
          );
          storage.cut(policy, seededRandom(cut));
          await check(open(), done, new Tpm2({ ...options, run: tpm.run }));
          cuts++;
          expect(cut).toBeLessThan(200);
        }
      }
    }
    return cuts;
  }

  test('in its provisioning leaves one that can be provisioned, with the same counters', async () => {
    const counters = { 'rollback.cam.rootfs': 41, 'rollback.cam.boot': 0 };
    const cuts = await everywhere(
      async () => undefined,
      (keystore) => keystore.provision(root, counters),
      async (keystore, done) => {
        expect(await keystore.provision(root, counters)).toMatch(done ? /^was done$/ : /done$/);
        expect(await keystore.counters()).toEqual(counters);
        expect(await keystore.trustedRoot()).toEqual(root);
      },
    );
    expect(cuts).toBeGreaterThan(200);
  });

  test('in a raise of two counters leaves each at its value of before or after, and the next raise ends it', async () => {
    const wanted = { 'rollback.cam.rootfs': 5, 'rollback.cam.boot': 3, 'tuf.timestamp.ab': 7 };
    const cuts = await everywhere(
      async (keystore) => {
        await keystore.provision(root, {});
        await keystore.raise({ 'rollback.cam.rootfs': 2 });
      },
      (keystore) => keystore.raise(wanted),
      async (keystore, done, chip) => {
        const counters = await keystore.counters();
        const either = done ? [5] : [2, 5];
        expect(either).toContain(counters['rollback.cam.rootfs']);
        expect(await keystore.trustedRoot()).toEqual(root);
        await keystore.raise(wanted);
        expect(await keystore.counters()).toEqual(wanted);
        // The TPM's own, not only what the record says.
        expect(await chip.counters()).toEqual({ 'rollback.cam.rootfs': 5, 'rollback.cam.boot': 3 });
      },
    );
    expect(cuts).toBeGreaterThan(200);
  });

  test('in a recovery leaves one that can be recovered, with the counters of the hardware', async () => {
    await everywhere(
      async (keystore) => {
        await keystore.provision(root, {});
        await keystore.raise({ 'rollback.cam.rootfs': 3 });
      },
      (keystore) => keystore.recover(root),
      async (keystore, done) => {
        if (!done) await keystore.recover(root);
        expect(await keystore.counters()).toMatchObject({ 'rollback.cam.rootfs': 3 });
        expect(await keystore.trustedRoot()).toEqual(root);
      },
    );
  });
});

test('an agent refuses a release that its TPM could not count up to, before a byte of it is downloaded', async () => {
  const lab = await makeLab(imagePair(70_000, 70_000));
  await lab.publisher.release(9, { image: lab.target, rollbackIndex: 20261127 });
  const it = await device(lab);
  await it.knowsSource();
  const { clock, network, fs, run, deployments } = it;
  const hardware = () =>
    new Tpm2({ run: tpm.run, hash, nvBase: 0x1800100, counterNames: [NAME], tcti: null, deadlineMs: 1000 });
  const NAME = 'rollback.cam.rootfs';
  const tpm = new FakeTpm();
  const open = () => new AnchoredKeystore({ fs: it.disk, hash, path: PATH, hardware: hardware() });
  await open().provision(it.disk.peek('/etc/root.json')!, {});
  const once = () =>
    new Agent(it.config, { world: { clock, network, fs, hash, run }, keystore: open(), deployments }).run({
      once: true,
    });

  const before = it.slot('b').slice();
  deployments.assign('9.0', 'first');
  expect(await once()).toMatchObject({
    code: 'keystore_failed',
    message: expect.stringMatching(/by at most 4096 at once/),
  });
  expect(deployments.closed).toMatchObject([{ actionId: 'first', outcome: { status: 30, code: 'keystore_failed' } }]);
  expect(network.requests.filter(({ url }) => url.includes('/blobs/'))).toEqual([]);
  expect(it.slot('b')).toEqual(before);
  expect(await open().counter(NAME)).toBe(0);

  deployments.assign('2.0', 'second');
  expect(await once()).toMatchObject({ code: 'reboot_pending' });
  await it.boot();
  expect(await once()).toMatchObject({ status: 0, code: 'ok' });
  expect(await open().counter(NAME)).toBe(2);
});
