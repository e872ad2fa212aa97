/**
 * What must hold: after every power cut, and when the device has come to rest.
 * @module
 */
import { rollbackCounter, type JournalBody } from '../../src/agent/index.ts';
import { bootOrder, environmentCounters } from '../../src/testing/index.ts';
import { durableCounters, durableRecord, durableVariables, heldIndex } from './observed.ts';
import { AgentProcess } from './process.ts';
import { PATHS } from './paths.ts';
import { TRIES, type World } from './world.ts';

/** After a cut, before anything boots: what the storage is left with. */
export function checkAfterCut(world: World): void {
  checkRecords(world);
  checkCounters(world);
  checkCommittedSlot(world);
  if (world.isFileTarget) {
    if (heldIndex(world, 'A', true) === null) world.violations.push(`${PATHS.target} holds no whole release`);
    return;
  }
  const variables = durableVariables(world);
  if (variables === null) {
    world.violations.push('no boot loader can read its variables: the device is bricked');
    return;
  }
  checkEnvironment(world);
  for (const { slot, left } of bootOrder(variables)) {
    if (left > 0 && heldIndex(world, slot, true) === null) {
      world.violations.push(`slot ${slot} has ${left} tries and holds no whole release`);
    }
  }
}

/** Two copies are of use only while the one that is not active is the one before it, or torn. */
function checkEnvironment({ scenario, storage, violations }: World): void {
  if (scenario.boot !== 'environment') return;
  const [first, second] = environmentCounters(storage.durable(PATHS.environment)!);
  if (first === null || second === null || [1, 255].includes((first! - second! + 256) % 256)) return;
  violations.push(`the copies of the environment are of changes ${first} and ${second}`);
}

/** Records are replaced atomically: a cut leaves the earlier one or the new one. */
function checkRecords(world: World): void {
  if (world.damaged) return;
  for (const name of ['journal', 'keystore', 'keystore.copy', 'history']) {
    const path = `${PATHS.data}/${name}`;
    if (durableRecord(world, path) === undefined) world.violations.push(`${path} is torn`);
  }
}

function checkCounters(world: World): void {
  const counters = durableCounters(world);
  for (const [name, value] of Object.entries(world.promised.counters)) {
    const now = counters[name] ?? 0;
    if (now < value) world.violations.push(`counter ${name} fell from ${value} to ${now}`);
  }
  for (const slotClass of world.scenario.classes) {
    const now = counters[rollbackCounter('cam', slotClass)] ?? 0;
    if (now > world.promised.index) {
      world.violations.push(`counter ${slotClass} is ${now}, and ${world.promised.index} is committed`);
    }
  }
}

function checkCommittedSlot(world: World): void {
  if (world.isFileTarget || world.lenient) return;
  const { slot, index } = world.promised;
  if (heldIndex(world, slot, true) !== index)
    world.violations.push(`committed slot ${slot} no longer holds ${index}.0`);
}

/** States in which the slot on trial may run. */
const TRIAL_STATES = new Set(['ARM', 'REBOOT', 'TRIAL', 'COMMIT', 'ROLLBACK']);

/** A slot was booted (or a file target started): is it the right one, and does the journal know why? */
export function checkBooted(world: World): void {
  const slot = world.running?.slot ?? 'A';
  const index = heldIndex(world, slot);
  if (index === null) {
    world.violations.push(
      `${world.isFileTarget ? PATHS.target : `slot ${slot}`} was booted and holds no whole release`,
    );
    return;
  }
  const { promised } = world;
  if (index === promised.index && (world.isFileTarget || slot === promised.slot)) return;
  if (world.lenient || world.damaged || world.lost !== null || world.stuck) return;
  const body = durableRecord(world, `${PATHS.data}/journal`) as JournalBody | null | undefined;
  const attempt = body?.attempt;
  const intended = attempt?.plan && attempt.release.version === `${index}.0` && attempt.armedBootId !== null;
  if (!body || !intended || !TRIAL_STATES.has(body.state)) {
    const says = body ? `${body.state} of ${attempt?.release.version ?? 'nothing'}` : 'nothing';
    world.violations.push(`${index}.0 was booted, ${promised.index}.0 is committed, the journal says ${says}`);
  }
}

/** At rest after a step: the outcome, what runs, and what it cost. */
export async function checkAtRest(world: World, wireBytesMax: number): Promise<void> {
  const { tally, violations } = world;
  checkAfterCut(world);
  checkReported(world);
  checkRunning(world);
  checkCountersAtRest(world);
  if (tally.stepWireBytes > wireBytesMax) {
    violations.push(`${tally.stepWireBytes} payload bytes crossed, at most ${wireBytesMax} may`);
  }
  await checkStatus(world);
}

