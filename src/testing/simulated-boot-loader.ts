/**
 * A boot loader that counts tries, over variables wherever they are kept. It does what RAUC's boot script for U-Boot
 * does: the first slot in order that has tries left, one of which is used up; and when no slot has any left (a plug
 * that was loose often enough), the first in order gets new ones rather than the device none.
 * @module
 */
export interface LoaderVariables {
  /** Null when they cannot be read: a boot loader then has nothing to go by. */
  read(): Promise<ReadonlyMap<string, string> | null>;
  write(values: ReadonlyMap<string, string>): Promise<void>;
}

export interface SimulatedBoot {
  readonly slot: string;
  readonly bootId: string;
  /** True when no slot had tries left. */
  readonly rescued: boolean;
}

export interface SimulatedBootLoaderOptions {
  readonly variables: LoaderVariables;
  /** Tries given to a slot that is rescued. Default 3. */
  readonly triesMax?: number;
  /** Called before the slot is entered; where the choice is kept in a file, it is written here. */
  readonly onChoice?: (boot: SimulatedBoot) => Promise<void>;
}

const leftOf = (variables: ReadonlyMap<string, string>, slot: string): number => {
  const text = variables.get(`BOOT_${slot}_LEFT`) ?? '';
  return /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
};

/** What it would choose: the slots in order, and the tries of each. */
export function bootOrder(variables: ReadonlyMap<string, string>): { slot: string; left: number }[] {
  const names = (variables.get('BOOT_ORDER') ?? '').split(' ').filter((name) => name !== '');
  return names.map((slot) => ({ slot, left: leftOf(variables, slot) }));
}

export class SimulatedBootLoader {
  readonly #options: SimulatedBootLoaderOptions;

  constructor(options: SimulatedBootLoaderOptions) {
    this.#options = options;
  }

  /** Null: nothing can be booted, the device is bricked. `bootId` must differ from every earlier one. */
  async boot(bootId: string): Promise<SimulatedBoot | null> {
    const { variables, triesMax = 3, onChoice } = this.#options;
    const values = await variables.read();
    const order = values === null ? [] : bootOrder(values);
    const first = order[0];
    if (first === undefined) return null;
    const found = order.find(({ left }) => left > 0);
    // As the boot script in docs/boot-control.md: every slot of the order gets its tries back, or a good slot behind one
    // that hangs would never be reached again.
    if (found === undefined)
      await variables.write(new Map(order.map(({ slot }) => [`BOOT_${slot}_LEFT`, `${triesMax}`])));
    const { slot, left } = found ?? { slot: first.slot, left: triesMax };
    await variables.write(new Map([[`BOOT_${slot}_LEFT`, String(left - 1)]]));
    const boot = { slot, bootId, rescued: found === undefined };
    await onChoice?.(boot);
    return boot;
  }
}
