/**
 * A delta whose profile a device class decides: the one of fewest bytes, or one that decodes faster, or none.
 * @module
 */
import type { Profile } from '../../../native-free/format/profile.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { pays, priceOf, type DeviceClass } from './price.ts';
import type { PayloadResult } from '../payload-maker.ts';

/** In the order of their bytes. */
const TRIED: readonly Profile[] = ['small', 'fast'];

/**
 * The first profile whose delta pays, and its delta; `make` makes one.
 * @throws UpdateError delta_not_smaller where none does, usage_invalid for a bad device class, and what `make` throws
 */
export async function pricedDelta<R extends PayloadResult>(
  make: (profile: Profile) => Promise<R>,
  fullBytes: number,
  device: DeviceClass,
): Promise<R> {
  let decode = Infinity;
  for (const profile of TRIED) {
    const made = await make(profile);
    if (pays(made.header, { payloadBytes: fullBytes }, device)) return made;
    decode = Math.min(decode, priceOf(made.header, device).decode);
  }
  throw new UpdateError(
    'delta_not_smaller',
    `decoding would take ${Math.ceil(decode)} s on such a device, longer than the download that it replaces`,
  );
}
