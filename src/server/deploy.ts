/**
 * A deployment made without a running server: straight into its store, which both may use at the same time.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import { Repository, type ReleaseKey } from '../release/index.ts';
import { defaultStorePath } from './server.ts';
import { Store } from './store/index.ts';

export interface CreateDeploymentOptions {
  readonly repo: string;
  /** Path of the store; default: where the server keeps it. */
  readonly store?: string;
  readonly tenant: string;
  readonly release: ReleaseKey;
  readonly devices: readonly string[] | 'all';
}

/**
 * Takes over the repository's catalog and assigns the release.
 * @returns the deployment's id
 * @throws UpdateError store_failed, entity_unknown
 */
export async function createDeployment(options: CreateDeploymentOptions): Promise<number> {
  const store = await Store.open(options.store ?? defaultStorePath(options.repo));
  try {
    const { catalog } = await new Repository(options.repo).state();
    await store.releases.mirror(catalog);
    const { product, version, hardware, slotClass } = options.release;
    const [release] = await store.releases.list({ product, version, hardware, slotClass, limit: 1 });
    if (release === undefined) throw new UpdateError('entity_unknown', `${product} ${version} is not published`);
    return await store.deployments.create(options.tenant, release.id, options.devices, Date.now());
  } finally {
    await store.close();
  }
}
