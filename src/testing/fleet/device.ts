/**
 * One virtual device: it polls, tells what it is, takes what it is told to take, and reports what became of it.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { Events } from './events.ts';

/** What devices do with a release. All shares are from 0 to 1. */
export interface Behaviour {
  /** Of devices that report a failure after installing. */
  readonly failureShare: number;
  /** Of devices that are never heard of again once they have fetched their action. */
  readonly vanishShare: number;
  /** Of answers to reports that are lost: the device reports once more. */
  readonly lostShare: number;
  /** Downloads that break off once and begin again where they were. */
  readonly dropShare: number;
  readonly linkBitsPerSecond: number;
  /** From the end of the download to the report, the trial of the new slot included. */
  readonly installMs: number;
}

export const GOOD: Behaviour = {
  ...{ failureShare: 0, vanishShare: 0, lostShare: 0, dropShare: 0 },
  ...{ linkBitsPerSecond: 1_000_000, installMs: 120_000 },
};

/** What a device shares with its fleet. */
export interface World {
  readonly events: Events;
  /** Milliseconds since 1970, virtual. */
  time(): number;
  random(): number;
  request(path: string, init?: RequestInit): Promise<Response>;
  behaviourOf(version: string): Behaviour;
  /** Bytes that a device which runs `from` fetches. */
  payloadBytes(from: string, to: string, artifactBytes: number): number;
  note(what: DeviceEvent): void;
}

export interface DeviceEvent {
  readonly device: string;
  readonly at: number;
  readonly what: 'poll' | 'unanswered' | 'offer' | 'cancel' | 'success' | 'failure' | 'vanished';
  /** Of the release, where it is about one. */
  readonly version?: string;
  readonly bytes?: number;
}

const UNANSWERED_MS = 60_000;
const DROP_MS = 30_000;

interface Links {
  readonly [name: string]: { readonly href: string } | undefined;
}

interface Offer {
  readonly id: string;
  readonly version: string;
  readonly bytes: number;
}

export class VirtualDevice {
  readonly id: string;
  readonly #world: World;
  readonly #base: string;
  readonly #facts: Readonly<Record<string, string>>;
  version: string;
  /** Set while it is at something: it polls, and takes nothing new. */
  #busy: string | null = null;
  #isGone = false;

  constructor(world: World, id: string, base: string, facts: Readonly<Record<string, string>>, version: string) {
    this.#world = world;
    this.id = id;
    this.#base = base;
    this.#facts = facts;
    this.version = version;
  }

  /** Polls, and asks to poll again. */
  async poll(): Promise<void> {
    if (this.#isGone) return;
    const answer = await this.#ask(this.#base);
    this.#note('poll');
    const seconds = answer === null ? UNANSWERED_MS / 1000 : await this.#act(answer);
    this.#world.events.add(this.#world.time() + seconds * 1000, () => this.poll());
  }

  /** Does what a poll's answer says. Resolves with the seconds until the next. */
  async #act(answer: Response): Promise<number> {
    const { config, _links: links = {} } = (await answer.json()) as {
      config: { polling: { sleep: string } };
      _links?: Links;
    };
    if (links['configData'] !== undefined) await this.#tell(pathOf(links['configData'].href));
    if (links['cancelAction'] !== undefined) await this.#cancel(pathOf(links['cancelAction'].href));
    if (links['deploymentBase'] !== undefined) await this.#take(pathOf(links['deploymentBase'].href));
    const [hours = 0, minutes = 0, seconds = 0] = config.polling.sleep.split(':').map(Number);
    return hours * 3600 + minutes * 60 + seconds;
  }

  async #tell(path: string): Promise<void> {
    const data = { ...this.#facts, 'engraft.version': this.version };
    await this.#ask(path, { method: 'PUT', body: JSON.stringify({ mode: 'merge', data }) });
  }

  async #cancel(path: string): Promise<void> {
    const answer = await this.#ask(path);
    if (answer === null) return;
    const { id } = (await answer.json()) as { id: string };
    this.#note('cancel');
    if (this.#busy === id) this.#busy = null;
    await this.#report(`${this.#base}/cancelAction/${id}/feedback`, 'canceled', 'success');
  }

  async #take(path: string): Promise<void> {
    const id = path.slice(path.lastIndexOf('/') + 1).replace(/\?.*$/, '');
    if (this.#busy === id) return;
    const answer = await this.#ask(path);
    if (answer === null) return;
    const offer = this.#offerIn(await answer.json());
    const behaviour = this.#world.behaviourOf(offer.version);
    this.#busy = offer.id;
    this.#note('offer', offer);
    if (this.#world.random() < behaviour.vanishShare) {
      this.#isGone = true;
      this.#note('vanished', offer);
      return;
    }
    const drops = this.#world.random() < behaviour.dropShare ? DROP_MS : 0;
    const downloadMs = (offer.bytes * 8000) / behaviour.linkBitsPerSecond;
    const { events } = this.#world;
    events.add(this.#world.time() + downloadMs + drops + behaviour.installMs, () => this.#end(offer, behaviour));
  }

  #offerIn(answer: unknown): Offer {
    const { id, deployment } = answer as {
      id: string;
      deployment: { chunks: { version: string; artifacts: { size: number }[] }[] };
    };
    const chunk = deployment.chunks[0];
    if (chunk === undefined) throw new UpdateError('content_wrong', `action ${id} has no chunk`);
    const bytes = this.#world.payloadBytes(this.version, chunk.version, chunk.artifacts[0]?.size ?? 0);
    return { id, version: chunk.version, bytes };
  }

  async #end(offer: Offer, { failureShare, lostShare }: Behaviour): Promise<void> {
    if (this.#busy !== offer.id) return;
    const finished = this.#world.random() < failureShare ? 'failure' : 'success';
    if (finished === 'success') this.version = offer.version;
    const path = `${this.#base}/deploymentBase/${offer.id}/feedback`;
    const isLost = this.#world.random() < lostShare;
    const isHeard = await this.#report(path, 'closed', finished);
    if (isLost) await this.#report(path, 'closed', finished);
    if (!isHeard) {
      this.#world.events.add(this.#world.time() + UNANSWERED_MS, () =>
        this.#end(offer, { ...GOOD, failureShare: finished === 'failure' ? 1 : 0 }),
      );
      return;
    }
    this.#busy = null;
    this.#note(finished, offer);
  }

  /** The same report each time it is sent. False when nobody answered. */
  async #report(path: string, execution: string, finished: string): Promise<boolean> {
    const status = { execution, result: { finished }, details: [`virtual device ${this.id}`] };
    return (await this.#ask(path, { method: 'POST', body: JSON.stringify({ time: 'once', status }) })) !== null;
  }

  /** Null where the server is not there, or not well; a refusal is an answer. */
  async #ask(path: string, init?: RequestInit): Promise<Response | null> {
    const headers = { 'Content-Type': 'application/json' };
    const answer = await this.#world.request(path, { ...init, headers }).catch(() => null);
    if (answer !== null && answer.status < 500 && answer.status !== 429) {
      if (answer.ok || init !== undefined) return answer;
    }
    this.#note('unanswered');
    return null;
  }

  #note(what: DeviceEvent['what'], offer?: Offer): void {
    const about = offer === undefined ? {} : { version: offer.version, bytes: offer.bytes };
    this.#world.note({ device: this.id, at: this.#world.time(), what, ...about });
  }
}

function pathOf(href: string): string {
  const { pathname, search } = new URL(href);
  return `${pathname}${search}`;
}
