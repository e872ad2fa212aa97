/**
 * What every keystore with hardware has to do, whatever the hardware is. `open` is a process that begins anew: nothing is
 * remembered but what is on the disk and in the hardware.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { Agent } from '../../../src/agent/index.ts';
import { AnchoredKeystore } from '../../../src/agent/keystore/anchored.ts';
import type { KeystoreHardware } from '../../../src/agent/keystore/hardware.ts';
import { MemoryFileSystem } from '../../../src/testing/index.ts';
import { device, imagePair, makeLab, sha256Hex, type Lab, type SimulatedDevice } from './agent.ts';
import { sha256Node } from '../images.ts';
import { rootOf, signersFor } from '../roots.ts';

export interface Bench {
  /** A fresh client of the same hardware. */
  hardware(): KeystoreHardware;
  /** Switch it off and on again. */
  powerCycle(): Promise<void>;
  close(): Promise<void>;
}

const PATH = '/data/keystore.anchored';
const COUNTER = 'rollback.cam.rootfs';

type Files = readonly (readonly [string, Uint8Array])[];

function backup(disk: MemoryFileSystem, paths: readonly string[]): Files {
  return paths.flatMap((path) => {
    const bytes = disk.peek(path);
    return bytes === null ? [] : [[path, bytes.slice()] as const];
  });
}

const restore = (disk: MemoryFileSystem, files: Files): void =>
  files.forEach(([path, bytes]) => disk.place(path, bytes));

