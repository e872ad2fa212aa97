/**
 * The journal of the device that a configuration describes.
 * @module
 */
import type { AgentConfig } from '../config/config.ts';
import type { World } from '../context.ts';
import { Journal, type DeviceName } from './journal.ts';

/** What a journal is bound to: the same for all releases of one device, different for any two devices. */
export function deviceOf({ device, place }: Pick<AgentConfig, 'device' | 'place'>): DeviceName {
  const { controllerId, product, hardware } = device;
  // Of the device's own slot class: another one may be added without the device becoming another.
  const paths =
    place.kind === 'file' ? [place.path] : Object.values(place.slots).map((classes) => classes[device.slotClass]!);
  return { controllerId, product, hardware, places: [...paths].sort() };
}

export const journalOf = (
  config: Pick<AgentConfig, 'device' | 'place' | 'dataFolder'>,
  { fs, hash }: Pick<World, 'fs' | 'hash'>,
): Journal => new Journal({ fs, hash, path: `${config.dataFolder}/journal`, device: deviceOf(config) });
