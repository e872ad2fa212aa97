/**
 * The history: how the last attempts ended, for people. Nothing that the agent does depends on it.
 *
 * An attempt is entered while it is in REPORT, before anybody is told: a report that nobody takes for months is no
 * reason to forget. After a power cut REPORT is run again and finds its own entry, so there is never a second one.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { AgentConfig } from '../config/config.ts';
import { partsOf, type Attempt, type JournalBody } from './journal.ts';
import { isDamage, keepAside, loadRecord, storeRecord, type RecordFile, type RecordPlace } from './record.ts';

export interface HistoryEntry {
  readonly actionId: string;
  readonly product: string;
  readonly version: string;
  /** Version of the slot that was running; null where unknown. */
  readonly from: string | null;
  readonly slot: string;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** Of each slot class, in the order in which they were written; empty when it ended before there was a plan. */
  readonly parts: readonly { readonly slotClass: string; readonly kind: string; readonly payloadBytes: number }[];
  /** Payload bytes taken from the link, and those taken more than once. */
  readonly wireBytes: number;
  readonly refetchedBytes: number;
  readonly repairedSegments: number;
  /** Why another payload than the best had to help or to replace it; null where none did. */
  readonly fellBack: string | null;
}

/** Entries kept; the oldest go. */
export const HISTORY_MAX = 50;
/** Messages may carry the output of a command; 50 of them have to fit into one record. */
const MESSAGE_CHARS_MAX = 500;

export const historyFile = ({ dataFolder }: AgentConfig): string => `${dataFolder}/history`;

/** The entry for an attempt with an outcome. */
export function historyEntry(body: JournalBody, attempt: Attempt, finishedAtMs: number): HistoryEntry {
  const { outcome, release } = attempt;
  if (outcome === null) throw new UpdateError('bug', 'an attempt without an outcome is no history');
  return {
    actionId: attempt.actionId,
    product: release.product,
    version: release.version,
    from: body.slots[attempt.sourceSlot]?.version ?? null,
    slot: attempt.targetSlot,
    startedAtMs: attempt.startedAtMs,
    finishedAtMs,
    status: outcome.status,
    code: outcome.code,
    message: outcome.message.slice(0, MESSAGE_CHARS_MAX),
    parts: partsOf(attempt).map(({ slotClass, kind, payload }) => ({
      slotClass,
      kind,
      payloadBytes: kind === 'held' ? 0 : payload.bytes,
    })),
    wireBytes: attempt.wireBytes,
    refetchedBytes: attempt.refetchedBytes,
    repairedSegments: attempt.repairedSegments,
    fellBack: attempt.fellBack?.slice(0, MESSAGE_CHARS_MAX) ?? null,
  };
}

export class History {
  readonly #place: RecordPlace;

  constructor(file: RecordFile) {
    this.#place = { ...file, kind: 'history', version: 1 };
  }

  /** The oldest first. Throws `record_malformed` or `limit_exceeded` for a damaged record. */
  async entries(): Promise<readonly HistoryEntry[]> {
    const value = await loadRecord(this.#place);
    if (value === null) return [];
    const { entries } = value as { entries?: unknown };
    if (!Array.isArray(entries)) throw new UpdateError('record_malformed', `${this.#place.path}: there is no list`);
    return entries as HistoryEntry[];
  }

  /** Is this attempt the one that was entered last? A damaged record is kept aside first, and a new one begun. */
  async holds({ actionId, startedAtMs }: Attempt): Promise<boolean> {
    const newest = (await this.#entriesOrNone()).at(-1);
    return newest !== undefined && newest.actionId === actionId && newest.startedAtMs === startedAtMs;
  }

  /** Durable when it resolves. */
  async add(entry: HistoryEntry): Promise<void> {
    const before = await this.#entriesOrNone();
    await storeRecord(this.#place, { entries: [...before, entry].slice(-HISTORY_MAX) });
  }

  async #entriesOrNone(): Promise<readonly HistoryEntry[]> {
    try {
      return await this.entries();
    } catch (error) {
      if (!isDamage(error)) throw error;
      await keepAside(this.#place);
      return [];
    }
  }
}
