import { describe, expect, test } from 'vitest';
import { DEFAULT_BOUNDS, planDeltas, type PlanInput } from '../../../src/server/planning/plan.ts';

const MIB = 2 ** 20;
const source = (version: string, bytes = 10 * MIB) => ({ version, sha256: `image of ${version}`, bytes });

/** Releases 9 to 1 before a release 10, the latest first. */
const plan = (more: Partial<PlanInput>) =>
  planDeltas({
    ...{ target: { sha256: 'image of 10', bytes: 10 * MIB }, fullBytes: 4 * MIB, knownShare: null },
    sources: Array.from({ length: 9 }, (_, i) => source(`${9 - i}`)),
    ...{ devices: [], settled: new Set<string>(), bounds: DEFAULT_BOUNDS },
    ...more,
  });
const versions = (made: ReturnType<typeof plan>) => made.chosen.map(({ version }) => version);

describe('the plan of deltas', () => {
  test('begins with the versions that save most, then takes the latest releases', () => {
    const made = plan({
      devices: [
        { version: '3', devices: 900 },
        { version: '8', devices: 1000 },
        { version: '2', devices: 5 },
      ],
    });
    expect(versions(made)).toEqual(['8', '3', '2', '9', '7']);
    expect(made.left).toEqual([]);
    expect(made.chosen[0]).toMatchObject({
      devices: 1000,
      savedBytes: 1000 * (4 * MIB - made.chosen[0]!.estimateBytes),
    });
  });

  test('weighs devices with what a delta saves them: an older version has more to take', () => {
    const made = plan({
      devices: [
        { version: '1', devices: 100 },
        { version: '9', devices: 99 },
      ],
      knownShare: 0.3,
    });
    expect(versions(made).slice(0, 2)).toEqual(['9', '1']);
  });

  test('adds up what the fleet reports in several rows', () => {
    const rows = [
      { version: '4', devices: 10 },
      { version: '5', devices: 15 },
      { version: '4', devices: 10 },
    ];
    expect(versions(plan({ devices: rows })).slice(0, 2)).toEqual(['4', '5']);
  });

  test('makes nothing twice, and nothing that was tried and not smaller', () => {
    const made = plan({ devices: [{ version: '9', devices: 7 }], settled: new Set(['image of 9', 'image of 8']) });
    expect(versions(made)).toEqual(['7']);
  });

  test('says which devices get none, and why', () => {
    const made = plan({
      devices: [
        ...[
          { version: null, devices: 3 },
          { version: 'by hand', devices: 4 },
          { version: '9', devices: 50 },
        ],
        ...[
          { version: '5', devices: 2 },
          { version: '10', devices: 8 },
        ],
      ],
      sources: [source('10'), source('9'), source('5')],
      bounds: { ...DEFAULT_BOUNDS, deltasMax: 1 },
    });
    expect(versions(made)).toEqual(['9']);
    expect(made.left).toEqual([
      { version: null, devices: 3, why: 'untold' },
      { version: 'by hand', devices: 4, why: 'unpublished' },
      { version: '10', devices: 8, why: 'current' },
      { version: '5', devices: 2, why: 'bounds' },
    ]);
  });

  test('keeps within CPU time and storage; what is too much leaves room for what is not', () => {
    const sources = [source('9'), source('8', 5000 * MIB), source('7')];
    const devices = [
      { version: '9', devices: 9 },
      { version: '8', devices: 8 },
      { version: '7', devices: 7 },
    ];
    expect(versions(plan({ sources, devices, bounds: { ...DEFAULT_BOUNDS, cpuSecondsMax: 100 } }))).toEqual(['9', '7']);
    const small = { ...DEFAULT_BOUNDS, storageBytesMax: 0.5 * MIB };
    expect(versions(plan({ devices, bounds: small }))).toEqual(['9']);
  });

  test('takes one image once, however many versions it was published as', () => {
    const same = { version: '8b', sha256: 'image of 8', bytes: 10 * MIB };
    const devices = [
      { version: '8', devices: 5 },
      { version: '8b', devices: 6 },
      { version: '9', devices: 10 },
    ];
    const made = plan({ sources: [source('9'), same, source('8')], devices });
    expect(made.chosen.map(({ sha256, devices: count }) => [sha256, count])).toEqual([
      ['image of 8', 11],
      ['image of 9', 10],
    ]);
  });

  test('is empty where there is nothing before', () => {
    expect(plan({ sources: [] })).toEqual({ chosen: [], left: [] });
  });
});
