/**
 * The lives that are cut: what is deployed, to which kind of device, and how it must end.
 * @module
 */
import type { AttackName } from './images.ts';
import type { CutPolicy } from '../../src/testing/index.ts';

export type SlotClass = 'rootfs' | 'boot';

export interface Step {
  /** Index of the release (2 is version 2.0). */
  readonly deploy: number;
  /** How the attempt ends when nothing but the power fails. */
  readonly status: number;
  readonly code: string;
  /** The server cancels once this many payload bytes have crossed in this step. */
  readonly cancelAfterBytes?: number;
  /** Reboots that follow, each with a run of the agent. */
  readonly reboots?: number;
  /** The server does not take the report this often. */
  readonly refusedReports?: number;
  /** The server no longer offers the action once this many payload bytes have crossed in this step. */
  readonly withdrawAfterBytes?: number;
  /** What is withdrawn is replaced by the next step at once. */
  readonly isReplaced?: boolean;
  /** The server that refused the last report starts anew with the next step: its database is lost. */
  readonly losesDatabase?: boolean;
  /** Number of the action, where it is not that of the step. */
  readonly action?: number;
}

export interface Scenario {
  readonly name: string;
  /** `file`: variables in a file; `environment`: a redundant environment; `target`: one file instead of two slots. */
  readonly boot: 'file' | 'environment' | 'target';
  readonly classes: readonly SlotClass[];
  readonly steps: readonly Step[];
  /** Releases whose health check fails. */
  readonly unhealthy?: readonly number[];
  /** Releases that never get as far as the agent: the watchdog resets the device. */
  readonly hanging?: readonly number[];
  /** The source slot has a wrong byte in this segment. */
  readonly driftedSegment?: number;
  /** Decoding a delta takes several times as long as all the rest: seeds choose it less often. */
  readonly isSlow?: boolean;
  /** At the end the data partition becomes full or read-only, and the device is rebooted over and over. */
  readonly sealed?: 'ENOSPC' | 'EROFS';
  /** Somebody stands between device and server after each power cut. */
  readonly attack?: AttackName;
  /** When another slot boots, the committed one can no longer be booted. */
  readonly lastSlot?: boolean;
  /** The agent reboots by a command of its own, instead of somebody else later. */
  readonly rebootCommand?: boolean;
}

const OK = { status: 0, code: 'ok' } as const;
const ROOTFS = ['rootfs'] as const;

/** In each of these the power is cut at every operation. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'update', boot: 'file', classes: ROOTFS, steps: [{ deploy: 2, ...OK }] },
  {
    name: 'delta',
    boot: 'environment',
    classes: ROOTFS,
    steps: [{ deploy: 4, ...OK, refusedReports: 2 }],
    isSlow: true,
    rebootCommand: true,
  },
  {
    name: 'rollback',
    boot: 'file',
    classes: ROOTFS,
    unhealthy: [2],
    steps: [{ deploy: 2, status: 40, code: 'health_failed', refusedReports: 4 }],
  },
  {
    name: 'no-way-back',
    boot: 'file',
    classes: ROOTFS,
    unhealthy: [2],
    lastSlot: true,
    steps: [{ deploy: 2, status: 40, code: 'no_way_back', reboots: 5 }],
  },
  { name: 'environment', boot: 'environment', classes: ROOTFS, steps: [{ deploy: 2, ...OK }] },
  {
    name: 'environment-rollback',
    boot: 'environment',
    classes: ROOTFS,
    unhealthy: [2],
    rebootCommand: true,
    steps: [{ deploy: 2, status: 40, code: 'health_failed' }],
  },
  {
    name: 'hanging',
    boot: 'environment',
    classes: ROOTFS,
    hanging: [2],
    steps: [{ deploy: 2, status: 40, code: 'trial_expired' }],
  },
  { name: 'file-target', boot: 'target', classes: ROOTFS, steps: [{ deploy: 2, ...OK }] },
  {
    name: 'file-target-rollback',
    boot: 'target',
    classes: ROOTFS,
    unhealthy: [2],
    steps: [{ deploy: 2, status: 40, code: 'health_failed' }],
  },
  {
    name: 'twice',
    boot: 'environment',
    classes: ROOTFS,
    steps: [
      { deploy: 2, ...OK },
      { deploy: 3, ...OK },
      { deploy: 1, status: 20, code: 'release_rollback' },
    ],
  },
  {
    name: 'cancelled',
    boot: 'file',
    classes: ROOTFS,
    steps: [
      { deploy: 2, status: 10, code: 'cancelled', cancelAfterBytes: 90_000 },
      { deploy: 3, ...OK },
    ],
  },
  {
    name: 'resumed',
    boot: 'environment',
    classes: ROOTFS,
    steps: [
      { deploy: 2, status: 10, code: 'cancelled', cancelAfterBytes: 50_000 },
      { deploy: 2, ...OK },
    ],
  },
  {
    name: 'withdrawn',
    boot: 'environment',
    classes: ROOTFS,
    steps: [
      { deploy: 2, status: 10, code: 'withdrawn', withdrawAfterBytes: 60_000 },
      { deploy: 3, ...OK },
    ],
  },
  {
    name: 'replaced',
    boot: 'file',
    classes: ROOTFS,
    steps: [
      { deploy: 2, status: 10, code: 'withdrawn', withdrawAfterBytes: 90_000, isReplaced: true },
      { deploy: 3, ...OK },
    ],
  },
  {
    name: 'renumbered',
    boot: 'file',
    classes: ROOTFS,
    steps: [
      { deploy: 2, ...OK, refusedReports: 4, losesDatabase: true },
      { deploy: 3, ...OK, action: 1 },
    ],
  },
  { name: 'drifted', boot: 'file', classes: ROOTFS, driftedSegment: 1, steps: [{ deploy: 4, ...OK }], isSlow: true },
  { name: 'full', boot: 'file', classes: ROOTFS, steps: [{ deploy: 2, ...OK }], sealed: 'ENOSPC' },
  { name: 'read-only', boot: 'environment', classes: ROOTFS, steps: [{ deploy: 2, ...OK }], sealed: 'EROFS' },
  { name: 'revoked-key', boot: 'file', classes: ROOTFS, steps: [{ deploy: 2, ...OK }], attack: 'revoked-key' },
  { name: 'old-timestamp', boot: 'file', classes: ROOTFS, steps: [{ deploy: 2, ...OK }], attack: 'old-timestamp' },
  { name: 'classes', boot: 'environment', classes: ['rootfs', 'boot'], steps: [{ deploy: 2, ...OK }] },
];

export const POLICIES: readonly CutPolicy[] = ['none', 'all', 'random', 'torn'];

export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((each) => each.name === name);
  if (found === undefined)
    throw new Error(`there is no scenario '${name}': ${SCENARIOS.map((s) => s.name).join(', ')}`);
  return found;
}