export function keystoreSuite(makeBench: () => Promise<Bench>): void {
  async function provisioned() {
    const bench = await makeBench();
    const disk = new MemoryFileSystem();
    await disk.makeFolder('/data');
    const open = (): AnchoredKeystore =>
      new AnchoredKeystore({ fs: disk, hash: sha256Node, path: PATH, hardware: bench.hardware() });
    const signers = await signersFor();
    const root = await rootOf(1, signers);
    expect(await open().provision(root, {})).toBe('done');
    return { bench, disk, open, signers, root };
  }

  describe('kept in hardware', () => {
    test('nothing is read before it was provisioned, and the message names the command', async () => {
      const bench = await makeBench();
      const fs = new MemoryFileSystem();
      const keystore = new AnchoredKeystore({ fs, hash: sha256Node, path: PATH, hardware: bench.hardware() });
      await expect(keystore.trustedRoot()).rejects.toMatchObject({ code: 'keystore_failed', outcome: 30 });
      await expect(keystore.counters()).rejects.toThrow(/keystore provision/);
      await bench.close();
    });

    test('root and counters survive new processes and a power cycle', async () => {
      const { bench, open, root } = await provisioned();
      await open().raise({ [COUNTER]: 3, 'tuf.timestamp.ab': 7 });
      await bench.powerCycle();
      const keystore = open();
      expect(await keystore.trustedRoot()).toEqual(root);
      expect(await keystore.counters()).toEqual({ [COUNTER]: 3, 'tuf.timestamp.ab': 7 });
      await keystore.raise({ [COUNTER]: 2, 'tuf.timestamp.ab': 8 });
      expect(await open().counters()).toEqual({ [COUNTER]: 3, 'tuf.timestamp.ab': 8 });
      await expect(keystore.raise({ [COUNTER]: -1 })).rejects.toMatchObject({ code: 'keystore_failed' });
      await bench.close();
    });

    test('a file system restored from a backup is refused, in the next process and after a power cycle', async () => {
      const { bench, disk, open } = await provisioned();
      await open().raise({ [COUNTER]: 1 });
      const old = backup(disk, [PATH, `${PATH}.copy`]);
      await open().raise({ [COUNTER]: 2 });
      restore(disk, old);
      await expect(open().counter(COUNTER)).rejects.toThrow(/restored from a backup/);
      await bench.powerCycle();
      await expect(open().trustedRoot()).rejects.toMatchObject({ code: 'keystore_failed' });
      await bench.close();
    });

    test('with the data partition lost, a person can go on with what the hardware has kept', async () => {
      const { bench, disk, open, root } = await provisioned();
      await open().raise({ [COUNTER]: 5 });
      for (const path of [PATH, `${PATH}.copy`]) await disk.unlink(path);
      await expect(open().counters()).rejects.toMatchObject({ code: 'keystore_failed' });
      const foreign = await rootOf(1, await signersFor());
      await expect(open().recover(foreign)).rejects.toThrow(/does not begin with the pinned root/);
      await open().recover(root);
      expect(await open().counter(COUNTER)).toBe(5);
      await bench.close();
    });

    test('a root is taken when the one before signed it, and no other', async () => {
      const { bench, disk, open, signers } = await provisioned();
      const others = await signersFor();
      const second = await rootOf(2, others, [signers]);
      const third = await rootOf(3, signers, [others]);
      await expect(open().setTrustedRoot(third)).rejects.toThrow(/version 2 is missing/);
      await expect(open().setTrustedRoot(await rootOf(2, others))).rejects.toThrow(
        /signed by 0 of the keys that root 1/,
      );
      await open().setTrustedRoot(second);
      await open().setTrustedRoot(third);
      expect(await open().trustedRoot()).toEqual(third);

      // Somebody who can write the disk and has the hardware's credentials puts in his own root.
      const foreign = await rootOf(1, others);
      const forged = new MemoryFileSystem();
      await forged.makeFolder('/data');
      const fake = { ...memoryHardware(), pin: async () => sha256Hex(foreign) };
      await new AnchoredKeystore({ fs: forged, hash: sha256Node, path: PATH, hardware: fake }).provision(foreign, {});
      restore(disk, backup(forged, [PATH, `${PATH}.copy`]));
      await bench.hardware().commit((await fake.anchor())!, {});
      await expect(open().trustedRoot()).rejects.toThrow(/does not begin with the pinned root/);
      await bench.close();
    });

    test('the pin is for ever, and provisioning again changes nothing', async () => {
      const { bench, open, root } = await provisioned();
      await open().raise({ [COUNTER]: 4 });
      expect(await open().provision(root, {})).toBe('was done');
      expect(await open().counter(COUNTER)).toBe(4);
      const foreign = await rootOf(1, await signersFor());
      await expect(open().provision(foreign, {})).rejects.toThrow(/a pin is for ever/);
      expect(await bench.hardware().pin()).toBe(sha256Hex(root));
      await bench.close();
    });

    test('provisioning again does not believe a data partition that was lost or restored', async () => {
      const { bench, disk, open, root } = await provisioned();
      const old = backup(disk, [PATH, `${PATH}.copy`]);
      await open().raise({ 'tuf.timestamp.ab': 7 });
      restore(disk, old);
      await expect(open().provision(root, {})).rejects.toThrow(/restored from a backup/);
      for (const path of [PATH, `${PATH}.copy`]) await disk.unlink(path);
      await expect(open().provision(root, {})).rejects.toThrow(/data partition was lost/);
      await expect(open().counters()).rejects.toMatchObject({ code: 'keystore_failed' });
      await bench.close();
    });

    test('counters of an earlier keystore are taken over', async () => {
      const bench = await makeBench();
      const disk = new MemoryFileSystem();
      await disk.makeFolder('/data');
      const open = (): AnchoredKeystore =>
        new AnchoredKeystore({ fs: disk, hash: sha256Node, path: PATH, hardware: bench.hardware() });
      await open().provision(await rootOf(1, await signersFor()), { [COUNTER]: 41, 'tuf.root': 1 });
      await open().raise({ [COUNTER]: 42 });
      expect(await open().counters()).toEqual({ [COUNTER]: 42, 'tuf.root': 1 });
      expect((await bench.hardware().counters())[COUNTER]).toBe(42);
      await bench.close();
    });
  });

  describe('an agent with it', () => {
    let lab: Lab;
    beforeAll(async () => {
      lab = await makeLab(imagePair(70_000, 70_000));
    });

    function agentOf(it: SimulatedDevice, hardware: KeystoreHardware): Agent {
      const { clock, network, fs, run, deployments, disk } = it;
      const keystore = new AnchoredKeystore({ fs: disk, hash: sha256Node, path: PATH, hardware });
      const world = { clock, network, fs, hash: sha256Node, run };
      return new Agent(it.config, { world, keystore, deployments });
    }

    test('updates, and refuses everything after its data partition was restored from before the update', async () => {
      const bench = await makeBench();
      const it = await device(lab);
      await it.knowsSource();
      const first = new AnchoredKeystore({ fs: it.disk, hash: sha256Node, path: PATH, hardware: bench.hardware() });
      await first.provision(it.disk.peek('/etc/root.json')!, { [COUNTER]: 1 });
      const once = () => agentOf(it, bench.hardware()).run({ once: true });
      const data = ['/data/journal', PATH, `${PATH}.copy`];
      const before = backup(it.disk, data);

      it.deployments.assign('2.0', 'first');
      expect(await once()).toMatchObject({ code: 'reboot_pending' });
      await it.boot();
      await bench.powerCycle();
      expect(await once()).toMatchObject({ status: 0, code: 'ok' });
      expect(sha256Hex(it.slot('b').slice(0, lab.target.length))).toBe(sha256Hex(lab.target));
      expect((await bench.hardware().counters())[COUNTER]).toBe(2);
      const after = backup(it.disk, data);

      restore(it.disk, before);
      it.deployments.assign('2.0', 'second');
      await bench.powerCycle();
      await expect(once()).rejects.toMatchObject({ code: 'keystore_failed' });
      expect(sha256Hex(it.slot('b').slice(0, lab.target.length))).toBe(sha256Hex(lab.target));

      // With its own records back it is as before, and an older release is refused.
      const refused = { outcome: { status: 20, code: 'release_rollback' } };
      restore(it.disk, after);
      it.deployments.assign('1.0', 'third');
      await once();
      expect(it.deployments.closed.at(-1)).toMatchObject({ actionId: 'third', ...refused });

      // Also when a person has recovered from the backup, and nothing but the hardware knows the counter.
      for (const path of data) await it.disk.unlink(path);
      const fs = it.disk;
      const again = new AnchoredKeystore({ fs, hash: sha256Node, path: PATH, hardware: bench.hardware() });
      await again.recover(it.disk.peek('/etc/root.json')!);
      it.deployments.assign('1.0', 'fourth');
      await once();
      expect(it.deployments.closed.at(-1)).toMatchObject({ actionId: 'fourth', ...refused });
      await bench.close();
    });

    test('refuses a repository that was rolled back, with its stored metadata lost as well', async () => {
      const bench = await makeBench();
      const own = await makeLab(imagePair(70_000, 70_000));
      const names = ['timestamp.json', '2.snapshot.json', '2.targets.json'];
      const early = new Map(names.map((name) => [name, readFileSync(join(own.publisher.dir, 'metadata', name))]));
      let rolledBack = false;
      const it = await device(own, {
        answer: (request) => {
          const bytes = early.get(new URL(request.url).pathname.slice('/tuf/'.length));
          return rolledBack && bytes !== undefined ? { status: 200, body: new Uint8Array(bytes) } : own.answer(request);
        },
      });
      await it.knowsSource();
      const first = new AnchoredKeystore({ fs: it.disk, hash: sha256Node, path: PATH, hardware: bench.hardware() });
      await first.provision(it.disk.peek('/etc/root.json')!, {});
      const once = () => agentOf(it, bench.hardware()).run({ once: true });
      await own.publisher.release(3, { image: own.target, rollbackIndex: 3 });
      it.deployments.assign('3.0', 'first');
      expect(await once()).toMatchObject({ code: 'reboot_pending' });
      await it.boot();
      expect(await once()).toMatchObject({ status: 0, code: 'ok' });

      rolledBack = true;
      it.deployments.assign('2.0', 'second');
      await bench.powerCycle();
      await expect(once()).rejects.toMatchObject({ code: 'metadata_rollback', outcome: 20 });
      for (const role of ['timestamp', 'snapshot', 'targets']) await it.disk.unlink(`/data/tuf/${role}.json`);
      await expect(once()).rejects.toMatchObject({ code: 'metadata_rollback' });
      await bench.close();
    });
  });
}

/** Hardware in memory, for the keystore's own tests. */
export function memoryHardware(): KeystoreHardware & { state: { pin: string | null; anchor: string | null } } {
  const state = { pin: null as string | null, anchor: null as string | null };
  let kept: Record<string, number> = {};
  return {
    state,
    name: 'a memory',
    pin: async () => state.pin,
    anchor: async () => state.anchor,
    counters: async () => kept,
    commit: async (digest, counters) => {
      state.anchor = digest;
      const own = Object.entries(counters).filter(([name]) => name.startsWith('rollback.'));
      for (const [name, value] of own) kept = { ...kept, [name]: Math.max(kept[name] ?? 0, value) };
    },
    provision: async (pin, counters) => {
      state.pin = pin;
      kept = Object.fromEntries(Object.entries(counters).filter(([name]) => name.startsWith('rollback.')));
    },
  };
}
