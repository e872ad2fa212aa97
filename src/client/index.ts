/**
 * A typed client of the management API: `engraft/client`. It shares types with the server, and nothing else: it runs
 * wherever there is a `fetch`. Calls throw UpdateError: the server's codes, `http_status`, `link_failed`, `content_wrong`.
 *
 * @example
 * const client = new ManagementClient({ url, token });
 * const [newest] = await client.releases({ limit: 1 });
 * await client.registerDevice({ controllerId: 'device-1' });
 * await client.createDeployment({ releaseId: newest!.id, devices: ['device-1'] });
 * @module
 */
import { askerFor, type Ask, type ClientOptions } from './ask.ts';
import { PublishingClient } from './publishing.ts';
import type {
  Audit,
  Decoders,
  Deployment,
  DeploymentAction,
  Device,
  DeviceDetail,
  ManagedDeviceKey,
  NewDeployment,
  NewDevice,
  NewRollout,
  Product,
  RegisteredDevice,
  Release,
  Rollout,
  RolloutCommand,
  RolloutMember,
} from '../server/index.ts';

export type { ClientOptions } from './ask.ts';
export type { UploadSource } from './publishing.ts';

export interface Page {
  readonly limit?: number;
}

export interface DeviceFilter extends Page {
  readonly after?: string;
  readonly product?: string;
  readonly hardware?: string;
  /** What runs there. */
  readonly version?: string;
}

export interface ReleaseFilter extends Page {
  readonly product?: string;
  readonly version?: string;
  readonly hardware?: string;
  readonly slotClass?: string;
  readonly before?: number;
}

/**
 * Every call throws UpdateError: the server's own code when it answered with a problem, `http_status` when that has none,
 * `link_failed` when it did not answer, `content_wrong` when the answer is not from such a server.
 * @example
 * const client = new ManagementClient({ url: 'http://127.0.0.1:8080', token });
 * const [release] = await client.releases({ product: 'camera', version: '1.2.0' });
 * await client.createDeployment({ releaseId: release.id, devices: 'all' });
 */
export class ManagementClient {
  /** Publishing: uploads, jobs, plans, prices. */
  readonly publishing: PublishingClient;
  readonly #tenant: string;
  readonly #ask: Ask;

  constructor(options: ClientOptions) {
    this.#tenant = options.tenant ?? 'default';
    this.#ask = askerFor(options);
    this.publishing = new PublishingClient(this.#ask, this.#tenant);
  }

  async products(): Promise<Product[]> {
    return (await this.#ask<{ products: Product[] }>('GET', '/products')).products;
  }

  /** Newest first. */
  async releases(filter: ReleaseFilter = {}): Promise<Release[]> {
    return (await this.#ask<{ releases: Release[] }>('GET', '/releases', { ...filter })).releases;
  }

  release(id: number): Promise<Release> {
    return this.#ask('GET', `/releases/${id}`);
  }

  /** In the order of their ids, those after `after`. */
  async devices(filter: DeviceFilter = {}): Promise<Device[]> {
    return (await this.#ask<{ devices: Device[] }>('GET', '/devices', this.#scoped(filter))).devices;
  }

  device(controllerId: string): Promise<DeviceDetail> {
    return this.#ask('GET', `/devices/${encodeURIComponent(controllerId)}`, this.#scoped());
  }

  /** How many devices of all, or of one product and hardware, read which payload formats. */
  decoders(line: { readonly product?: string; readonly hardware?: string } = {}): Promise<Decoders> {
    return this.#ask('GET', '/decoders', this.#scoped(line));
  }

  /** Makes the device known and gives it a token, which is shown only in this answer. */
  registerDevice(device: NewDevice): Promise<RegisteredDevice> {
    return this.#ask('POST', '/devices', this.#scoped(), device);
  }

  /** The key that headers of encrypted payloads are made for, and one that waits for consent. */
  deviceKey(controllerId: string): Promise<ManagedDeviceKey> {
    return this.#ask('GET', `/devices/${encodeURIComponent(controllerId)}/key`, this.#scoped());
  }

  /** Vouches for a key that the device has told, also if the device was revoked before. */
  acceptDeviceKey(controllerId: string, recipient: string): Promise<ManagedDeviceKey> {
    return this.#ask('POST', `/devices/${encodeURIComponent(controllerId)}/key`, this.#scoped(), { recipient });
  }

  /** No more headers of encrypted payloads and no more news for this device. */
  revokeDevice(controllerId: string): Promise<ManagedDeviceKey> {
    return this.#ask('POST', `/devices/${encodeURIComponent(controllerId)}/revoke`, this.#scoped());
  }

  createDeployment(deployment: NewDeployment): Promise<Deployment> {
    return this.#ask('POST', '/deployments', this.#scoped(), deployment);
  }

  /** Newest first. */
  async deployments(
    page: Page & { readonly before?: number; readonly state?: Deployment['state'] } = {},
  ): Promise<Deployment[]> {
    return (await this.#ask<{ deployments: Deployment[] }>('GET', '/deployments', this.#scoped(page))).deployments;
  }

  deployment(id: number): Promise<Deployment> {
    return this.#ask('GET', `/deployments/${id}`, this.#scoped());
  }

  /** Its devices with their actions, in the order of the devices' ids, those after `after`. */
  async deploymentActions(id: number, page: Page & { readonly after?: string } = {}): Promise<DeploymentAction[]> {
    const path = `/deployments/${id}/actions`;
    return (await this.#ask<{ actions: DeploymentAction[] }>('GET', path, this.#scoped(page))).actions;
  }

  cancelDeployment(id: number): Promise<Deployment> {
    return this.#ask('POST', `/deployments/${id}/cancel`, this.#scoped());
  }

  /** Newest first. */
  async rollouts(page: Page & { readonly before?: number } = {}): Promise<Rollout[]> {
    return (await this.#ask<{ rollouts: Rollout[] }>('GET', '/rollouts', this.#scoped(page))).rollouts;
  }

  rollout(id: number): Promise<Rollout> {
    return this.#ask('GET', `/rollouts/${id}`, this.#scoped());
  }

  /** Plans a rollout; it starts when it is told to, or at its time. */
  createRollout(rollout: NewRollout): Promise<Rollout> {
    return this.#ask('POST', '/rollouts', this.#scoped(), rollout);
  }

  /** When 'stop' is answered, no device is offered the release any more. */
  commandRollout(id: number, command: RolloutCommand, why?: string): Promise<Rollout> {
    return this.#ask('POST', `/rollouts/${id}/${command}`, this.#scoped(), why === undefined ? {} : { why });
  }

  /** In the order of their ids, those after `after`. */
  async rolloutDevices(
    id: number,
    page: Page & { readonly after?: string; readonly state?: RolloutMember['state'] } = {},
  ): Promise<RolloutMember[]> {
    const path = `/rollouts/${id}/devices`;
    return (await this.#ask<{ devices: RolloutMember[] }>('GET', path, this.#scoped(page))).devices;
  }

  /** Who did what, newest first. */
  async rolloutAudit(id: number): Promise<Audit[]> {
    return (await this.#ask<{ audit: Audit[] }>('GET', `/rollouts/${id}/audit`, this.#scoped())).audit;
  }

  #scoped(query: object = {}): Record<string, unknown> {
    return { ...query, tenant: this.#tenant };
  }
}
