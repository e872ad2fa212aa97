/**
 * The price of a payload on a class of devices: never more CPU time than the download that it replaces takes.
 *
 * Pure, so that whoever serves a fleet can ask it for each class of devices: all it needs stands in payload headers. It
 * counts as if nothing were done at once, although a device decodes while it downloads: what passes is never slower.
 * @module
 */
import type { Profile } from '../../../native-free/format/profile.ts';
import { UpdateError } from '../../../native-free/status.ts';

/** Devices that are alike. */
export interface DeviceClass {
  /** Speed of a core, that of the core which the figures below are from being 1. */
  readonly cpu: number;
  /** What the link brings in a second, in bits. */
  readonly linkBits: number;
}

/** What a header says of a payload. */
export interface PricedPayload {
  readonly kind: 'delta' | 'full';
  readonly profile: Profile;
  readonly payloadBytes: number;
  readonly targetBytes: number;
  /** In units of 2^20 look-ups. */
  readonly decoderWork: number;
}

/** What a payload takes, in seconds. */
export interface Price {
  readonly download: number;
  readonly decode: number;
}

/**
 * CPU seconds of a unit of work in WebAssembly, on a core of a build server with its caches shared: measured over programs
 * and libraries of several instruction sets, rounded up. A look-up of `fast` waits for fewer others.
 */
const SECONDS_PER_UNIT: Readonly<Record<Profile, number>> = { small: 0.022, fast: 0.012, 'low-memory': 0.022 };
/** Of each byte of a target: it is hashed with its segment and again as a whole, copied and written. */
const SECONDS_PER_BYTE = 1 / 100e6;
/** A process that starts, with its modules. */
const SECONDS_TO_START = 0.15;

/** @throws UpdateError usage_invalid for a class that is not said in positive numbers */
export function priceOf(payload: PricedPayload, { cpu, linkBits }: DeviceClass): Price {
  if (!(cpu > 0) || !(linkBits > 0)) {
    throw new UpdateError('usage_invalid', `a device class has a speed and a link above 0, not ${cpu} and ${linkBits}`);
  }
  const work = payload.kind === 'full' ? 0 : payload.decoderWork * SECONDS_PER_UNIT[payload.profile];
  const decode = (SECONDS_TO_START + payload.targetBytes * SECONDS_PER_BYTE + work) / cpu;
  return { download: (8 * payload.payloadBytes) / linkBits, decode };
}

/** Whether a delta pays: decoding it takes no longer than downloading what it saves of the full payload. */
export function pays(delta: PricedPayload, full: Pick<PricedPayload, 'payloadBytes'>, device: DeviceClass): boolean {
  const saved = full.payloadBytes - delta.payloadBytes;
  return saved > 0 && priceOf(delta, device).decode <= (8 * saved) / device.linkBits;
}

/**
 * What devices of a class are to get: of the deltas that pay the one of fewest bytes, of equals the first; else the full
 * payload.
 * @throws UpdateError usage_invalid
 */
export function choosePayload<P extends PricedPayload>(full: P, deltas: readonly P[], device: DeviceClass): P {
  let chosen = full;
  for (const delta of deltas) {
    if (delta.payloadBytes < chosen.payloadBytes && pays(delta, full, device)) chosen = delta;
  }
  return chosen;
}
