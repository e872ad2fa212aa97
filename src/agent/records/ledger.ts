/**
 * What the link has cost: a durable count of bytes, for this attempt and for this month.
 *
 * A count that is written after the fact is lost with the process. So the record on the disk runs ahead: it says what
 * is counted plus a block that may be used before the next write. After a kill the block counts as used. A budget is
 * therefore never overrun by being killed; at most two blocks of it are wasted. A clean end writes the exact figures.
 *
 * Months are those of UTC. A month begins (and with it a new budget) only through `confirmMonth`, which is called after
 * signed metadata was found unexpired: a clock far ahead finds it expired, and a clock that falls back (1970) stays in
 * the month that was reached. What flows between the clock's first of the month and that confirmation is kept apart and
 * becomes the first of the new month's bytes.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { Clock } from '../../platform/clock.ts';
import { isDamage, loadRecord, storeRecord, type RecordFile, type RecordPlace } from './record.ts';

export interface LedgerOptions extends RecordFile {
  readonly clock: Clock;
  /** All bytes of one month; without it months are not counted. */
  readonly monthBytesMax?: number;
  /** Payload bytes of one attempt; only sets how fine the record is. */
  readonly attemptBytesMax?: number;
}

interface Counts {
  /** Months since the year 0. */
  month: number;
  monthBytes: number;
  /** Bytes since the clock showed a later month that is not confirmed yet. */
  aheadMonth: number;
  aheadBytes: number;
  /** Which attempt `attemptBytes` are of. */
  attempt: string;
  attemptBytes: number;
}

const KIB = 1024;
/** The largest piece that the platform reads off a socket at once. */
const PIECE_BYTES_MAX = 64 * KIB;

export const monthOf = (atMs: number): number => {
  const date = new Date(atMs);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
};

/** When the month after `month` begins, in ms since 1970. */
const endOf = (month: number): number => Date.UTC(Math.floor((month + 1) / 12), (month + 1) % 12, 1);

