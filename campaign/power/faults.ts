/**
 * What fails besides the power, drawn from a seed.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import { below, errnoError, seededRandom, type FileCall } from '../../src/testing/index.ts';
import { lose, LOSS_KINDS, type LossKind } from './losses.ts';
import type { Faults } from './process.ts';
import { PATHS } from './paths.ts';
import type { World } from './world.ts';

export const FAULT_KINDS = [
  /** Calls to storage fail. */
  'EIO',
  'ENOSPC',
  'EMFILE',
  'EACCES',
  /** Writes take only a part of what they are given; no failure at all. */
  'short',
  /** Answers do not come, or end early. */
  'drop',
  /** Payload bytes are changed on their way. */
  'corrupt',
  /** Writes of boot loader variables are silently lost. */
  'ignored',
  /** Storage has changed a byte of a record while the power was off. */
  'damage',
  /** The data folder is not what it was. */
  ...LOSS_KINDS,
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

export interface FaultPlan {
  readonly kind: FaultKind;
  /** Number of the first call that is hit, from 1, among those that can be; of the first cut for `damage` and losses. */
  readonly at: number;
  /** How many in a row. */
  readonly count: number;
  readonly seed: number;
}

/** Calls that can fail with it: a full disk is found by those that grow something, and so on. */
export const CALLS_HIT: Readonly<Partial<Record<FaultKind, ReadonlySet<string>>>> = {
  ENOSPC: new Set(['write', 'truncate', 'open', 'link', 'makeFolder', 'rename', 'sync', 'syncFolder']),
  EMFILE: new Set(['open', 'list', 'syncFolder']),
  EACCES: new Set(['open', 'link', 'makeFolder', 'rename', 'unlink', 'list']),
};

/** Faults of storage and tools in a row that the agent outlasts: they change nothing in how an attempt ends. */
const PASSING_MAX = 3;

export interface InjectedFaults {
  readonly hooks: Faults;
  afterCut(world: World, number: number): void;
}

/** Counts calls over all processes of a life. */
export function faultsOf(world: World, plan: FaultPlan, lives: readonly World[], firstCut: number): InjectedFaults {
  const random = seededRandom(plan.seed);
  let calls = 0;
  const hit = (): boolean => ++calls >= plan.at && calls < plan.at + plan.count;
  // A write that is cut short and one answer that is changed once must make no difference to the outcome.
  const isOfStorage = plan.kind === 'EIO' || plan.kind === 'ignored' || CALLS_HIT[plan.kind] !== undefined;
  const passes = (isOfStorage && plan.count <= PASSING_MAX) || (plan.kind === 'corrupt' && plan.count === 1);
  world.faulty = plan.kind !== 'short' && !isLoss(plan.kind) && !passes;
  // Each may cost chunks again, on the slots as well as on the link, or in the spool.
  if (plan.kind === 'corrupt' || plan.kind === 'drop' || isOfStorage) world.tally.failedRuns += 2 * plan.count;
  const none = (): void => undefined;
  switch (plan.kind) {
    case 'EIO':
    case 'ENOSPC':
    case 'EMFILE':
    case 'EACCES': {
      const { kind } = plan;
      const canFail = ({ name }: FileCall): boolean => CALLS_HIT[kind]?.has(name) ?? true;
      return {
        hooks: { file: (call) => (canFail(call) && hit() ? fail(world, kind, call) : undefined) },
        afterCut: none,
      };
    }
    case 'short':
      return {
        hooks: {
          file: ({ name, bytes }) => (name === 'write' && hit() ? 1 + below(random, bytes ?? 1) : undefined),
        },
        afterCut: none,
      };
    case 'drop':
      return {
        hooks: {
          network: () => {
            if (!hit()) return {};
            return random() < 0.3 ? { refuse: true } : { dropAfterBytes: below(random, 20_000) };
          },
        },
        afterCut: none,
      };
    case 'corrupt':
      return { hooks: { answer: corrupting(random, hit) }, afterCut: none };
    case 'ignored':
      return { hooks: { ignoresEnvironmentWrite: hit }, afterCut: none };
    case 'damage':
      return { hooks: {}, afterCut: (cut, number) => damage(cut, number, plan, random) };
    default: {
      const { kind } = plan;
      if (!isLoss(kind)) throw new UpdateError('bug', `no such fault: ${String(plan.kind)}`);
      const afterCut = (cut: World, number: number): void => {
        if (number === plan.at) lose(cut, kind, random, lives, firstCut);
      };
      return { hooks: {}, afterCut };
    }
  }
}

export const isLoss = (kind: FaultKind): kind is LossKind => (LOSS_KINDS as readonly string[]).includes(kind);

function fail(world: World, code: FaultKind, { name, path }: FileCall): never {
  if (name === 'sync' && path.startsWith('/dev/')) world.storage.lose(path);
  throw errnoError(code, `injected into ${name} of ${path}`);
}

function corrupting(random: () => number, hit: () => boolean): Faults['answer'] {
  return ({ url }, answer) => {
    const { body } = answer;
    if (!url.includes('/blobs/') || !(body instanceof Uint8Array) || body.length === 0 || !hit()) return answer;
    const changed = body.slice();
    changed[below(random, changed.length)]! ^= 1 + below(random, 255);
    return { ...answer, body: changed };
  };
}

/** The journal, or one of the keystore's copies: never both of these. */
function damage(world: World, number: number, plan: FaultPlan, random: () => number): void {
  if (number !== plan.at) return;
  const names = ['journal', 'keystore', 'keystore.copy'];
  const path = `${PATHS.data}/${names[below(random, names.length)]!}`;
  const bytes = world.storage.peek(path);
  if (bytes === null || bytes.length === 0) return;
  const changed = bytes.slice();
  changed[below(random, changed.length)]! ^= 1 + below(random, 255);
  world.storage.place(path, changed);
  world.damaged = true;
}
