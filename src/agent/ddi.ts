/**
 * Client of Eclipse hawkBit's Direct Device Integration API, version 1 (eclipse.dev/hawkbit, "DDI API"), so that the
 * agent also works against a hawkBit server. From a deployment it takes only which release is meant; sizes, digests
 * and places come from signed metadata.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import { readBody, statusError } from '../transfer/network.ts';
import type { Network } from '../transfer/network.ts';
import type { Deployment, DeploymentSource, PollResult } from './deployments.ts';
import type { AttemptOutcome, ReleaseName } from './journal.ts';
import { isName } from './manifest.ts';

export interface DdiOptions {
  readonly network: Network;
  /** Without a slash at the end. */
  readonly serverUrl: string;
  readonly tenant: string;
  readonly controllerId: string;
  readonly token?: { readonly kind: 'target' | 'gateway'; readonly value: string };
  /** Sent when the server asks for configData. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

type Json = Record<string, unknown>;

/** Bound on any DDI answer. */
const ANSWER_BYTES_MAX = 1024 * 1024;

const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** 'HH:MM:SS' → milliseconds, or null. */
export function parseSleep(text: unknown): number | null {
  const match = typeof text === 'string' ? /^(\d{1,3}):(\d\d):(\d\d)$/.exec(text) : null;
  return match === null ? null : ((Number(match[1]) * 60 + Number(match[2])) * 60 + Number(match[3])) * 1000;
}

export class DdiClient implements DeploymentSource {
  readonly #options: DdiOptions;
  readonly #base: string;

  constructor(options: DdiOptions) {
    this.#options = options;
    const { serverUrl, tenant, controllerId } = options;
    this.#base = `${serverUrl}/${encodeURIComponent(tenant)}/controller/v1/${encodeURIComponent(controllerId)}`;
  }

  async poll(signal?: AbortSignal): Promise<PollResult> {
    const base = await this.#get(this.#base, signal);
    const polling = isJson(base['config']) && isJson(base['config']['polling']) ? base['config']['polling'] : {};
    const sleepMs = parseSleep(polling['sleep']);
    if (this.#link(base, 'configData') !== null) await this.#sendAttributes();
    const cancelUrl = this.#link(base, 'cancelAction');
    const cancel = cancelUrl === null ? null : await this.#cancellation(cancelUrl, signal);
    const url = this.#link(base, 'deploymentBase');
    const deployment = url === null ? null : await this.#deployment(url, signal);
    return { deployment, cancel, sleepMs };
  }

  async proceeding(actionId: string, message: string, code: number): Promise<void> {
    const status = { execution: 'proceeding', result: { finished: 'none' }, code, details: [message] };
    await this.#feedback('deploymentBase', actionId, status);
  }

  async close(actionId: string, outcome: AttemptOutcome): Promise<void> {
    const finished = outcome.status === 0 ? 'success' : 'failure';
    const details = [`${outcome.code} (${outcome.subStatus})`, outcome.message];
    const status = { execution: 'closed', result: { finished }, code: outcome.status, details };
    await this.#feedback('deploymentBase', actionId, status);
  }

  async answerCancel(cancelId: string, accepted: boolean, message: string): Promise<void> {
    const status = accepted
      ? { execution: 'closed', result: { finished: 'success' }, code: 10, details: [message] }
      : { execution: 'rejected', result: { finished: 'failure' }, code: 0, details: [message] };
    await this.#feedback('cancelAction', cancelId, status);
  }

  async #sendAttributes(): Promise<void> {
    await this.#send('PUT', `${this.#base}/configData`, { mode: 'merge', data: this.#options.attributes });
  }