export class ByteLedger {
  readonly #options: LedgerOptions;
  readonly #place: RecordPlace;
  readonly #blockBytes: number;
  #counts: Counts | null = null;
  /** As on the disk; null: nothing is there. */
  #stored: Counts | null = null;
  #turn: Promise<void> = Promise.resolve();
  /** What `load` found wrong, for the log. */
  damage: UpdateError | null = null;

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.#place = { ...options, kind: 'ledger', version: 1 };
    const budget = Math.min(options.monthBytesMax ?? Infinity, options.attemptBytesMax ?? Infinity);
    this.#blockBytes = Math.round(Math.min(256 * KIB, Math.max(4 * KIB, budget / 64)));
  }

  /** Bytes by which the record may be ahead of the truth after a kill. */
  get slackBytes(): number {
    return this.#blockBytes + Math.min(this.#blockBytes, PIECE_BYTES_MAX);
  }

  /** A damaged record counts as a month that is used up: a budget is not to be had by breaking storage. */
  async load(): Promise<void> {
    if (this.#counts !== null) return;
    // Month 0: the first real one is confirmed like any other.
    const fresh: Counts = { month: 0, monthBytes: 0, aheadMonth: 0, aheadBytes: 0, attempt: '', attemptBytes: 0 };
    try {
      const value = await loadRecord(this.#place);
      this.#stored = value === null ? null : { ...fresh, ...(value as Counts) };
      this.#counts = { ...(this.#stored ?? fresh) };
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.damage = error;
      // Not the clock's month: it may be far ahead, and months only go forward. The first one that is confirmed is used up.
      this.#counts = { ...fresh, monthBytes: this.#options.monthBytesMax ?? 0 };
    }
  }

  /** Payload bytes of attempt `key`, as far as this record knows. */
  async attemptBytes(key: string): Promise<number> {
    const counts = await this.#loaded();
    return counts.attempt === key ? counts.attemptBytes : 0;
  }

  /** All bytes of this month; null where months are not counted. */
  async monthBytes(): Promise<number | null> {
    const { monthBytes, aheadBytes } = await this.#loaded();
    return this.#options.monthBytesMax === undefined ? null : monthBytes + aheadBytes;
  }

  /** Count bytes of any kind against the month. Never refuses: a device over its budget can still report. */
  async charge(bytes: number): Promise<void> {
    if (this.#options.monthBytesMax === undefined) return;
    const counts = await this.#loaded();
    const now = monthOf(this.#options.clock.now());
    if (now <= counts.month) counts.monthBytes += bytes;
    else {
      if (counts.aheadMonth !== now) Object.assign(counts, { aheadMonth: now, aheadBytes: 0 });
      counts.aheadBytes += bytes;
    }
    // A full or broken data partition must not cut the device off from its server; payloads are held to it below.
    await this.#reserve().catch(() => undefined);
  }

  /**
   * Count payload bytes of an attempt, `total` with them as far as the caller knows. Returns the attempt's total.
   * Throws `over_budget` when the month's budget is used up; where there are budgets, also what the storage throws: what
   * cannot be counted is not taken.
   */
  async chargeAttempt(key: string, bytes: number, total: number): Promise<number> {
    const counts = await this.#loaded();
    if (counts.attempt === key) counts.attemptBytes = Math.max(counts.attemptBytes + bytes, total);
    else Object.assign(counts, { attempt: key, attemptBytes: total });
    try {
      await this.#reserve();
    } catch (error) {
      const { monthBytesMax, attemptBytesMax } = this.#options;
      if (monthBytesMax !== undefined || attemptBytesMax !== undefined) throw error;
    }
    this.#checkMonth(counts, 0);
    return counts.attemptBytes;
  }

  /**
   * Signed metadata was accepted at the clock's time, so that time is believed: begin its month, if it is a new one.
   * Then throws `over_budget` when `bytes` more would not be within the month's budget.
   */
  async confirmMonth(bytes: number): Promise<void> {
    const counts = await this.#loaded();
    const now = monthOf(this.#options.clock.now());
    if (now > counts.month) {
      const begun = counts.aheadMonth === now ? counts.aheadBytes : 0;
      const monthBytes = counts.month === 0 ? counts.monthBytes + begun : begun;
      Object.assign(counts, { month: now, monthBytes, aheadMonth: 0, aheadBytes: 0 });
    }
    this.#checkMonth(counts, bytes);
  }

  /** Write the exact figures; to be called when the process ends. */
  async settle(): Promise<void> {
    await this.#inTurn(async () => {
      const [stored, counts] = [this.#stored, this.#counts];
      // Nothing was stored: nothing was counted.
      if (stored === null || counts === null || JSON.stringify(stored) === JSON.stringify(counts)) return;
      await this.#store({ ...counts });
    });
  }

  #checkMonth({ month, monthBytes, aheadBytes }: Counts, bytes: number): void {
    const budgetBytes = this.#options.monthBytesMax;
    const spentBytes = monthBytes + aheadBytes;
    if (budgetBytes === undefined || spentBytes + bytes <= budgetBytes) return;
    throw new UpdateError(
      'over_budget',
      `${bytes} bytes more are needed, ${spentBytes} were spent this month; the month's budget is ${budgetBytes}`,
      { detail: { period: 'month', neededBytes: bytes, spentBytes, budgetBytes, resetsAtMs: endOf(month) } },
    );
  }

  async #loaded(): Promise<Counts> {
    await this.load();
    return this.#counts!;
  }

  /** What is counted is on the disk, with room for one more piece at least. */
  async #reserve(): Promise<void> {
    await this.#inTurn(async () => {
      const counts = this.#counts!;
      const marginBytes = Math.min(this.#blockBytes, PIECE_BYTES_MAX);
      const stored = this.#stored;
      const covered =
        stored !== null &&
        stored.month === counts.month &&
        stored.attempt === counts.attempt &&
        stored.aheadMonth === counts.aheadMonth &&
        (['monthBytes', 'aheadBytes', 'attemptBytes'] as const).every(
          (field) => counts[field] === 0 || stored[field] >= counts[field] + marginBytes,
        );
      if (covered) return;
      const ahead = (bytes: number): number => (bytes === 0 ? 0 : bytes + marginBytes + this.#blockBytes);
      await this.#store({
        ...counts,
        monthBytes: ahead(counts.monthBytes),
        aheadBytes: ahead(counts.aheadBytes),
        attemptBytes: ahead(counts.attemptBytes),
      });
    });
  }

  async #store(counts: Counts): Promise<void> {
    await storeRecord(this.#place, counts);
    this.#stored = counts;
  }

  /** One writer at a time: a poll for cancellation may run beside the download. */
  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.catch(() => undefined).then(work);
    this.#turn = turn;
    await turn;
  }
}
