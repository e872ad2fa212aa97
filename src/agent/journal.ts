/**
 * The journal: the agent's one durable record. What is not in it did not happen.
 *
 * A damaged journal is kept aside for people to look at, and the agent starts from what slots, boot control and
 * server say: it can lose time that way, never a device.
 * @module
 */
import type { HashFactory } from '../../native-free/io.ts';
import { UpdateError } from '../../native-free/status.ts';
import type { StatusCode } from '../../native-free/status.ts';
import type { FileSystem } from '../transfer/filesystem.ts';
import type { ServerWords } from './deployments.ts';
import { keepAside, loadRecord, storeRecord } from './record.ts';
import type { RecordPlace } from './record.ts';

/** The states of DESIGN.md. WAIT_NET is only ever shown: after a restart it is APPLY again. */
export const STATES = [
  'IDLE',
  'CHECK',
  'PLAN',
  'PREPARE',
  'APPLY',
  'WAIT_NET',
  'REPAIR',
  'VERIFY',
  'ARM',
  'REBOOT',
  'TRIAL',
  'COMMIT',
  'ROLLBACK',
  'REPORT',
] as const;

export type State = (typeof STATES)[number];

/** What a deployment names; everything else about it comes from signed metadata. */
export interface ReleaseName {
  readonly product: string;
  readonly version: string;
  readonly hardware: string;
  readonly slotClass: string;
}

/** An image, by what identifies it. */
export interface ImageId {
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** What brings one slot class of the target slot to the target; all of it signed. */
export interface Plan {
  readonly slotClass: string;
  /** `copy`: the running slot holds the target already, and is copied; nothing comes over the link. */
  readonly kind: 'delta' | 'full' | 'copy';
  /** Path of the TUF target. */
  readonly path: string;
  readonly payload: ImageId;
  readonly headerBytes: number;
  readonly headerDigest: string;
  readonly source: ImageId | null;
  readonly target: ImageId;
  readonly decoderMemoryBytes: number;
  readonly decoderWork: number;
  readonly rollbackIndex: number;
}

export interface AttemptOutcome {
  /** 0, 10, 20, 30 or 40. */
  readonly status: number;
  /** 'ok' or a sub-code of status.ts, with its number. */
  readonly code: StatusCode | 'ok';
  readonly subStatus: number;
  readonly message: string;
}

/** An action that is over on this device: it is never begun again, and the server is told until it takes it. */
export interface EndedAction {
  readonly actionId: string;
  /** Set when the report answers the server's cancel action of that id. */
  readonly cancelId: string | null;
  /** Null for a deployment that named none. */
  readonly release: ReleaseName | null;
  outcome: AttemptOutcome;
  readonly endedAtMs: number;
  /** `refused`: not taken, and not sent again by itself. `unwanted`: the server knows no such action any more. */
  report: 'waiting' | 'taken' | 'refused' | 'unwanted';
}

/** One device's try at a deployment. */
export interface Attempt {
  readonly actionId: string;
  readonly release: ReleaseName;
  readonly startedAtMs: number;
  /** The slot that was running when the attempt began: it is never written. */
  sourceSlot: string;
  targetSlot: string;
  /** The part under way. The parts of a release, one for each slot class, are written one after the other. */
  plan: Plan | null;
  /** Parts that stand in the target slot, and parts still to come: all of them are armed by one flip. */
  verified: readonly Plan[];
  pending: readonly Plan[];
  segmentsDone: number;
  /** The full payload that segments are repaired from, and how many were. */
  repair: Plan | null;
  repairedSegments: number;
  /** Starts of the process since the last progress; bounds crash loops. */
  resumes: number;
  /** Faults of storage or tools since the last progress that were tried again. */
  faults?: number;
  /** Payload bytes taken from the link, and those of chunks fetched more than once. */
  wireBytes: number;
  refetchedBytes: number;
  /** Why the full payload replaced the delta, for single segments or for the rest. */
  fellBack: string | null;
  armedBootId: string | null;
  /** What the server allowed when it was last heard; null where it does not say. */
  words: ServerWords | null;
  /** Set while signed metadata does not list the release: for how long that was seen, and when last. */
  behind: { readonly waitedMs: number; readonly lookedAtMs: number } | null;
  /** The name under which a failed install is counted in `tried`; null before there is a plan. */
  triedAs: string | null;
  /** Set when the server cancelled: the id of its cancel action. */
  cancelId: string | null;
  outcome: AttemptOutcome | null;
}

/** All parts of an attempt that has a plan, in the order in which they are written. */
export const partsOf = ({ verified, plan, pending }: Attempt): readonly Plan[] => [
  ...verified,
  ...(plan === null ? [] : [plan]),
  ...pending,
];

export interface FinishedAttempt extends Attempt {
  readonly finishedAtMs: number;
}

export interface JournalBody {
  /** Counts writes. */
  sequence: number;
  state: State;
  /** What each place (see `placeOf`) holds; null where unknown or half-written. */
  slots: Record<string, (ImageId & { readonly version: string | null }) | null>;
  attempt: Attempt | null;
  last: FinishedAttempt | null;
  /** A half-written slot that a later attempt with the same payload goes on with. */
  partial: { readonly slot: string; readonly payloadSha256: string; readonly segmentsDone: number } | null;
  /** Failed installs so far by release. */
  tried: Record<string, number>;
  /** The newest last. */
  ended: EndedAction[];
  /** Digest of the attributes that the server has; null: none. */
  attributesSent: string | null;
  /** Set when an earlier journal was damaged: the running slot is checked before it is confirmed. */
  recovered: boolean;
}

export const emptyJournal = (): JournalBody => ({
  sequence: 0,
  state: 'IDLE',
  slots: {},
  attempt: null,
  last: null,
  partial: null,
  tried: {},
  ended: [],
  attributesSent: null,
  recovered: false,
});

export interface JournalOptions {
  readonly fs: FileSystem;
  readonly hash: HashFactory;
  readonly path: string;
}

export class Journal {
  readonly #place: RecordPlace;
  #body: JournalBody = emptyJournal();
  #kept: JournalBody = emptyJournal();
  /** What `load` found wrong, for the log. */
  damage: UpdateError | null = null;

