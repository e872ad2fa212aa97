/**
 * The server's memory: devices, releases, deployments, actions and what the devices said.
 * @module
 */
import type { Kysely } from 'kysely';
import { ActionStore } from './actions.ts';
import type { Connection, OpenRaw } from './connection.ts';
import { DeploymentStore } from './deployments.ts';
import { DeviceKeyStore } from './device-keys.ts';
import { DeviceStore } from './devices.ts';
import { openDatabase, type OpenedDatabase } from './open.ts';
import { PollStore } from './polls.ts';
import { ReleaseStore } from './releases.ts';
import type { Database } from './schema.ts';

export class Store {
  readonly devices: DeviceStore;
  readonly releases: ReleaseStore;
  readonly deployments: DeploymentStore;
  readonly actions: ActionStore;
  readonly polls: PollStore;
  readonly keys: DeviceKeyStore;
  readonly #db: Kysely<Database>;
  readonly #connection: Connection;

  private constructor({ db, connection }: OpenedDatabase) {
    this.#db = db;
    this.#connection = connection;
    this.polls = new PollStore(db, connection);
    this.devices = new DeviceStore(db, this.polls);
    this.releases = new ReleaseStore(db);
    this.deployments = new DeploymentStore(db, this.polls);
    this.actions = new ActionStore(db, this.polls);
    this.keys = new DeviceKeyStore(db, this.polls);
  }

  /**
   * Opens the store in a file, or in memory for ':memory:'.
   * @param openRaw how the library opens it, for tests of what can go wrong there
   * @throws UpdateError store_failed, disk_full
   */
  static async open(path: string, openRaw?: OpenRaw): Promise<Store> {
    return new Store(await openDatabase(path, openRaw));
  }

  /** Throws UpdateError store_failed when nothing could be written now. */
  probe(): void {
    this.#connection.probe();
  }

  /** Another number when the database is another one than before. Throws UpdateError store_failed. */
  generation(): number {
    return this.#connection.generation();
  }

  /** Writes what is noted, if it can be written, and closes. */
  async close(): Promise<void> {
    try {
      await this.polls.flush();
    } finally {
      await this.#db.destroy();
    }
  }
}

export type { DeviceKey } from './device-keys.ts';
export type { DecoderCount, StoredDevice } from './devices.ts';
export type { DeviceName } from './schema.ts';
export type { StoredRelease } from './releases.ts';
export type { StoredDeployment } from './deployments.ts';
export type { PollState } from './polls.ts';
export { EXECUTIONS } from './actions.ts';
export type { Feedback, StoredAction, StoredFeedback } from './actions.ts';
export { ACTION_STATES, DEPLOYMENT_STATES } from './schema.ts';
