/**
 * `npm run sigkill`: the real program on loop devices against a real server, killed with SIGKILL at random moments, over
 * and over, until each device rests; then the device has to be as if nothing had happened.
 *
 * A kill loses no write that the kernel has taken, so this proves nothing about power cuts. It proves the rest: locks
 * left behind, half-written temporary files, sockets, the order of what one process does and the next one finds.
 *
 *   --kills N     (default 300)    --seconds S   stop after so long    --seed X   (default 1)
 *   --agent FILE  the program (default dist/engraft-agent.mjs)
 *
 * Without root or loop devices the slots are files, and it says so.
 * @module
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { UpdateError } from '../../native-free/status.ts';
import { createDeployment, createServer, type EngraftServer } from '../../src/server/index.ts';
import { keygen, loadSigners, publish, Repository } from '../../src/release/index.ts';
import { DeltaEngine } from '../../src/engine/index.ts';
import { FakeBootLoader } from '../../src/testing/index.ts';
import { nodeFileSystem } from '../../src/platform/node-filesystem.ts';
import { attachLoop, detachLoop } from './loop-device.ts';

const IMAGE_BYTES = 3 * 1024 * 1024;
/** The server sends so slowly that a kill has something to hit. */
const BITS_PER_SECOND = 8_000_000;
const CHUNK_BYTES = 64 * 1024;
const RUNS_MAX = 400;

/** A seeded generator of numbers in [0, 1) (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function images(): { source: Buffer; target: Buffer } {
  const random = seeded(7);
  const source = Buffer.alloc(IMAGE_BYTES);
  const words = Array.from({ length: 256 }, () => Math.floor(random() * 2 ** 32));
  for (let i = 0; i < IMAGE_BYTES; i += 4) source.writeUInt32LE(words[Math.floor(random() * 256)]!, i);
  const target = Buffer.from(source);
  for (let i = 0; i < 500_000; i++) target[1_200_000 + i] = random() * 256;
  for (let i = 0; i < IMAGE_BYTES; i += 7919) target[i]! ^= 0x21;
  return { source, target };
}

const fail = (what: string): never => {
  throw new UpdateError('bug', what);
};

/** A slot: a loop device, or a file where there are none. */
class Slot {
  readonly path: string;
  readonly #device: string | null;

  constructor(folder: string, name: string, sectorBytes: number) {
    const file = join(folder, `slot-${name}`);
    writeFileSync(file, Buffer.alloc(IMAGE_BYTES + 64 * 1024));
    this.#device = attachLoop(file, { sectorBytes });
    this.path = this.#device ?? file;
  }

  get isDevice(): boolean {
    return this.#device !== null;
  }

  holds(image: Buffer): boolean {
    return readFileSync(this.path).subarray(0, image.length).equals(image);
  }

  close(): void {
    if (this.#device !== null) detachLoop(this.#device);
  }
}

interface Ended {
  readonly code: number | null;
  readonly killed: boolean;
  readonly json: { readonly status?: number; readonly code?: string; readonly [key: string]: unknown };
  readonly state: string;
  readonly stderr: string;
}

/** Run the program; `killAfterMs` from its start, or from the moment at which it names a state. */
function runAgent(program: string, args: readonly string[], kill: Kill | null): Promise<Ended> {
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr, state, killed] = ['', '', 'START', false];
    const strike = (): void => {
      if (child.exitCode === null && child.signalCode === null) killed = child.kill('SIGKILL');
    };
    const timer = kill?.state === undefined && kill !== null ? setTimeout(strike, kill.afterMs) : undefined;
    child.stdout.on('data', (piece: Buffer) => (stdout += piece.toString()));
    child.stderr.on('data', (piece: Buffer) => {
      stderr += piece.toString();
      for (const [word] of piece
        .toString()
        .matchAll(/\b(CHECK|PLAN|PREPARE|APPLY|VERIFY|ARM|REBOOT|TRIAL|COMMIT|ROLLBACK|REPORT|IDLE)\b/g)) {
        state = word;
        if (kill?.state === word) setTimeout(strike, kill.afterMs);
      }
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      const json = stdout.startsWith('{') ? (JSON.parse(stdout) as Ended['json']) : {};
      done({ code, killed, json, state, stderr });
    });
  });
}

