/**
 * Boot control: what the boot loader reads to choose a slot.
 *
 * The variables are RAUC's (`BOOT_ORDER`, `BOOT_<slot>_LEFT`), so that boot scripts written for it fit. A backend
 * only has to read and write variables; the order of writes and the read-back after each are here, once.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';

export interface BootState {
  /** The slot this system runs from. */
  readonly running: string;
  /** Different after every boot. */
  readonly bootId: string;
  /** Slots in the order the boot loader tries them. */
  readonly order: readonly string[];
  /** Tries left by slot; 0 means that the boot loader skips it. */
  readonly tries: Readonly<Record<string, number>>;
}

export interface BootControl {
  readonly slots: readonly string[];
  /** False where a switch takes effect at once (a file target). */
  readonly needsReboot: boolean;
  /** Tries a newly armed slot gets. */
  readonly triesMax: number;
  read(): Promise<BootState>;
  /** The boot loader must not choose this slot: it is about to be written. */
  markUnbootable(slot: string): Promise<void>;
  /** Full tries first, the order last: the flip is the one write that arms. */
  arm(slot: string): Promise<void>;
  /** The slot booted and is healthy. */
  markGood(slot: string): Promise<void>;
  /** `to` first in order, `from` unbootable. */
  rollBack(from: string, to: string): Promise<void>;
}

/** What a backend provides. Writes are durable when they resolve. */
export interface BootVariables {
  read(): Promise<ReadonlyMap<string, string>>;
  write(name: string, value: string): Promise<void>;
  /** Which slot the boot loader chose, and an id of this boot. */
  chosen(): Promise<{ readonly slot: string; readonly bootId: string }>;
}

export interface VariableBootControlOptions {
  readonly slots: readonly string[];
  readonly variables: BootVariables;
  /** Default 3. */
  readonly triesMax?: number;
}

const leftName = (slot: string): string => `BOOT_${slot}_LEFT`;

export class VariableBootControl implements BootControl {
  readonly slots: readonly string[];
  readonly needsReboot = true;
  readonly triesMax: number;
  readonly #variables: BootVariables;

  constructor(options: VariableBootControlOptions) {
    this.slots = options.slots;
    this.triesMax = options.triesMax ?? 3;
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
    const order = (variables.get('BOOT_ORDER') ?? '').split(/\s+/).filter((name) => name !== '');
    const tries: Record<string, number> = {};
    for (const name of this.slots) tries[name] = triesOf(variables.get(leftName(name)));
    return { running: slot, bootId, order, tries };
  }

  async markUnbootable(slot: string): Promise<void> {
    await this.#refuseRunning(slot);
    await this.#set(leftName(slot), '0');
  }

  async arm(slot: string): Promise<void> {
    await this.#refuseRunning(slot);
    await this.#set(leftName(slot), String(this.triesMax));
    await this.#putFirst(slot);
  }

  async markGood(slot: string): Promise<void> {
    await this.#set(leftName(slot), String(this.triesMax));
    await this.#putFirst(slot);
  }

  /** The slot to go back to is made bootable before the other one is closed: no moment without a slot. */
  async rollBack(from: string, to: string): Promise<void> {
    await this.#set(leftName(to), String(this.triesMax));
    await this.#putFirst(to);
    await this.#set(leftName(from), '0');
  }

  async #refuseRunning(slot: string): Promise<void> {
    const { running } = await this.read();
    if (running === slot)
      throw new UpdateError('slot_active', `slot ${slot} is running: it is neither closed nor armed`);
  }

  async #putFirst(slot: string): Promise<void> {
    await this.#set('BOOT_ORDER', [slot, ...this.slots.filter((name) => name !== slot)].join(' '));
  }

  /** Write where the value differs, and never believe a write that was not read back. */
  async #set(name: string, value: string): Promise<void> {
    if ((await this.#variables.read()).get(name) === value) return;
    await this.#variables.write(name, value);
    const kept = (await this.#variables.read()).get(name);
    if (kept === value) return;
    throw new UpdateError('boot_readback', `${name} was set to '${value}' and reads '${kept ?? ''}'`, {
      detail: { name, value, kept: kept ?? null },
    });
  }
}

function triesOf(text: string | undefined): number {
  const value = Number(text ?? '');
  return text !== undefined && /^[0-9]{1,4}$/.test(text) ? value : 0;
}
