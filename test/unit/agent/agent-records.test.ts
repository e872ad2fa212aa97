/**
 * Journal, keystore and boot control: the agent's durable records.
 */
import { describe, expect, test } from 'vitest';
import {
  emptyJournal,
  FileBootVariables,
  FileKeystore,
  Journal,
  VariableBootControl,
  type BootVariables,
  type DeviceName,
  type FileSystem,
} from '../../../src/agent/index.ts';
import { FakeBootLoader, MemoryFileSystem, watchFileSystem } from '../../../src/testing/index.ts';
import { sha256Node as hash } from '../../support/images.ts';

async function storage(): Promise<MemoryFileSystem> {
  const fs = new MemoryFileSystem();
  await fs.makeFolder('/data');
  return fs;
}

const device: DeviceName = { controllerId: 'dev-1', product: 'cam', hardware: 'v1', places: ['/a', '/b'] };
const journalOn = (fs: FileSystem): Journal => new Journal({ fs, hash, path: '/data/journal', device });
const keystoreOn = (fs: FileSystem): FileKeystore => new FileKeystore({ fs, hash, path: '/data/keystore' });

describe('the journal', () => {
  test('begins empty, and keeps what was saved', async () => {
    const fs = await storage();
    const journal = journalOn(fs);
    expect(await journal.load()).toEqual(emptyJournal());
    journal.body.slots['A'] = { bytes: 3, sha256: 'ab', version: '1.0' };
    await journal.save();
    fs.crash('lost');
    expect((await journalOn(fs).load()).slots['A']).toEqual({ bytes: 3, sha256: 'ab', version: '1.0' });
  });

  test('is kept aside, whatever bit of it is flipped', async () => {
    const fs = await storage();
    await journalOn(fs).save();
    const good = fs.peek('/data/journal')!;
    for (let i = 0; i < good.length; i++) {
      const bad = good.slice();
      bad[i]! ^= 1 << (i % 8);
      fs.place('/data/journal', bad);
      const journal = journalOn(fs);
      expect((await journal.load()).sequence, `byte ${i}`).toBe(1);
      expect(journal.damage?.code).toBe('record_malformed');
      expect(fs.peek('/data/journal.damaged')).toEqual(bad);
    }
  });

  test('is kept aside when it was truncated at any byte', async () => {
    const fs = await storage();
    await journalOn(fs).save();
    const good = fs.peek('/data/journal')!;
    for (let length = 0; length < good.length; length++) {
      fs.place('/data/journal', good.slice(0, length));
      const journal = journalOn(fs);
      await journal.load();
      expect(journal.damage?.code, `${length} bytes`).toBe('record_malformed');
    }
  });

  test.each([
    ['another board', { controllerId: 'dev-2' }, true],
    ['another product', { product: 'tv' }, true],
    ['other hardware', { hardware: 'v2' }, true],
    ['slots that are elsewhere', { places: ['/a', '/c'] }, true],
    ['fewer slots', { places: ['/a'] }, true],
    ['the same device', {}, false],
  ])('of %s', async (_what, change, foreign) => {
    const fs = await storage();
    await journalOn(fs).save();
    const journal = new Journal({ fs, hash, path: '/data/journal', device: { ...device, ...change } });
    await journal.load();
    expect(journal.damage?.code ?? null).toBe(foreign ? 'record_foreign' : null);
    expect((await fs.list('/data')).includes('journal.foreign')).toBe(foreign);
  });

  test('is left alone by whoever only looks', async () => {
    const fs = await storage();
    fs.place('/data/journal', new Uint8Array([1, 2, 3]));
    await expect(journalOn(fs).peek()).rejects.toMatchObject({ code: 'record_malformed' });
    expect(await fs.list('/data')).toEqual(['journal']);
  });

  test('that is too large is not read into memory', async () => {
    const fs = await storage();
    fs.place('/data/journal', new Uint8Array(2 ** 20 + 1));
    const journal = journalOn(fs);
    await journal.load();
    expect(journal.damage?.code).toBe('limit_exceeded');
  });

  test('is as before or as saved when the power is cut in any operation of a save', async () => {
    for (const unsynced of ['kept', 'lost'] as const) {
      for (let cut = 1; ; cut++) {
        const fs = await storage();
        await journalOn(fs).save();
        let calls = 0;
        const watched = watchFileSystem(fs, () => {
          if (++calls >= cut) throw new Error('cut');
        });
        const journal = journalOn(watched);
        journal.body.sequence = 41;
        const done = await journal.save().then(
          () => true,
          () => false,
        );
        fs.crash(unsynced);
        const found = journalOn(fs);
        const { sequence } = await found.load();
        expect(found.damage).toBeNull();
        expect(done ? [42] : [1, 42]).toContain(sequence);
        if (done) break;
        expect(cut).toBeLessThan(20);
      }
    }
  });
});

