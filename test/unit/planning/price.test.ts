import { describe, expect, test } from 'vitest';
import { priceRollout, type PriceInput } from '../../../src/server/planning/price.ts';

const delta = (version: string, bytes: number, format = '5-delta') => ({
  ...({ kind: 'delta', bytes, format, source: { version } } as const),
});
const full = { kind: 'full', bytes: 1_000_000, format: '5-full', source: null } as const;
const all = ['5-full', '5-delta', '5-units'];
const price = (more: Partial<PriceInput>) =>
  priceRollout({
    ...{ version: '3', payloads: [full, delta('2', 10_000), delta('1', 40_000, '5-units')] },
    ...{ counts: [], ...more },
  });

describe('the price of a rollout', () => {
  test('counts bytes by what each kind of device takes, and says why some take all', () => {
    const counts = [
      ...[
        { version: '2', decodes: all, devices: 600 },
        { version: '1', decodes: all, devices: 100 },
      ],
      ...[
        { version: '1', decodes: ['5-full', '5-delta'], devices: 20 },
        { version: '0', decodes: null, devices: 10 },
      ],
      ...[
        { version: null, decodes: null, devices: 5 },
        { version: '3', decodes: all, devices: 265 },
      ],
    ];
    const made = price({ counts, making: new Set(['0']) });
    expect(made).toMatchObject({ devices: 1000, current: 265, without: 0, deltas: 700, largestDeltaBytes: 40_000 });
    expect(made.bytes).toBe(600 * 10_000 + 100 * 40_000 + 35 * 1_000_000);
    expect(made.fullOnlyBytes).toBe(735 * 1_000_000);
    expect(made.deltaShare).toBeCloseTo(700 / 735);
    expect(made.full).toEqual([
      { version: '1', devices: 20, why: 'decoder too old' },
      { version: '0', devices: 10, why: 'delta in the making' },
      { version: null, devices: 5, why: 'version unknown' },
    ]);
  });

  test('shares the bytes out among waves, and loses no device by rounding', () => {
    const counts = [
      { version: '2', decodes: all, devices: 333 },
      { version: '0', decodes: all, devices: 7 },
    ];
    const made = price({ counts, groups: [1, 9, 30, 60] });
    const sum = (of: 'devices' | 'bytes' | 'deltas') => made.waves.reduce((total, wave) => total + wave[of], 0);
    expect(made.waves.map(({ percent }) => percent)).toEqual([1, 9, 30, 60]);
    expect([sum('devices'), sum('bytes'), sum('deltas')]).toEqual([340, made.bytes, 333]);
    expect(made.waves[0]).toEqual({ percent: 1, devices: 3, deltas: 3, bytes: 30_000 });
  });

  test('tells money and minutes where it is told a price and a link', () => {
    const counts = [
      { version: '2', decodes: all, devices: 3 },
      { version: '0', decodes: all, devices: 1 },
    ];
    const made = price({ counts, pricePerMb: 0.5, linkBits: 1_000_000 });
    expect(made.money).toBeCloseTo(1.03 * 0.5);
    expect(made.minutes?.longest).toBeCloseTo(8 / 60);
    expect(made.minutes?.mean).toBeCloseTo((8 * 1.03) / 4 / 60);
    expect(price({ counts }).money).toBeNull();
  });

  test('has nothing for our devices in a release for foreign clients alone', () => {
    expect(price({ payloads: [], counts: [{ version: '2', decodes: all, devices: 3 }] })).toMatchObject({
      ...{ without: 3, bytes: 0, deltaShare: 0, largestDeltaBytes: null, full: [] },
    });
  });

  test('refuses groups that are no whole, and prices that are none', () => {
    for (const groups of [[], [50], [50, 60], [-10, 110], [NaN, 100]]) {
      expect(() => price({ groups })).toThrow(expect.objectContaining({ code: 'usage_invalid' }));
    }
    expect(() => price({ pricePerMb: 0 })).toThrow(/price per MB/);
    expect(() => price({ linkBits: -1 })).toThrow(/link/);
  });

  test('costs the same for a million devices', () => {
    const counts = [{ version: '2', decodes: all, devices: 1_000_000 }];
    expect(price({ counts, groups: [1, 99] }).bytes).toBe(1e6 * 10_000);
  });
});
