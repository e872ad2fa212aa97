/**
 * systemd-boot, which keeps its state in the names of its entries: `PREFIX-GENERATION-SLOT.conf` is a slot that is
 * good, `...-SLOT+LEFT-DONE.conf` one on trial (the boot loader counts by renaming it), and what does not end in
 * `.conf` is no entry. Of entries without a sort key the highest generation is booted first, those without tries last.
 *
 * So every change, the flip included, is the renaming of one file.
 * @module
 */
import { ioError, orIoError } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { settleFolder, type FileSystem } from '../../platform/filesystem.ts';
import { requireKept, slotActive, type BootControl, type BootState } from './control.ts';
import { runningSlot, type RunningOptions } from './running-slot.ts';

export interface SystemdBootOptions {
  readonly fs: FileSystem;
  readonly slots: readonly string[];
  readonly triesMax: number;
  /** `loader/entries` on the EFI system partition. */
  readonly entriesFolder: string;
  readonly prefix: string;
  readonly running: RunningOptions;
}

interface Entry {
  readonly name: string;
  readonly slot: string;
  readonly generation: number;
  /** Null: not counted. */
  readonly left: number | null;
  readonly closed: boolean;
}

const CLOSED = '.conf.closed';

export class SystemdBootControl implements BootControl {
  readonly slots: readonly string[];
  readonly needsReboot = true;
  readonly triesMax: number;
  readonly #options: SystemdBootOptions;

  constructor(options: SystemdBootOptions) {
    this.slots = options.slots;
    this.triesMax = options.triesMax;
    this.#options = options;
  }

  async read(): Promise<BootState> {
    const { slot, bootId } = await runningSlot(this.#options.running);
    if (!this.slots.includes(slot)) {
      throw new UpdateError('boot_unreadable', `the kernel command line names slot '${slot}', which is not configured`);
    }
    const entries = await this.#entries();
    const each = this.slots.map((name) => entryOf(entries, name));
    const order = each.filter(({ closed }) => !closed).sort((a, b) => b.generation - a.generation);
    return {
      running: slot,
      bootId,
      order: order.map((entry) => entry.slot),
      tries: Object.fromEntries(each.map((entry) => [entry.slot, this.#tries(entry)])),
    };
  }

  settle(): Promise<void> {
    const { fs, entriesFolder, prefix } = this.#options;
    return settleFolder(fs, `${entriesFolder}/${prefix}`);
  }

  async markUnbootable(slot: string): Promise<void> {
    const { running } = await this.read();
    if (running === slot) throw slotActive(slot);
    await this.#close(slot);
  }

  async arm(slot: string): Promise<void> {
    const { running, order, tries } = await this.read();
    if (running === slot) throw slotActive(slot);
    const way = entryOf(await this.#entries(), running);
    if (way.closed || way.left !== null) await this.#rename(running, `${this.#stem(running, way.generation)}.conf`);
    if (order[0] === slot && tries[slot] === this.triesMax) return;
    await this.#rename(slot, `${this.#stem(slot, await this.#nextGeneration())}+${this.triesMax}-0.conf`);
  }

  async markGood(slot: string): Promise<void> {
    const entries = await this.#entries();
    const { generation } = entryOf(entries, slot);
    const others = entries.filter((entry) => entry.slot !== slot && !entry.closed);
    const first = others.every((other) => other.generation < generation);
    const name = this.#stem(slot, first ? generation : await this.#nextGeneration());
    await this.#rename(slot, `${name}.conf`);
  }

  async rollBack(from: string, to: string): Promise<void> {
    const way = entryOf(await this.#entries(), to);
    await this.#rename(to, `${this.#stem(to, way.generation)}.conf`);
    await this.#close(from);
  }

  async #close(slot: string): Promise<void> {
    const { generation } = entryOf(await this.#entries(), slot);
    await this.#rename(slot, `${this.#stem(slot, generation)}${CLOSED}`);
  }

  #stem(slot: string, generation: number): string {
    return `${this.#options.prefix}-${generation}-${slot}`;
  }

  #tries({ closed, left }: Entry): number {
    return closed ? 0 : (left ?? this.triesMax);
  }

  async #nextGeneration(): Promise<number> {
    return Math.max(...(await this.#entries()).map(({ generation }) => generation)) + 1;
  }

  /** A power cut can leave a FAT file under both names, so that every other name of the slot goes, too. */
  async #rename(slot: string, name: string): Promise<void> {
    const { fs, entriesFolder } = this.#options;
    const entries = await this.#entries();
    const mine = entries.filter((entry) => entry.slot === slot);
    if (mine.length === 1 && mine[0]!.name === name) return;
    try {
      const { name: from } = entryOf(entries, slot);
      if (from !== name) await fs.rename(`${entriesFolder}/${from}`, `${entriesFolder}/${name}`);
      for (const more of mine) {
        if (more.name !== from && more.name !== name) await fs.unlink(`${entriesFolder}/${more.name}`);
      }
      await fs.syncFolder(entriesFolder);
    } catch (error) {
      throw ioError(error, 'boot_unwritable', `cannot rename the entry of slot ${slot} in ${entriesFolder}`);
    }
    requireKept(`entry of slot ${slot}`, name, entryOf(await this.#entries(), slot).name);
  }

  async #entries(): Promise<Entry[]> {
    const { fs, entriesFolder, prefix } = this.#options;
    const names = await orIoError(fs.list(entriesFolder), 'boot_unreadable', `cannot read ${entriesFolder}`);
    const entries = names.flatMap((name) => parseEntry(name, prefix));
    const missing = this.slots.find((slot) => !entries.some((entry) => entry.slot === slot));
    if (missing === undefined) return entries;
    throw new UpdateError('boot_unreadable', `${entriesFolder} has no entry ${prefix}-NUMBER-${missing}.conf`, {
      detail: { slot: missing },
    });
  }
}

function parseEntry(name: string, prefix: string): Entry[] {
  if (!name.startsWith(`${prefix}-`)) return [];
  const found = /^([0-9]{1,9})-([A-Za-z0-9]+)(?:\+([0-9]{1,4})(?:-[0-9]{1,4})?)?\.conf(\.closed)?$/.exec(
    name.slice(prefix.length + 1),
  );
  if (found === null) return [];
  const [, generation, slot, left, closed] = found;
  return [
    {
      name,
      slot: slot!,
      generation: Number(generation),
      left: left === undefined ? null : Number(left),
      closed: closed !== undefined,
    },
  ];
}

/** The one that the boot loader sees, if there are several. */
function entryOf(entries: readonly Entry[], slot: string): Entry {
  const mine = entries.filter((entry) => entry.slot === slot);
  const rank = (entry: Entry): number => (entry.closed ? 0 : 1e9) + entry.generation;
  return mine.sort((a, b) => rank(b) - rank(a))[0]!;
}
