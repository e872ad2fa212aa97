/**
 * The boot control that the configuration names.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { CommandBootControl } from './command.ts';
import { VariableBootControl, type BootControl } from './control.ts';
import { EfiBootControl } from './efi.ts';
import { FileBootVariables } from './file.ts';
import { GrubVariables } from './grub.ts';
import type { RunningOptions } from './running-slot.ts';
import { GRUB, UBOOT, UBOOT_WITH_BOOTCOUNT } from './scheme.ts';
import { SystemdBootControl } from './systemd.ts';
import type { BootTool } from './tool.ts';
import { UBootVariables } from './uboot.ts';
import type { BootConfig, RunningConfig } from '../config/boot.ts';
import type { World } from '../context.ts';

/** `slots` are the configured slot names; everything outside the process goes through `world`. */
export function makeBootControl(
  config: BootConfig,
  slots: readonly string[],
  { fs, run }: Pick<World, 'fs' | 'run'>,
): BootControl {
  const running = (known: RunningConfig): RunningOptions => ({ fs, ...known });
  const tool = (argv: readonly string[], deadlineMs: number): BootTool => ({ run, argv, deadlineMs });
  switch (config.backend) {
    case 'file':
      return new VariableBootControl({
        slots,
        variables: new FileBootVariables({ fs, ...config }),
        triesMax: config.tries,
      });
    case 'uboot': {
      const where = config.configFile === null ? [] : ['-c', config.configFile];
      const variables = new UBootVariables({
        printenv: tool([...config.printenv, ...where], config.deadlineMs),
        setenv: tool([...config.setenv, ...where], config.deadlineMs),
        scriptSeparator: config.scriptSeparator,
        running: running(config.running),
      });
      const scheme = config.bootcount ? UBOOT_WITH_BOOTCOUNT : UBOOT;
      return new VariableBootControl({ slots, variables, scheme, triesMax: config.tries });
    }
    case 'grub': {
      const variables = new GrubVariables({
        fs,
        editenv: tool(config.editenv, config.deadlineMs),
        blockFile: config.blockFile,
        running: running(config.running),
      });
      return new VariableBootControl({ slots, variables, scheme: GRUB });
    }
    case 'efi':
      return new EfiBootControl({
        slots,
        efibootmgr: tool(config.efibootmgr, config.deadlineMs),
        labels: labelsOf(config.labels, slots),
        running: running(config.running),
      });
    case 'systemd-boot':
      return new SystemdBootControl({
        fs,
        slots,
        triesMax: config.tries,
        entriesFolder: config.entriesFolder,
        prefix: config.prefix,
        running: running(config.running),
      });
    case 'command':
      return new CommandBootControl({
        slots,
        hook: tool(config.command, config.deadlineMs),
        tries: config.tries,
        running: running(config.running),
      });
  }
}

/** `engraft A` by default. Two slots with one label could not be told apart. */
function labelsOf(labels: Readonly<Record<string, string>>, slots: readonly string[]): Record<string, string> {
  const unknown = Object.keys(labels).find((slot) => !slots.includes(slot));
  if (unknown !== undefined) {
    throw new UpdateError('config_invalid', `boot.labels.${unknown} is no slot; there are ${slots.join(' and ')}`);
  }
  const full = Object.fromEntries(slots.map((slot) => [slot, labels[slot] ?? `engraft ${slot}`]));
  if (new Set(Object.values(full)).size === slots.length) return full;
  throw new UpdateError('config_invalid', 'boot.labels should be different for every slot');
}
