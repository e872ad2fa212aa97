/**
 * Is the agent getting anywhere? The service manager's watchdog is fed only while it is.
 *
 * A timer that fires proves that the event loop turns, not that the machine moves: an answer that never comes leaves
 * the loop turning for ever. So the parts through which all work passes are watched: bytes from the network, where they
 * come at the lowest rate at least, and every piece hashed (each segment written, each window of a slot read, each record)
 * is progress. A wait that says how long it may take (a pause between polls, a command with its deadline) is allowed that
 * long. Silence beyond that, for longer than a bound, is being stuck.
 * @module
 */
import { monotonicMs } from '../../platform/timers.ts';
import { RateGauge, type RateFloor } from '../../platform/http/rate-floor.ts';
import type { NetworkBounds } from '../../platform/http/node-network.ts';
import type { World } from '../context.ts';

export interface PulseOptions {
  /** Silence that is allowed. */
  readonly boundMs: number;
  /** Monotonic: a wall clock that is set must not look like a standstill. */
  readonly nowMs?: () => number;
}

export class Pulse {
  readonly #boundMs: number;
  readonly #nowMs: () => number;
  #lastMs: number;
  /** Ends of the waits that are under way. */
  readonly #waits = new Set<{ readonly untilMs: number }>();

  constructor({ boundMs, nowMs = monotonicMs }: PulseOptions) {
    this.#boundMs = boundMs;
    this.#nowMs = nowMs;
    this.#lastMs = nowMs();
  }

  /** Something was done. */
  beat(): void {
    this.#lastMs = this.#nowMs();
  }

  /** Await `work`, which may take `mostMs`; its end is progress, whatever it is. */
  async during<T>(mostMs: number, work: () => Promise<T>): Promise<T> {
    try {
      return await this.allow(mostMs, work);
    } finally {
      this.beat();
    }
  }

  /** Await `work`, which may take `mostMs` and need not be progress. */
  async allow<T>(mostMs: number, work: () => Promise<T>): Promise<T> {
    const wait = { untilMs: this.#nowMs() + mostMs };
    this.#waits.add(wait);
    try {
      return await work();
    } finally {
      this.#waits.delete(wait);
    }
  }

  /** The clock that silence is measured by. */
  get nowMs(): number {
    return this.#nowMs();
  }

  /** For how long nothing has happened that should have; within the bound it is alive. */
  get silentMs(): number {
    let lastMs = this.#lastMs;
    for (const { untilMs } of this.#waits) lastMs = Math.max(lastMs, untilMs);
    return Math.max(0, this.#nowMs() - lastMs);
  }

  get alive(): boolean {
    return this.silentMs <= this.#boundMs;
  }
}

type Watched = Pick<World, 'clock' | 'network' | 'hash' | 'run'>;

/** The same parts, reporting to `pulse`. `bounds`: after what time the network gives up by itself. */
export function watchWorld(pulse: Pulse, { clock, network, hash, run }: Watched, bounds: NetworkBounds): Watched {
  return {
    clock: {
      now: () => clock.now(),
      monotonicMs: () => clock.monotonicMs(),
      random: () => clock.random(),
      offsetMinutes: (atMs) => clock.offsetMinutes?.(atMs) ?? 0,
      sleep: (delayMs, signal) => pulse.during(delayMs, () => clock.sleep(delayMs, signal)),
    },
    network: {
      reset: () => network.reset?.(),
      request: async (request) => {
        const response = await pulse.during(bounds.answerMs, () => network.request(request));
        const floor = request.bulk === true ? bounds.floor : { bytesPerSecond: Infinity, windowMs: bounds.exchangeMs };
        return {
          status: response.status,
          header: (name) => response.header(name),
          body: watchPieces(pulse, response.body, floor),
          discard: () => response.discard(),
        };
      },
    },
    hash: () => {
      const inner = hash();
      return {
        update: (bytes) => {
          pulse.beat();
          inner.update(bytes);
        },
        digest: () => inner.digest(),
      };
    },
    run: (request) => pulse.during(request.deadlineMs, () => run(request)),
  };
}

/**
 * Only while a piece is waited for: what the reader does between two pieces is its own progress, or none. A piece alone is
 * no progress, since a byte now and then could go on for ever: enough of them within the window are, and the end is.
 */
async function* watchPieces(
  pulse: Pulse,
  body: AsyncIterable<Uint8Array>,
  floor: RateFloor,
): AsyncGenerator<Uint8Array, void> {
  const pieces = body[Symbol.asyncIterator]();
  const gauge = new RateGauge(floor);
  try {
    for (;;) {
      const begunMs = pulse.nowMs;
      const { done, value } = await pulse.allow(Math.max(0, gauge.leftMs), () => pieces.next());
      gauge.waited(pulse.nowMs - begunMs);
      if (done === true) {
        pulse.beat();
        return;
      }
      if (gauge.arrived(value.length)) pulse.beat();
      yield value;
    }
  } finally {
    await pieces.return?.();
  }
}
