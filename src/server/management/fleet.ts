/**
 * What the devices of a fleet decode, and so which payload each of them gets.
 * @module
 */
import type { Action, Decoders } from './model.ts';
import type { DecoderCount, StoredRelease } from '../store/index.ts';

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

/** What a device that runs `version` is to fetch: agents choose so themselves, by what their slot holds. */
export function payloadFor(
  { payloads }: StoredRelease,
  version: string | null,
  decodes: readonly string[] | null,
): Action['payload'] {
  const deltas = payloads.filter(({ kind, source }) => kind === 'delta' && source?.version === version);
  const full = payloads.filter(({ kind }) => kind === 'full');
  const unread: string[] = [];
  for (const { kind, bytes, format, source } of [...deltas.sort((a, b) => a.bytes - b.bytes), ...full]) {
    // Of a device that says nothing it is believed that it reads what there is.
    const isRead = decodes === null || format === undefined || decodes.includes(format);
    if (!isRead) unread.push(format);
    if (isRead || kind === 'full') return { kind, bytes, sourceVersion: source?.version ?? null, unread };
  }
  return null;
}
