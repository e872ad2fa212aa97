/**
 * What a server does by itself from time to time: writes who was seen, goes on with rollouts, and gives up actions
 * that nobody answers.
 * @module
 */
import type { Logger } from 'pino';
import { every, type Timer } from '../platform/timers.ts';
import { errorFields } from './http/log.ts';
import type { Store } from './store/index.ts';

/** Polls of so long are lost when the machine crashes. */
const EVERY_MS = 60_000;

/** Devices could not report while the server was down: nothing is given up so soon after its start. */
const GRACE_MS = 3_600_000;

export class Upkeep {
  readonly #store: Store;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #uptime: () => number;
  readonly #timeoutMs: number;
  readonly #graceMs: number;
  readonly #begun: number;
  #timer: Timer | null = null;

  /**
   * @param timeoutMs of actions; 0: never
   * @param now the wall clock, which reports are dated by
   * @param uptime a clock that nobody sets
   */
  constructor(store: Store, logger: Logger, timeoutMs: number, now: () => number, uptime: () => number) {
    this.#store = store;
    this.#logger = logger;
    this.#now = now;
    this.#uptime = uptime;
    this.#timeoutMs = timeoutMs;
    this.#graceMs = Math.min(GRACE_MS, timeoutMs);
    this.#begun = uptime();
  }

  start(): void {
    this.stop();
    this.#timer = every(EVERY_MS, () => void this.run()).unref();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Never rejects: what could not be done now is done the next time. */
  async run(): Promise<void> {
    await this.#attempt('polls are not written yet', () => this.#store.polls.flush());
    const nowMs = this.#now();
    await this.#attempt('rollouts do not go on yet', () => this.#store.rollouts.tickAll(nowMs));
    if (this.#timeoutMs === 0 || this.#uptime() - this.#begun < this.#graceMs) return;
    await this.#attempt('silent actions are not given up yet', async () => {
      const actions = await this.#store.actions.expire(nowMs - this.#timeoutMs, nowMs);
      if (actions > 0) this.#logger.warn({ event: 'timed_out', actions }, 'gave up actions that nobody reported on');
    });
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#logger.error({ event: 'upkeep', ...errorFields(error) }, what);
    }
  }
}
