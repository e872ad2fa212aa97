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
import { STATUS, UpdateError, type StatusCode } from '../../native-free/status.ts';
import type {
  Decoders,
  Deployment,
  DeploymentAction,
  Device,
  DeviceDetail,
  ManagedDeviceKey,
  NewDeployment,
  NewDevice,
  Problem,
  Product,
  RegisteredDevice,
  Release,
} from '../server/index.ts';

export interface ClientOptions {
  /** Of the server, such as https://updates.example.org. */
  readonly url: string;
  /** The management token. */
  readonly token: string;
  /** Default: 'default'. */
  readonly tenant?: string;
  readonly fetch?: typeof fetch;
}

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
  readonly #base: string;
  readonly #token: string;
  readonly #tenant: string;
  readonly #fetch: typeof fetch;

  constructor(options: ClientOptions) {
    this.#base = `${options.url.replace(/\/+$/, '')}/api/v1`;
    this.#token = options.token;
    this.#tenant = options.tenant ?? 'default';
    this.#fetch = options.fetch ?? fetch;
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

  #scoped(query: object = {}): Record<string, unknown> {
    return { ...query, tenant: this.#tenant };
  }

  async #ask<T>(method: 'GET' | 'POST', path: string, query: Record<string, unknown> = {}, body?: object): Promise<T> {
    const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(
      pairs.map(([name, value]): [string, string] => [name, String(value)]),
    ).toString();
    const url = `${this.#base}${path}${search === '' ? '' : `?${search}`}`;
    const headers: Record<string, string> = { Authorization: `Bearer ${this.#token}` };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    let response: Response;
    try {
      response = await this.#fetch(url, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (cause) {
      throw new UpdateError('link_failed', `${method} ${url}: no answer${reasonOf(cause)}`, { cause });
    }
    const answer = await jsonOf(response, `${method} ${url}`);
    if (response.ok) return answer as T;
    throw errorOf(answer as Partial<Problem>, response.status, `${method} ${url}`);
  }
}

/** ` (connect ECONNREFUSED 127.0.0.1:8080)`: `fetch` itself only says that it failed. */
function reasonOf(failure: unknown): string {
  const cause = failure instanceof Error ? failure.cause : undefined;
  if (!(cause instanceof Error)) return '';
  const { code } = cause as { code?: unknown };
  // Of several addresses that were tried there is no message, only the code.
  const text = cause.message || (typeof code === 'string' ? code : '');
  return text === '' ? '' : ` (${text})`;
}

async function jsonOf(response: Response, request: string): Promise<unknown> {
  try {
    return await response.json();
  } catch (cause) {
    throw new UpdateError('content_wrong', `${request}: the answer (${response.status}) is not JSON`, { cause });
  }
}

function errorOf(problem: Partial<Problem>, http: number, request: string): UpdateError {
  const known = problem.code !== undefined && Object.hasOwn(STATUS, problem.code);
  const code: StatusCode = known ? problem.code! : 'http_status';
  return new UpdateError(code, `${request}: ${problem.detail ?? `HTTP ${http}`}`, { detail: { http } });
}
