/**
 * UEFI boot entries, through `efibootmgr`: one entry for each slot, found by its label.
 *
 * BootOrder names the slots that are good. Arming sets BootNext, which the firmware removes before it follows it: an
 * armed slot has exactly one try, and the way back needs nobody's help. Confirming puts the slot first in BootOrder.
 * Each call sets one variable, and the firmware sets a variable as a whole.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { requireKept, slotActive, type BootControl, type BootState } from './control.ts';
import { readBootId, slotOnCommandLine, type RunningOptions } from './running-slot.ts';
import { runTool, type BootTool } from './tool.ts';

export interface EfiOptions {
  readonly slots: readonly string[];
  readonly efibootmgr: BootTool;
  /** Label of the boot entry, by slot. */
  readonly labels: Readonly<Record<string, string>>;
  readonly running: RunningOptions;
}

interface Entry {
  /** Four hexadecimal digits. */
  readonly number: string;
  readonly label: string;
  readonly active: boolean;
}

interface Firmware {
  readonly current: string | null;
  readonly next: string | null;
  readonly order: readonly string[];
  readonly entries: readonly Entry[];
}

export class EfiBootControl implements BootControl {
  readonly slots: readonly string[];
  readonly needsReboot = true;
  readonly triesMax = 1;
  readonly #options: EfiOptions;

  constructor(options: EfiOptions) {
    this.slots = options.slots;
    this.#options = options;
  }

  async read(): Promise<BootState> {
    const firmware = await this.#firmware();
    const numbers = firmware.next === null ? firmware.order : [firmware.next, ...firmware.order];
    const named = numbers.map((number) => this.slots.find((slot) => this.#entry(firmware, slot).number === number));
    const order = [...new Set(named.filter((slot) => slot !== undefined))];
    const tries = Object.fromEntries(
      this.slots.map((slot) => [slot, order.includes(slot) && this.#entry(firmware, slot).active ? 1 : 0]),
    );
    return { running: await this.#running(firmware), bootId: await readBootId(this.#options.running), order, tries };
  }

  async markUnbootable(slot: string): Promise<void> {
    const { running } = await this.read();
    if (running === slot) throw slotActive(slot);
    const firmware = await this.#firmware();
    const left = without(firmware.order, this.#entry(firmware, slot).number);
    const way = this.#entry(firmware, running).number;
    // An entry of a slot that is none may stand behind the running one, but never be all there is.
    await this.#setOrder(left.includes(way) ? left : [way, ...left]);
    await this.#clearNext(slot);
  }

  async arm(slot: string): Promise<void> {
    const { running } = await this.read();
    if (running === slot) throw slotActive(slot);
    const firmware = await this.#firmware();
    const { number, active } = this.#entry(firmware, slot);
    if (!active) await this.#tool('--quiet', '--bootnum', number, '--active');
    // The way back comes first. The armed slot is in BootNext alone: once it was tried, nothing is left of it.
    const way = this.#entry(firmware, running).number;
    await this.#setOrder([way, ...without(without(firmware.order, way), number)]);
    if (firmware.next !== number) await this.#tool('--quiet', '--bootnext', number);
    const after = await this.#firmware();
    requireKept(`active Boot${number}`, 'yes', this.#entry(after, slot).active ? 'yes' : 'no');
    requireKept('BootNext', number, after.next ?? undefined);
  }

  async markGood(slot: string): Promise<void> {
    await this.#putFirst(slot);
    for (const other of this.slots) if (other !== slot) await this.#clearNext(other);
  }

  async rollBack(from: string, to: string): Promise<void> {
    const firmware = await this.#firmware();
    const rest = without(without(firmware.order, this.#entry(firmware, to).number), this.#entry(firmware, from).number);
    await this.#setOrder([this.#entry(firmware, to).number, ...rest]);
    await this.#clearNext(from);
  }

  async #putFirst(slot: string): Promise<void> {
    const firmware = await this.#firmware();
    const { number } = this.#entry(firmware, slot);
    await this.#setOrder([number, ...without(firmware.order, number)]);
  }

  async #setOrder(order: readonly string[]): Promise<void> {
    const wanted = order.join(',');
    if ((await this.#firmware()).order.join(',') === wanted) return;
    await this.#tool('--quiet', '--bootorder', wanted);
    requireKept('BootOrder', wanted, (await this.#firmware()).order.join(','));
  }

  async #clearNext(slot: string): Promise<void> {
    const firmware = await this.#firmware();
    if (firmware.next !== this.#entry(firmware, slot).number) return;
    await this.#tool('--quiet', '--delete-bootnext');
    requireKept('BootNext', '', (await this.#firmware()).next ?? '');
  }

  async #running(firmware: Firmware): Promise<string> {
    const booted = this.slots.find((slot) => this.#entry(firmware, slot).number === firmware.current);
    const slot = booted ?? (await slotOnCommandLine(this.#options.running));
    if (slot !== null && this.slots.includes(slot)) return slot;
    throw new UpdateError(
      'boot_unreadable',
      `BootCurrent (${firmware.current ?? 'not set'}) is no slot's boot entry, and neither does the kernel command line name one`,
    );
  }

  #entry({ entries }: Firmware, slot: string): Entry {
    const label = this.#options.labels[slot];
    const [entry, more] = entries.filter((each) => each.label === label);
    if (entry !== undefined && more === undefined) return entry;
    throw new UpdateError(
      'boot_unreadable',
      `${entry === undefined ? 'no' : 'more than one'} boot entry has the label '${label}'`,
      {
        detail: { slot, label },
      },
    );
  }

  async #firmware(): Promise<Firmware> {
    return parseFirmware(await this.#tool());
  }

  #tool(...args: readonly string[]): Promise<string> {
    return runTool(this.#options.efibootmgr, args);
  }
}

/** What `efibootmgr` prints. From version 18 on, a tab and the device path follow every label. */
export function parseFirmware(text: string): Firmware {
  const value = (name: string): string | null => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1]?.trim() ?? null;
  const entries = [...text.matchAll(/^Boot([0-9A-Fa-f]{4})(\*| ) ([^\t\n]*)/gm)].map(([, number, star, label]) => ({
    number: number!.toUpperCase(),
    label: label!.trim(),
    active: star === '*',
  }));
  if (entries.length === 0) throw new UpdateError('boot_unreadable', 'efibootmgr printed no boot entries');
  const order = value('BootOrder')?.toUpperCase().split(',') ?? [];
  return {
    current: value('BootCurrent')?.toUpperCase() ?? null,
    next: value('BootNext')?.toUpperCase() ?? null,
    order: order.filter((number) => number !== ''),
    entries,
  };
}

const without = (order: readonly string[], number: string): string[] => order.filter((each) => each !== number);
