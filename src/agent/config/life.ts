/**
 * `[health]`, `[hooks]` and `[reboot]`: what a release and the agent itself have to prove, and who may say "not now".
 * @module
 */
import { readHours } from './limits.ts';
import type { TableReader } from './table-reader.ts';
import type { DayWindow } from '../life/hours.ts';

export interface HealthConfig {
  readonly commands: readonly (readonly string[])[];
  readonly deadlineSeconds: number;
  /** Without progress for this long the agent no longer feeds the service manager's watchdog. */
  readonly stuckSeconds: number;
}

type Commands = readonly (readonly string[])[];

export interface HooksConfig {
  /** Policy: they may hold an attempt back. */
  readonly beforeDownload: Commands;
  readonly beforeApply: Commands;
  readonly beforeArm: Commands;
  readonly beforeReboot: Commands;
  /** News: they change nothing. */
  readonly afterCommit: Commands;
  readonly afterRollback: Commands;
  readonly afterFailure: Commands;
  /** For each command. */
  readonly deadlineSeconds: number;
  /** Hours in which the device may be armed and rebooted; empty: always. */
  readonly rebootWindow: readonly DayWindow[];
}

export function readHealth(top: TableReader): HealthConfig {
  const table = top.table('health', false);
  const health = {
    commands: table.commands('commands'),
    deadlineSeconds: table.integer('deadline_seconds', 300, 1, 86_400),
    stuckSeconds: table.integer('stuck_seconds', 300, 1, 86_400),
  };
  table.done();
  return health;
}

/** `[hooks]` and `[reboot]`. */
export function readHooks(top: TableReader): HooksConfig {
  const reboot = top.table('reboot', false);
  const rebootWindow = readHours(reboot, 'window');
  reboot.done();
  const table = top.table('hooks', false);
  const hooks = {
    beforeDownload: table.commands('before_download'),
    beforeApply: table.commands('before_apply'),
    beforeArm: table.commands('before_arm'),
    beforeReboot: table.commands('before_reboot'),
    afterCommit: table.commands('after_commit'),
    afterRollback: table.commands('after_rollback'),
    afterFailure: table.commands('after_failure'),
    deadlineSeconds: table.integer('deadline_seconds', 60, 1, 86_400),
    rebootWindow,
  };
  table.done();
  return hooks;
}
