/**
 * The simulated storage must be at least as unkind as real storage: what was not synced may be lost, torn, or there in
 * another order, and what was synced may not.
 */
import { describe, expect, test } from 'vitest';
import { below, seededRandom, SimulatedStorage, type CutPolicy } from '../../../src/testing/index.ts';
import { writeFileAtomically } from '../../../src/platform/filesystem.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const read = (storage: SimulatedStorage, path: string): string | null => {
  const bytes = storage.peek(path);
  return bytes === null ? null : new TextDecoder().decode(bytes);
};

async function put(storage: SimulatedStorage, path: string, bytes: Uint8Array, sync: boolean): Promise<void> {
  const file = await storage.open(path, 'create');
  await file.write(bytes, 0);
  if (sync) await file.sync();
  await file.close();
}

function fresh(): SimulatedStorage {
  const storage = new SimulatedStorage();
  storage.placeFolder('/data');
  return storage;
}

/** What is found after cuts with many seeds, without repetition. */
async function outcomes(
  policy: CutPolicy,
  live: (storage: SimulatedStorage) => Promise<void>,
  look: (storage: SimulatedStorage) => string | null,
): Promise<Set<string | null>> {
  const storage = fresh();
  await live(storage);
  const found = new Set<string | null>();
  for (let seed = 0; seed < 200; seed++) {
    const cut = storage.fork();
    cut.cut(policy, seededRandom(seed));
    found.add(look(cut));
  }
  return found;
}

describe('without a sync', () => {
  const live = (storage: SimulatedStorage): Promise<void> => put(storage, '/data/a', text('new'), false);

  test('"none" loses data and name, "all" keeps both', async () => {
    expect(await outcomes('none', live, (it) => read(it, '/data/a'))).toEqual(new Set([null]));
    expect(await outcomes('all', live, (it) => read(it, '/data/a'))).toEqual(new Set(['new']));
  });

  test('"random" may keep the name and not the data', async () => {
    const found = await outcomes('random', live, (it) => read(it, '/data/a'));
    expect(found).toContain(null);
    expect(found).toContain('');
    expect(found).toContain('new');
  });
});

describe('with a sync', () => {
  test('data that were synced are never lost, and a name only with its folder', async () => {
    const live = async (storage: SimulatedStorage): Promise<void> => put(storage, '/data/a', text('new'), true);
    expect(await outcomes('none', live, (it) => read(it, '/data/a'))).toEqual(new Set([null]));
    const both = async (storage: SimulatedStorage): Promise<void> => {
      await live(storage);
      await storage.syncFolder('/data');
    };
    for (const policy of ['none', 'all', 'random', 'torn'] as const) {
      expect(await outcomes(policy, both, (it) => read(it, '/data/a'))).toEqual(new Set(['new']));
    }
  });

  test('an atomic replacement leaves the earlier or the new content, whatever the policy', async () => {
    for (const policy of ['none', 'all', 'random', 'torn'] as const) {
      const found = await outcomes(
        policy,
        async (storage) => {
          storage.place('/data/a', text('old'));
          await writeFileAtomically(storage, '/data/a', text('new'));
          await put(storage, '/data/a.new', text('newest'), true);
          await storage.rename('/data/a.new', '/data/a');
        },
        (it) => read(it, '/data/a'),
      );
      for (const each of found) expect(['new', 'newest']).toContain(each);
    }
  });

  test('a rename without an fsync of the data may leave anything of the right length', async () => {
    const found = await outcomes(
      'random',
      async (storage) => {
        storage.place('/data/a', text('old'));
        await put(storage, '/data/a.new', text('new'), false);
        await storage.rename('/data/a.new', '/data/a');
      },
      (it) => read(it, '/data/a'),
    );
    expect(found).toContain('old');
    expect(found).toContain('new');
    expect(found).toContain('');
    expect(found).toContain('\0\0\0');
  });
});

describe('names', () => {
  test('of one folder survive in order', async () => {
    const found = await outcomes(
      'random',
      async (storage) => {
        for (const name of ['a', 'b', 'c']) storage.place(`/data/${name}`, text(name));
        for (const name of ['a', 'b', 'c']) await storage.unlink(`/data/${name}`);
      },
      (it) => ['a', 'b', 'c'].filter((name) => it.peek(`/data/${name}`) !== null).join(''),
    );
    expect(found).toEqual(new Set(['abc', 'bc', 'c', '']));
  });

  test('what was in a folder that is lost is lost with it', async () => {
    const live = async (storage: SimulatedStorage): Promise<void> => {
      await storage.makeFolder('/data/sub');
      await put(storage, '/data/sub/a', text('x'), true);
      await storage.syncFolder('/data/sub');
    };
    expect(await outcomes('none', live, (it) => read(it, '/data/sub/a'))).toEqual(new Set([null]));
  });

  test('a second name keeps the file when the first is replaced', async () => {
    const storage = fresh();
    storage.place('/data/a', text('old'));
    await storage.link('/data/a', '/data/b');
    await put(storage, '/data/c', text('new'), true);
    await storage.rename('/data/c', '/data/a');
    await storage.syncFolder('/data');
    storage.cut('none', seededRandom(1));
    expect([read(storage, '/data/a'), read(storage, '/data/b'), read(storage, '/data/c')]).toEqual([
      'new',
      'old',
      null,
    ]);
    await expect(storage.link('/data/a', '/data/b')).rejects.toMatchObject({ code: 'EEXIST' });
  });
});

