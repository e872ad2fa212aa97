/**
 * The states of an update, all in one table: what each one is for, what its work may lead to, what a failure leads to,
 * and where the start of a process may send it. docs/protocol.md shows the same table (`npm run docs:states`).
 * @module
 */
import { SOURCE_FAULTS } from '../../../native-free/apply/source-faults.ts';
import type { StatusCode } from '../../../native-free/status-table.ts';
import { UpdateError } from '../../../native-free/status.ts';

/** `STOP`: nothing more to do in this process (a reboot is under way or pending). */
const STOP = 'STOP';

interface Row {
  readonly means: string;
  /** What the work of the state may lead to. */
  readonly next: readonly string[];
  /**
   * What a failure leads to; where there are two, the first is for what a full payload can help. None: the run fails, and
   * the state is begun again by the next one.
   */
  readonly failed: readonly string[];
  /** Where `reconcile` may lead at the start of a process; else the state goes on. */
  readonly atStart: readonly string[];
  /** Nothing has begun that a delay could harm: a link that is down and metadata that cannot be trusted yet are no end. */
  readonly waits?: true;
}

export const STATE_TABLE = {
  IDLE: { means: 'at rest until the next poll', next: ['CHECK'], failed: [], atStart: [] },
  CHECK: {
    means: 'polls the server, and refreshes signed metadata for what it offers; never durable',
    next: ['IDLE', 'PLAN'],
    failed: [],
    atStart: ['IDLE'],
  },
  PLAN: {
    means: 'chooses payloads, and refuses what can be refused before anything is fetched or touched',
    next: ['PREPARE', 'ARM', 'COMMIT', 'TRIAL'],
    failed: ['REPORT'],
    atStart: ['IDLE', 'ROLLBACK'],
    waits: true,
  },
  PREPARE: {
    means: 'fetches the header, and closes the target slot to the boot loader; chooses again where it is not readable',
    next: ['APPLY', 'PLAN'],
    failed: ['REPORT'],
    atStart: ['IDLE', 'ROLLBACK', 'REPORT'],
  },
  APPLY: {
    means: 'writes segments as they arrive',
    next: ['VERIFY'],
    failed: ['REPAIR', 'REPORT'],
    atStart: ['IDLE', 'ROLLBACK', 'REPORT'],
  },
  WAIT_NET: { means: 'APPLY without a link: shown, never recorded', next: ['APPLY'], failed: [], atStart: [] },
  REPAIR: {
    means: 'brings a segment from the full payload, or lets that take over',
    next: ['APPLY'],
    failed: ['REPORT'],
    atStart: ['IDLE', 'ROLLBACK', 'REPORT'],
    waits: true,
  },
  VERIFY: {
    means: 'sees that no segment is missing; then the next slot class, or the flip',
    next: ['PREPARE', 'ARM'],
    failed: ['REPORT'],
    atStart: ['IDLE', 'ROLLBACK', 'REPORT'],
  },
  // From here on the flip may have happened: the way back goes through the boot control.
  ARM: {
    means: 'the last chance to stop, then the flip',
    next: ['REBOOT', 'PREPARE', 'TRIAL'],
    failed: ['ROLLBACK'],
    atStart: ['ARM', 'REBOOT', 'TRIAL', 'ROLLBACK'],
  },
  REBOOT: {
    means: 'leaves the running slot for the armed one',
    next: [STOP, 'TRIAL', 'ARM'],
    failed: ['ROLLBACK'],
    atStart: ['ARM', 'TRIAL', 'ROLLBACK'],
  },
  TRIAL: {
    means: 'the new slot runs: is it healthy?',
    next: ['COMMIT'],
    failed: ['ROLLBACK'],
    atStart: ['ROLLBACK'],
  },
  COMMIT: {
    means: 'marks the slot good, then raises the rollback counters',
    next: ['REPORT'],
    failed: [],
    atStart: ['TRIAL', 'ROLLBACK'],
  },
  ROLLBACK: { means: 'back to the earlier slot', next: ['REPORT', STOP], failed: [], atStart: [] },
  REPORT: {
    means: 'the attempt becomes history, and its report waits for the server',
    next: ['IDLE'],
    failed: [],
    atStart: ['COMMIT', 'ROLLBACK'],
  },
} as const satisfies Readonly<Record<string, Row>>;

type Table = typeof STATE_TABLE;
export type State = keyof Table;
export const STATES = Object.keys(STATE_TABLE) as readonly State[];

/** What the work of a state may lead to. */
export type Next<S extends State> = Table[S]['next'][number];
/** IDLE is where the machine rests; WAIT_NET is a face of APPLY. Neither has work of its own. */
export type WorkingState = Exclude<State, 'IDLE' | 'WAIT_NET'>;

const rowOf = (state: State): Row => STATE_TABLE[state];

/** Throws `bug` where the table does not know the way. */
export function requireWay(way: 'next' | 'failed' | 'atStart', from: State, to: State | 'STOP'): void {
  if (rowOf(from)[way].includes(to)) return;
  throw new UpdateError('bug', `no way leads from ${from} to ${to}`, { detail: { from, to, way } });
}

const NOT_NOW = ['hook_refused', 'outside_hours', 'server_holds'];
/** What this device cannot decode, by now: another agent or another configuration could. */
const UNDECODABLE = ['decoder_memory', 'decoder_work', 'payload_version'] as const;
export const isUndecodable = ({ code }: UpdateError): boolean => (UNDECODABLE as readonly StatusCode[]).includes(code);
/** What a full payload can help: a source that is not right, and a delta that is not to be decoded. */
const REPAIRABLE: ReadonlySet<StatusCode> = new Set<StatusCode>([...SOURCE_FAULTS, ...UNDECODABLE]);

/** What there is stays, and the state is begun again when it may. */
export const isNotNow = ({ code }: UpdateError): boolean => NOT_NOW.includes(code);

/**
 * Where a failed state leads; null: the run fails, and the state is tried again at the next one. `isDistrust`: it is about
 * metadata that cannot be had or trusted now; the repository may be mended, or an older copy leave its cache.
 */
export function afterFailure(state: State, error: UpdateError, isDistrust = false): State | null {
  const { failed, waits } = rowOf(state);
  if (isNotNow(error)) return null;
  const linkDown = error.retryable && error.status >= 5000 && error.status < 6000;
  if (waits === true && (linkDown || isDistrust)) return null;
  const to = REPAIRABLE.has(error.code) ? failed[0] : failed.at(-1);
  return (to as State | undefined) ?? null;
}
