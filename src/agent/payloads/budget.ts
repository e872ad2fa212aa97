/**
 * The budgets of an agent: which ledger it writes, what is counted, and when it is asked.
 * @module
 */
import type { Network } from '../../platform/network.ts';
import type { AgentConfig } from '../config/config.ts';
import type { Context, World } from '../context.ts';
import type { Attempt } from '../records/journal.ts';
import { ByteLedger } from '../records/ledger.ts';

export const makeLedger = ({ dataFolder, limits }: AgentConfig, { fs, hash, clock }: World): ByteLedger =>
  new ByteLedger({
    ...{ fs, hash, clock },
    path: `${dataFolder}/ledger`,
    monthBytesMax: limits.budgetBytesPerMonth,
    attemptBytesMax: limits.budgetBytes,
  });

/** What an attempt is called in the ledger. A deployment that is assigned again is another attempt. */
export const ledgerKey = ({ actionId, startedAtMs }: Attempt): string => `${actionId}@${startedAtMs}`;

/**
 * At the start of a process, after the journal was loaded: what a kill kept out of the journal is in the ledger. An
 * unreadable ledger is noted, and counting goes on.
 */
export async function openLedger(context: Context): Promise<void> {
  const { ledger } = context;
  await ledger.load();
  if (ledger.damage !== null) {
    context.emit({ type: 'note', message: ledger.damage.message, error: ledger.damage });
  }
  const { attempt } = context.journal.body;
  if (attempt !== null) attempt.wireBytes = Math.max(attempt.wireBytes, await ledger.attemptBytes(ledgerKey(attempt)));
}

/** At the end of a process. What cannot be written now stays over-counted, and no more than that. */
export async function closeLedger({ ledger }: Context): Promise<void> {
  await ledger.settle().catch(() => undefined);
}

/**
 * In PLAN, once signed metadata is trusted and before anything is fetched. Throws `over_budget` with `period: 'month'`
 * when `bytes` of payload would not be within what the month has left.
 */
export async function checkMonthBudget(context: Context, bytes: number): Promise<void> {
  await context.ledger.confirmMonth(bytes);
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
