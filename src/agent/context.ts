/**
 * What the states work with: the agent's parts, all injected.
 * @module
 */
import type { DecoderFeature } from '../../native-free/format/features.ts';
import type { HashFactory } from '../../native-free/io.ts';
import { UpdateError } from '../../native-free/status.ts';
import type { Clock } from '../platform/clock.ts';
import type { FileSystem } from '../platform/filesystem.ts';
import type { Network } from '../platform/network.ts';
import type { BootControl } from './boot/control.ts';
import type { CommandRunner } from './life/commands.ts';
import type { AgentConfig } from './config/config.ts';
import type { DeploymentSource } from './service/deployments.ts';
import type { Attempt, EndedAction, Journal } from './records/journal.ts';
import type { ByteLedger } from './records/ledger.ts';
import type { State } from './states/states.ts';
import type { Keystore } from './keystore/keystore.ts';
import type { SlotSet } from './slots/slots.ts';
import type { TrustedTargets } from './tuf/trust.ts';

/** Everything outside the process. Defaults are the real ones. */
export interface World {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly network: Network;
  readonly hash: HashFactory;
  readonly run: CommandRunner;
}

export type AgentEvent =
  | { readonly type: 'state'; readonly state: State }
  /** After every segment that is durable. */
  | {
      readonly type: 'progress';
      readonly kind: 'delta' | 'full';
      readonly segmentsDone: number;
      readonly segments: number;
      readonly payloadBytesDone: number;
      readonly payloadBytes: number;
      readonly targetBytesDone: number;
      readonly targetBytes: number;
    }
  /** Payload bytes taken from the link so far, as they come. */
  | { readonly type: 'bytes'; readonly wireBytes: number; readonly payloadBytes: number }
  | { readonly type: 'wait'; readonly delayMs: number; readonly failures: number; readonly error: UpdateError }
  | { readonly type: 'note'; readonly message: string; readonly error?: UpdateError };

/**
 * What this process knows beside the journal, and the next one does not. Attempts and actions are known as the objects
 * that the journal holds: one that was read again, or gone back to, is a new one.
 */
export interface Memory {
  /** The faults in a row, where they could not be written down. */
  faults: { readonly at: string; readonly count: number } | null;
  /** What the places held when the attributes were last compared. */
  attributes: string | null;
  /** Slot classes that this process writes from their first byte, or has hashed. */
  readonly seen: WeakMap<Attempt, Set<string>>;
  /** What the server was told of an attempt. */
  readonly told: WeakMap<Attempt, Set<string>>;
  /** What was thrown for metadata that came from outside, and not for the device's own storage. */
  readonly distrusted: WeakSet<UpdateError>;
  /** Attempts whose last question found something wrong: what was verified before it may be what is wrong. */
  readonly doubted: WeakSet<Attempt>;
  /** How often a report failed, and when it is due again on the monotonic clock. A new one may try at once. */
  readonly reports: WeakMap<EndedAction, { readonly failures: number; readonly dueMs: number }>;
}

export const newMemory = (): Memory => ({
  ...{ faults: null, attributes: null },
  ...{
    seen: new WeakMap(),
    told: new WeakMap(),
    reports: new WeakMap(),
    distrusted: new WeakSet(),
    doubted: new WeakSet(),
  },
});

export interface Context extends World {
  readonly config: AgentConfig;
  readonly journal: Journal;
  readonly ledger: ByteLedger;
  readonly memory: Memory;
  readonly keystore: Keystore;
  readonly boot: BootControl;
  /** What can be decoded. */
  readonly decoder: readonly DecoderFeature[];
  /** By slot class. */
  readonly slots: ReadonlyMap<string, SlotSet>;
  readonly deployments: DeploymentSource;
  readonly signal: AbortSignal | undefined;
  readonly once: boolean;
  emit(event: AgentEvent): void;
  /** Signed metadata, refreshed once per attempt and process, and again when `fresh` is asked for. */
  trust(fresh?: boolean): Promise<TrustedTargets>;
  /** When the server wants to be polled again. */
  sleepMs: number | null;
  /** When it was last asked whether the attempt is cancelled, on the monotonic clock. */
  cancelAskedMs: number;
}

/** The attempt of a state that only exists with one. */
export function attemptOf(context: Context): Attempt {
  const { attempt, state } = context.journal.body;
  if (attempt === null) throw new UpdateError('bug', `state ${state} without an attempt`);
  return attempt;
}

/** The slots of one class. Throws `slot_missing` where this device has none. */
export function slotsOf({ slots }: Context, slotClass: string): SlotSet {
  const found = slots.get(slotClass);
  if (found !== undefined) return found;
  throw new UpdateError('slot_missing', `this device has no slots of class '${slotClass}'`, { detail: { slotClass } });
}

/** The journal's name for one class of one slot: `A` for the device's own slot class, `A/boot` for another. */
export const placeOf = ({ config }: Pick<Context, 'config'>, slot: string, slotClass: string): string =>
  slotClass === config.device.slotClass ? slot : `${slot}/${slotClass}`;

/** What went wrong, and is no more than worth a note. Throws what is: `aborted`, and errors that have no code. */
export function noteLoss({ emit }: Pick<Context, 'emit'>, what: string, thrown: unknown): UpdateError {
  const error = UpdateError.from(thrown);
  if (error.code === 'aborted' || !UpdateError.is(thrown)) throw thrown;
  emit({ type: 'note', message: `${what}: ${error.message}`, error });
  return error;
}

/** Folder of spooled chunks. */
export const spoolFolder = (config: AgentConfig): string => `${config.dataFolder}/spool`;