  /**
   * The version stays while the layout only grows. The agents of two releases read one journal, across an update and
   * a rollback: were it damaged to one of them, the count of attempts would be lost each time, and with it what ends a
   * loop of updates and rollbacks.
   */
  constructor(options: JournalOptions) {
    this.#place = { ...options, kind: 'journal', version: 1 };
  }

  /** The record as of the last `load` or `save`; change it, then `save`. */
  get body(): JournalBody {
    return this.#body;
  }

  /** Read and change nothing, not even a damaged record: another process may be at work on it. */
  async peek(): Promise<JournalBody> {
    const value = await loadRecord(this.#place);
    return value === null ? emptyJournal() : checkBody(value, this.#place.path);
  }

  /** Read; a damaged record is kept aside. Throws only when the storage cannot be read at all. */
  async load(): Promise<JournalBody> {
    try {
      this.#body = await this.peek();
      this.#kept = structuredClone(this.#body);
    } catch (error) {
      if (!UpdateError.is(error) || (error.code !== 'record_malformed' && error.code !== 'limit_exceeded')) throw error;
      this.damage = error;
      this.#body = { ...emptyJournal(), recovered: true };
      this.#kept = structuredClone(this.#body);
      // Where the disk is full or read-only it stays where it is, and is found again: the running slot matters more.
      await this.#putAside().catch(() => undefined);
    }
    return this.#body;
  }

  /** Durable when it resolves. */
  async save(): Promise<void> {
    this.#body.sequence++;
    await storeRecord(this.#place, this.#body);
    this.#kept = structuredClone(this.#body);
  }

  /** The state that is durable. */
  get keptState(): State {
    return this.#kept.state;
  }

  /** The body is again what was loaded or saved last: as a process begun now would find it. */
  revert(): void {
    this.#body = structuredClone(this.#kept);
  }

  async #putAside(): Promise<void> {
    await keepAside(this.#place);
    await this.save();
  }
}

const NEW_IN_ATTEMPTS = {
  ...{ verified: [], pending: [], repair: null, repairedSegments: 0 },
  ...{ words: null, behind: null, triedAs: null },
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The checksum vouches for the bytes; this catches a record written by another build under the same version. */
function checkBody(value: unknown, path: string): JournalBody {
  const bad = (what: string): UpdateError => new UpdateError('record_malformed', `${path}: ${what}`);
  if (!isObject(value)) throw bad('it holds no object');
  if (!STATES.includes(value['state'] as State)) throw bad(`unknown state ${String(value['state'])}`);
  if (!isObject(value['slots']) || !isObject(value['tried'])) throw bad('slots or attempts are missing');
  if (value['ended'] !== undefined && !Array.isArray(value['ended'])) throw bad('the ended actions are no list');
  if (value['attempt'] !== null && !isObject(value['attempt'])) throw bad('the attempt is no object');
  const needsAttempt = !['IDLE', 'CHECK'].includes(value['state'] as string);
  if (needsAttempt && value['attempt'] === null) throw bad(`state ${String(value['state'])} without an attempt`);
  const body = { ...emptyJournal(), ...(value as unknown as JournalBody) };
  return { ...body, attempt: filled(body.attempt), last: filled(body.last) };
}

/** An attempt as an earlier agent wrote it, with what it did not know. */
function filled<T extends Attempt>(attempt: T | null): T | null {
  if (attempt === null) return null;
  const plan = attempt.plan === null ? null : { ...attempt.plan, slotClass: attempt.plan.slotClass ?? attempt.release.slotClass }; // prettier-ignore
  return { ...NEW_IN_ATTEMPTS, ...attempt, plan };
}