describe('block devices', () => {
  const SECTOR = 512;
  const device = (): SimulatedStorage => {
    const storage = fresh();
    storage.place('/dev/x', new Uint8Array(16 * 1024).fill(1), 'block');
    return storage;
  };
  const sectors = (storage: SimulatedStorage): string =>
    Array.from({ length: 32 }, (_, i) => {
      const bytes = storage.peek('/dev/x')!.subarray(i * SECTOR, (i + 1) * SECTOR);
      expect(new Set(bytes).size, 'a sector is written whole or not at all').toBe(1);
      return String(bytes[0]);
    }).join('');

  test('"random" keeps any sectors, each of them whole', async () => {
    const found = new Set<string>();
    for (let seed = 0; seed < 100; seed++) {
      const storage = device();
      const file = await storage.open('/dev/x', 'update');
      await file.write(new Uint8Array(8 * SECTOR).fill(2), 0);
      await file.write(new Uint8Array(8 * SECTOR).fill(3), 4 * SECTOR);
      storage.cut('random', seededRandom(seed));
      found.add(sectors(storage));
    }
    expect(found.size).toBeGreaterThan(20);
    expect(
      [...found].some((each) => each.startsWith('1') && each.includes('3')),
      'the later write alone',
    ).toBe(true);
  });

  test('"torn" leaves one write in part and all others whole', async () => {
    let torn = 0;
    for (let seed = 0; seed < 50; seed++) {
      const storage = device();
      const file = await storage.open('/dev/x', 'update');
      await file.write(new Uint8Array(16 * SECTOR).fill(2), 0);
      await file.write(new Uint8Array(16 * SECTOR).fill(3), 16 * SECTOR);
      storage.cut('torn', seededRandom(seed));
      const state = sectors(storage);
      const [first, second] = [state.slice(0, 16), state.slice(16)];
      expect(first === '2'.repeat(16) || second === '3'.repeat(16)).toBe(true);
      if (state.includes('1')) torn++;
    }
    expect(torn).toBeGreaterThan(25);
  });

  test('cannot grow, and end where they end', async () => {
    const storage = device();
    const file = await storage.open('/dev/x', 'update');
    expect(await file.size()).toBe(16 * 1024);
    expect(await file.write(new Uint8Array(1000), 16 * 1024 - 100)).toBe(100);
    await expect(file.write(new Uint8Array(1), 16 * 1024)).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(file.truncate(5)).rejects.toMatchObject({ code: 'EINVAL' });
    expect(await storage.stat('/dev/x')).toEqual({ bytes: 0, kind: 'block' });
  });
});

test('a fork goes its own way, whatever is written afterwards', async () => {
  const random = seededRandom(5);
  const storage = fresh();
  storage.place('/dev/x', new Uint8Array(4096), 'block');
  const file = await storage.open('/dev/x', 'update');
  for (let i = 0; i < 200; i++) {
    const twin = storage.fork();
    const before = twin.peek('/dev/x')!.slice();
    await file.write(new Uint8Array(below(random, 600) + 1).fill(i), below(random, 3000));
    if (random() < 0.3) await file.sync();
    expect(Buffer.compare(twin.peek('/dev/x')!, before)).toBe(0);
    const other = await twin.open('/dev/x', 'update');
    const mine = storage.peek('/dev/x')!.slice();
    await other.write(new Uint8Array(4096).fill(255), 0);
    expect(Buffer.compare(storage.peek('/dev/x')!, mine)).toBe(0);
  }
});

test('the same seed gives the same device', async () => {
  const storage = fresh();
  storage.place('/dev/x', new Uint8Array(64 * 1024), 'block');
  const file = await storage.open('/dev/x', 'update');
  await file.write(new Uint8Array(40_000).fill(7), 1000);
  const contents = [1, 1, 2].map((seed) => {
    const twin = storage.fork();
    twin.cut('random', seededRandom(seed));
    return Buffer.from(twin.peek('/dev/x')!).toString('base64');
  });
  expect(contents[0]).toBe(contents[1]);
  expect(contents[0]).not.toBe(contents[2]);
});
