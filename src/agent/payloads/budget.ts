/**
 * The budgets of an agent: which ledger it writes, what is counted, and when it is asked.
 * @module
 */
import type { Network } from '../../platform/network.ts';
import type { Context } from '../context.ts';
import type { Attempt, Journal } from '../records/journal.ts';
import { ByteLedger } from '../records/ledger.ts';

type LedgerParts = Pick<Context, 'fs' | 'hash' | 'clock' | 'config' | 'journal'>;

/** One for each agent, like its journal. */
const ledgers = new WeakMap<Journal, ByteLedger>();

export function ledgerOf({ fs, hash, clock, config, journal }: LedgerParts): ByteLedger {
  const known = ledgers.get(journal);
  if (known !== undefined) return known;
  const made = new ByteLedger({
    ...{ fs, hash, clock },
    path: `${config.dataFolder}/ledger`,
    monthBytesMax: config.limits.budgetBytesPerMonth,
    attemptBytesMax: config.limits.budgetBytes,
  });
  ledgers.set(journal, made);
  return made;
}

/** What an attempt is called in the ledger. A deployment that is assigned again is another attempt. */
export const ledgerKey = ({ actionId, startedAtMs }: Attempt): string => `${actionId}@${startedAtMs}`;

/**
 * At the start of a process, after the journal was loaded: what a kill kept out of the journal is in the ledger. An
 * unreadable ledger is noted, and counting goes on.
 */
export async function openLedger(context: Context): Promise<void> {
  const ledger = ledgerOf(context);
  await ledger.load();
  if (ledger.damage !== null) {
    context.emit({ type: 'note', message: ledger.damage.message, error: ledger.damage });
  }
  const { attempt } = context.journal.body;
  if (attempt !== null) attempt.wireBytes = Math.max(attempt.wireBytes, await ledger.attemptBytes(ledgerKey(attempt)));
}

/** At the end of a process. What cannot be written now stays over-counted, and no more than that. */
export async function closeLedger(context: LedgerParts): Promise<void> {
  await ledgerOf(context)
    .settle()
    .catch(() => undefined);
}

/**
 * In PLAN, once signed metadata is trusted and before anything is fetched. Throws `over_budget` with `period: 'month'`
 * when `bytes` of payload would not be within what the month has left.
 */
export async function checkMonthBudget(context: Context, bytes: number): Promise<void> {
  await ledgerOf(context).confirmMonth(bytes);
}

/**
 * Request line, headers, acknowledgements and the connection's own packets, for each exchange: more than they are over
 * HTTP, less than a first TLS handshake with a long certificate chain.
 */
const EXCHANGE_BYTES = 1024;

/** `network`, with every byte that crosses it charged to the month: payloads, metadata, polls and reports. */
export function chargedNetwork(network: Network, ledger: Pick<ByteLedger, 'charge'>): Network {
  return {
    reset: () => network.reset?.(),
    async request(request) {
      await ledger.charge(EXCHANGE_BYTES + Buffer.byteLength(request.body ?? ''));
      const response = await network.request(request);
      async function* charged(): AsyncGenerator<Uint8Array, void, void> {
        for await (const piece of response.body) {
          await ledger.charge(piece.length);
          yield piece;
        }
      }
      const { status } = response;
      return {
        status,
        header: (name) => response.header(name),
        body: charged(),
        discard: () => response.discard(),
      };
    },
  };
}
