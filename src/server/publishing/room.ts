/**
 * What a server does for publishing while it runs: workers of its own, signing what was made, sweeping uploads.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { FileSystem } from '../../platform/filesystem.ts';
import { nodeFileSystem } from '../../platform/node-filesystem.ts';
import { every, type Timer } from '../../platform/timers.ts';
import { Repository, type PayloadMaker, type RoleSigners } from '../../release/index.ts';
import { errorFields } from '../http/log.ts';
import { ImageCache } from '../jobs/image-cache.ts';
import { PAYLOAD_JOB, payloadHandler } from '../jobs/payload-job.ts';
import type { JobQueue } from '../jobs/queue.ts';
import { Worker } from '../jobs/worker.ts';
import type { Store } from '../store/index.ts';
import type { Publisher } from './publisher.ts';
import { settle } from './settle.ts';
import type { UploadStore } from './uploads.ts';

export interface PublishingOptions {
  /** Those of targets, snapshot and timestamp; without them the routes that publish say so. */
  readonly signers?: RoleSigners;
  /** Who makes payloads in this process, and so that there is a worker in it. */
  readonly maker?: PayloadMaker;
  /** What its jobs together may take; default 1 GiB. */
  readonly memoryBytes?: number;
  /** Jobs at a time in this process; default 1. */
  readonly lanes?: number;
  readonly files?: FileSystem;
  /** How often the queue is looked at, in milliseconds; default 500. */
  readonly pollMs?: number;
}

const GIB = 2 ** 30;
const POLL_MS = 500;
const SWEEP_MS = 3_600_000;
/** In the process that serves: its word costs no other process its memory of polls. */
const HEARTBEAT_MS = 3000;

export class PublishingRoom {
  readonly publisher: Publisher;
  readonly uploads: UploadStore;
  readonly repository: Repository;
  readonly #store: Store;
  readonly #options: PublishingOptions;
  readonly #logger: Logger;
  readonly #refresh: () => Promise<void>;
  #worker: Worker | null = null;
  #timers: Timer[] = [];
  #settling: Promise<void> | null = null;

  /** @param refresh told when the repository has changed */
  constructor(
    repo: string,
    store: Store,
    options: PublishingOptions,
    { logger, now, refresh }: { logger: Logger; now: () => number; refresh: () => Promise<void> },
  ) {
    const files = options.files ?? nodeFileSystem;
    this.repository = new Repository(repo, { files });
    this.uploads = store.uploads({ files, folder: join(repo, 'uploads'), now });
    this.publisher = store.publisher({ repository: this.repository, now, signers: options.signers });
    this.#store = store;
    this.#options = options;
    this.#logger = logger;
    this.#refresh = refresh;
  }

  start(): void {
    const { maker, signers, pollMs = POLL_MS } = this.#options;
    if (maker !== undefined) {
      this.#worker = newWorker({
        ...{ repository: this.repository, queue: this.#store.jobs, maker, logger: this.#logger, pollMs },
        ...{ memoryBytes: this.#options.memoryBytes ?? GIB, lanes: this.#options.lanes, heartbeatMs: HEARTBEAT_MS },
        onEnded: () => void this.settle(),
      });
      this.#worker.start();
    }
    if (signers !== undefined) this.#timers.push(every(pollMs, () => void this.settle()).unref());
    this.#timers.push(
      every(SWEEP_MS, () => void this.#attempt('uploads are not swept', () => this.uploads.sweep())).unref(),
    );
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) timer.cancel();
    await this.#worker?.stop();
    this.#worker = null;
    await this.#settling;
  }

  /** Signs what was made. Never rejects: what could not be done now is done the next time. */
  async settle(): Promise<void> {
    const { signers } = this.#options;
    if (signers === undefined) return;
    this.#settling ??= this.#attempt('what was made is not published yet', async () => {
      const { publisher, repository } = this;
      const of = { plans: publisher.plans, queue: this.#store.jobs, repository, signers };
      if (await settle(of)) await this.#refresh();
    }).finally(() => (this.#settling = null));
    await this.#settling;
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#logger.error({ event: 'publishing', ...errorFields(error) }, what);
    }
  }
}

export interface NewWorker {
  readonly repository: Repository;
  readonly queue: JobQueue;
  readonly maker: PayloadMaker;
  readonly logger: Logger;
  readonly memoryBytes: number;
  readonly lanes?: number | undefined;
  readonly pollMs?: number;
  readonly heartbeatMs?: number;
  readonly onEnded?: () => void;
}

/** Of what jobs may take, so much is for images that are kept between them. */
const KEPT_SHARE = 1 / 4;

/** A worker on payload jobs of a repository, not started yet. */
export function newWorker({ repository, queue, maker, memoryBytes, lanes, ...rest }: NewWorker): Worker {
  const { blobs } = repository;
  const images = new ImageCache((sha256) => blobs.path(sha256), memoryBytes * KEPT_SHARE);
  const name = `${hostname()}/${process.pid}/${randomBytes(4).toString('hex')}`;
  const handlers = { [PAYLOAD_JOB]: payloadHandler({ blobs, images, maker }) };
  const settings = { memoryBytes: memoryBytes * (1 - KEPT_SHARE), ...(lanes === undefined ? {} : { lanes }) };
  return new Worker({ queue, handlers, name, ...settings, ...rest });
}
