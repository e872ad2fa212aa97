/**
 * A deployment made without a running server: straight into its store, which both may use at the same time.
 * @module
 */
import { existsSync } from 'node:fs';
import { UpdateError } from '../../native-free/status.ts';
import { Repository, type ReleaseKey } from '../release/index.ts';
import { tenantOf } from './ddi.ts';
import { summaryOf } from './management/fleet.ts';
import type { Decoders } from './management/model.ts';
import { defaultStorePath } from './server.ts';
import { isServerUrl, Store } from './store/index.ts';

const isThere = (name: string): boolean => isServerUrl(name) || existsSync(name);

export interface CreateDeploymentOptions {
  readonly repo: string;
  /** Path or URL of the store; default: where the server keeps it. */
  readonly store?: string;
  readonly tenant: string;
  readonly release: ReleaseKey;
  readonly devices: readonly string[] | 'all';
  /** Makes unknown devices known. Default true: a program does not mistype; people may, so the commands say false. */
  readonly register?: boolean;
}

export interface CheckDevicesOptions extends Omit<CreateDeploymentOptions, 'release' | 'devices'> {
  readonly line: Pick<ReleaseKey, 'product' | 'hardware'>;
  readonly devices: readonly string[];
}

/**
 * Whether devices can be given a release of this product and hardware, before there is one.
 * @throws UpdateError store_failed, entity_unknown for devices that nobody knows, not_compatible
 */
export async function checkDevices(options: CheckDevicesOptions): Promise<void> {
  const { tenant, devices, line, register = true } = options;
  const path = options.store ?? defaultStorePath(options.repo);
  if (register && !isThere(path)) return;
  // Without a database no device is known; none is made only to say so.
  const store = await Store.open(isThere(path) ? path : ':memory:');
  try {
    await store.deployments.check(tenantOf(tenant), devices, line, register);
  } finally {
    await store.close();
  }
}

/** How many devices of a product and hardware read which payload formats. Throws UpdateError store_failed. */
export async function decodersOf({
  repo,
  store,
  tenant,
  line,
}: Omit<CheckDevicesOptions, 'devices'>): Promise<Decoders> {
  const path = store ?? defaultStorePath(repo);
  const opened = await Store.open(isThere(path) ? path : ':memory:');
  try {
    return summaryOf(await opened.devices.decoders(tenantOf(tenant), line));
  } finally {
    await opened.close();
  }
}

/**
 * Takes over the repository's catalog and assigns the release.
 * @returns the deployment's id
 * @throws UpdateError store_failed, entity_unknown (also for a device), not_compatible
 */
export async function createDeployment(options: CreateDeploymentOptions): Promise<number> {
  const store = await Store.open(options.store ?? defaultStorePath(options.repo));
  try {
    const { catalog } = await new Repository(options.repo).state();
    await store.releases.mirror(catalog);
    const { product, version, hardware, slotClass } = options.release;
    const [release] = await store.releases.list({ product, version, hardware, slotClass, limit: 1 });
    if (release === undefined) throw new UpdateError('entity_unknown', `${product} ${version} is not published`);
    const { tenant, devices, register = true } = options;
    const deployment = { tenant: tenantOf(tenant), releaseId: release.id, devices, register };
    return await store.deployments.create(deployment, Date.now());
  } finally {
    await store.close();
  }
}
