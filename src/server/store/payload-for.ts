/**
 * Which payload a device gets.
 * @module
 */
/** What has to be known of a payload. */
export interface OfferedPayload {
  readonly kind: 'full' | 'delta';
  readonly bytes: number;
  /** Not known: anybody reads it. */
  readonly format?: string | undefined;
  readonly source: { readonly version: string } | null;
}

export interface ChosenPayload {
  readonly kind: 'full' | 'delta';
  readonly bytes: number;
  readonly sourceVersion: string | null;
  /** Formats of smaller payloads, and of this one, that the device does not read. */
  readonly unread: string[];
}

/** What a device that runs `version` is to fetch: agents choose so themselves, by what their slot holds. */
export function payloadFor(
  payloads: readonly OfferedPayload[],
  version: string | null,
  decodes: readonly string[] | null,
): ChosenPayload | null {
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
