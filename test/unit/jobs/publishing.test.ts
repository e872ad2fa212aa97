import { describe, expect, test } from 'vitest';
import type { PayloadMaker } from '../../../src/release/index.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { PublishingOptions } from '../../../src/server/index.ts';
import {
  clientOf,
  imageOf,
  plainMaker,
  publisher,
  sha256Of,
  startServer,
  tufClient,
  until,
} from '../../support/publishing.ts';

const KEY = { product: 'cam', hardware: 'v1' };

async function serving(publishing: Partial<PublishingOptions> = {}, earlier = 1) {
  const made = await publisher();
  for (let version = 1; version <= earlier; version++) await made.release(version);
  const all = { signers: made.signers, maker: plainMaker, pollMs: 5, ...publishing };
  const server = await startServer(made.dir, { publishing: all });
  const url = await server.listen(0);
  return { ...made, server, url, client: clientOf(server), publishing: clientOf(server).publishing };
}
type Serving = Awaited<ReturnType<typeof serving>>;

async function uploaded({ publishing }: Serving, image: Uint8Array<ArrayBuffer>) {
  const begun = await publishing.beginUpload({ bytes: image.length, sha256: sha256Of(image) });
  return publishing.append(begun.id, 0, image);
}

const device = async ({ server }: Serving, id: string, version: string) => {
  const name = { tenant: 'default', controllerId: id };
  await server.store.devices.register(name, 1, null);
  await server.store.devices.setAttributes(name, 'merge', { ...KEY, version });
};

