/**
 * How numbers are shown to people. Machines get them raw through `--json`.
 *
 * @module
 */
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** 1536 -> '1.5 KiB'. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${Math.round(value)} B` : `${value.toFixed(value < 10 ? 2 : 1)} ${UNITS[unit]}`;
}

/** 75 -> '1:15', 31.4 -> '31 s', 3.16 -> '3.2 s'. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

/** 12345678 -> '12,345,678'. Not by toLocaleString: loading the runtime's locale data takes 7 MiB on the device. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** 1, 'segment' -> '1 segment'; 1234, 'segment' -> '1,234 segments'. */
export function formatCounted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Columns two spaces apart; counts and shares stand on the right of their column, all else (versions, too) on the left. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  const padded = (cell: string, i: number): string =>
    /^([\d,]+|[\d,.]+ %)$/.test(cell) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!);
  return rows.map((row) => row.map(padded).join('  ').trimEnd()).join('\n');
}

/** A name and what it comes to, on every line; all on the left, for the values are of different kinds. */
export function formatPairs(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd()).join('\n');
}

/** The payload of an action: 'delta from 1.0, 1.2 KiB'; and why no smaller one. */
export function describePayload(
  payload: { kind: string; bytes: number; sourceVersion: string | null; unread: readonly string[] } | null,
): string {
  if (payload === null) return '-';
  const { unread } = payload;
  const why = unread.length === 0 ? '' : ` (payload_version: does not read ${unread.join(', ')})`;
  const from = payload.sourceVersion === null ? '' : ` from ${payload.sourceVersion}`;
  return `${payload.kind}${from}, ${formatBytes(payload.bytes)}${why}`;
}

/** How an action ended: '40 health_failed (8040)'; '-' while it goes on. */
export function endOf(action: { outcome: number | null; reason: string | null; subStatus: number | null }): string {
  if (action.outcome === null) return '-';
  const why = action.reason === null ? '' : ` ${action.reason}`;
  return `${action.outcome}${why}${action.subStatus === null || action.subStatus === 0 ? '' : ` (${action.subStatus})`}`;
}
