/**
 * A fleet of two ages, through the programs and with the real engine: images with compressed units, a delta that looks
 * inside, a plain one for agents that cannot, and what publish, device and deployment say of both.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CODEC, DECODER_FEATURES, formatName } from '../../native-free/index.ts';
import { assignedDevice, labOf, sameBytes } from '../support/device/agent.ts';
import { random } from '../support/images.ts';
import { start, until, type Running } from '../support/program.ts';
import { publisher, temporaryFolder, type Publisher } from '../support/release.ts';

const TOKEN = { ENGRAFT_MANAGEMENT_TOKEN: 'tok' };
const OLD = DECODER_FEATURES.filter(({ codec }) => codec !== CODEC.units);

const haveSquashfs = spawnSync('mksquashfs', ['-version']).error === undefined;

/** A few files in compressed blocks, each with a word that says the version. */
function imageOf(version: number): Uint8Array {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'files'));
  for (let file = 0; file < 4; file++) {
    const next = random(file + 1);
    const words = Array.from({ length: 9000 }, () => `w${Math.floor(next() * 50_000)}`);
    words[4000] = `version-${version}`;
    writeFileSync(join(folder, 'files', `file-${file}`), words.join(' '));
  }
  const image = join(folder, 'image');
  const times = ['-all-root', '-no-xattrs', '-mkfs-time', '0', '-all-time', '0', '-noappend', '-quiet', '-no-progress'];
  const ended = spawnSync('mksquashfs', [join(folder, 'files'), image, ...times], { encoding: 'utf8' });
  if (ended.status !== 0) throw new Error(ended.stderr);
  return new Uint8Array(readFileSync(image));
}

let made: Publisher;
let server: Running;
let url = '';
beforeAll(async () => {
  if (!haveSquashfs) return;
  made = await publisher();
  await made.release(1, { image: imageOf(1) });
  server = start(['serve', '--repo', made.dir, '--port', '0', '--json', '--host', '127.0.0.1'], TOKEN);
  let text = '';
  server.child.stdout!.on('data', (piece: string) => (text += piece));
  await until(() => text.includes('}') || server.child.exitCode !== null, 'the URL');
  url = (JSON.parse(text) as { url: string }).url;
});
afterAll(async () => {
  if (!haveSquashfs) return;
  server.child.kill('SIGTERM');
  await server.ended;
});

function publish(version: number, ...more: string[]) {
  const image = join(temporaryFolder(), 'image');
  writeFileSync(image, imageOf(version));
  return start(
    [
      ...['publish', image, '--repo', made.dir, '--keys', made.keys, '--product', 'cam', '--hardware', 'v1'],
      ...['--release-version', `${version}.0`, '--workers', '1', '--from', '1', ...more],
    ],
    TOKEN,
  ).ended;
}

const ask = (...args: string[]) => start([...args, '--server', url], TOKEN).ended;

async function tell(id: string, decodes: string | null, version: string): Promise<void> {
  const base = `${url}/default/controller/v1/${id}`;
  await fetch(base);
  const said = decodes === null ? {} : { 'engraft.decodes': decodes };
  const data = { 'engraft.product': 'cam', 'engraft.hardware': 'v1', 'engraft.version': version, ...said };
  await fetch(`${base}/configData`, { method: 'PUT', body: JSON.stringify({ mode: 'merge', data }) });
}

interface Published {
  readonly release: { readonly payloads: { readonly format: string }[] };
  readonly readers: unknown;
}

