/**
 * One update over the emulated link, with the link cut a given number of times: the real server and the real agent,
 * each a process of its own in its namespace.
 * @module
 */
import { execFileSync, type ChildProcess } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { repositoryRoot } from '../../corpus/index.ts';
import { Cell, type Counters, type Radio } from './cell.ts';

export interface Scenario {
  readonly name: string;
  readonly radio: Radio;
  readonly imageBytes: number;
  readonly cuts: number;
}

/** How a link is cut, in turn. */
export const CUTS = ['reset', 'address change', 'outage'] as const;
type CutKind = (typeof CUTS)[number];

export interface Outcome {
  readonly seconds: number;
  readonly payloadBytes: number;
  /** Payload bytes that the agent took from the link, by its own count. */
  readonly wireBytes: number;
  /** Cuts made, and waits of the agent that followed. */
  readonly cuts: Readonly<Record<CutKind, number>>;
  readonly waits: number;
  /** While the payload was downloaded. */
  readonly link: Pick<Counters, 'down' | 'up'>;
  /** Of what reached the device, bytes that were of no use, answer heads included; by what cut their connection. */
  readonly losses: Readonly<Record<CutKind, number>>;
  readonly identical: boolean;
}

export const IDLE_SECONDS = 4;
export const OUTAGE_MS = 5_000;
const PORT = 8080;
const engraft = join(repositoryRoot(), 'dist', 'program', 'engraft.js');
const agent = join(repositoryRoot(), 'dist', 'engraft-agent.mjs');

export async function runScenario(scenario: Scenario, say: (text: string) => void): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'engraft-link-'));
  const cell = new Cell();
  const children: ChildProcess[] = [];
  const cleanUp = (): void => {
    for (const child of children) child.kill('SIGKILL');
    cell.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  // Namespaces outlive a process that is interrupted.
  const interrupted = (): never => process.exit(130);
  process.once('exit', cleanUp).once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    const target = publishRelease(folder, scenario.imageBytes);
    await cell.start(scenario.radio);
    const server = cell.spawn('server', [engraft, 'serve', '--repo', join(folder, 'repo'), '--log-level', 'warn', '--host', cell.serverAddress, '--port', String(PORT)]); // prettier-ignore
    children.push(server);
    server.stderr!.on('data', (data: Buffer) => say(data.toString()));
    // It says so once it listens.
    await once(server.stdout!, 'data');
    prepareDevice(folder, `http://${cell.serverAddress}:${PORT}`);
    const device = cell.spawn('device', [agent, 'run', '--once', '--log', 'json', '--json', '--config', join(folder, 'device', 'agent.toml')]); // prettier-ignore
    children.push(device);
    const figures = await follow(scenario, cell, device, say);
    const slot = readFileSync(join(folder, 'device', 'slot-b.img'));
    const journal = readJournal(join(folder, 'device', 'data', 'journal'));
    const { attempt } = journal;
    if (attempt === null) throw new Error(`the agent made no attempt: ${figures.lastWords}`);
    return {
      ...figures,
      payloadBytes: attempt.plan?.payload.bytes ?? 0,
      wireBytes: attempt.wireBytes,
      identical: Buffer.compare(slot.subarray(0, target.length), target) === 0,
    };
  } finally {
    cleanUp();
    process.off('exit', cleanUp).off('SIGINT', interrupted).off('SIGTERM', interrupted);
  }
}

/** An image that does not compress, so that the payload is as large as it. */
function publishRelease(folder: string, bytes: number): Uint8Array {
  const target = randomFillSync(new Uint8Array(bytes));
  writeFileSync(join(folder, 'target'), target);
  const keys = join(folder, 'keys');
  run(engraft, 'keygen', keys);
  run(engraft, 'publish', join(folder, 'target'), '--repo', join(folder, 'repo'), '--keys', keys, '--product', 'cam', '--hardware', 'v1', '--release-version', '2.0', '--workers', '1', '--deploy-to', 'dev-1', '--register'); // prettier-ignore
  return target;
}

function prepareDevice(folder: string, url: string): void {
  writeFileSync(join(folder, 'source'), randomFillSync(new Uint8Array(64 * 1024)));
  const device = join(folder, 'device');
  mkdirSync(device);
  run(agent, 'init', device, '--image', join(folder, 'source'), '--image-version', '1.0', '--root', join(folder, 'repo', 'metadata', '1.root.json'), '--server', url, '--id', 'dev-1', '--product', 'cam', '--hardware', 'v1'); // prettier-ignore
  appendFileSync(join(device, 'agent.toml'), `\n[limits]\nidle_seconds = ${IDLE_SECONDS}\n`);
}

