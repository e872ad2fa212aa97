/**
 * `[boot]`: how the boot loader is told, and how the device is rebooted.
 * @module
 */
import type { TableReader } from './config-reader.ts';

export interface BootConfig {
  readonly backend: 'file';
  readonly stateFile: string;
  readonly choiceFile: string;
  /** Tries of a newly armed slot. */
  readonly tries: number;
}

/** `dataFolder` is where the file backend keeps its files by default. The caller reads `reboot_command` and ends the table. */
export function readBoot(table: TableReader, dataFolder: string): BootConfig {
  return {
    backend: 'file',
    stateFile: table.path('state_file', `${dataFolder}/boot-state`),
    choiceFile: table.path('choice_file', `${dataFolder}/boot-choice`),
    tries: table.integer('tries', 3, 1, 100),
  };
}
