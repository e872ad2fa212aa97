/**
 * A fleet of virtual devices in virtual time, against any server that speaks hawkBit's DDI: months of a rollout in
 * seconds, the same each time for the same seed.
 * @module
 */
import { seededRandom } from '../seeded-random.ts';
import { GOOD, VirtualDevice, type Behaviour, type DeviceEvent, type World } from './device.ts';
import { Events } from './events.ts';

export interface FleetOptions {
  /** Asks the server for a path, such as `app.request` of an embedded one. */
  readonly request: (path: string, init?: RequestInit) => Promise<Response>;
  readonly devices: number;
  readonly seed: number;
  /** Milliseconds since 1970 at which it begins. */
  readonly startMs: number;
  /** Devices poll for the first time within so long. Default: 5 minutes. */
  readonly spreadMs?: number;
  readonly tenant?: string;
  /** What devices tell of themselves, product and hardware at least. */
  readonly facts: Readonly<Record<string, string>>;
  /** What device `index` runs at first. */
  readonly version: (index: number) => string;
  /** How devices fare with a release. Default: well. */
  readonly behaviour?: (version: string) => Partial<Behaviour>;
  /** Default: a delta of a twentieth of the image. */
  readonly payloadBytes?: (from: string, to: string, artifactBytes: number) => number;
}

export class Fleet {
  readonly devices: readonly VirtualDevice[];
  /** Everything that devices did, in its order, polls left out. */
  readonly log: DeviceEvent[] = [];
  polls = 0;
  readonly #events = new Events();
  #nowMs: number;

  /** Devices have ids `device-0`, `device-1`, ... */
  constructor(options: FleetOptions) {
    const { request, seed, startMs, spreadMs = 300_000, tenant = 'default', facts, version, behaviour } = options;
    this.#nowMs = startMs;
    const random = seededRandom(seed);
    const world: World = {
      events: this.#events,
      time: () => this.#nowMs,
      random,
      request,
      behaviourOf: (release) => ({ ...GOOD, ...behaviour?.(release) }),
      payloadBytes: options.payloadBytes ?? ((_, __, bytes) => Math.ceil(bytes / 20)),
      note: (event) => this.#note(event),
    };
    this.devices = Array.from({ length: options.devices }, (_, i) => {
      const id = `device-${i}`;
      const device = new VirtualDevice(world, id, `/${tenant}/controller/v1/${id}`, facts, version(i));
      this.#events.add(startMs + random() * spreadMs, () => device.poll());
      return device;
    });
  }

  /** The fleet's clock, for the server. */
  now(): number {
    return this.#nowMs;
  }

  /** Asks for something at a time of the fleet's, such as the server's upkeep. */
  at(ms: number, run: () => Promise<void>): void {
    this.#events.add(ms, run);
  }

  /** Lets time pass until then, or until `isOver`. */
  async run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    while (this.#events.nextAt <= untilMs && !isOver()) {
      const event = this.#events.take()!;
      this.#nowMs = Math.max(this.#nowMs, event.at);
      await event.run();
    }
    if (!isOver()) this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /** Devices that something has happened to, with a version or any. */
  count(what: DeviceEvent['what'], version?: string): number {
    const events = this.log.filter((event) => event.what === what && (version ?? event.version) === event.version);
    return new Set(events.map(({ device }) => device)).size;
  }

  /** How many devices run what. */
  versions(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { version } of this.devices) counts[version] = (counts[version] ?? 0) + 1;
    return counts;
  }

  #note(event: DeviceEvent): void {
    if (event.what === 'poll') this.polls++;
    else this.log.push(event);
  }
}
