/**
 * Formats on the publisher's side and the server's: what is signed and listed, deltas for older decoders, and how many
 * devices read what.
 */
import { describe, expect, test } from 'vitest';
import { CODEC } from '../../../native-free/index.ts';
import { targetCustomSchema, type PayloadMaker } from '../../../src/release/index.ts';
import { decodersOf, Store } from '../../../src/server/index.ts';
import { sha256Hex } from '../../support/images.ts';
import { imageOf, plainMaker, publisher, temporaryFolder } from '../../support/release.ts';
import { clientOf, releases, startServer } from '../../support/server.ts';

/** Says that its deltas look inside of compressed images, unless it is asked not to. */
function unitsMaker(asked: boolean[] = []): PayloadMaker {
  return {
    ...plainMaker,
    delta: async (source, target, settings) => {
      const made = await plainMaker.delta(source, target);
      asked.push(settings?.unpack !== false);
      if (settings?.unpack === false) return { ...made, payload: new Uint8Array([...made.payload, 0]) };
      const payload = made.payload.slice();
      payload[10] = CODEC.units;
      return { ...made, payload };
    },
  };
}

const deltaName = (version: number, from: number): string =>
  `cam/${version}.0/v1/rootfs/delta/${sha256Hex(imageOf(from))}`;

describe('publish', () => {
  test('signs version and codec of every payload, as its header has them', async () => {
    const { release, repository } = await publisher();
    await release(1);
    const { added } = await release(2, { engine: unitsMaker() });
    expect(added.map(({ format }) => format)).toEqual(['5-full', '5-units']);
    const { targets } = await repository.state();
    const signed = (name: string) => targetCustomSchema.parse(targets[name]!.custom);
    expect(signed('cam/2.0/v1/rootfs/full')).toMatchObject({ payloadVersion: 5, codec: CODEC.zstd });
    expect(signed(deltaName(2, 1))).toMatchObject({ payloadVersion: 5, codec: CODEC.units });
  });

  test('makes a plain delta as well, if asked, where the best one is none', async () => {
    const { release, repository } = await publisher();
    for (const version of [1, 2]) await release(version);
    const asked: boolean[] = [];
    const { added } = await release(3, { engine: unitsMaker(asked), olderDecoders: true });
    expect(added.map(({ format, source }) => `${format} ${source?.version}`)).toEqual([
      ...['5-full undefined', '5-units 2.0', '5-delta 2.0', '5-units 1.0', '5-delta 1.0'],
    ]);
    expect(asked).toEqual([true, false, true, false]);
    expect(Object.keys((await repository.state()).targets)).toContain(`${deltaName(3, 1)}.5-delta`);
    // Published again there is nothing to add; and what is plain already is not made twice.
    expect((await release(3, { engine: unitsMaker(asked), olderDecoders: true })).added).toEqual([]);
    expect((await release(4, { olderDecoders: true, from: 1 })).added).toHaveLength(2);
    expect((await release(4, { olderDecoders: true, from: 1 })).added).toEqual([]);
    expect(asked).toHaveLength(4);
  });

  test('adds them to a release that was published without', async () => {
    const { release } = await publisher();
    await release(1);
    await release(2, { engine: unitsMaker() });
    const progress = new Set<string>();
    const { added, release: now } = await release(2, {
      engine: unitsMaker(),
      olderDecoders: true,
      onProgress: ({ payload }) => progress.add(payload),
    });
    expect(added.map(({ format }) => format)).toEqual(['5-delta']);
    expect(now.payloads.map(({ format }) => format)).toEqual(['5-full', '5-units', '5-delta']);
  });

  test('leaves out one that gains nothing, and says so', async () => {
    const { release } = await publisher();
    await release(1);
    const engine = unitsMaker();
    const { release: made } = await release(2, {
      olderDecoders: true,
      engine: {
        ...engine,
        delta: async (source, target, settings) => {
          const delta = await engine.delta(source, target, settings);
          return settings?.unpack === false
            ? { ...delta, payload: new Uint8Array([...delta.payload, ...(target as Uint8Array)]) }
            : delta;
        },
      },
    });
    expect(made.payloads.map(({ format }) => format)).toEqual(['5-full', '5-units']);
    expect(made.dropped).toMatchObject([
      { version: '1.0', reason: expect.stringMatching(/^for older decoders: .*in full/) },
    ]);
  });
});

