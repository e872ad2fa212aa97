/**
 * What the agent's parts promise, noted as it happens: a call that has resolved must be durable already, and mean what
 * it says. Nothing here changes what the agent does.
 * @module
 */
import {
  parseVariables,
  rollbackCounter,
  type AttemptOutcome,
  type BootControl,
  type Keystore,
} from '../../src/agent/index.ts';
import { bootOrder, parseEnvironment, type FileCall } from '../../src/testing/index.ts';
import { runningIndex } from './process.ts';
import { PATHS, slotPath } from './paths.ts';
import type { World } from './world.ts';
import { sha256Hex } from '../../src/platform/hash.ts';

/** Boot loader variables that a power cut could not take back; null where no boot loader could read them. */
export function durableVariables(world: World): Map<string, string> | null {
  if (world.scenario.boot === 'environment') {
    return parseEnvironment(world.storage.durable(PATHS.environment) ?? new Uint8Array(0));
  }
  const bytes = world.storage.durable(PATHS.state);
  return bytes === null ? null : parseVariables(new TextDecoder().decode(bytes));
}

/** The index of the release that a slot holds whole in every class, told by its bytes; null for none. */
export function heldIndex(world: World, slot: string, durable = false): number | null {
  const { storage, scenario } = world;
  for (let index = 0; index < world.repository.images.rootfs.length; index++) {
    const whole = scenario.classes.every((slotClass) => {
      const path = world.isFileTarget ? PATHS.target : slotPath(slot, slotClass);
      const content = durable ? storage.durable(path) : storage.peek(path);
      const image = world.image(slotClass, index);
      if (content === null || (world.isFileTarget && content.length !== image.length)) return false;
      return Buffer.compare(content.subarray(0, image.length), image) === 0;
    });
    if (whole) return index;
  }
  return null;
}

/** A record's JSON, as it would be found after the worst power cut; `undefined` when it is torn. */
export function durableRecord(world: World, path: string): unknown {
  const bytes = world.storage.durable(path);
  if (bytes === null) return null;
  const end = bytes.indexOf(10);
  const body = bytes.subarray(end + 1);
  const digest = new TextDecoder().decode(bytes.subarray(0, Math.max(0, end))).split(' ')[2];
  if (sha256Hex(body) !== digest) return undefined;
  return JSON.parse(new TextDecoder().decode(body)) as unknown;
}

const NEVER_WRITTEN = new Set(['write', 'truncate']);

/** A slot that is in use is never written, and after the report nothing is installed again. */
export function seenWrite(world: World, { name, path }: FileCall): void {
  if (!NEVER_WRITTEN.has(name)) return;
  const own = world.isFileTarget ? path === PATHS.target : isSlotOf(world, world.promised.slot, path);
  if (own && !world.lenient) world.violations.push(`${name} on ${path}, which holds the committed release`);
  const isImage = world.isFileTarget ? path.startsWith(PATHS.target) : path.startsWith('/dev/') && path !== PATHS.environment; // prettier-ignore
  // A stale journal may go on with what was over: nobody has told the device yet.
  const over =
    world.lost !== 'stale' && world.server.closed.some(({ actionId }) => actionId === world.actionOf(world.step));
  if (isImage && over) world.violations.push(`${name} on ${path} after the attempt was reported`);
}

const isSlotOf = (world: World, slot: string, path: string): boolean =>
  world.scenario.classes.some((slotClass) => slotPath(slot, slotClass) === path);

/** Success is only told when all of it is durable. */
export function seenClose(world: World, outcome: AttemptOutcome): void {
  const { promised, currentStep, scenario } = world;
  if (outcome.status !== 0 || currentStep === null) return;
  if (promised.index !== currentStep.deploy)
    world.violations.push('success was reported before the slot was committed');
  for (const slotClass of scenario.classes) {
    // A raise that was cut between the two copies is durable, too.
    const name = rollbackCounter('cam', slotClass);
    const counter = Math.max(promised.counters[name] ?? 0, durableCounters(world)[name] ?? 0);
    if (counter < currentStep.deploy)
      world.violations.push(`success was reported with counter ${slotClass} at ${counter}`);
  }
}

