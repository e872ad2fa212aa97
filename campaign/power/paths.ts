/**
 * Where things are on a simulated device.
 * @module
 */
import type { SlotClass } from './scenarios.ts';

export const PATHS = {
  data: '/data',
  root: '/etc/root.json',
  state: '/boot/state',
  choice: '/boot/choice',
  environment: '/dev/env',
  target: '/app/image',
  targetState: '/data/file-target',
} as const;

export const slotPath = (slot: string, slotClass: SlotClass): string => `/dev/${slotClass}-${slot.toLowerCase()}`;
