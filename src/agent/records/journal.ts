/**
 * The journal: the agent's one durable record. What is not in it did not happen.
 *
 * A damaged journal is kept aside for people to look at, and the agent starts from what slots, boot control and
 * server say: it can lose time that way, never a device.
 * @module
 */
import type { PayloadFormat } from '../../../native-free/format/features.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { isJson } from '../service/answers.ts';
import type { ServerWords } from '../service/words.ts';
import { STATES, type State } from '../states/states.ts';
import type { AttemptOutcome } from './outcome.ts';
import { isDamage, keepAside, loadRecord, storeRecord, type RecordFile, type RecordPlace } from './record.ts';

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
  /**
   * `copy`: the running slot holds the target already, and is copied; nothing comes over the link. `held`: the target
   * slot holds it already; nothing is written.
   */
  readonly kind: 'delta' | 'full' | 'copy' | 'held';
  /** Path of the TUF target. */
  readonly path: string;
  /** In clear: what is decoded. */
  readonly payload: ImageId;
  /** Of an encrypted payload: the body of the age file, which is what comes over the link. Missing where it is in clear. */
  readonly encryption?: (ImageId & { readonly nonce: string }) | null;
  /** As signed metadata say; null or missing where they, or the agent that made the plan, do not. */
  readonly format?: PayloadFormat | null;
  readonly headerBytes: number;
  readonly headerDigest: string;
  readonly source: ImageId | null;
  readonly target: ImageId;
  readonly decoderMemoryBytes: number;
  readonly decoderWork: number;
  readonly rollbackIndex: number;
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
  /** `fellBack` of the attempt. */
  readonly fellBack?: string | null;
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
  /** Why another payload than the best replaced it, or the full one helped out for single segments. */
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

export const payloadBytesOf = (plans: readonly Plan[]): number =>
  plans.reduce((sum, plan) => sum + blobOf(plan).bytes, 0);

/** What is fetched. */
export const blobOf = ({ payload, encryption }: Pick<Plan, 'payload' | 'encryption'>): ImageId => encryption ?? payload;

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
  /** By SHA-256: payloads with a header that could not be read, whatever was signed, and by which decoder. */
  unread: Record<string, { readonly format: PayloadFormat; readonly decoder: string }>;
  /** The newest last. */
  ended: EndedAction[];
  /** Digest of the attributes that the server has; null: none. */
  attributesSent: string | null;
  /** Whose journal it is; null in one that was never saved. */
  device: DeviceName | null;
  /** The slot that was confirmed last. Null when nobody knows: the running slot is then tested before it is confirmed. */
  confirmed: ConfirmedSlot | null;
  /** A slot that failed its test while no attempt was known. */
  rejected: RejectedSlot | null;
}

/** What tells one device's journal from another's. A data folder may be copied, and a board be given another one's. */
export interface DeviceName {
  readonly controllerId: string;
  readonly product: string;
  readonly hardware: string;
  /** Paths of the slots (of the device's own class), or of the file target. */
  readonly places: readonly string[];
}

export interface ConfirmedSlot {
  readonly slot: string;
  /** The rollback counters as they stood then: others in the keystore mean that one of the two is out of date. */
  readonly counters: Readonly<Record<string, number>>;
}

export interface RejectedSlot {
  readonly slot: string;
  /** The boot in which it was tested. */
  readonly bootId: string;
  /** Content, where it is gone once the way back is taken (a file target); else it is in the slot. */
  readonly sha256: string | null;
  readonly outcome: AttemptOutcome;
}

export const emptyJournal = (): JournalBody => ({
  sequence: 0,
  state: 'IDLE',
  slots: {},
  attempt: null,
  last: null,
  partial: null,
  tried: {},
  unread: {},
  ended: [],
  attributesSent: null,
  device: null,
  confirmed: null,
  rejected: null,
});

export interface JournalOptions extends RecordFile {
  /** Whose it has to be. */
  readonly device: DeviceName;
}

