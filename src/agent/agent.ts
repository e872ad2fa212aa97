/**
 * The agent: its parts put together, and the loop around the state machine.
 * @module
 */
import { DECODER_FEATURES, type DecoderFeature } from '../../native-free/format/features.ts';
import { mayPass, orIoError } from '../../native-free/io-error.ts';
import { UpdateError } from '../../native-free/status.ts';
import { nodeClock } from '../platform/clock.ts';
import { settleFolder } from '../platform/filesystem.ts';
import { sha256Node } from '../platform/hash.ts';
import { nodeFileSystem } from '../platform/node-filesystem.ts';
import { withAgentLock } from '../platform/process-lock.ts';
import { retryDelayMs } from '../platform/http/retry-after.ts';
import { readBlockDevice } from './slots/block-device.ts';
import { makeBootControl } from './boot/backends.ts';
import type { BootControl } from './boot/control.ts';
import { chargedNetwork, closeLedger, makeLedger, openLedger } from './payloads/budget.ts';
import { runCommand } from './life/commands.ts';
import type { AgentConfig } from './config/config.ts';
import { newMemory, type AgentEvent, type Context, type World } from './context.ts';
import { DdiClient } from './service/ddi.ts';
import { pollPauseMs, type DeploymentSource } from './service/deployments.ts';
import { FileTarget } from './boot/file-target.ts';
import { waitForHours } from './life/hours.ts';
import { emptyJournal, type Attempt, type Journal } from './records/journal.ts';
import type { ByteLedger } from './records/ledger.ts';
import type { AttemptOutcome } from './records/outcome.ts';
import { agentNetwork } from './service/agent-network.ts';
import { makeKeystore } from './keystore/backends.ts';
import type { Keystore } from './keystore/keystore.ts';
import { runMachine } from './states/machine.ts';
import { patiently } from './life/faults.ts';
import { reconcile } from './states/reconcile.ts';
import type { State } from './states/states.ts';
import { FileSlots, type SlotSet } from './slots/slots.ts';
import { nextReportMs, tellBeforeTheEnd } from './service/reports.ts';
import { journalOf } from './records/device-journal.ts';
import { statusOf, type AgentStatus } from './status.ts';
import { refreshTrust, type TrustedTargets } from './tuf/trust.ts';

/** Parts a device may bring; the defaults are made from the configuration. */
export interface AgentParts {
  readonly world?: Partial<World>;
  readonly boot?: BootControl;
  /** By slot class; every class of the configuration. */
  readonly slots?: ReadonlyMap<string, SlotSet>;
  readonly keystore?: Keystore;
  readonly deployments?: DeploymentSource;
  /** What the decoder reads: the device says so, and fetches nothing else. Default: what this build reads. */
  readonly decoder?: readonly DecoderFeature[];
  /** `attempt`: the one that is under way. */
  readonly onEvent?: (event: AgentEvent, attempt: Attempt | null) => void;
}

export interface RunOptions {
  /** End after one poll, or after one attempt, or when a reboot is due. */
  readonly once?: boolean;
  readonly signal?: AbortSignal;
  /** Awaited once no other agent works on the data folder, before anything is done. */
  readonly onBegin?: () => Promise<void>;
}

export interface RunResult {
  /** Outcome of the attempt that ended in this run; 0 when there was none, or when it goes on after a reboot. */
  readonly status: number;
  /** `reboot_pending`: armed, the trial is to come. `rollback_pending`: the trial failed, and the way back is to come. */
  readonly code: AttemptOutcome['code'] | 'no_update' | 'reboot_pending' | 'rollback_pending';
  readonly message: string;
  readonly state: State;
}

const DEFAULT_KEEP_ASKING_MS = 1000;
/** A program that runs once is run again, and whoever waits for it wants to read what is wrong. */
const START_TRIES_ONCE = 3;
/** How often the journal is read again before it counts as lost. */
const OPEN_RETRIES = 3;

