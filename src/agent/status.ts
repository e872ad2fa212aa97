/**
 * What `engraft-agent status --json` prints: read from the journal, the boot control and the keystore, changing
 * nothing.
 * @module
 */
import type { BootState } from './boot-control.ts';
import type { JournalBody, State } from './journal.ts';

export interface AgentStatus {
  /** 0, 10, 20, 30 or 40 of the last finished attempt; null before the first. */
  readonly status: number | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly state: State;
  /** True when the next boot goes into another slot than the running one. */
  readonly rebootPending: boolean;
  readonly running: string;
  readonly bootId: string;
  readonly slots: Readonly<
    Record<string, { readonly version: string | null; readonly sha256: string | null; readonly triesLeft: number }>
  >;
  readonly order: readonly string[];
  readonly counters: Readonly<Record<string, number>>;
  readonly attempt: JournalBody['attempt'];
  readonly last: JournalBody['last'];
}

export function statusOf(body: JournalBody, boot: BootState, counters: Readonly<Record<string, number>>): AgentStatus {
  const slots: Record<string, { version: string | null; sha256: string | null; triesLeft: number }> = {};
  for (const [slot, triesLeft] of Object.entries(boot.tries)) {
    const held = body.slots[slot] ?? null;
    slots[slot] = { version: held?.version ?? null, sha256: held?.sha256 ?? null, triesLeft };
  }
  const outcome = body.last?.outcome ?? null;
  return {
    status: outcome?.status ?? null,
    code: outcome?.code ?? null,
    message: outcome?.message ?? null,
    state: body.state,
    rebootPending: boot.order[0] !== boot.running && (boot.tries[boot.order[0] ?? ''] ?? 0) > 0,
    running: boot.running,
    bootId: boot.bootId,
    slots,
    order: boot.order,
    counters,
    attempt: body.attempt,
    last: body.last,
  };
}