describe('publishing through a server', () => {
  test('makes a release visible with its full payload, then adds the deltas that the fleet needs', async () => {
    const of = await serving({}, 3);
    for (const id of ['a', 'b']) await device(of, id, '1.0');
    const { id } = await uploaded(of, imageOf(4));
    const begun = await of.publishing.publish({ ...KEY, version: '4.0', upload: id, latest: 1, deltasMax: 2 });
    expect(begun.payloads.map(({ sourceVersion, devices }) => [sourceVersion, devices])).toEqual([
      ...[
        [null, 0],
        ['1.0', 2],
        ['3.0', 0],
      ],
    ]);
    const now = await until(
      () => of.publishing.publication(begun.id),
      (it) => it.payloads.every((p) => p.state !== 'wanted'),
    );
    expect(now).toMatchObject({ state: 'published', releaseId: expect.any(Number) });
    const release = await of.client.release(now.releaseId!);
    expect(release.payloads.map(({ kind, source }) => [kind, source?.version])).toEqual([
      ...[
        ['full', undefined],
        ['delta', '1.0'],
        ['delta', '3.0'],
      ],
    ]);
    const target = await tufClient(of.url, of.dir).target(release.payloads[1]!.targetName);
    expect(target?.custom).toMatchObject({ version: '4.0', rollbackIndex: 4 });
    expect((await of.publishing.jobs({ state: 'done' })).length).toBe(3);
  });

  test('gives the same answer to the same release, and refuses other content under its version', async () => {
    const of = await serving();
    const first = await uploaded(of, imageOf(2));
    const begun = await of.publishing.publish({ ...KEY, version: '2.0', upload: first.id });
    await until(
      () => of.publishing.publication(begun.id),
      (it) => it.state === 'published',
    );
    const again = await uploaded(of, imageOf(2));
    expect((await of.publishing.publish({ ...KEY, version: '2.0', upload: again.id })).id).toBe(begun.id);
    const other = await uploaded(of, imageOf(3));
    await expect(of.publishing.publish({ ...KEY, version: '2.0', upload: other.id })).rejects.toMatchObject({
      code: 'release_exists',
    });
    expect(await of.publishing.upload(other.id)).toMatchObject({ complete: true });
  });

  test('says that it holds no keys, where it holds none', async () => {
    const of = await serving({ signers: undefined as never });
    const { id } = await uploaded(of, imageOf(2));
    await expect(of.publishing.publish({ ...KEY, version: '2.0', upload: id })).rejects.toMatchObject({
      ...{ code: 'state_conflict', message: expect.stringContaining('no signing keys') },
    });
  });

  test('never shows half a release: one whose full payload fails is not there, and can be tried again', async () => {
    let broken = true;
    const maker: PayloadMaker = {
      ...plainMaker,
      full: (image) => (broken ? Promise.reject(new UpdateError('proof_failed', 'no')) : plainMaker.full(image)),
    };
    const of = await serving({ maker });
    const { id } = await uploaded(of, imageOf(2));
    const begun = await of.publishing.publish({ ...KEY, version: '2.0', upload: id });
    const failed = await until(
      () => of.publishing.publication(begun.id),
      (it) => it.state === 'failed',
    );
    expect(failed.error).toContain('proof_failed');
    expect(await of.client.releases({ version: '2.0' })).toEqual([]);
    broken = false;
    const again = await uploaded(of, imageOf(2));
    await of.publishing.publish({ ...KEY, version: '2.0', upload: again.id });
    await until(
      () => of.client.releases({ version: '2.0' }),
      (rows) => rows.length === 1,
    );
  });

  test('notes a delta that is not smaller as dropped, and does not plan it again', async () => {
    const maker: PayloadMaker = {
      ...plainMaker,
      delta: () => Promise.reject(new UpdateError('delta_not_smaller', 'as large as all')),
    };
    const of = await serving({ maker });
    const { id } = await uploaded(of, imageOf(2));
    const begun = await of.publishing.publish({ ...KEY, version: '2.0', upload: id });
    const now = await until(
      () => of.publishing.publication(begun.id),
      (it) => it.payloads.every((p) => p.state !== 'wanted'),
    );
    expect(now.payloads[1]).toMatchObject({ state: 'dropped', reason: 'as large as all' });
    expect((await of.publishing.plan(now.releaseId!)).chosen).toEqual([]);
  });

  test('stops a job that is cancelled while it runs; the release goes without that delta', async () => {
    const maker: PayloadMaker = {
      ...plainMaker,
      delta: (_source, _target, settings) =>
        new Promise((_, reject) => {
          settings!.signal!.addEventListener('abort', () => reject(new UpdateError('aborted', 'stopped')));
        }),
    };
    const of = await serving({ maker });
    const { id } = await uploaded(of, imageOf(2));
    const begun = await of.publishing.publish({ ...KEY, version: '2.0', upload: id });
    const [job] = await until(
      () => of.publishing.jobs({ state: 'running' }),
      (rows) => rows[0]?.label.startsWith('delta') === true,
    );
    await of.publishing.cancelJob(job!.id);
    const now = await until(
      () => of.publishing.publication(begun.id),
      (it) => it.payloads[1]?.state === 'cancelled',
    );
    expect(now).toMatchObject({ state: 'published' });
    expect(await of.publishing.job(job!.id)).toMatchObject({ state: 'cancelled', worker: null });
  });

  test('prices a rollout by the fleet as it is', async () => {
    const of = await serving();
    for (const [id, version] of [
      ['a', '1.0'],
      ['b', '1.0'],
      ['c', '0.9'],
      ['d', '2.0'],
    ])
      await device(of, id!, version!);
    const { id } = await uploaded(of, imageOf(2));
    const begun = await of.publishing.publish({ ...KEY, version: '2.0', upload: id });
    const { releaseId } = await until(
      () => of.publishing.publication(begun.id),
      (it) => it.payloads.every((p) => p.state !== 'wanted'),
    );
    const price = await of.publishing.price(releaseId!, { groups: [50, 50], pricePerMb: 2, linkBits: 1e6 });
    expect(price).toMatchObject({
      devices: 4,
      current: 1,
      deltas: 2,
      full: [{ version: '0.9', devices: 1, why: 'no delta' }],
    });
    expect(price.waves.map(({ devices }) => devices)).toEqual([2, 1]);
    await expect(of.publishing.price(releaseId!, { groups: [50] })).rejects.toMatchObject({ code: 'usage_invalid' });
  });

  test('goes on after a crash between any two steps: what stands in the database is enough', async () => {
    const made = await publisher();
    await made.release(1);
    const publishing = { signers: made.signers, maker: plainMaker, pollMs: 5 };
    const first = await startServer(made.dir, { publishing });
    const of = { ...made, server: first, url: '', client: clientOf(first), publishing: clientOf(first).publishing };
    const { id } = await uploaded(of, imageOf(2));
    // It does not listen, so that nothing is made: as if it had crashed then.
    await of.publishing.publish({ ...KEY, version: '2.0', upload: id });
    await first.close(0);
    const second = await startServer(made.dir, { publishing });
    await second.listen(0);
    await until(
      () => clientOf(second).releases({ version: '2.0' }),
      (rows) => rows[0]?.payloads.length === 2,
    );
  });
});
