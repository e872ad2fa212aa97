/**
 * U-Boot's environment, through libubootenv's `fw_printenv` and `fw_setenv` (or those of u-boot-tools).
 *
 * With a redundant environment a write goes to the copy that is not in use and is complete before it counts, so a power
 * cut leaves the variables as they were or as they should be. Several variables go through one script, which is one
 * such write.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { BootVariables } from './control.ts';
import { runningSlot, type RunningOptions } from './running-slot.ts';
import { readVariables, runTool, type BootTool } from './tool.ts';

export interface UBootOptions {
  readonly printenv: BootTool;
  readonly setenv: BootTool;
  /** What stands between name and value in a script: libubootenv's skips any other line in silence. */
  readonly scriptSeparator: '=' | ' ';
  readonly running: RunningOptions;
}

export class UBootVariables implements BootVariables {
  readonly #options: UBootOptions;

  constructor(options: UBootOptions) {
    this.#options = options;
  }

  /** All of them: asked for single ones, the tools differ in what they do about one that is not set. */
  async read(): Promise<Map<string, string>> {
    const { printenv } = this.#options;
    const variables = await readVariables(printenv, []);
    if (variables.size > 0) return variables;
    throw new UpdateError('boot_unreadable', `'${printenv.argv.join(' ')}' printed no variables`);
  }

  async write(values: ReadonlyMap<string, string>): Promise<void> {
    const { setenv, scriptSeparator } = this.#options;
    const [first, ...more] = values;
    if (first === undefined) return;
    if (more.length === 0) {
      await runTool(setenv, first);
      return;
    }
    const script = [first, ...more].map(([name, value]) => `${name}${scriptSeparator}${value}\n`).join('');
    await runTool(setenv, ['-s', '-'], script);
  }

  chosen(): Promise<{ slot: string; bootId: string }> {
    return runningSlot(this.#options.running);
  }
}
