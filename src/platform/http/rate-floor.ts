/**
 * The slowest link that counts as one: so many bytes in every window of waiting.
 *
 * A cell that gives 26 kbit/s and fades for minutes is slow and alive; a peer that gives a byte a second would hold the
 * device for months, and never be silent. Only time spent waiting for the link counts: a reader that writes to flash
 * meanwhile, or holds itself to its rate limit, is no slow link.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';

export interface RateFloor {
  readonly bytesPerSecond: number;
  readonly windowMs: number;
}

/**
 * 12 kB in two minutes. NB-IoT at 26 kbit/s brings that in four seconds, so fades of up to 116 s leave it alive; so does
 * the worst that is left of a cell at 1 kbit/s.
 */
export const DEFAULT_RATE_FLOOR: RateFloor = { bytesPerSecond: 100, windowMs: 120_000 };

/** What has to come in each window. Also the least that counts as progress of a download. */
export const floorBytes = ({ bytesPerSecond, windowMs }: RateFloor): number =>
  Math.max(1, Math.floor((bytesPerSecond * windowMs) / 1000));

/** Follows one body. */
export class RateGauge {
  readonly #floor: RateFloor;
  #leftMs: number;
  #bytes = 0;

  constructor(floor: RateFloor) {
    this.#floor = floor;
    this.#leftMs = floor.windowMs;
  }

  /** For how long may still be waited. Not above 0: it is too slow. */
  get leftMs(): number {
    return this.#leftMs;
  }

  waited(ms: number): void {
    this.#leftMs -= ms;
  }

  /** True when enough came within the window: that was progress, and a new window begins. */
  arrived(bytes: number): boolean {
    this.#bytes += bytes;
    if (this.#bytes < floorBytes(this.#floor)) return false;
    this.#bytes = 0;
    this.#leftMs = this.#floor.windowMs;
    return true;
  }

  tooSlow(url: string): UpdateError {
    const { bytesPerSecond, windowMs } = this.#floor;
    return new UpdateError(
      'link_slow',
      `${url}: ${this.#bytes} bytes came in ${windowMs / 1000} s of waiting; ${bytesPerSecond} bytes a second are the least`,
      { detail: { url, bytes: this.#bytes, windowMs, bytesPerSecond } },
    );
  }
}