describe('the server', () => {
  async function fleet() {
    const made = await releases(1);
    await made.release(2, { engine: unitsMaker(), olderDecoders: true });
    const server = await startServer(made.dir);
    const tell = async (id: string, more: Record<string, string>, version = '1.0') => {
      const base = `/default/controller/v1/${id}`;
      await server.app.request(base);
      const data = { 'engraft.product': 'cam', 'engraft.hardware': 'v1', 'engraft.version': version, ...more };
      await server.app.request(`${base}/configData`, { method: 'PUT', body: JSON.stringify({ mode: 'merge', data }) });
    };
    await tell('new-1', { 'engraft.decodes': '5-full 5-delta 5-units' });
    await tell('new-2', { 'engraft.decodes': '5-full 5-delta 5-units' });
    await tell('old', { 'engraft.decodes': '5-full 5-delta' });
    await tell('oldest', { 'engraft.decodes': '5-full' });
    await tell('silent', {});
    await tell('other', { 'engraft.hardware': 'v2', 'engraft.decodes': '5-full' });
    return { made, server, client: clientOf(server), tell };
  }

  test('shows what each device decodes, and counts for all', async () => {
    const { client, tell } = await fleet();
    const line = { product: 'cam', hardware: 'v1' };
    expect(await client.decoders(line)).toEqual({
      ...{ devices: 5, untold: 1 },
      formats: [
        { format: '5-delta', devices: 3 },
        { format: '5-full', devices: 4 },
        { format: '5-units', devices: 2 },
      ],
      decoders: expect.arrayContaining([
        { formats: ['5-full', '5-delta', '5-units'], devices: 2 },
        { formats: ['5-full'], devices: 1 },
        { formats: null, devices: 1 },
      ]),
    });
    expect(await client.decoders()).toMatchObject({ devices: 6 });
    expect(await client.device('old')).toMatchObject({ decodes: ['5-full', '5-delta'] });
    expect(await client.device('silent')).toMatchObject({ decodes: null });
    await tell('old', { 'engraft.decodes': '5-full 5-delta 5-units' });
    expect(await client.decoders(line)).toMatchObject({ decoders: [{ devices: 3 }, {}, {}] });
    await expect(client.decoders({ product: 'x'.repeat(2000) })).rejects.toMatchObject({ code: 'usage_invalid' });
  });

  test('shows which payload each device gets, and that it does not read a smaller one', async () => {
    const { client } = await fleet();
    const [release] = await client.releases({ version: '2.0' });
    const { id } = await client.createDeployment({ releaseId: release!.id, devices: 'all' });
    const rows = await client.deploymentActions(id);
    const gets = Object.fromEntries(
      rows.map(({ controllerId, payload }) => [controllerId, `${payload!.kind} ${payload!.unread.join(' ')}`.trim()]),
    );
    expect(gets).toEqual({
      ...{ 'new-1': 'delta', 'new-2': 'delta', silent: 'delta' },
      ...{ old: 'delta 5-units', oldest: 'full 5-units 5-delta' },
    });
    const [units, plain] = ['5-units', '5-delta'].map((name) =>
      release!.payloads.find(({ format }) => format === name),
    );
    const bytes = Object.fromEntries(rows.map(({ controllerId, payload }) => [controllerId, payload!.bytes]));
    expect(bytes).toMatchObject({ 'new-1': units!.bytes, old: plain!.bytes });
    expect((await client.device('oldest')).actions[0]!.payload).toMatchObject({ unread: ['5-units', '5-delta'] });
  });

  test('is asked through its store as well, and there is none of it made for that', async () => {
    const { made } = await fleet();
    const line = { product: 'cam', hardware: 'v1' };
    expect(await decodersOf({ repo: made.dir, tenant: 'DEFAULT', line })).toMatchObject({ devices: 5, untold: 1 });
    expect(await decodersOf({ repo: temporaryFolder(), tenant: 'default', line })).toMatchObject({ devices: 0 });
  });

  test('believes of a device whose attribute was taken away that it has not said', async () => {
    const store = await Store.open(':memory:');
    const name = { tenant: 'default', controllerId: 'dev' };
    await store.devices.meet(name, 1, null);
    await store.devices.setAttributes(name, 'merge', { 'engraft.decodes': '5-full' });
    expect((await store.devices.get(name)).decodes).toEqual(['5-full']);
    await store.devices.setAttributes(name, 'remove', { 'engraft.decodes': '' });
    expect((await store.devices.get(name)).decodes).toBeNull();
    await store.close();
  });
});