describe('the keystore', () => {
  test('never lowers a counter', async () => {
    const fs = await storage();
    const keystore = keystoreOn(fs);
    await keystore.raise({ rollback: 5, other: 1 });
    await keystore.raise({ rollback: 3 });
    fs.crash('lost');
    expect(await keystoreOn(fs).counters()).toEqual({ rollback: 5, other: 1 });
    expect(await keystore.counter('unknown')).toBe(0);
    await expect(keystore.raise({ rollback: -1 })).rejects.toMatchObject({ code: 'keystore_failed' });
  });

  test('survives the loss of either copy, and stops when both are damaged', async () => {
    for (const lost of ['/data/keystore', '/data/keystore.copy']) {
      const fs = await storage();
      await keystoreOn(fs).raise({ rollback: 5 });
      fs.place(lost, new Uint8Array([1]));
      expect(await keystoreOn(fs).counter('rollback')).toBe(5);
    }
    const fs = await storage();
    await keystoreOn(fs).raise({ rollback: 5 });
    fs.place('/data/keystore', new Uint8Array([1]));
    fs.place('/data/keystore.copy', new Uint8Array([1]));
    await expect(keystoreOn(fs).counter('rollback')).rejects.toMatchObject({ code: 'keystore_failed', outcome: 30 });
  });

  test('brings the second copy up to date, though the first one holds the value already', async () => {
    const fs = await storage();
    await keystoreOn(fs).raise({ n: 1 });
    const before = fs.peek('/data/keystore.copy')!;
    await keystoreOn(fs).raise({ n: 2 });
    // As a process leaves it that is killed between the two.
    fs.place('/data/keystore.copy', before);
    await keystoreOn(fs).raise({ n: 2 });
    fs.place('/data/keystore', new Uint8Array([1]));
    expect(await keystoreOn(fs).counter('n')).toBe(2);
  });

  test('keeps the trusted root with the counters', async () => {
    const fs = await storage();
    await keystoreOn(fs).setTrustedRoot(new Uint8Array([1, 2, 3]));
    await keystoreOn(fs).raise({ a: 1 });
    expect(await keystoreOn(fs).trustedRoot()).toEqual(new Uint8Array([1, 2, 3]));
  });

  test('counts no lower after a power cut in any operation of a raise', async () => {
    for (let cut = 1; ; cut++) {
      const fs = await storage();
      await keystoreOn(fs).raise({ n: 1 });
      let calls = 0;
      const watched = watchFileSystem(fs, () => {
        if (++calls >= cut) throw new Error('cut');
      });
      const done = await keystoreOn(watched)
        .raise({ n: 2 })
        .then(
          () => true,
          () => false,
        );
      fs.crash('lost');
      const value = await keystoreOn(fs).counter('n');
      expect(value).toBeGreaterThanOrEqual(done ? 2 : 1);
      if (done) break;
      expect(cut).toBeLessThan(40);
    }
  });
});

const BOOT = { stateFile: '/boot/state', choiceFile: '/boot/choice' };

async function booted() {
  const fs = new MemoryFileSystem();
  await fs.makeFolder('/boot');
  const loader = new FakeBootLoader({ fs, ...BOOT });
  await loader.install(['A', 'B'], ['A']);
  await loader.boot();
  const control = new VariableBootControl({ slots: ['A', 'B'], variables: new FileBootVariables({ fs, ...BOOT }) });
  return { fs, loader, control };
}

describe('boot control', () => {
  test('arms with full tries, and flips the order in the very last write', async () => {
    const { fs, control, loader } = await booted();
    const writes: string[] = [];
    const watched = watchFileSystem(fs, ({ name }) => {
      if (name === 'rename') writes.push(new TextDecoder().decode(fs.peek('/boot/state.new')!));
    });
    await new VariableBootControl({
      slots: ['A', 'B'],
      variables: new FileBootVariables({ fs: watched, ...BOOT }),
    }).arm('B');
    expect(writes.map((text) => /BOOT_ORDER=(.) /.exec(text)![1])).toEqual(['A', 'B']);
    expect(writes[0]).toMatch(/BOOT_B_LEFT=3/);
    expect(await control.read()).toMatchObject({ running: 'A', order: ['B', 'A'], tries: { A: 3, B: 3 } });
    expect(await loader.boot()).toBe('B');
  });

  test('neither arms nor closes the running slot', async () => {
    const { control } = await booted();
    await expect(control.arm('A')).rejects.toMatchObject({ code: 'slot_active' });
    await expect(control.markUnbootable('A')).rejects.toMatchObject({ code: 'slot_active' });
  });

  test('goes back without a moment in which nothing boots', async () => {
    const { fs, control, loader } = await booted();
    await control.arm('B');
    await loader.boot();
    for (let cut = 1; ; cut++) {
      const state = fs.peek('/boot/state')!;
      let calls = 0;
      const watched = watchFileSystem(fs, () => {
        if (++calls >= cut) throw new Error('cut');
      });
      const variables = new FileBootVariables({ fs: watched, ...BOOT });
      const done = await new VariableBootControl({ slots: ['A', 'B'], variables }).rollBack('B', 'A').then(
        () => true,
        () => false,
      );
      fs.crash('kept');
      expect(await loader.boot()).not.toBeNull();
      if (done) break;
      fs.place('/boot/state', state);
      fs.place('/boot/choice', new TextEncoder().encode('slot=B\nboot_id=again\n'));
    }
    expect(await loader.boot()).toBe('A');
  });

  test('believes no write that does not read back', async () => {
    const deaf: BootVariables = {
      read: async () => new Map([['BOOT_ORDER', 'A B']]),
      write: async () => undefined,
      chosen: async () => ({ slot: 'A', bootId: '1' }),
    };
    const control = new VariableBootControl({ slots: ['A', 'B'], variables: deaf });
    await expect(control.arm('B')).rejects.toMatchObject({ code: 'boot_readback', outcome: 30 });
  });

  test('says so when the boot loader names no slot, or an unknown one', async () => {
    const { fs, control } = await booted();
    fs.place('/boot/choice', new TextEncoder().encode('slot=C\nboot_id=1\n'));
    await expect(control.read()).rejects.toMatchObject({ code: 'boot_unreadable' });
    fs.place('/boot/choice', new TextEncoder().encode('rubbish'));
    await expect(control.read()).rejects.toMatchObject({ code: 'boot_unreadable' });
    await fs.unlink('/boot/state');
    await expect(control.read()).rejects.toMatchObject({ code: 'boot_unreadable' });
  });
});
