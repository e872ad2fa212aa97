/**
 * `[boot]`: how the boot loader is told, and how the device is rebooted.
 * @module
 */
import type { TableReader } from './table-reader.ts';

/** How the running slot is known; the same for all backends that read it from the kernel. */
export interface RunningConfig {
  /** `/proc/cmdline`. */
  readonly cmdlineFile: string;
  /** `/proc/sys/kernel/random/boot_id`. */
  readonly bootIdFile: string;
  /** What `root=` is on the kernel command line, by slot: for boot scripts that do not name the slot. */
  readonly roots: Readonly<Record<string, string>>;
}

interface WithTools {
  /** For one call of one tool. */
  readonly deadlineMs: number;
  readonly running: RunningConfig;
}

export type BootConfig =
  | {
      readonly backend: 'file';
      readonly stateFile: string;
      readonly choiceFile: string;
      /** Tries of a newly armed slot. */
      readonly tries: number;
    }
  | (WithTools & {
      readonly backend: 'uboot';
      readonly printenv: readonly string[];
      readonly setenv: readonly string[];
      readonly configFile: string | null;
      readonly scriptSeparator: '=' | ' ';
      readonly bootcount: boolean;
      readonly tries: number;
    })
  | (WithTools & { readonly backend: 'grub'; readonly editenv: readonly string[]; readonly blockFile: string })
  | (WithTools & {
      readonly backend: 'efi';
      readonly efibootmgr: readonly string[];
      /** Label of the boot entry, by slot. */
      readonly labels: Readonly<Record<string, string>>;
    })
  | {
      readonly backend: 'systemd-boot';
      readonly entriesFolder: string;
      readonly prefix: string;
      readonly tries: number;
      readonly running: RunningConfig;
    }
  | (WithTools & {
      readonly backend: 'command';
      readonly command: readonly string[];
      /** Null: the program does not tell tries. */
      readonly tries: number | null;
    });

const BACKENDS = ['file', 'uboot', 'grub', 'efi', 'systemd-boot', 'command'] as const;

/** `dataFolder` is where the file backend keeps its files by default. The caller reads `reboot_command` and ends the table. */
export function readBoot(table: TableReader, dataFolder: string): BootConfig {
  const backend = choice(table, 'backend', BACKENDS, 'file');
  switch (backend) {
    case 'file':
      return {
        backend,
        stateFile: table.path('state_file', `${dataFolder}/boot-state`),
        choiceFile: table.path('choice_file', `${dataFolder}/boot-choice`),
        tries: table.integer('tries', 3, 1, 100),
      };
    case 'uboot':
      return {
        backend,
        printenv: table.optionalCommand('printenv') ?? ['fw_printenv'],
        setenv: table.optionalCommand('setenv') ?? ['fw_setenv'],
        configFile: optionalPath(table, 'config_file'),
        scriptSeparator: choice(table, 'script_lines', ['name=value', 'name value'], 'name=value') === 'name=value' ? '=' : ' ', // prettier-ignore
        bootcount: choice(table, 'bootcount', ['unused', 'reset'], 'unused') === 'reset',
        // U-Boot's setexpr reads numbers as hexadecimal: 10 would not be 10.
        tries: table.integer('tries', 3, 1, 9),
        ...withTools(table),
      };
    case 'grub':
      return {
        backend,
        editenv: table.optionalCommand('editenv') ?? ['grub-editenv'],
        blockFile: table.path('block_file', '/boot/grub/grubenv'),
        ...withTools(table),
      };
    case 'efi':
      return {
        backend,
        efibootmgr: table.optionalCommand('efibootmgr') ?? ['efibootmgr'],
        labels: table.texts('labels'),
        ...withTools(table),
      };
    case 'systemd-boot':
      return {
        backend,
        entriesFolder: table.path('entries_folder', '/boot/loader/entries'),
        prefix: readPrefix(table),
        tries: table.integer('tries', 3, 1, 100),
        running: readRunning(table),
      };
    case 'command':
      return {
        backend,
        command: neededCommand(table, 'command'),
        tries: table.optionalInteger('tries', 1, 100) ?? null,
        ...withTools(table),
      };
  }
}

function withTools(table: TableReader): WithTools {
  return { deadlineMs: table.integer('tool_seconds', 30, 1, 600) * 1000, running: readRunning(table) };
}

function readRunning(table: TableReader): RunningConfig {
  return {
    cmdlineFile: table.path('cmdline_file', '/proc/cmdline'),
    bootIdFile: table.path('boot_id_file', '/proc/sys/kernel/random/boot_id'),
    roots: table.texts('root'),
  };
}

/** A plus sign would begin systemd-boot's count. */
function readPrefix(table: TableReader): string {
  const prefix = table.text('prefix', 'engraft');
  if (/^[A-Za-z0-9._-]{1,64}$/.test(prefix)) return prefix;
  throw table.wrong('prefix', 'should be 1 to 64 letters, digits or ._-');
}

function choice<T extends string>(table: TableReader, key: string, values: readonly T[], fallback: T): T {
  const text = table.text(key, fallback);
  const found = values.find((value) => value === text);
  if (found !== undefined) return found;
  throw table.wrong(key, `is '${text}' and should be one of: ${values.join(', ')}`);
}

function optionalPath(table: TableReader, key: string): string | null {
  return table.optionalText(key) === undefined ? null : table.path(key);
}

function neededCommand(table: TableReader, key: string): readonly string[] {
  const argv = table.optionalCommand(key);
  if (argv !== null) return argv;
  throw table.wrong(key, 'is missing: the program that tells the boot loader, and its arguments');
}
