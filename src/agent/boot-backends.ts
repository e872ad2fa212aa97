/**
 * The boot control that the configuration names.
 * @module
 */
import { FileBootVariables } from './boot-file.ts';
import { VariableBootControl } from './boot-control.ts';
import type { BootControl } from './boot-control.ts';
import type { BootConfig } from './config-boot.ts';
import type { World } from './context.ts';

/** `slots` are the configured slot names; everything outside the process goes through `world`. */
export function makeBootControl(config: BootConfig, slots: readonly string[], world: World): BootControl {
  const variables = new FileBootVariables({ fs: world.fs, ...config });
  return new VariableBootControl({ slots, variables, triesMax: config.tries });
}