/** One outcome, and the right one. */
function checkReported(world: World): void {
  const { server, currentStep, promised, violations } = world;
  if (isWithdrawn(world)) {
    checkWithdrawn(world);
    return;
  }
  const closed = server.closed.filter(({ actionId }) => actionId === world.actionOf(world.step));
  const outcomes = new Set(closed.map(({ outcome }) => `${outcome.status} ${outcome.code}`));
  if (outcomes.size !== 1) violations.push(`reported: ${[...outcomes].join(', ') || 'nothing'}`);
  const outcome = closed[0]?.outcome;
  if (outcome === undefined || currentStep === null) return;
  if (outcome.status === 0 && promised.index !== currentStep.deploy) violations.push('success without a commit');
  if (world.lenient || world.faulty || world.damaged || world.lost === 'stale' || world.countersLost) return;
  const { status, code } = currentStep;
  if (outcome.status === status && outcome.code === code) return;
  violations.push(`ended with ${outcome.status} ${outcome.code} and should with ${status} ${code}: ${outcome.message}`);
}

const isWithdrawn = ({ currentStep }: World): boolean => currentStep?.withdrawAfterBytes !== undefined;

/** Nobody waits for a report, and nothing of it runs. */
function checkWithdrawn({ server, step, scenario, promised, violations, faulty, lenient }: World): void {
  const action = `action-${step + 1}`;
  // What failed before it was withdrawn has ended by itself.
  if (!faulty && !lenient && server.closed.some(({ actionId }) => actionId === action))
    violations.push(`${action} was withdrawn, and reported`);
  if (promised.index === scenario.steps[step]!.deploy) violations.push(`${action} was withdrawn, and is installed`);
}

/** The committed release runs, and the boot loader would begin with it again. */
export function checkRunning(world: World): void {
  if (world.lenient) return;
  const { promised, violations } = world;
  const held = heldIndex(world, world.running?.slot ?? 'A');
  if (held !== promised.index && !world.stuck)
    violations.push(`${held}.0 runs at rest, and ${promised.index}.0 is committed`);
  if (world.isFileTarget) return;
  const first = bootOrder(durableVariables(world) ?? new Map())[0];
  if (first?.slot === (world.stuck ? world.running?.slot : promised.slot) && first.left >= TRIES - 1) return;
  violations.push(`at rest the boot loader would begin with ${JSON.stringify(first)}`);
}

function checkCountersAtRest(world: World): void {
  const { promised, violations } = world;
  const counters = durableCounters(world);
  for (const slotClass of world.scenario.classes) {
    const counter = counters[rollbackCounter('cam', slotClass)] ?? 0;
    if (counter !== promised.index && !(world.countersLost && counter < promised.index))
      violations.push(`at rest counter ${slotClass} is ${counter}, not ${promised.index}`);
  }
  if (world.lost !== null && world.lost !== 'journal') return;
  const versions = Object.entries(counters).filter(([name]) => name.startsWith('tuf.'));
  if (versions.length < 4 || versions.some(([, version]) => version < 1)) {
    violations.push('the versions of the trusted metadata are not in the keystore');
  }
}

/** `status` reads everything and changes nothing. */
async function checkStatus(world: World): Promise<void> {
  // In a copy, where no cut that is still to come can hit it.
  const twin = world.fork();
  twin.cutAt = Infinity;
  try {
    const before = twin.storage.pending;
    const status = await new AgentProcess(twin).agent().status();
    if (twin.storage.pending !== before) world.violations.push('status changed something');
    for (const { message } of status.problems) world.violations.push(`status cannot be read: ${message}`);
    if (status.state !== 'IDLE' || status.attempt !== null)
      world.violations.push(`at rest the state is ${status.state}`);
    const { server, currentStep } = world;
    const ended = isWithdrawn(world) ? currentStep?.status : server.closed.at(-1)?.outcome.status;
    // What waits for its report may be a first attempt that was stopped by something else.
    if (
      status.status !== ended &&
      !world.damaged &&
      world.lost === null &&
      !(isWithdrawn(world) && (world.faulty || world.lenient))
    ) {
      world.violations.push(`status says ${status.status}, it ended with ${ended}`);
    }
  } catch (error) {
    world.violations.push(`status cannot be read: ${String(error)}`);
  }
}
