/**
 * Debian's SWUpdate against `engraft serve`: the configuration that docs/foreign-clients.md gives, run for real.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { engraft, start, until, type Running } from '../support/program.ts';
import { imageOf, temporaryFolder } from '../support/release.ts';
import { makeSwu } from '../support/swu.ts';

const missing = ['swupdate', 'openssl'].find((tool) => spawnSync('which', [tool]).status !== 0);

const servers: Running[] = [];
afterEach(async () => {
  for (const { child, ended } of servers.splice(0)) {
    child.kill('SIGTERM');
    await ended;
  }
});

interface Desk {
  readonly folder: string;
  readonly url: string;
  readonly certificate: string;
}

/** SWUpdate in its own folder, until `holds`, then ended. Returns what it said. */
async function swupdate({ folder, url, certificate }: Desk, more: readonly string[], holds: () => Promise<boolean>) {
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary, { recursive: true });
  const suricatta = ['-t default', `-u ${url}`, '-i dev1', '-p 3', '-w 1', ...more].join(' ');
  const args = ['-f', join(folder, 'swupdate.cfg'), '-H', 'board:1.0', '-M', '-m', '-k', certificate, '-u', suricatta];
  const child = spawn('timeout', ['-k', '2', '60', 'swupdate', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: temporary },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (said += piece.toString()));
  const ended = once(child, 'close');
  try {
    while (child.exitCode === null && !(await holds())) await delay(100);
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
  return said;
}

async function serve(repo: string): Promise<{ url: string; action(): Promise<{ state: string }> }> {
  const token = 'tok';
  const running = start(['serve', '--repo', repo, '--port', '0', '--json'], { ENGRAFT_MANAGEMENT_TOKEN: token });
  servers.push(running);
  let text = '';
  running.child.stdout!.on('data', (piece: string) => (text += piece));
  await until(() => text.includes('}') || running.child.exitCode !== null, 'the URL');
  const { url } = JSON.parse(text) as { url: string };
  const headers = { authorization: `Bearer ${token}` };
  const action = async () => {
    const answer = await fetch(`${url}/api/v1/devices/dev1`, { headers });
    return ((await answer.json()) as { actions: { state: string }[] }).actions[0]!;
  };
  return { url, action };
}

describe.skipIf(missing !== undefined)(`SWUpdate${missing === undefined ? '' : ` (skipped: no ${missing})`}`, () => {
  test('installs a .swu that was published, and the deployment ends after its restart', async () => {
    const folder = temporaryFolder();
    const slot = join(folder, 'slot');
    writeFileSync(slot, '');
    writeFileSync(join(folder, 'swupdate.cfg'), 'globals :\n{\n  verbose = true;\n  loglevel = 5;\n};\n');
    const image = imageOf(2);
    const { swu, certificate } = makeSwu(folder, image, slot);
    const [repo, keys] = [join(folder, 'repo'), join(folder, 'keys')];
    await engraft('keygen', keys);
    const published = await engraft(
      ...['publish', swu, '--repo', repo, '--keys', keys, '--product', 'cam', '--hardware', 'v1'],
      ...['--release-version', '2.0', '--deploy-to', 'dev1', '--register', '--json'],
    );
    expect(published.code).toBe(0);
    expect(JSON.parse(published.stdout)).toMatchObject({
      withoutPayloads: 'SWUpdate',
      release: { payloads: [], artifact: { filename: 'update.swu' } },
    });

    const { url, action } = await serve(repo);
    const desk = { folder, url, certificate };
    const said = await swupdate(desk, [], async () => readFileSync(slot).length >= image.length);
    expect(Buffer.compare(readFileSync(slot), image), said.slice(-2000)).toBe(0);
    // Nothing is a success before the device came up with it: SWUpdate says so when it is started with -c 2.
    expect(await action()).toMatchObject({ state: 'running' });
    await swupdate(desk, ['-c 2'], async () => (await action()).state !== 'running');
    expect(await action()).toMatchObject({ state: 'finished' });
  }, 120_000);
});
