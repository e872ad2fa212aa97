/**
 * Client of Eclipse hawkBit's Direct Device Integration API, version 1 (eclipse.dev/hawkbit, "DDI API"), so that the
 * agent also works against a hawkBit server. docs/protocol.md has what is sent and what counts as an answer.
 * @module
 */
import type { Network } from '../../platform/network.ts';
import type { ActionNews, Deployment, DeploymentSource, PollResult, Proceeding, Report } from './deployments.ts';
import { headerOf, isGone, isJson, objectOf, requireTaken, wrongAnswer, type Json } from './answers.ts';
import { idOf, readDeployment } from './deployment.ts';

export interface DdiOptions {
  readonly network: Network;
  /** Without a slash at the end. */
  readonly serverUrl: string;
  readonly tenant: string;
  readonly controllerId: string;
  readonly token?: { readonly kind: 'target' | 'gateway'; readonly value: string };
  /** The device's own, where a deployment names several. */
  readonly slotClass: string;
  readonly signal?: AbortSignal;
}

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
    const { config, _links: links } = base;
    // An object with neither is no answer to a poll, and nothing must be read out of its silence.
    if (!isJson(config) && !isJson(links))
      throw wrongAnswer(this.#base, 'neither config nor _links (a captive portal?)');
    const polling = isJson(config) && isJson(config['polling']) ? config['polling'] : {};
    const cancelUrl = this.#link(base, 'cancelAction');
    const deploymentUrl = this.#link(base, 'deploymentBase');
    return {
      cancel: cancelUrl === null ? null : await this.#cancellation(cancelUrl, signal),
      deployment: deploymentUrl === null ? null : await this.#deployment(deploymentUrl, signal),
      sleepMs: parseSleep(polling['sleep']),
      attributesWanted: this.#link(base, 'configData') !== null,
    };
  }

  async proceeding({ code, downloaded = false, ...news }: Proceeding): Promise<void> {
    const execution = downloaded ? 'downloaded' : 'proceeding';
    const status = { execution, result: { finished: 'none' }, code };
    await this.#feedback('deploymentBase', news.actionId, news, status, {});
  }

  async close(report: Report): Promise<void> {
    const { outcome } = report;
    const finished = outcome.status === 0 ? 'success' : 'failure';
    const status = { execution: 'closed', result: { finished }, code: outcome.status };
    await this.#feedback('deploymentBase', report.actionId, report, status, outcomeOf(report));
  }

  async answerCancel(cancelId: string, accepted: boolean, report: Report): Promise<void> {
    const status = accepted
      ? { execution: 'closed', result: { finished: 'success' }, code: 10 }
      : { execution: 'rejected', result: { finished: 'failure' }, code: 0 };
    await this.#feedback('cancelAction', cancelId, report, status, outcomeOf(report));
  }

  async sendAttributes(data: Readonly<Record<string, string>>): Promise<void> {
    await this.#send('PUT', `${this.#base}/configData`, { mode: 'merge', data });
  }

  /** Null also when the server knows it no more: it was withdrawn between two requests. */
  async ageHeader(bodySha256: string, signal = this.#options.signal): Promise<Uint8Array> {
    const url = `${this.#base}/engraft/header/${bodySha256}`;
    const response = await this.#options.network.request({ method: 'GET', url, headers: this.#headers(), signal });
    return headerOf(response, url);
  }

  async #cancellation(url: string, signal?: AbortSignal): Promise<PollResult['cancel']> {
    const answer = await this.#getUnlessGone(url, signal);
    if (answer === null) return null;
    const inner = isJson(answer['cancelAction']) ? answer['cancelAction'] : {};
    const cancelId = idOf(answer['id']);
    const stopId = idOf(inner['stopId']);
    if (cancelId === null || stopId === null) throw wrongAnswer(url, 'a cancelAction without id or stopId');
    return { cancelId, stopId };
  }

  /** Null also when the server knows it no more. */
  async #deployment(url: string, signal?: AbortSignal): Promise<Deployment | null> {
    const answer = await this.#getUnlessGone(url, signal);
    return answer === null ? null : readDeployment(answer, url, this.#options.slotClass);
  }

  async #feedback(kind: string, id: string, news: ActionNews, status: Json, more: Json): Promise<void> {
    const url = `${this.#base}/${kind}/${encodeURIComponent(id)}/feedback`;
    const { atMs, details, release } = news;
    await this.#send('POST', url, {
      id,
      time: new Date(atMs).toISOString(),
      timestamp: atMs,
      status: details.length === 0 ? status : { ...status, details },
      engraft: { ...release, ...more },
    });
  }

  /** An address from `_links`. Only the server that the token is for is ever asked. Throws `content_wrong`. */
  #link(answer: Json, name: string): string | null {
    const links = isJson(answer['_links']) ? answer['_links'] : {};
    const entry = links[name];
    if (entry === undefined || entry === null) return null;
    const href = isJson(entry) ? entry['href'] : undefined;
    if (typeof href !== 'string' || !URL.canParse(href, `${this.#base}/`)) {
      throw wrongAnswer(this.#base, `the link ${name} is no address`);
    }
    const url = new URL(href, `${this.#base}/`);
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
    return objectOf(response, url);
  }

  async #getUnlessGone(url: string, signal?: AbortSignal): Promise<Json | null> {
    try {
      return await this.#get(url, signal);
    } catch (error) {
      if (isGone(error)) return null;
      throw error;
    }
  }

  async #send(method: 'POST' | 'PUT', url: string, body: Json): Promise<void> {
    const headers = { ...this.#headers(), 'content-type': 'application/json' };
    const { network, signal } = this.#options;
    const response = await network.request({ method, url, headers, body: JSON.stringify(body), signal });
    await requireTaken(response, url);
  }
}

const outcomeOf = ({ outcome }: Report): Json => ({ code: outcome.code, subStatus: outcome.subStatus });
