/**
 * `[limits]`: what an attempt may cost in bytes, memory, tries and time.
 * @module
 */
import { LIMITS } from '../../../native-free/limits.ts';
import { DEFAULT_BACKOFF, type BackoffPolicy } from '../../platform/clock.ts';
import { DEFAULT_RATE_FLOOR } from '../../platform/http/rate-floor.ts';
import type { TableReader } from './table-reader.ts';
import { parseHours, type DayWindow } from '../life/hours.ts';

/** What a terminal can spare unless its configuration says otherwise; the format allows twice as much. */
const DECODER_MEMORY_BYTES = 64 * 2 ** 20;

export interface LimitsConfig {
  /** Payload bytes one attempt may take from the link. */
  readonly budgetBytes?: number;
  /** All bytes of a calendar month (UTC): payloads, metadata, polls and reports. */
  readonly budgetBytesPerMonth?: number;
  /** When payloads may be downloaded, in the device's local time; empty: always. */
  readonly allowedHours: readonly DayWindow[];
  readonly rateBytesPerSecond?: number;
  readonly decoderMemoryBytes: number;
  /** Units of 2^20 look-ups that decoding one payload may take. */
  readonly decoderWork: number;
  readonly attemptsMax: number;
  readonly resumesMax: number;
  readonly retriesMax: number;
  readonly faultRetriesMax: number;
  readonly backoff: BackoffPolicy;
  readonly idleSeconds: number;
  /** For everything that is not a payload: polls, metadata, reports. */
  readonly exchangeSeconds: number;
  /** A payload that comes slower, in a whole window, is asked for anew. */
  readonly rateMinBytesPerSecond: number;
  readonly rateMinWindowSeconds: number;
  readonly spareBytes: number;
  /** How long a release that signed metadata does not list is waited for. */
  readonly metadataWaitHours: number;
}

export function readLimits(top: TableReader): LimitsConfig {
  const table = top.table('limits', false);
  const most = Number.MAX_SAFE_INTEGER;
  const limits = {
    budgetBytes: table.optionalInteger('budget_bytes', 1, most),
    budgetBytesPerMonth: table.optionalInteger('budget_bytes_per_month', 1, most),
    allowedHours: readHours(table, 'allowed_hours'),
    rateBytesPerSecond: table.optionalInteger('rate_bytes_per_second', 1024, most),
    decoderMemoryBytes: table.integer('decoder_memory_bytes', DECODER_MEMORY_BYTES, 1, LIMITS.decoder_memory_bytes_max),
    decoderWork: table.integer('decoder_work', LIMITS.decoder_work_units_max, 1, LIMITS.decoder_work_units_max),
    attemptsMax: table.integer('attempts_max', 5, 1, 1000),
    resumesMax: table.integer('resumes_max', 20, 1, 100_000),
    retriesMax: table.integer('retries_max', 50, 0, 1_000_000),
    faultRetriesMax: table.integer('fault_retries_max', 8, 0, 1000),
    backoff: {
      firstMs: table.integer('backoff_first_ms', DEFAULT_BACKOFF.firstMs, 1, 3_600_000),
      mostMs: table.integer('backoff_most_ms', DEFAULT_BACKOFF.mostMs, 1, 86_400_000),
    },
    idleSeconds: table.integer('idle_seconds', 30, 1, 3600),
    exchangeSeconds: table.integer('exchange_seconds', 300, 1, 86_400),
    rateMinBytesPerSecond: table.integer('rate_min_bytes_per_second', DEFAULT_RATE_FLOOR.bytesPerSecond, 1, most),
    rateMinWindowSeconds: table.integer('rate_min_window_seconds', DEFAULT_RATE_FLOOR.windowMs / 1000, 1, 86_400),
    spareBytes: table.integer('spare_bytes', 1024 * 1024, 0, most),
    metadataWaitHours: table.integer('metadata_wait_hours', 24, 0, 8760),
  };
  table.done();
  return limits;
}

/** `"22:00-06:00, 12:00-13:00"`; a missing key is no restriction. */
export function readHours(table: TableReader, key: string): readonly DayWindow[] {
  const text = table.optionalText(key);
  if (text === undefined) return [];
  const hours = parseHours(text);
  if (hours !== null) return hours;
  throw table.wrong(key, `is "${text}" and should be hours of the day such as "22:00-06:00, 12:00-13:00"`);
}
