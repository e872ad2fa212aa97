/**
 * The redundant environment and the boot loader that reads it: one copy is always whole, the newer one counts.
 */
import { describe, expect, test } from 'vitest';
import {
  formatCopy,
  parseEnvironment,
  readEnvironment,
  seededRandom,
  SimulatedBootLoader,
  SimulatedEnvironment,
  SimulatedStorage,
  writeEnvironment,
} from '../../../src/testing/index.ts';

const COPY = 4096;
const place = (fs: SimulatedStorage) => ({ fs, path: '/dev/env' });

function device(first: Record<string, string>, counters: readonly [number, number] = [1, 0]): SimulatedStorage {
  const storage = new SimulatedStorage();
  const bytes = new Uint8Array(2 * COPY);
  const variables = new Map(Object.entries(first));
  bytes.set(formatCopy(variables, counters[0], COPY));
  bytes.set(formatCopy(new Map([...variables, ['STALE', '1']]), counters[1], COPY), COPY);
  storage.place('/dev/env', bytes, 'block');
  return storage;
}

describe('the environment', () => {
  test('the CRC is the one that U-Boot and zlib compute', () => {
    // Python: zlib.crc32(b'A=1\0\0')
    const copy = formatCopy(new Map([['A', '1']]), 7, 10);
    expect([...copy.subarray(4)]).toEqual([7, 65, 61, 49, 0, 0]);
    expect(new DataView(copy.buffer).getUint32(0, true)).toBe(0x8459293f);
  });

  test('a change goes to the copy that is not active, and the counter wraps', async () => {
    const storage = device({ A: '1' }, [255, 254]);
    const before = storage.peek('/dev/env')!.slice();
    await writeEnvironment(place(storage), new Map([['A', '2']]));
    const after = storage.peek('/dev/env')!;
    expect(Buffer.compare(after.subarray(0, COPY), before.subarray(0, COPY)), 'the active copy').toBe(0);
    expect(after[COPY + 4]).toBe(0);
    expect(await readEnvironment(place(storage))).toEqual(new Map([['A', '2']]));
    await writeEnvironment(place(storage), new Map([['B', '3']]));
    expect(parseEnvironment(storage.peek('/dev/env')!)).toEqual(new Map(Object.entries({ A: '2', B: '3' })));
  });

  test('a cut in a write leaves the values before or after it', async () => {
    for (const policy of ['none', 'all', 'random', 'torn'] as const) {
      for (let seed = 0; seed < 50; seed++) {
        const storage = device({ A: 'old' });
        const file = await storage.open('/dev/env', 'update');
        await file.write(formatCopy(new Map([['A', 'new']]), 2, COPY), COPY);
        storage.cut(policy, seededRandom(seed));
        const values = await readEnvironment(place(storage));
        expect(['old', 'new'], `${policy} ${seed}`).toContain(values?.get('A'));
      }
    }
  });

  test('there is nothing to go by when both copies are damaged', async () => {
    const storage = device({ A: '1' });
    const bytes = storage.peek('/dev/env')!.slice();
    bytes[100]! ^= 1;
    bytes[COPY + 100]! ^= 1;
    storage.place('/dev/env', bytes, 'block');
    expect(await readEnvironment(place(storage))).toBeNull();
  });

  test('a tool that ignores a write says nothing of it', async () => {
    const storage = device({ A: '1' });
    const chosen = () => ({ slot: 'A', bootId: 'x' });
    const variables = new SimulatedEnvironment({ ...place(storage), chosen, ignores: () => true });
    await variables.write(new Map([['A', '2']]));
    expect((await variables.read()).get('A')).toBe('1');
  });

  test('storage that fails is boot_unreadable and boot_unwritable', async () => {
    const chosen = () => ({ slot: 'A', bootId: 'x' });
    const variables = new SimulatedEnvironment({ fs: new SimulatedStorage(), path: '/dev/env', chosen });
    await expect(variables.read()).rejects.toMatchObject({ code: 'boot_unreadable' });
    await expect(variables.write(new Map())).rejects.toMatchObject({ code: 'boot_unwritable' });
  });
});

describe('the boot loader', () => {
  const loaderOf = (storage: SimulatedStorage): SimulatedBootLoader =>
    new SimulatedBootLoader({
      variables: {
        read: () => readEnvironment(place(storage)),
        write: (values) => writeEnvironment(place(storage), values),
      },
    });

  test('takes the first slot in order that has tries, and uses one up', async () => {
    const storage = device({ BOOT_ORDER: 'B A', BOOT_A_LEFT: '3', BOOT_B_LEFT: '2' });
    const loader = loaderOf(storage);
    const slots: (string | undefined)[] = [];
    for (let i = 0; i < 4; i++) slots.push((await loader.boot(`${i}`))?.slot);
    expect(slots).toEqual(['B', 'B', 'A', 'A']);
  });

  test('gives the first in order new tries rather than brick the device', async () => {
    const storage = device({ BOOT_ORDER: 'A B', BOOT_A_LEFT: '0', BOOT_B_LEFT: '0' });
    expect(await loaderOf(storage).boot('1')).toEqual({ slot: 'A', bootId: '1', rescued: true });
    expect((await readEnvironment(place(storage)))?.get('BOOT_A_LEFT')).toBe('2');
  });

  test('boots nothing without variables or an order', async () => {
    expect(await loaderOf(device({ BOOT_A_LEFT: '3' })).boot('1')).toBeNull();
    const damaged = device({ BOOT_ORDER: 'A' });
    damaged.place('/dev/env', new Uint8Array(2 * COPY).fill(1), 'block');
    expect(await loaderOf(damaged).boot('1')).toBeNull();
  });
});