describe.skipIf(!haveSquashfs)('a fleet of two ages', () => {
  test('of which nobody knows gets what the engine makes', async () => {
    const ended = await publish(2, '--json');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    const { release, readers } = JSON.parse(ended.stdout) as Published;
    expect(release.payloads.map(({ format }) => format)).toEqual(['5-full', '5-units']);
    expect(readers).toBeNull();
    expect(await ask('device', 'decoders')).toMatchObject({ code: 0, stdout: 'no devices\n' });
  });

  test('that a server knows gets plain deltas as well, and publish says who cannot read what', async () => {
    for (const id of ['new-1', 'new-2']) await tell(id, '5-full 5-delta 5-units', '2.0');
    const all = await publish(2, '--server', url);
    expect(all.stdout).toMatch(/^all 2 devices read every payload$/m);
    await tell('old', '5-full 5-delta', '2.0');
    await tell('silent', null, '2.0');
    const never = await publish(3, '--server', url, '--older-decoders', 'never');
    expect(never.stdout).toMatch(/^1 of 4 devices cannot read 5-units: they take the smallest that they read$/m);
    expect(never.stdout).toMatch(/^1 of 4 devices have not said what they decode$/m);
    expect(never.stdout).toMatch(/^delta from 2\.0 +5-units +[\d,]+ .* new$/m);
    const auto = await publish(3, '--server', url, '--json');
    const { release, readers } = JSON.parse(auto.stdout) as Published;
    expect(release.payloads.map(({ format }) => format)).toEqual(['5-full', '5-units', '5-delta']);
    expect(readers).toEqual({ devices: 4, untold: 1, unread: { '5-full': 0, '5-units': 1, '5-delta': 0 } });
  });

  test('takes the smallest that each reads: real agents of both ages', async () => {
    const { catalog } = await made.repository.state();
    const plans = [];
    for (const [version, decoder] of [
      [2, undefined],
      [2, OLD],
      [3, undefined],
      [3, OLD],
    ] as const) {
      const it = await assignedDevice(labOf(made, { source: imageOf(version - 1), target: imageOf(version) }), {
        decoder,
      });
      it.deployments.assign(`${version}.0`);
      expect(await it.untilDone()).toMatchObject({ status: 0 });
      expect(sameBytes(it.slot('b'), it.lab.target)).toBe(true);
      plans.push(formatName(it.journal().last!.plan!.format!));
    }
    // Between the two that it reads, what is smaller is the engine's affair.
    const [, ...deltas] = catalog.releases[2]!.payloads;
    const smallest = deltas.reduce((best, each) => (each.bytes < best.bytes ? each : best)).format;
    expect(plans).toEqual(['5-units', '5-full', smallest, '5-delta']);
  });

  test('is shown', async () => {
    const counts = await ask('device', 'decoders', '--product', 'cam');
    expect(counts.stdout).toMatch(/^5-units +2 +1$/m);
    expect(counts.stdout).toMatch(/^5-full +3 +0$/m);
    expect(counts.stdout).toMatch(/^not told +1$/m);
    const json = JSON.parse((await ask('device', 'decoders', '--json')).stdout) as object;
    expect(json).toMatchObject({ devices: 4, untold: 1 });
    expect((await ask('device', 'list')).stdout).toMatch(/^old +cam +v1 +2\.0 +5-full 5-delta +\d{4}-/m);
    expect((await ask('device', 'show', 'old')).stdout).toMatch(/^decodes +5-full, 5-delta$/m);
    expect((await ask('device', 'show', 'silent')).stdout).toMatch(/^decodes +it has not said$/m);
    const deployed = await publish(4, '--deploy-to', 'all', '--older-decoders', 'never');
    expect(deployed.stdout).toMatch(/^1 of 4 devices cannot read 5-units/m);
    await fetch(`${url}/default/controller/v1/old`);
    await tell('old', '5-full 5-delta', '3.0');
    await tell('new-1', '5-full 5-delta 5-units', '3.0');
    const shown = await ask('deployment', 'show', '1');
    expect(shown.stdout).toMatch(/^old .* full, .*\(payload_version: does not read 5-units\)/m);
    expect(shown.stdout).toMatch(/^new-1 .* delta from 3\.0, [^(]*$/m);
  });

  test('is told of, as it goes on, by a device that met such a payload', async () => {
    const base = `${url}/default/controller/v1/old`;
    const { _links } = (await (await fetch(base)).json()) as { _links: { deploymentBase: { href: string } } };
    const status = { execution: 'proceeding', result: { finished: 'none' }, code: 2010, details: ['format 5-delta'] };
    await fetch(`${_links.deploymentBase.href}/feedback`, { method: 'POST', body: JSON.stringify({ status }) });
    expect((await ask('device', 'show', 'old')).stdout).toMatch(/^action \d+: format 5-delta \(2010\)$/m);
  });

  test('cannot be asked without a token, and nothing is published then', async () => {
    const image = join(temporaryFolder(), 'image');
    writeFileSync(image, imageOf(9));
    const args = ['publish', image, '--repo', made.dir, '--keys', made.keys, '--product', 'cam', '--hardware', 'v1'];
    const ended = await start([...args, '--release-version', '9.0', '--server', url], { ENGRAFT_MANAGEMENT_TOKEN: '' })
      .ended;
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('ENGRAFT_MANAGEMENT_TOKEN') });
    expect((await made.repository.state()).catalog.releases.map(({ version }) => version)).not.toContain('9.0');
  });
});