  async #cancellation(url: string, signal?: AbortSignal): Promise<PollResult['cancel']> {
    const answer = await this.#get(url, signal);
    const inner = isJson(answer['cancelAction']) ? answer['cancelAction'] : {};
    const cancelId = idOf(answer['id']);
    const stopId = idOf(inner['stopId']);
    if (cancelId === null || stopId === null) throw this.#wrong(url, 'a cancelAction without id or stopId');
    return { cancelId, stopId };
  }

  async #deployment(url: string, signal?: AbortSignal): Promise<Deployment> {
    const answer = await this.#get(url, signal);
    const actionId = idOf(answer['id']);
    const inner = answer['deployment'];
    if (actionId === null || !isJson(inner) || !Array.isArray(inner['chunks'])) {
      throw this.#wrong(url, 'a deployment without id or chunks');
    }
    for (const chunk of inner['chunks'] as unknown[]) {
      const release = isJson(chunk) ? releaseOf(chunk['metadata']) : null;
      if (release !== null) return { actionId, release };
    }
    throw new UpdateError('metadata_malformed', `${url}: no chunk has the metadata engraft.product and the like`, {
      detail: { url, actionId },
    });
  }

  async #feedback(kind: string, id: string, status: Json): Promise<void> {
    const url = `${this.#base}/${kind}/${encodeURIComponent(id)}/feedback`;
    await this.#send('POST', url, { id, time: String(Date.now()), status });
  }

  /** An address from `_links`. Only the server that the token is for is ever asked. */
  #link(answer: Json, name: string): string | null {
    const links = isJson(answer['_links']) ? answer['_links'] : {};
    const entry = links[name];
    if (!isJson(entry) || typeof entry['href'] !== 'string') return null;
    const url = new URL(entry['href'], `${this.#base}/`);
    const base = new URL(this.#base);
    if (url.origin === base.origin) return url.href;
    // Behind a proxy a server may not know its own name; its paths are still right.
    return `${base.origin}${url.pathname}${url.search}`;
  }

  #headers(): Record<string, string> {
    const { token } = this.#options;
    const headers: Record<string, string> = { accept: 'application/hal+json, application/json' };
    if (token !== undefined) {
      headers['authorization'] = `${token.kind === 'target' ? 'TargetToken' : 'GatewayToken'} ${token.value}`;
    }
    return headers;
  }

  async #get(url: string, signal = this.#options.signal): Promise<Json> {
    const response = await this.#options.network.request({ method: 'GET', url, headers: this.#headers(), signal });
    if (response.status !== 200) {
      await response.discard();
      throw statusError(response, url);
    }
    const text = new TextDecoder().decode(await readBody(response, ANSWER_BYTES_MAX, url));
    try {
      const value: unknown = JSON.parse(text);
      if (isJson(value)) return value;
    } catch {
      // Said below.
    }
    throw this.#wrong(url, 'no JSON object (a captive portal?)');
  }

  async #send(method: 'POST' | 'PUT', url: string, body: Json): Promise<void> {
    const headers = { ...this.#headers(), 'content-type': 'application/json' };
    const { network, signal } = this.#options;
    const response = await network.request({ method, url, headers, body: JSON.stringify(body), signal });
    await response.discard();
    if (response.status >= 200 && response.status < 300) return;
    throw statusError(response, url);
  }

  #wrong(url: string, what: string): UpdateError {
    return new UpdateError('content_wrong', `${url}: ${what}`, { detail: { url } });
  }
}

function idOf(value: unknown): string | null {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value) ? value : null;
}

function releaseOf(metadata: unknown): ReleaseName | null {
  if (!Array.isArray(metadata)) return null;
  const values = new Map<string, unknown>();
  for (const entry of metadata as unknown[]) {
    if (isJson(entry) && typeof entry['key'] === 'string') values.set(entry['key'], entry['value']);
  }
  const product = values.get('engraft.product');
  const version = values.get('engraft.version');
  const hardware = values.get('engraft.hardware');
  const slotClass = values.get('engraft.slotClass');
  if (!isName(product) || !isName(version) || !isName(hardware) || !isName(slotClass)) return null;
  return { product, version, hardware, slotClass };
}
