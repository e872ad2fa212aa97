/**
 * What the devices of a fleet decode.
 * @module
 */
import type { Decoders } from './model.ts';
import type { DecoderCount } from '../store/index.ts';

/** How many devices read which format. */
export function summaryOf(counts: readonly DecoderCount[]): Decoders {
  const formats = new Map<string, number>();
  let [all, untold] = [0, 0];
  for (const { formats: reads, devices } of counts) {
    all += devices;
    if (reads === null) untold += devices;
    for (const format of new Set(reads)) formats.set(format, (formats.get(format) ?? 0) + devices);
  }
  return {
    ...{ devices: all, untold },
    formats: [...formats].sort().map(([format, devices]) => ({ format, devices })),
    decoders: counts.map(({ formats: reads, devices }) => ({ formats: reads === null ? null : [...reads], devices })),
  };
}
