/**
 * The server's memory: devices, releases, deployments, actions and what the devices said.
 * @module
 */
import type { Kysely } from 'kysely';
import { ActionStore } from './actions.ts';
import { DeploymentStore } from './deployments.ts';
import { DeviceStore } from './devices.ts';
import { openDatabase } from './open.ts';
import { ReleaseStore } from './releases.ts';
import type { Database } from './schema.ts';

export class Store {
  readonly devices: DeviceStore;
  readonly releases: ReleaseStore;
  readonly deployments: DeploymentStore;
  readonly actions: ActionStore;
  readonly #db: Kysely<Database>;

  private constructor(db: Kysely<Database>) {
    this.#db = db;
    this.devices = new DeviceStore(db);
    this.releases = new ReleaseStore(db);
    this.deployments = new DeploymentStore(db);
    this.actions = new ActionStore(db);
  }

  /**
   * Opens the store in a file, or in memory for ':memory:'.
   * @throws UpdateError store_failed
   */
  static async open(path: string): Promise<Store> {
    return new Store(await openDatabase(path));
  }

  async close(): Promise<void> {
    await this.#db.destroy();
  }
}

export type { AttributeMode, DeviceName, StoredDevice } from './devices.ts';
export type { ReleaseFilter, StoredRelease } from './releases.ts';
export type { StoredDeployment } from './deployments.ts';
export { EXECUTIONS } from './actions.ts';
export type { Execution, Feedback, StoredAction, StoredFeedback } from './actions.ts';
export type { ActionState, DeploymentState } from './schema.ts';
