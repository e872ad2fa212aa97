/**
 * The server's memory: devices, releases, deployments, actions and what the devices said.
 * @module
 */
import { EmbeddedQueue } from '../jobs/embedded-queue.ts';
import type { JobQueue } from '../jobs/queue.ts';
import { Publisher, type PublisherOptions } from '../publishing/publisher.ts';
import { UploadStore, type UploadStoreOptions } from '../publishing/uploads.ts';
import { ActionStore } from './actions.ts';
import type { Backend } from './backend/backend.ts';
import type { OpenRaw } from './connection.ts';
import { DeploymentStore } from './deployments.ts';
import { DeviceKeyStore } from './device-keys.ts';
import { DeviceStore } from './devices.ts';
import { openDatabase } from './open.ts';
import { fleetCounts, type FleetCount, type FleetLine } from './fleet-counts.ts';
import { PollStore } from './polls.ts';
import { ReleaseStore } from './releases.ts';
import { RolloutStore } from './rollouts/store.ts';
import { RolloutViews } from './rollouts/views.ts';

export class Store {
  readonly devices: DeviceStore;
  readonly releases: ReleaseStore;
  readonly deployments: DeploymentStore;
  readonly actions: ActionStore;
  readonly polls: PollStore;
  readonly rollouts: RolloutStore;
  readonly rolloutViews: RolloutViews;
  readonly #backend: Backend;
  readonly jobs: JobQueue;
  readonly keys: DeviceKeyStore;

  private constructor(backend: Backend) {
    const { db } = backend;
    this.#backend = backend;
    this.polls = new PollStore(backend);
    this.devices = new DeviceStore(db, this.polls);
    this.releases = new ReleaseStore(db);
    this.deployments = new DeploymentStore(db, this.polls);
    this.actions = new ActionStore(db, this.polls);
    this.rollouts = new RolloutStore(db, this.polls);
    this.rolloutViews = new RolloutViews(db);
    this.jobs = new EmbeddedQueue(db);
    this.keys = new DeviceKeyStore(db, this.polls);
  }

  /**
   * Opens the store in a file, in memory for ':memory:', or on PostgreSQL for 'postgres://…'.
   * @param openRaw how the library opens it, for tests of what can go wrong there
   * @throws UpdateError store_failed, disk_full
   */
  static async open(name: string, openRaw?: OpenRaw): Promise<Store> {
    return new Store(await openDatabase(name, openRaw));
  }

  /** How many devices of a line run and read what. */
  fleet(line: FleetLine): Promise<FleetCount[]> {
    return fleetCounts(this.#backend.db, line);
  }

  uploads(options: Omit<UploadStoreOptions, 'db'>): UploadStore {
    return new UploadStore({ db: this.#backend.db, ...options });
  }

  publisher(options: Omit<PublisherOptions, 'db' | 'queue'>): Publisher {
    return new Publisher({ db: this.#backend.db, queue: this.jobs, ...options });
  }

  /** Throws UpdateError store_failed when nothing could be written now. */
  probe(): Promise<void> {
    return this.#backend.probe();
  }

  /** Another number when the database is another one than before. Throws UpdateError store_failed. */
  generation(): number {
    return this.#backend.generation();
  }

  /** Writes what is noted, if it can be written, and closes. */
  async close(): Promise<void> {
    try {
      await this.polls.flush();
    } finally {
      await this.#backend.close();
    }
  }
}

export type { DeviceKey } from './device-keys.ts';
export type { DecoderCount, StoredDevice } from './devices.ts';
export type { DeviceName } from './schema.ts';
export type { StoredRelease } from './releases.ts';
export type { StoredDeployment } from './deployments.ts';
export type { PollState } from './polls.ts';
export { isServerUrl } from './open.ts';
export { EXECUTIONS } from './actions.ts';
export type { Feedback, StoredAction, StoredFeedback } from './actions.ts';
export type { StoredAudit } from './audit.ts';
export type { Command } from './rollouts/store.ts';
export type { StoredRollout } from './rollouts/views.ts';
export { ACTION_STATES, DEPLOYMENT_STATES, MEMBER_STATES } from './schema.ts';