export class Journal {
  readonly #place: RecordPlace;
  readonly #device: DeviceName;
  #body: JournalBody = emptyJournal();
  #kept: JournalBody = emptyJournal();
  /** What `load` found wrong. */
  damage: UpdateError | null = null;
  /** There may be one that could not be read (yet): it is not to be written over. */
  isUnread = true;

  /**
   * The version stays while the layout only grows. The agents of two releases read one journal, across an update and
   * a rollback: were it damaged to one of them, the count of attempts would be lost each time, and with it what ends a
   * loop of updates and rollbacks.
   */
  constructor({ device, ...place }: JournalOptions) {
    this.#place = { ...place, kind: 'journal', version: 1 };
    this.#device = device;
  }

  /** The record as of the last `load` or `save`; change it, then `save`. */
  get body(): JournalBody {
    return this.#body;
  }

  /** Read and change nothing, not even a damaged record: another process may be at work on it. Null: there is none. */
  async peek(): Promise<JournalBody | null> {
    const { path } = this.#place;
    const value = await loadRecord(this.#place);
    if (value === null) return null;
    const body = checkBody(value, path);
    if (JSON.stringify(body.device) === JSON.stringify(this.#device)) return body;
    throw new UpdateError(
      'record_foreign',
      `${path} is the journal of ${nameOf(body.device)}, not of ${nameOf(this.#device)}`,
      {
        detail: { path, device: body.device, expected: this.#device },
      },
    );
  }

  /**
   * Read. A damaged or foreign record is put aside, and nothing is known then, not even whether the running slot is on
   * trial. Throws only when the storage cannot be read at all.
   */
  async load(): Promise<JournalBody> {
    this.#body = emptyJournal();
    this.damage = null;
    try {
      this.#body = (await this.peek()) ?? this.#body;
      this.#kept = structuredClone(this.#body);
    } catch (error) {
      const isForeign = UpdateError.is(error) && error.code === 'record_foreign';
      if (!isForeign && !isDamage(error)) throw error;
      this.damage = error;
      this.#kept = structuredClone(this.#body);
      // Where the disk is full or read-only it stays where it is, and is found again: the running slot matters more.
      await this.#putAside(isForeign ? 'foreign' : 'damaged').catch(() => undefined);
    }
    this.isUnread = false;
    return this.#body;
  }

  /** Nothing is known, and the record that could not be read stays as it is. */
  loseUnread(why: UpdateError): void {
    this.#body = emptyJournal();
    this.#kept = emptyJournal();
    this.damage = why;
    this.isUnread = true;
  }

  /** Durable when it resolves. */
  async save(): Promise<void> {
    this.#body.sequence++;
    this.#body.device = this.#device;
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

  async #putAside(what: string): Promise<void> {
    await keepAside(this.#place, what);
    await this.save();
  }
}

const NEW_IN_ATTEMPTS = {
  ...{ verified: [], pending: [], repair: null, repairedSegments: 0 },
  ...{ words: null, behind: null, triedAs: null },
};

const nameOf = (device: DeviceName | null): string =>
  device === null
    ? 'no device'
    : `${device.controllerId} (${device.product}, ${device.hardware}, ${device.places.join(' ')})`;

/** The checksum vouches for the bytes; this catches a record written by another build under the same version. */
function checkBody(value: unknown, path: string): JournalBody {
  const bad = (what: string): UpdateError => new UpdateError('record_malformed', `${path}: ${what}`);
  if (!isJson(value)) throw bad('it holds no object');
  if (!STATES.includes(value['state'] as State)) throw bad(`unknown state ${String(value['state'])}`);
  if (!isJson(value['slots']) || !isJson(value['tried'])) throw bad('slots or attempts are missing');
  if (value['ended'] !== undefined && !Array.isArray(value['ended'])) throw bad('the ended actions are no list');
  if (value['attempt'] !== null && !isJson(value['attempt'])) throw bad('the attempt is no object');
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
