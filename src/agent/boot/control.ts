/**
 * Boot control: what the boot loader reads to choose a slot.
 *
 * Most boot loaders are told through variables, named and valued by a scheme (scheme.ts). A backend then only has
 * to read and write variables; the order of writes and the read-back after each are here, once.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { UBOOT, type BootScheme, type Variable } from './scheme.ts';

export interface BootState {
  /** The slot this system runs from. */
  readonly running: string;
  /** Different after every boot. */
  readonly bootId: string;
  /** Slots in the order the boot loader tries them, the next one first. */
  readonly order: readonly string[];
  /** Tries left by slot; 0 means that the boot loader skips it. A boot uses one up, a confirmed slot has all. */
  readonly tries: Readonly<Record<string, number>>;
}

export interface BootControl {
  readonly slots: readonly string[];
  /** False where a switch takes effect at once (a file target). */
  readonly needsReboot: boolean;
  /** Tries a newly armed slot gets. */
  readonly triesMax: number;
  read(): Promise<BootState>;
  /**
   * Make durable what can be read. A process that was killed, or whose last fsync failed, may have left a name that
   * the next power cut takes back; what reads right is not written again, so it has to be settled first.
   */
  settle?(): Promise<void>;
  /** The boot loader must not choose this slot: it is about to be written. */
  markUnbootable(slot: string): Promise<void>;
  /** Full tries first, the flip last: it is the one write that arms. */
  arm(slot: string): Promise<void>;
  /** The slot booted and is healthy. */
  markGood(slot: string): Promise<void>;
  /** `to` first in order, `from` unbootable. */
  rollBack(from: string, to: string): Promise<void>;
}

/** What a backend of variables provides. */
export interface BootVariables {
  read(): Promise<ReadonlyMap<string, string>>;
  /** All of them in one step: a power cut leaves all or none. Durable when it resolves. */
  write(values: ReadonlyMap<string, string>): Promise<void>;
  /** Which slot the boot loader chose, and an id of this boot. */
  chosen(): Promise<{ readonly slot: string; readonly bootId: string }>;
  /** As `BootControl.settle`, where a write replaces a file. */
  settle?(): Promise<void>;
}

export interface VariableBootControlOptions {
  readonly slots: readonly string[];
  readonly variables: BootVariables;
  /** Default 3. */
  readonly triesMax?: number;
  /** Default: RAUC's variables for U-Boot. */
  readonly scheme?: BootScheme;
}

export class VariableBootControl implements BootControl {
  readonly slots: readonly string[];
  readonly needsReboot = true;
  readonly triesMax: number;
  readonly #variables: BootVariables;
  readonly #scheme: BootScheme;

  constructor(options: VariableBootControlOptions) {
    this.slots = options.slots;
    this.#scheme = options.scheme ?? UBOOT;
    this.triesMax = this.#scheme.counts ? (options.triesMax ?? 3) : 1;
    this.#variables = options.variables;
  }

  async read(): Promise<BootState> {
    const variables = await this.#variables.read();
    const { slot, bootId } = await this.#variables.chosen();
    if (!this.slots.includes(slot)) {
      throw new UpdateError('boot_unreadable', `the boot loader chose slot '${slot}', which is not configured`, {
        detail: { slot, configured: this.slots },
      });
    }
    const tries: Record<string, number> = {};
    for (const name of this.slots) tries[name] = this.#scheme.tries(variables, name);
    const order = namesIn(variables.get(this.#scheme.order));
    // A fresh environment has no order yet: its boot script has chosen by a default of its own.
    return { running: slot, bootId, order: order.length === 0 ? [slot] : order, tries };
  }

  async settle(): Promise<void> {
    await this.#variables.settle?.();
  }

  async markUnbootable(slot: string): Promise<void> {
    const { running, order } = await this.read();
    if (running === slot) throw slotActive(slot);
    const left = order.filter((name) => name !== slot);
    await this.#set(this.#closed(slot, left.length === 0 ? [running] : left));
  }

  /** The slot that runs now is the way back, so it gets its tries first; then the target; the order last. */
  async arm(slot: string): Promise<void> {
    const { running, order } = await this.read();
    if (running === slot) throw slotActive(slot);
    await this.#set([...this.#open(running), ...this.#open(slot)]);
    const others = order.filter((name) => name !== slot && name !== running);
    await this.#set([...this.#scheme.onTrial, this.#order([slot, running, ...others])]);
  }

  async markGood(slot: string): Promise<void> {
    const { order } = await this.read();
    const others = order.filter((name) => name !== slot);
    await this.#set([...this.#open(slot), ...this.#scheme.settled, this.#order([slot, ...others])]);
  }

  /** One step where there are many to get wrong: `to` is bootable and first, `from` is closed. */
  async rollBack(from: string, to: string): Promise<void> {
    const { order } = await this.read();
    const others = order.filter((name) => name !== to && name !== from);
    await this.#set([
      ...this.#open(to),
      ...this.#scheme.settled,
      this.#order([to, from, ...others]),
      ...this.#closed(from, [to, ...others]),
    ]);
  }

  #open(slot: string): readonly Variable[] {
    return this.#scheme.open(slot, this.triesMax);
  }

  #closed(slot: string, others: readonly string[]): readonly Variable[] {
    const { order, closed, closedLeavesOrder } = this.#scheme;
    return closedLeavesOrder ? [...closed(slot), [order, others.join(' ')]] : closed(slot);
  }

  #order(names: readonly string[]): Variable {
    return [this.#scheme.order, names.join(' ')];
  }

  /** Write where a value differs, and never believe a write that was not read back. */
  async #set(wanted: readonly Variable[]): Promise<void> {
    // A name that is given twice has its last value.
    const values = new Map(wanted);
    const before = await this.#variables.read();
    const changes = new Map([...values].filter(([name, value]) => before.get(name) !== value));
    if (changes.size === 0) return;
    await this.#variables.write(changes);
    const kept = await this.#variables.read();
    for (const [name, value] of values) requireKept(name, value, kept.get(name));
  }
}

/** Throws `boot_readback` where something else was kept than what was written. */
export function requireKept(name: string, value: string, kept: string | undefined): void {
  if (kept === value) return;
  throw new UpdateError('boot_readback', `${name} was set to '${value}' and reads '${kept ?? ''}'`, {
    detail: { name, value, kept: kept ?? null },
  });
}

export const slotActive = (slot: string): UpdateError =>
  new UpdateError('slot_active', `slot ${slot} is running: it is neither closed nor armed`);

const namesIn = (text = ''): string[] => text.split(/\s+/).filter((name) => name !== '');
