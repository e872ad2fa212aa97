/**
 * Signs snapshots and timestamps by itself, for a server that holds those two keys: what publishers have staged shows
 * within seconds, and a timestamp may live for days instead of weeks, since nobody has to think of it.
 *
 * Whoever breaks into such a server can freeze the fleet and hide releases, for the life of a snapshot; it can make no
 * device install anything that the targets key has not signed.
 * @module
 */
import type { Logger } from 'pino';
import { every, type Timer } from '../platform/timers.ts';
import { expiryFacts, expiryWarnings, Repository, type SignersAtHand } from '../release/index.ts';
import { errorFields } from './http/log.ts';

/** How often it is looked whether something is staged. */
const LOOK_MS = 5_000;
const DAY_MS = 86_400_000;

export interface OnlineSigning {
  /** The keys of snapshot and timestamp. Others are not used. */
  readonly signers: SignersAtHand;
  /** The life of a timestamp in days; it is signed anew when half of that is over. Default 7. */
  readonly timestampDays?: number;
}

export class OnlineSigner {
  readonly #repository: Repository;
  readonly #signers: SignersAtHand;
  readonly #logger: Logger;
  readonly #now: () => number;
  #timer: Timer | null = null;
  #running: Promise<void> | null = null;
  #warned = '';

  constructor(repo: string, { signers, timestampDays = 7 }: OnlineSigning, logger: Logger, now: () => number) {
    const { snapshot, timestamp } = signers;
    this.#signers = {
      ...(snapshot === undefined ? {} : { snapshot }),
      ...(timestamp === undefined ? {} : { timestamp }),
    };
    this.#repository = new Repository(repo, { now: () => new Date(now()), expiryDays: { timestamp: timestampDays } });
    this.#logger = logger;
    this.#now = now;
  }

  start(): void {
    this.stop();
    void this.run();
    this.#timer = every(LOOK_MS, () => void this.run()).unref();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Signs what is due. Never rejects: what could not be done now is tried the next time. */
  async run(): Promise<void> {
    this.#running ??= this.#run().finally(() => (this.#running = null));
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      if (!(await this.#isDue())) return;
      const { taken, versions } = await this.#repository.refresh(this.#signers, { lenient: true, waitMs: 0 });
      this.#logger.info({ event: 'signed', taken, versions }, 'signed the metadata anew');
      await this.#warn();
    } catch (error) {
      this.#logger.error({ event: 'signing', ...errorFields(error) }, 'the metadata is not signed anew yet');
    }
  }

  async #isDue(): Promise<boolean> {
    const { documents, staged } = await this.#repository.state({ staged: true });
    if (documents === null) return false;
    const { lives } = this.#repository;
    const halfOver = (expires: string, days: number): boolean =>
      Date.parse(expires) - this.#now() < (days * DAY_MS) / 2;
    return staged.size > 0 || halfOver(documents.timestamp.signed.expires, lives.timestamp);
  }

  async #warn(): Promise<void> {
    const warnings = expiryWarnings(await expiryFacts(this.#repository));
    const text = warnings.join('; ');
    if (text !== '' && text !== this.#warned) this.#logger.warn({ event: 'expiry', warnings }, 'metadata expires');
    this.#warned = text;
  }
}
