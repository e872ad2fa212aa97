/**
 * What a refresh renews, with the keys that are at hand, as a repository grows old.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defaultExpiryDays, Repository } from '../../../src/release/index.ts';
import { publisher } from '../../support/release.ts';

const DAY_MS = 86_400_000;
const FOUNDED = Date.parse('2026-01-01T00:00:00Z');

/** A repository with one release, seen `days` later. */
async function aged(days: number) {
  const { dir, signers, release } = await publisher({ now: () => new Date(FOUNDED) });
  await release(1);
  const now = new Date(FOUNDED + days * DAY_MS);
  return { dir, signers, repository: new Repository(dir, { now: () => now }) };
}

describe('a refresh', () => {
  test('renews the timestamp alone while the rest is young', async () => {
    const { repository, signers } = await aged(20);
    const { renewed, expires } = await repository.refresh(signers);
    expect(renewed).toEqual(['timestamp']);
    const days = (role: keyof typeof expires) => (Date.parse(expires[role]) - FOUNDED) / DAY_MS;
    expect(days('timestamp')).toBe(20 + defaultExpiryDays.timestamp);
    expect(days('snapshot')).toBe(defaultExpiryDays.snapshot);
    expect(days('root')).toBe(defaultExpiryDays.root);
  });

  test('renews the snapshot when half of its life is over, and targets with the snapshot above them', async () => {
    const half = await aged(46);
    expect((await half.repository.refresh(half.signers)).renewed).toEqual(['snapshot', 'timestamp']);
    const old = await aged(366);
    const { renewed, versions } = await old.repository.refresh(old.signers);
    expect(renewed).toEqual(['targets', 'snapshot', 'timestamp']);
    expect(versions).toMatchObject({ root: 1, targets: 2, snapshot: 2, timestamp: 2 });
    const catalog = await readFile(join(old.dir, 'catalog', '2.json'), 'utf8');
    expect(catalog).toBe(await readFile(join(old.dir, 'catalog', '1.json'), 'utf8'));
    expect((await old.repository.state()).catalog.releases).toHaveLength(1);
  });

  test('does without a key while what it signed outlives the new timestamp, and names it when it does not', async () => {
    const half = await aged(46);
    const { timestamp, snapshot } = half.signers;
    expect((await half.repository.refresh({ timestamp })).renewed).toEqual(['timestamp']);
    const nearly = await aged(70);
    const refused = expect(nearly.repository.refresh({ timestamp: nearly.signers.timestamp })).rejects;
    await refused.toMatchObject({ code: 'key_unreadable', detail: { role: 'snapshot' } });
    const young = expect(half.repository.refresh({ timestamp, snapshot }, { all: true })).rejects;
    await young.toMatchObject({
      detail: { role: 'targets' },
      message: expect.stringContaining('everything') as unknown,
    });
    const old = await aged(366);
    expect(
      (await old.repository.refresh({ timestamp: old.signers.timestamp, snapshot: old.signers.snapshot })).renewed,
    ).toEqual(['snapshot', 'timestamp']);
    expect(snapshot).toBeDefined();
  });

  test('never writes a file again that somebody may have cached', async () => {
    const { dir, repository, signers } = await aged(10);
    const before = await readFile(join(dir, 'metadata', '1.snapshot.json'), 'utf8');
    await repository.refresh(signers);
    expect(await readFile(join(dir, 'metadata', '1.snapshot.json'), 'utf8')).toBe(before);
    expect((await repository.state()).versions).toEqual({ root: 1, targets: 1, snapshot: 1, timestamp: 2 });
  });
});
