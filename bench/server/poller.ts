/**
 * Devices that poll: as little client as possible, since it shares the machine with the server that is measured.
 * @module
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A connection that asks one thing after the other. */
export class Poller {
  readonly #socket: Socket;
  #buffer = '';
  #waiting: { resolve: () => void; reject: (error: Error) => void } | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#take(text));
    const fail = (why: string): void => this.#waiting?.reject(new Error(`the server ${why}`));
    socket.on('error', (error) => fail(error.message));
    socket.on('close', () => fail('closed the connection'));
  }

  static open(port: number): Promise<Poller> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new Poller(socket)));
      socket.once('error', reject);
    });
  }

  /** Resolves with the milliseconds that a good answer took; rejects on any other. */
  async poll(device: string): Promise<number> {
    const begun = performance.now();
    const answered = new Promise<void>((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    this.#socket.write(`GET /default/controller/v1/${device} HTTP/1.1\r\nHost: bench\r\n\r\n`);
    await answered;
    this.#waiting = null;
    return performance.now() - begun;
  }

  close(): void {
    this.#waiting = null;
    this.#socket.destroy();
  }

  #take(text: string): void {
    this.#buffer += text;
    const end = this.#buffer.indexOf('\r\n\r\n');
    if (end < 0) return;
    const length = /^content-length: (\d+)/im.exec(this.#buffer)?.[1];
    if (!this.#buffer.startsWith('HTTP/1.1 200 ') || length === undefined) {
      this.#waiting?.reject(new Error(`not the answer to a poll: ${this.#buffer.slice(0, 200)}`));
      return;
    }
    if (this.#buffer.length < end + 4 + Number(length)) return;
    this.#buffer = '';
    this.#waiting?.resolve();
  }
}

export interface Load {
  readonly polls: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

function loadOf(times: number[], seconds: number): Load {
  const sorted = Float64Array.from(times).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { polls: sorted.length, seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** Every connection asks again as soon as it has its answer: how much there is. */
export async function asFastAsItGoes(pollers: readonly Poller[], devices: number, seconds: number): Promise<Load> {
  const times: number[] = [];
  const begun = performance.now();
  let next = 0;
  const loop = async (poller: Poller): Promise<void> => {
    while (performance.now() - begun < seconds * 1000) times.push(await poller.poll(`dev-${next++ % devices}`));
  };
  await Promise.all(pollers.map(loop));
  return loadOf(times, (performance.now() - begun) / 1000);
}

/** So many polls a second, whatever the answers take; a poll that had to wait for a connection has waited. */
export async function atRate(
  pollers: readonly Poller[],
  { devices, seconds, rate }: { devices: number; seconds: number; rate: number },
): Promise<Load> {
  const times: number[] = [];
  const begun = performance.now();
  const total = Math.round(rate * seconds);
  let next = 0;
  const loop = async (poller: Poller): Promise<void> => {
    while (next < total) {
      const number = next++;
      const dueMs = begun + (number * 1000) / rate;
      const earlyMs = dueMs - performance.now();
      if (earlyMs > 0) await sleep(earlyMs);
      const startMs = performance.now();
      // Timers are late by a millisecond: that is the client's.
      const lateMs = Math.max(0, startMs - dueMs - 2);
      times.push(lateMs + (await poller.poll(`dev-${number % devices}`)));
    }
  };
  await Promise.all(pollers.map(loop));
  return loadOf(times, (performance.now() - begun) / 1000);
}
