/**
 * A delta that takes more memory or work than the device allows: the full payload is taken, which takes far less, whether that
 * shows before anything is fetched or in the middle, after the configuration was changed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseHeader, PAYLOAD_MAGIC, type PayloadHeader } from '../../../native-free/format/payload-header.ts';
import type { AgentConfig } from '../../../src/agent/index.ts';
import { device, makeLab, sameBytes, sha256Hex, type Lab, type SimulatedDevice } from '../../support/device/agent.ts';

let lab: Lab;
let delta: PayloadHeader & { readonly blob: string };
let fullMemoryBytes: number;
beforeAll(async () => {
  lab = await makeLab();
  const folder = join(lab.publisher.dir, 'blobs', 'sha256');
  for (const blob of readdirSync(folder)) {
    const bytes = new Uint8Array(readFileSync(join(folder, blob)));
    if (PAYLOAD_MAGIC.some((byte, i) => bytes[i] !== byte)) continue;
    const header = parseHeader(bytes);
    if (sha256Hex(lab.target) !== Buffer.from(header.targetDigest).toString('hex')) continue;
    if (header.kind === 'delta') delta = { ...header, blob };
    else fullMemoryBytes = header.decoderMemoryBytes;
  }
});

async function assigned(limits = ''): Promise<SimulatedDevice> {
  const it = await device(lab, { toml: { limits } });
  await it.knowsSource();
  it.deployments.assign('2.0');
  return it;
}

describe('a delta', () => {
  test('that takes what is allowed is taken', async () => {
    const it = await assigned(
      `decoder_work = ${delta.decoderWork}\ndecoder_memory_bytes = ${delta.decoderMemoryBytes}`,
    );
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(it.journal().last?.plan).toMatchObject({ kind: 'delta' });
  });

  test.each(['decoder_work', 'decoder_memory_bytes'] as const)(
    'that takes more %s gives way to the full payload before a byte of it is fetched',
    async (limit) => {
      const most = (limit === 'decoder_work' ? delta.decoderWork : delta.decoderMemoryBytes) - 1;
      const it = await assigned(`${limit} = ${most}`);
      expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
      expect(it.journal().last?.plan).toMatchObject({ kind: 'full' });
      expect(it.network.bytesOf(delta.blob)).toBe(0);
      expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
      expect(JSON.stringify(it.events)).toContain(`${most} `);
    },
  );

  test.each(['decoderWork', 'decoderMemoryBytes'] as const)(
    'that takes more %s than is allowed by now gives way in the middle',
    async (limit) => {
      const it = await assigned();
      await stoppedBehindFirstSegment(it);
      const limits = it.config.limits as { -readonly [K in keyof AgentConfig['limits']]: AgentConfig['limits'][K] };
      limits[limit] = delta[limit] - 1;
      expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
      expect(it.journal().last?.plan).toMatchObject({ kind: 'full' });
      expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
      // Nothing is wrong with the slot that runs.
      expect(it.journal().slots['A']).toMatchObject({ version: '1.0' });
    },
  );
});

test('a full payload that takes more memory than is allowed ends the attempt', async () => {
  const it = await assigned(`decoder_memory_bytes = ${fullMemoryBytes - 1}`);
  expect(await it.untilDone()).toMatchObject({ status: 10, code: 'decoder_memory' });
  expect(it.network.bytesOf('/blobs/')).toBe(0);
});

async function stoppedBehindFirstSegment(it: SimulatedDevice): Promise<void> {
  const stop = new AbortController();
  const { push } = it.events;
  it.events.push = (...events) => {
    if (events.some(({ type }) => type === 'progress')) stop.abort();
    return push.apply(it.events, events);
  };
  await expect(it.once(stop.signal)).rejects.toMatchObject({ code: 'aborted' });
  it.events.push = push;
  expect(it.journal()).toMatchObject({ state: 'APPLY', attempt: { plan: { kind: 'delta' } } });
}