export function observedBoot(boot: BootControl, world: World): BootControl {
  const must = (what: string, slot: string, holds: (left: number, isFirst: boolean) => boolean): void => {
    if (world.isFileTarget) return;
    const order = bootOrder(durableVariables(world) ?? new Map());
    const left = order.find((each) => each.slot === slot)?.left ?? 0;
    if (holds(left, order[0]?.slot === slot)) return;
    world.violations.push(`${what} resolved, and slot ${slot} durably has ${JSON.stringify(order)}`);
  };
  return {
    slots: boot.slots,
    needsReboot: boot.needsReboot,
    triesMax: boot.triesMax,
    read: () => boot.read(),
    settle: async () => boot.settle?.(),
    async markUnbootable(slot) {
      await boot.markUnbootable(slot);
      must('markUnbootable', slot, (left) => left === 0);
    },
    async arm(slot) {
      await boot.arm(slot);
      if (world.rolledBack && !world.damaged && !world.lenient) {
        world.violations.push('an attempt that had been rolled back was armed again');
      }
      must('arm', slot, (left, isFirst) => isFirst && left === boot.triesMax);
    },
    async markGood(slot) {
      await boot.markGood(slot);
      must('markGood', slot, (left, isFirst) => isFirst && left === boot.triesMax);
      seenGood(world, slot);
    },
    async rollBack(from, to) {
      await boot.rollBack(from, to);
      world.rolledBack = true;
      must('rollBack', from, (left) => left === 0);
      must('rollBack', to, (left, isFirst) => isFirst && left === boot.triesMax);
    },
  };
}

function seenGood(world: World, slot: string): void {
  const index = heldIndex(world, slot);
  if (index === null) world.violations.push(`slot ${slot} was marked good and holds no whole release`);
  else if (world.scenario.unhealthy?.includes(index)) seenSick(world, slot);
  else if (index !== world.promised.index && world.tested !== index) {
    world.violations.push(`slot ${slot} was marked good and was never tested`);
  } else if (!world.isFileTarget && world.running?.slot !== slot)
    world.violations.push(`slot ${slot} was marked good unseen`);
  else if (world.lenient) world.promised = { ...world.promised, slot, index: Math.max(index, world.promised.index) };
  else if (index < world.promised.index && !world.countersLost)
    world.violations.push(`${index}.0 replaced ${world.promised.index}.0`);
  else world.promised = { ...world.promised, slot, index };
  if (world.isFileTarget && runningIndex(world) !== index) world.violations.push('another file was marked good');
}

/** A slot that is not healthy is kept where there is no other, and only there. */
function seenSick(world: World, slot: string): void {
  const others = bootOrder(durableVariables(world) ?? new Map()).filter((each) => each.slot !== slot && each.left > 0);
  if (world.isFileTarget || others.length > 0) world.violations.push(`slot ${slot} was marked good and is sick`);
  else world.stuck = true;
}

export function observedKeystore(keystore: Keystore, world: World): Keystore {
  return {
    trustedRoot: () => keystore.trustedRoot(),
    setTrustedRoot: (bytes) => keystore.setTrustedRoot(bytes),
    counter: (name) => keystore.counter(name),
    counters: () => keystore.counters(),
    async raise(values) {
      for (const [name, value] of Object.entries(values)) {
        if (!name.startsWith('rollback.') || value <= world.promised.index) continue;
        world.violations.push(`${name} is raised to ${value} and ${world.promised.index} is committed`);
      }
      await keystore.raise(values);
      const durable = durableCounters(world);
      for (const [name, value] of Object.entries(values)) {
        if ((durable[name] ?? 0) < value)
          world.violations.push(`${name} was raised to ${value} and that is not durable`);
        world.promised.counters[name] = Math.max(world.promised.counters[name] ?? 0, value);
      }
    },
  };
}

/** The higher of what both copies hold. */
export function durableCounters(world: World): Record<string, number> {
  const counters: Record<string, number> = {};
  for (const path of [`${PATHS.data}/keystore`, `${PATHS.data}/keystore.copy`]) {
    const body = durableRecord(world, path) as { counters: Record<string, number> } | null | undefined;
    for (const [name, value] of Object.entries(body?.counters ?? {})) {
      counters[name] = Math.max(counters[name] ?? 0, value);
    }
  }
  return counters;
}