interface Kill {
  readonly afterMs: number;
  readonly state?: string;
}

interface Bench {
  readonly program: string;
  readonly folder: string;
  readonly server: EngraftServer;
  readonly url: string;
  readonly repo: string;
  readonly source: Buffer;
  readonly target: Buffer;
}

interface Tally {
  kills: number;
  lives: number;
  devices: number;
  readonly states: Map<string, number>;
}

const configOf = (bench: Bench, id: string, a: Slot, b: Slot, healthy: boolean): string => `
[device]
controller_id = "${id}"
product = "cam"
hardware = "v1"
[server]
url = "${bench.url}"
[data]
folder = "data"
[trust]
root = "${join(bench.repo, 'metadata', '1.root.json')}"
[slots]
A = "${a.path}"
B = "${b.path}"
[boot]
state_file = "boot-state"
choice_file = "boot-choice"
[limits]
resumes_max = 1000
backoff_first_ms = 10
[health]
commands = [["${healthy ? 'true' : 'false'}"]]
`;

/** One device from its installation until its agent rests. Returns what came over the link. */
async function life(bench: Bench, tally: Tally, seed: number, kills: number): Promise<void> {
  const random = seeded(seed);
  const healthy = random() < 0.7;
  const folder = mkdtempSync(join(bench.folder, 'device-'));
  const [a, b] = [new Slot(folder, 'a', 512), new Slot(folder, 'b', random() < 0.5 ? 512 : 4096)];
  try {
    if (a.isDevice) tally.devices++;
    spawnSync('dd', ['of=' + a.path, 'conv=notrunc,fsync', 'status=none'], { input: bench.source });
    const id = `dev-${seed}-${Date.now()}`;
    const config = join(folder, 'agent.toml');
    writeFileSync(config, configOf(bench, id, a, b, healthy));
    const files = { stateFile: join(folder, 'boot-state'), choiceFile: join(folder, 'boot-choice') };
    const loader = new FakeBootLoader({ fs: nodeFileSystem, ...files });
    await loader.install(['A', 'B'], ['A']);
    let slot = await loader.boot();
    const run = ['run', '--config', config, '--once', '--json'];
    await runAgent(bench.program, run, null);
    const release = { product: 'cam', version: '2.0', hardware: 'v1', slotClass: 'rootfs' };
    await createDeployment({ repo: bench.repo, tenant: 'default', release, devices: [id] });
    let [left, counter, ended] = [kills, 0, null as Ended | null];
    const before = bench.server.stats.blobBytes;
    for (let runs = 0; ; runs++) {
      if (runs === RUNS_MAX) fail(`the agent does not rest: ${ended?.stderr.slice(-500)}`);
      ended = await runAgent(bench.program, run, left > 0 ? drawKill(random) : null);
      if (ended.killed) {
        left--;
        tally.kills++;
        tally.states.set(ended.state, (tally.states.get(ended.state) ?? 0) + 1);
        // Often the machine goes down with its agent.
        if (random() < 0.3) slot = await loader.boot();
      } else if (['reboot_pending', 'rollback_pending'].includes(String(ended.json.code))) slot = await loader.boot();
      else if (ended.json.code === 'no_update') break;
      if (slot === null) fail('nothing boots any more');
      if (!a.holds(bench.source)) fail('slot A was written');
      if (slot === 'B' && !b.holds(bench.target)) fail('slot B runs and is not version 2.0');
      const status = await runAgent(bench.program, ['status', '--config', config, '--json'], null);
      const counters = (status.json['counters'] ?? {}) as Record<string, number>;
      const now = counters['rollback.cam.rootfs'] ?? 0;
      if (now < counter) fail(`the rollback counter went from ${counter} to ${now}`);
      if (now > 0 && slot === 'A') fail('a committed update was lost');
      counter = now;
    }
    await judge(bench, id, config, { healthy, slot, counter });
    const payload = bench.server.stats.blobBytes - before;
    const allowed = 1_000_000 + kills * 6 * CHUNK_BYTES;
    if (payload > allowed) fail(`${payload} bytes came over the link; ${allowed} are allowed`);
    tally.lives++;
  } finally {
    a.close();
    b.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface End {
  readonly healthy: boolean;
  readonly slot: string | null;
  readonly counter: number;
}

async function judge(
  { program, url }: Bench,
  id: string,
  config: string,
  { healthy, slot, counter }: End,
): Promise<void> {
  const { json } = await runAgent(program, ['status', '--config', config, '--json'], null);
  const expected = healthy ? 0 : 40;
  if (json.status !== expected) fail(`the outcome is ${json.status} (${String(json['message'])}), not ${expected}`);
  if (slot !== (healthy ? 'B' : 'A')) fail(`slot ${slot} runs in the end`);
  if (counter !== (healthy ? 2 : 0)) fail(`the rollback counter is ${counter} in the end`);
  const answer = (await (await fetch(`${url}/default/controller/v1/${id}`)).json()) as { _links?: object };
  if ('deploymentBase' in (answer._links ?? {})) fail('the server still waits for the report');
}

/** Anywhere in the time that a run takes, or right behind the name of a state. */
function drawKill(random: () => number): Kill {
  const states = ['PLAN', 'PREPARE', 'APPLY', 'VERIFY', 'ARM', 'REBOOT', 'TRIAL', 'COMMIT', 'ROLLBACK', 'REPORT'];
  if (random() < 0.5) return { afterMs: 200 + random() * 1500 };
  return { state: states[Math.floor(random() * states.length)]!, afterMs: random() * random() * 30 };
}

async function prepare(program: string): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'engraft-sigkill-'));
  const [keys, repo] = [join(folder, 'keys'), join(folder, 'repo')];
  await keygen(keys);
  const engine = new DeltaEngine();
  try {
    const named = { repository: new Repository(repo), signers: await loadSigners(keys), engine, product: 'cam', hardware: 'v1', slotClass: 'rootfs' }; // prettier-ignore
    const { source, target } = images();
    await publish({ ...named, image: source, version: '1.0', rollbackIndex: 1 });
    await publish({ ...named, image: target, version: '2.0', rollbackIndex: 2 });
    const server = await createServer({ repo, rateLimitBitsPerSecond: BITS_PER_SECOND });
    return { program, folder, server, url: await server.listen(0), repo, source, target };
  } finally {
    await engine.close();
  }
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { kills: text, seconds: text, seed: text, agent: text } });
  const kills = Number(values.kills ?? 300);
  const endMs = performance.now() + Number(values.seconds ?? 24 * 3600) * 1000;
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const bench = await prepare(resolve(values.agent ?? 'dist/engraft-agent.mjs'));
  const tally: Tally = { kills: 0, lives: 0, devices: 0, states: new Map() };
  try {
    for (let seed = Number(values.seed ?? 1); tally.kills < kills && performance.now() < endMs; seed++) {
      try {
        await life(bench, tally, seed, 4 + (seed % 9));
      } catch (error) {
        say(`FAILED with seed ${seed}; npm run sigkill -- --seed ${seed} --kills 1`);
        throw error;
      }
    }
  } finally {
    await bench.server.close(0);
    rmSync(bench.folder, { recursive: true, force: true });
  }
  const where = [...tally.states].sort((x, y) => y[1] - x[1]).map(([state, count]) => `${state} ${count}`);
  if (tally.devices === 0) say('no loop devices here (root is needed): the slots were files');
  say(`${tally.kills} kills in ${tally.lives} lives, ${tally.devices} of them on loop devices; 0 wrong`);
  say(`killed after: ${where.join(', ')}`);
}

await main();
