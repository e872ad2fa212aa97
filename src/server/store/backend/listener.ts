/**
 * Hears what other servers change: LISTEN on a connection of its own. Triggers notify in the transaction that changes
 * something (migration 007), so nothing is told that is not so, and nothing is so untold.
 *
 * What is heard counts only while the connection lives: it is asked every second, and without an answer within
 * `SILENCE_MS` nobody may rely on what is remembered. With every connection all begins anew.
 * @module
 */
import pg from 'pg';
import { every, monotonicMs, pause, type Timer } from '../../../platform/timers.ts';
import type { DeviceName } from '../schema.ts';
import { connectionConfig } from './pool.ts';

/** The name of the channel, as migration 007 has it. */
const CHANNEL = 'engraft_fleet';
const BEAT_MS = 1000;
const SILENCE_MS = 4000;
const RECONNECT_MS = 500;

export class Listener {
  readonly #url: string;
  #client: pg.Client | null = null;
  #heard: (name?: DeviceName) => void = () => undefined;
  /** Counts connections. */
  #epoch = 0;
  /** When the last question was asked that has been answered. */
  #alive = -Infinity;
  #beat: Timer | null = null;
  #closed = false;

  constructor(url: string) {
    this.#url = url;
  }

  onChange(heard: (name?: DeviceName) => void): void {
    this.#heard = heard;
  }

  /** Connects; from then on it connects again by itself. Throws what the library throws. */
  async start(): Promise<void> {
    await this.#connect();
    this.#beat = every(BEAT_MS, () => void this.#ask()).unref();
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Whether what others change is heard of. */
  get hears(): boolean {
    return this.#client !== null && monotonicMs() - this.#alive < SILENCE_MS;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#beat?.cancel();
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    const client = new pg.Client(connectionConfig(this.#url));
    client.on('error', () => this.#lost(client));
    client.on('end', () => this.#lost(client));
    client.on('notification', ({ payload = '' }) => this.#heard(nameIn(payload)));
    const begun = monotonicMs();
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    if (this.#closed) return client.end();
    this.#client = client;
    this.#epoch++;
    this.#alive = begun;
  }

  async #ask(): Promise<void> {
    const client = this.#client;
    const asked = monotonicMs();
    try {
      await client?.query('SELECT 1');
      if (client !== null && client === this.#client) this.#alive = asked;
    } catch {
      if (client !== null) this.#lost(client);
    }
  }

  #lost(client: pg.Client): void {
    if (client !== this.#client) return;
    this.#client = null;
    void client.end().catch(() => undefined);
    void this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    while (!this.#closed) {
      try {
        return await this.#connect();
      } catch {
        await pause(RECONNECT_MS);
      }
    }
  }
}

/** 'tenant/controllerId', or anything else for all. */
function nameIn(payload: string): DeviceName | undefined {
  const at = payload.indexOf('/');
  return at < 0 ? undefined : { tenant: payload.slice(0, at), controllerId: payload.slice(at + 1) };
}
