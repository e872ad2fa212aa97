/**
 * `[health]` and `[hooks]`: what a release has to prove, and who may say "not now".
 * @module
 */
import type { TableReader } from './config-reader.ts';

export interface HealthConfig {
  readonly commands: readonly (readonly string[])[];
  readonly deadlineSeconds: number;
}

export interface HooksConfig {
  readonly beforeDownload: readonly (readonly string[])[];
  readonly beforeArm: readonly (readonly string[])[];
  readonly deadlineSeconds: number;
}

export function readHealth(top: TableReader): HealthConfig {
  const table = top.table('health', false);
  const health = {
    commands: table.commands('commands'),
    deadlineSeconds: table.integer('deadline_seconds', 300, 1, 86_400),
  };
  table.done();
  return health;
}

export function readHooks(top: TableReader): HooksConfig {
  const table = top.table('hooks', false);
  const hooks = {
    beforeDownload: table.commands('before_download'),
    beforeArm: table.commands('before_arm'),
    deadlineSeconds: table.integer('deadline_seconds', 60, 1, 86_400),
  };
  table.done();
  return hooks;
}
