/**
 * `npm run bench:server [-- --seconds N --devices N --connections N --write]`: idle polls a second that one server
 * process answers, how long they take, what they cost of the processor, and what they write.
 *
 * The server is the real program in a process of its own, with a repository, a database file and its log at the default
 * level; every device has polled and told its attributes before. Syncs are counted by strace in a round of its own (it
 * slows the server down), and written bytes are the kernel's (/proc/PID/io). Linux only.
 * @module
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheFolder, repositoryRoot } from '../../corpus/index.ts';
import { machineFacts, markdownTable, writeResults } from '../harness.ts';
import { asFastAsItGoes, atRate, Poller, type Load } from './poller.ts';

const RATE = 333; // 100,000 devices that poll every 5 minutes
const IMAGE_BYTES = 300_000;
const TICKS_PER_SECOND = 100;

const program = join(repositoryRoot(), 'dist', 'program', 'engraft.js');

function makeRepository(folder: string): string {
  const [repo, keys, image] = ['repo', 'keys', 'image'].map((name) => join(folder, name)) as [string, string, string];
  const engraft = (...args: string[]): void => {
    execFileSync(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  };
  writeFileSync(image, Buffer.alloc(IMAGE_BYTES, 'what the devices run. '));
  engraft('keygen', keys);
  engraft('publish', image, '--repo', repo, '--keys', keys, '--product', 'bench', '--hardware', 'h', '--release-version', '1'); // prettier-ignore
  return repo;
}

async function startServer(repo: string): Promise<{ child: ChildProcess; pid: number; port: number }> {
  const args = [program, 'serve', '--repo', repo, '--port', '0', '--json'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const [first] = (await once(child.stdout!, 'data')) as [Buffer];
  return { child, pid: child.pid!, port: Number(/:(\d+)"/.exec(first.toString())![1]) };
}

/** Every device polls and says what it is. */
async function meet(port: number, devices: number): Promise<void> {
  const base = `http://127.0.0.1:${port}/default/controller/v1`;
  const body = JSON.stringify({ mode: 'merge', data: { product: 'bench', hardware: 'h', 'engraft.version': '1' } });
  let next = 0;
  const loop = async (): Promise<void> => {
    for (let number = next++; number < devices; number = next++) {
      await (await fetch(`${base}/dev-${number}`)).arrayBuffer();
      await (await fetch(`${base}/dev-${number}/configData`, { method: 'PUT', body })).arrayBuffer();
      await (await fetch(`${base}/dev-${number}`)).arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: 8 }, loop));
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

const writtenBytes = (pid: number): number =>
  Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))![1]);

interface Round extends Load {
  readonly name: string;
  readonly cpuMicroseconds: number;
  readonly writtenBytes: number;
}

async function round(name: string, pid: number, load: () => Promise<Load>): Promise<Round> {
  const [cpu, written] = [cpuSeconds(pid), writtenBytes(pid)];
  const result = await load();
  const cpuMicroseconds = ((cpuSeconds(pid) - cpu) * 1e6) / result.polls;
  const done = { ...result, name, cpuMicroseconds, writtenBytes: writtenBytes(pid) - written };
  console.log(`${name}: ${JSON.stringify(done)}`);
  return done;
}

/** Syncs that the process makes while `work` is done; null where there is no strace that may look. */
async function countSyncs<T>(pid: number, folder: string, work: () => Promise<T>): Promise<[T, number | null]> {
  const file = join(folder, 'syncs');
  if (spawnSync('strace', ['-V']).status !== 0) return [await work(), null];
  const calls = 'trace=fsync,fdatasync,sync_file_range,msync,sync,syncfs';
  const strace = spawn('strace', ['-f', '-e', calls, '-o', file, '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] }); // prettier-ignore
  const [said] = (await once(strace.stderr, 'data')) as [Buffer];
  if (!/attached/.test(said.toString())) return [await work(), null];
  const result = await work();
  strace.kill('SIGINT');
  await once(strace, 'close');
  const traced = existsSync(file) ? readFileSync(file, 'latin1') : '';
  return [result, traced.split('\n').filter((line) => /sync\w*\(/.test(line)).length];
}

function render(rounds: readonly Round[], syncs: string, settings: string): string {
  const rows = rounds.map((one) => [
    ...[one.name, String(Math.round(one.polls / one.seconds)), one.p50Ms.toFixed(1), one.p99Ms.toFixed(1)],
    ...[one.cpuMicroseconds.toFixed(0), (one.writtenBytes / one.polls).toFixed(2)],
  ]);
  const head = ['round', 'polls/s', 'p50 ms', 'p99 ms', 'CPU µs a poll', 'bytes written a poll'];
  return [
    '# Idle polls\n',
    'Command: `npm run bench:server -- --write`. The processor is shared with the client that polls, and with whatever else',
    'runs; CPU is that of the server process alone, all its threads.\n',
    `- ${settings}`,
    `- load average at the end: ${loadavg()[0]!.toFixed(1)}`,
    machineFacts(),
    markdownTable(head, rows),
    `Syncs (fsync, fdatasync, msync, sync_file_range, sync) a poll: **${syncs}**.`,
    '',
  ].join('\n');
}

async function main(options: { seconds: number; devices: number; connections: number; write: boolean }): Promise<void> {
  const { seconds, devices, connections } = options;
  mkdirSync(cacheFolder(), { recursive: true });
  const folder = mkdtempSync(join(cacheFolder(), 'bench-server-'));
  let child: ChildProcess | undefined;
  try {
    const server = await startServer(makeRepository(folder));
    child = server.child;
    const { pid, port } = server;
    await meet(port, devices);
    const pollers = await Promise.all(Array.from({ length: connections }, () => Poller.open(port)));
    await asFastAsItGoes(pollers, devices, 2);
    const full = await round('as fast as it goes', pid, () => asFastAsItGoes(pollers, devices, seconds));
    const calm = await round(`${RATE} polls/s`, pid, () => atRate(pollers, { devices, seconds, rate: RATE }));
    const [traced, syncs] = await countSyncs(pid, folder, () =>
      round('as fast as it goes, under strace', pid, () => asFastAsItGoes(pollers, devices, seconds)),
    );
    for (const poller of pollers) poller.close();
    const rate = syncs === null ? 'not counted: strace is missing or may not look' : String(syncs / traced.polls);
    const said = syncs === null ? rate : `${rate} (${syncs} in ${traced.polls} polls)`;
    const settings = `${devices} devices, ${connections} connections that stay, ${seconds} s a round`;
    const text = render([full, calm, traced], said, settings);
    console.log(text);
    if (options.write) writeResults('server', text);
  } finally {
    child?.kill('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    devices: { type: 'string', default: '2000' },
    connections: { type: 'string', default: '50' },
    write: { type: 'boolean', default: false },
  },
});
await main({
  seconds: Number(values.seconds),
  devices: Number(values.devices),
  connections: Number(values.connections),
  write: values.write,
});
