/**
 * How boot scripts name and value their variables: RAUC's two schemes, so that scripts written for it fit.
 *
 * U-Boot: `BOOT_ORDER` and `BOOT_<slot>_LEFT`, tries that the script counts down. GRUB: `ORDER`, `<slot>_OK` and
 * `<slot>_TRY`; the script sets TRY before it boots a slot, so a slot has one try.
 * @module
 */
export type Variable = readonly [name: string, value: string];

export interface BootScheme {
  /** Name of the variable with the slots in order. */
  readonly order: string;
  /** False where a slot has one try whatever is asked for. */
  readonly counts: boolean;
  /** Tries that are left. */
  tries(variables: ReadonlyMap<string, string>, slot: string): number;
  /** What makes a slot bootable, with all its tries. */
  open(slot: string, triesMax: number): readonly Variable[];
  /** What makes the boot loader skip a slot. */
  closed(slot: string): readonly Variable[];
  /**
   * True where a closed slot is also taken out of the order. A slot whose tries are used up looks like a closed one
   * to U-Boot's scheme, and a boot script that finds no slot with tries left gives them back to all of the order: to a
   * half-written slot it must not.
   */
  readonly closedLeavesOrder: boolean;
  /** Written together with the flip, and when a slot is confirmed or given up. */
  readonly onTrial: readonly Variable[];
  readonly settled: readonly Variable[];
}

const leftName = (slot: string): string => `BOOT_${slot}_LEFT`;

export const UBOOT: BootScheme = {
  order: 'BOOT_ORDER',
  counts: true,
  tries: (variables, slot) => count(variables.get(leftName(slot))),
  open: (slot, triesMax) => [[leftName(slot), String(triesMax)]],
  closed: (slot) => [[leftName(slot), '0']],
  closedLeavesOrder: true,
  onTrial: [],
  settled: [],
};

/** With U-Boot's own boot count, which only counts while `upgrade_available` is 1. */
export const UBOOT_WITH_BOOTCOUNT: BootScheme = {
  ...UBOOT,
  onTrial: [
    ['bootcount', '0'],
    ['upgrade_available', '1'],
  ],
  settled: [
    ['upgrade_available', '0'],
    ['bootcount', '0'],
  ],
};

const okName = (slot: string): string => `${slot}_OK`;
const tryName = (slot: string): string => `${slot}_TRY`;

export const GRUB: BootScheme = {
  order: 'ORDER',
  counts: false,
  tries: (variables, slot) =>
    variables.get(okName(slot)) === '1' && count(variables.get(tryName(slot))) === 0 ? 1 : 0,
  open: (slot) => [
    [okName(slot), '1'],
    [tryName(slot), '0'],
  ],
  closed: (slot) => [
    [okName(slot), '0'],
    [tryName(slot), '0'],
  ],
  closedLeavesOrder: false,
  onTrial: [],
  settled: [],
};

/** A count as text; anything else counts as none. */
export function count(text: string | undefined): number {
  return text !== undefined && /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
}