export class Agent {
  readonly #config: AgentConfig;
  readonly #parts: AgentParts;
  readonly #world: World;
  readonly #journal: Journal;
  readonly #ledger: ByteLedger;
  readonly #memory = newMemory();
  readonly #keystore: Keystore;
  readonly #boot: BootControl;
  readonly #slots: ReadonlyMap<string, SlotSet>;

  constructor(config: AgentConfig, parts: AgentParts = {}) {
    this.#config = config;
    this.#parts = parts;
    this.#world = {
      fs: nodeFileSystem,
      clock: nodeClock,
      network: parts.world?.network ?? agentNetwork(config),
      hash: sha256Node,
      run: runCommand,
      ...parts.world,
    };
    const { fs, hash } = this.#world;
    this.#journal = journalOf(config, { fs, hash });
    this.#ledger = makeLedger(config, this.#world);
    if (config.limits.budgetBytesPerMonth !== undefined) {
      this.#world = { ...this.#world, network: chargedNetwork(this.#world.network, this.#ledger) };
    }
    this.#keystore = parts.keystore ?? makeKeystore(config, this.#world);
    const made = makePlaces(config, this.#world);
    this.#boot = parts.boot ?? made.boot;
    this.#slots = parts.slots ?? made.slots;
  }

  /** What is recorded, as far as it can be read; nothing is changed, and another agent may be at work. */
  async status(): Promise<AgentStatus> {
    const problems: UpdateError[] = [];
    const orNull = async <T>(what: string, work: () => Promise<T>): Promise<T | null> => {
      try {
        return await work();
      } catch (thrown) {
        problems.push(UpdateError.from(thrown, 'input_unreadable', `cannot read ${what}`));
        return null;
      }
    };
    const body = await orNull('the journal', async () => (await this.#journal.peek()) ?? emptyJournal());
    const boot = await orNull('the boot control', () => this.#boot.read());
    const counters = await orNull('the keystore', () => this.#keystore.counters());
    const names = [...this.#boot.slots].sort();
    return statusOf({ body, boot, counters, problems }, this.#config, names, [...this.#slots.keys()]);
  }

  /**
   * Run the machine. With `once` it ends and says how; without, it goes on until the signal, or until a reboot is due.
   * Throws what is no outcome of an attempt: a server that cannot be reached, metadata that cannot be trusted, storage
   * that fails. All of it is safe to run again. Throws `agent_running` while another agent has the data folder.
   */
  async run(options: RunOptions = {}): Promise<RunResult> {
    const context = this.#context(options);
    const work = (): Promise<RunResult> => this.#run(context, options);
    // On a simulated file system there is nobody else.
    if (context.fs !== nodeFileSystem) return work();
    const onNote = (error: UpdateError): void => context.emit({ type: 'note', message: error.message, error });
    return withAgentLock(this.#config.dataFolder, work, { onNote });
  }

  async #run(context: Context, options: RunOptions): Promise<RunResult> {
    try {
      await options.onBegin?.();
      const most = options.once === true ? START_TRIES_ONCE : undefined;
      const next = await patiently(context, 'the start', () => this.#begin(context), most);
      if (next === 'STOP') return this.#pending(options.once === true);
      return options.once === true ? await this.#once(context) : await this.#loop(context);
    } catch (error) {
      // The figures of an interrupted download are worth a record; nothing depends on it.
      const isUnderWay = this.#journal.body.attempt !== null;
      if (isUnderWay && UpdateError.is(error) && error.code === 'aborted')
        await this.#journal.save().catch(() => undefined);
      throw error;
    } finally {
      await closeLedger(context);
    }
  }

  /**
   * What was left by an earlier process, or by this one before a fault that outlasted all patience. Also without a
   * journal: the release that breaks the data partition is exactly the one that has to go back.
   */
  async #begin(context: Context): Promise<'STOP' | undefined> {
    const unread = await this.#openJournal(context);
    await this.#boot.settle?.();
    // First what needs nothing of the data partition but to read it: a good slot must not be lost to a full disk.
    if ((await reconcile(context)) === 'STOP') return 'STOP';
    if (unread !== null) throw unread;
    await openLedger(context);
    return undefined;
  }

  /** Returns what kept the journal from being read; it is then taken for lost, and nothing is written over it. */
  async #openJournal(context: Context): Promise<UpdateError | null> {
    const { dataFolder } = this.#config;
    const open = async (): Promise<void> => {
      const made = this.#world.fs.makeFolder(dataFolder);
      await orIoError(made, 'output_unwritable', `cannot make the data folder ${dataFolder}`, { path: dataFolder });
      // A folder that was just made, or by a process that was killed, has to be there after a power cut as well. One
      // that was always there may be below a folder that is nobody's business.
      await settleFolder(this.#world.fs, dataFolder).catch(() => undefined);
      await settleFolder(this.#world.fs, `${dataFolder}/journal`);
      await this.#journal.load();
    };
    try {
      // What passes by itself is no reason to doubt the running slot.
      await patiently(context, 'the journal', open, OPEN_RETRIES);
    } catch (thrown) {
      const error = UpdateError.from(thrown, 'input_unreadable', `cannot open the data folder ${dataFolder}`);
      if (error.code === 'aborted') throw error;
      this.#journal.loseUnread(error);
      return error;
    }
    const { damage } = this.#journal;
    if (damage !== null) context.emit({ type: 'note', message: damage.message, error: damage });
    return null;
  }

  /** The process ends here, and a reboot has to come: into a slot that is armed, or back from one that failed. */
  #pending(once: boolean): RunResult {
    const { state, attempt, rejected } = this.#journal.body;
    const failed = state === 'ROLLBACK' ? attempt?.outcome : state === 'REBOOT' ? null : rejected?.outcome;
    if (!failed || failed.status === 0) {
      const message = attempt === null ? 'a reboot is pending' : `a reboot into slot ${attempt.targetSlot} is pending, for the trial of version ${attempt.release.version}`; // prettier-ignore
      return { status: 0, code: 'reboot_pending', message, state };
    }
    const message = `a reboot is pending, back to the earlier slot: ${failed.message}`;
    // For the service manager of a loop it is a reboot like any other.
    return { status: once ? failed.status : 0, code: 'rollback_pending', message, state };
  }

  /** One attempt, or one poll. */
  async #once(context: Context): Promise<RunResult> {
    const before = this.#journal.body.last;
    if (this.#journal.body.state === 'IDLE') this.#beginCheck(context);
    const next = await runMachine(context);
    const { state, last } = this.#journal.body;
    if (next === 'STOP') return this.#pending(true);
    if (last !== before && last?.outcome) {
      const { status, code, message } = last.outcome;
      const isTold = await tellBeforeTheEnd(context);
      return { status, code, message: isTold ? message : `${message} (not reported yet)`, state };
    }
    return { status: 0, code: 'no_update', message: 'there is no update', state };
  }

  async #loop(context: Context): Promise<RunResult> {
    const { limits, server } = this.#config;
    const { clock } = this.#world;
    let isBegun = true;
    for (let failures = 0; ;) {
      try {
        if (!isBegun && (await this.#begin(context)) === 'STOP') return this.#pending(false);
        isBegun = true;
        const before = this.#journal.body.last;
        if (this.#journal.body.state === 'IDLE') this.#beginCheck(context);
        if ((await runMachine(context)) === 'STOP') return this.#pending(false);
        failures = 0;
        // A tenth of jitter, so that a fleet does not poll in step.
        const pauseMs = pollPauseMs(context.sleepMs, server.pollSeconds) * (0.95 + 0.1 * clock.random());
        // After an attempt the server is asked again at once: it wants the report, and may have something else by now.
        const isOver = this.#journal.body.last !== before;
        const dueMs = isOver ? 0 : Math.min(pauseMs, nextReportMs(context));
        await clock.sleep(Math.max(DEFAULT_KEEP_ASKING_MS, dueMs), context.signal);
      } catch (thrown) {
        const error = UpdateError.from(thrown);
        if (!UpdateError.is(thrown) || error.code === 'aborted') throw thrown;
        if (this.#journal.body.state === 'CHECK') this.#journal.body.state = 'IDLE';
        // What is in memory may be ahead of the journal.
        if (mayPass(error)) isBegun = false;
        context.emit({ type: 'note', message: error.message, error });
        const opensMs = waitForHours(error, clock.now());
        // In slices, so that a cancellation does not have to wait for the hours to begin.
        const delayMs =
          opensMs === null
            ? retryDelayMs(limits.backoff, failures++, clock.random(), error)
            : Math.max(DEFAULT_KEEP_ASKING_MS, Math.min(opensMs, server.pollSeconds * 1000));
        await clock.sleep(delayMs, context.signal);
      }
    }
  }

  /** CHECK is not durable: a poll that finds nothing writes nothing. */
  #beginCheck(context: Context): void {
    this.#journal.body.state = 'CHECK';
    context.emit({ type: 'state', state: 'CHECK' });
  }

  #context(options: RunOptions): Context {
    const config = this.#config;
    const { signal } = options;
    let trusted: TrustedTargets | null = null;
    const journal = this.#journal;
    const trust = async (fresh = false): Promise<TrustedTargets> => {
      // One refresh serves CHECK and the PLAN after it; every poll refreshes anew.
      if (trusted !== null && !fresh && journal.body.state !== 'CHECK') return trusted;
      trusted = await refreshTrust({
        ...this.#world,
        keystore: this.#keystore,
        folder: `${config.dataFolder}/tuf`,
        metadataUrl: `${config.server.metadataUrl}/`,
        pinnedRootFile: config.pinnedRootFile,
        signal,
      });
      return trusted;
    };
    const ddi = (): DeploymentSource =>
      new DdiClient({
        network: this.#world.network,
        serverUrl: config.server.url,
        tenant: config.server.tenant,
        controllerId: config.device.controllerId,
        token: config.server.token,
        slotClass: config.device.slotClass,
        signal,
      });
    return {
      ...this.#world,
      config,
      journal,
      ledger: this.#ledger,
      memory: this.#memory,
      keystore: this.#keystore,
      boot: this.#boot,
      slots: this.#slots,
      decoder: this.#parts.decoder ?? DECODER_FEATURES,
      deployments: this.#parts.deployments ?? ddi(),
      signal,
      once: options.once === true,
      emit: (event) => this.#parts.onEvent?.(event, journal.body.attempt),
      trust,
      sleepMs: null,
      cancelAskedMs: -Infinity,
    };
  }
}

interface Places {
  readonly boot: BootControl;
  readonly slots: ReadonlyMap<string, SlotSet>;
}

function makePlaces({ place, dataFolder, device }: AgentConfig, world: World): Places {
  const { fs } = world;
  if (place.kind === 'file') {
    const target = new FileTarget({ fs, path: place.path, stateFile: `${dataFolder}/file-target` });
    return { boot: target, slots: new Map([[device.slotClass, target]]) };
  }
  const { capacityBytes } = place;
  // A simulated file system has no devices that the kernel could know of.
  const inspect = fs === nodeFileSystem ? readBlockDevice : undefined;
  const entries = Object.entries(place.slots);
  const slots = new Map<string, SlotSet>();
  for (const slotClass of Object.keys(entries[0]![1])) {
    const paths = Object.fromEntries(entries.map(([slot, classes]) => [slot, classes[slotClass]!]));
    slots.set(slotClass, new FileSlots({ fs, paths, capacityBytes, inspect }));
  }
  return { boot: makeBootControl(place.boot, Object.keys(place.slots).sort(), world), slots };
}
