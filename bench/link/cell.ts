/**
 * Two network namespaces, `device` and `server`, joined by the emulated radio link of emulated_link.py.
 *
 * Needs root, `ip` and `ss` of iproute2, Python 3 and /dev/net/tun.
 * @module
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { repositoryRoot } from '../../corpus/index.ts';

export interface Radio {
  readonly rateBps: number;
  readonly delayMs: number;
  readonly loss: number;
  readonly queueBytes: number;
  readonly seed: number;
}

/** What came through one direction of the link. */
export interface WayCounters {
  readonly packets: number;
  readonly ip_bytes: number;
  /** Bytes inside TCP, and those of them that had come through before. */
  readonly tcp_bytes: number;
  readonly tcp_bytes_again: number;
  readonly lost: number;
  readonly lost_in_outage: number;
  readonly lost_in_queue: number;
}

export interface Counters {
  readonly down: WayCounters;
  readonly up: WayCounters;
  /** For each request with a Range: its first byte, and distinct TCP bytes that had reached the device by then. */
  readonly resumed: readonly (readonly [firstByte: number, reachedBytes: number])[];
}

/** Why this machine cannot do it, or null. */
export function missing(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'network namespaces need root on Linux';
  if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun';
  for (const argv of [
    ['ip', '-V'],
    ['ss', '-V'],
    ['python3', '-V'],
  ]) {
    if (spawnSync(argv[0]!, argv.slice(1)).status !== 0) return `${argv[0]} is missing`;
  }
  return null;
}

const DEVICE = 'radio0';
const NET = '10.77.0';
/** Room for the headers of a mobile network's tunnel. */
const MTU = 1400;

export class Cell {
  readonly serverAddress = `${NET}.1`;
  readonly #names = { device: `engraft-device-${process.pid}`, server: `engraft-server-${process.pid}` };
  #host = 2;
  #emulator: ChildProcess | null = null;
  #answers: { readonly resolve: (line: string) => void; readonly reject: (error: Error) => void }[] = [];

  async start(radio: Radio): Promise<void> {
    for (const name of Object.values(this.#names)) ip('netns', 'add', name);
    const { device, server } = this.#names;
    const figures = ['--delay-ms', radio.delayMs, '--loss', radio.loss, '--rate-bps', radio.rateBps]
      .concat(['--queue-bytes', radio.queueBytes, '--seed', radio.seed]) // prettier-ignore
      .map(String);
    const script = join(repositoryRoot(), 'bench', 'link', 'emulated_link.py');
    this.#emulator = spawn('python3', [script, '--device', device, '--server', server, ...figures], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: this.#emulator.stdout! });
    lines.on('line', (line) => this.#answers.shift()?.resolve(line));
    this.#emulator.once('exit', (code) => {
      for (const { reject } of this.#answers) reject(new Error(`the emulated link ended with ${code}`));
    });
    await this.#answer();
    for (const name of Object.values(this.#names)) {
      ip('-n', name, 'link', 'set', 'lo', 'up');
      ip('-n', name, 'link', 'set', DEVICE, 'up', 'mtu', String(MTU));
    }
    ip('-n', server, 'address', 'add', `${this.serverAddress}/24`, 'dev', DEVICE);
    ip('-n', device, 'address', 'add', `${NET}.${this.#host}/24`, 'dev', DEVICE);
  }

  /** Start a program of this Node in one of the namespaces. */
  spawn(where: 'device' | 'server', args: readonly string[]): ChildProcess {
    return spawn('ip', ['netns', 'exec', this.#names[where], process.execPath, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  async counters(): Promise<Counters> {
    this.#emulator!.stdin!.write('counters\n');
    return JSON.parse(await this.#answer()) as Counters;
  }

  /** Nothing gets through for so long, and nobody is told. */
  outage(ms: number): void {
    this.#emulator!.stdin!.write(`outage ${ms}\n`);
  }

  /** The server's kernel ends every connection with an RST, which follows what is on its way already. */
  reset(): void {
    execFileSync('ip', ['netns', 'exec', this.#names.server, 'ss', '-K', '-t', 'state', 'established'], {
      stdio: 'ignore',
    });
  }

  /** The device gets another address; what is on its way to the old one is lost, and its connections stay mute. */
  changeAddress(): void {
    const { device } = this.#names;
    const old = `${NET}.${this.#host}/24`;
    this.#host = this.#host >= 250 ? 2 : this.#host + 1;
    this.#emulator!.stdin!.write(`address ${NET}.${this.#host}\n`);
    ip('-n', device, 'address', 'delete', old, 'dev', DEVICE);
    ip('-n', device, 'address', 'add', `${NET}.${this.#host}/24`, 'dev', DEVICE);
  }

  stop(): void {
    this.#emulator?.stdin?.end();
    this.#emulator?.kill();
    for (const name of Object.values(this.#names)) spawnSync('ip', ['netns', 'delete', name]);
  }

  #answer(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#answers.push({ resolve, reject });
    });
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