function run(...args: string[]): void {
  execFileSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

interface JournalParts {
  readonly attempt: { readonly plan: { readonly payload: { readonly bytes: number } } | null; readonly wireBytes: number } | null; // prettier-ignore
}

const readJournal = (path: string): JournalParts => {
  const text = readFileSync(path, 'utf8');
  return JSON.parse(text.slice(text.indexOf('\n'))) as JournalParts;
};

type Figures = Pick<Outcome, 'seconds' | 'cuts' | 'waits' | 'link' | 'losses'> & { readonly lastWords: string };

/** Cut the link each time so many more bytes came through, until the agent has ended. */
async function follow(
  scenario: Scenario,
  cell: Cell,
  device: ChildProcess,
  say: (text: string) => void,
): Promise<Figures> {
  const cuts: Record<CutKind, number> = { reset: 0, 'address change': 0, outage: 0 };
  const made: Cut[] = [];
  let waits = 0;
  let state = '';
  let ended = false;
  let lastWords = '';
  const lines = (data: Buffer): void => {
    lastWords = data.toString();
    for (const line of data
      .toString()
      .split('\n')
      .filter((each) => each.startsWith('{'))) {
      const { event, message } = JSON.parse(line) as { event: string; message: string };
      if (event === 'wait') waits++;
      if (event === 'state') state = message;
      if (event === 'wait') say(message);
    }
  };
  device.stderr!.on('data', lines);
  void once(device, 'close').then(() => (ended = true));
  const active = (): boolean => !ended && (state === 'APPLY' || state === 'WAIT_NET');
  while (!ended && !active()) await delay(20);
  const before = await cell.counters();
  const beganMs = performance.now();
  const step = scenario.imageBytes / (scenario.cuts + 1);
  let now = before;
  let waitsBefore = 0;
  for (let done = 0; active();) {
    await delay(20);
    now = await cell.counters();
    if (ended || !active()) break;
    const came = now.down.tcp_bytes - now.down.tcp_bytes_again - (before.down.tcp_bytes - before.down.tcp_bytes_again);
    // The next one only after the last one was noticed: two cuts of one connection would be one.
    if (done >= scenario.cuts || came < step * (done + 1) || waits < waitsBefore || state !== 'APPLY') continue;
    const kind = CUTS[done % CUTS.length]!;
    cut(cell, kind);
    cuts[kind]++;
    made.push({ kind, requests: now.resumed.length });
    done++;
    waitsBefore = waits + 1;
    say(`cut ${done}: ${kind} after ${came} bytes`);
  }
  const seconds = (performance.now() - beganMs) / 1000;
  if (!ended) await once(device, 'close');
  return { seconds, cuts, waits, link: difference(before, now), losses: lossesByKind(now.resumed, made), lastWords };
}

function cut(cell: Cell, kind: CutKind): void {
  if (kind === 'outage') cell.outage(OUTAGE_MS);
  else if (kind === 'address change') cell.changeAddress();
  else cell.reset();
}

function difference(before: Counters, after: Counters): Pick<Counters, 'down' | 'up'> {
  const ways = (['down', 'up'] as const).map((way) => [
    way,
    Object.fromEntries(Object.entries(after[way]).map(([name, value]) => [name, value - before[way][name as keyof Counters['up']]])), // prettier-ignore
  ]);
  return Object.fromEntries(ways) as unknown as Pick<Counters, 'down' | 'up'>;
}

interface Cut {
  readonly kind: CutKind;
  /** Requests with a Range before it. */
  readonly requests: number;
}

/** Bytes that reached the device and moved nothing on, by what had cut the connection that they came over. */
function lossesByKind(resumed: Counters['resumed'], made: readonly Cut[]): Record<CutKind, number> {
  const losses: Record<CutKind, number> = { reset: 0, 'address change': 0, outage: 0 };
  for (const { kind, requests } of made) {
    const [from, to] = [resumed[requests - 1], resumed[requests]];
    if (from !== undefined && to !== undefined) losses[kind] += to[1] - from[1] - (to[0] - from[0]);
  }
  return losses;
}
