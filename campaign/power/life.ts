/**
 * A life: boots, runs of the agent and power cuts until the device rests and the server has nothing more for it.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import { FileBootVariables } from '../../src/agent/index.ts';
import {
  readEnvironment,
  seededRandom,
  SimulatedBootLoader,
  writeEnvironment,
  type CutPolicy,
  type LoaderVariables,
} from '../../src/testing/index.ts';
import { writeFileAtomically } from '../../src/platform/filesystem.ts';
import { heldIndex } from './observed.ts';
import { checkAfterCut, checkAtRest, checkBooted } from './oracle.ts';
import { AgentProcess, type ProcessHooks } from './process.ts';
import { endsSealed } from './sealed.ts';
import { PATHS } from './paths.ts';
import { TRIES, type World } from './world.ts';

/**
 * The power fails in operation `at`, counted from the last cut (or from the beginning). `kill` is a process that is
 * killed there while the power stays on: what was unsynced stays so, and is seen by the next process as if it were not.
 */
export interface Cut {
  readonly at: number;
  readonly policy: CutPolicy | 'kill';
  readonly seed: number;
}

export interface LifeOptions extends ProcessHooks {
  readonly cuts: readonly Cut[];
  /** Payload bytes an undisturbed life takes, by step. */
  readonly undisturbedBytes?: readonly number[];
  /** Called after each cut, once what was unsynced is settled; may damage storage. */
  readonly afterCut?: (world: World, number: number) => void;
}

const RUNS_MAX = 60;
const BOOTS_MAX = 20;
/**
 * What one cut, failed run or dropped link may cost again: the chunk of the segment in progress, the next one, which is
 * fetched while that segment is written, and the header.
 */
const AGAIN_BYTES = (64 + 64 + 2) * 1024;
const FULL_BYTES = 160 * 1024;

/** The power was cut: the unsynced is settled, and the next cut is set. */
export function cutPower(world: World, { policy, seed }: Cut): void {
  world.operations = 0;
  world.cutAt = Infinity;
  world.tally.cuts++;
  const { attack } = world;
  attack.on = attack.believed && !attack.refused;
  attack.served = false;
  if (policy === 'kill') {
    // Environment tools are processes of their own: they end what they have begun.
    if (world.scenario.boot === 'environment') world.storage.settle(PATHS.environment);
    // A boot loader that begins anew has used up a try, as after a cut.
    if (world.running === null && ++world.tally.cutsInARow >= TRIES) world.lenient = true;
    return;
  }
  world.storage.cut(policy, seededRandom(seed));
  world.running = null;
  if (++world.tally.cutsInARow >= TRIES) world.lenient = true;
}

/** Lives on until the last step is done. Stops at the first violation; all of them are in the world. */
export async function live(world: World, options: LifeOptions): Promise<void> {
  const cuts = [...options.cuts];
  world.cutAt = cuts[0]?.at ?? Infinity;
  if (world.step < 0) world.nextStep();
  for (let runs = 0; world.violations.length === 0; runs++) {
    if (runs > RUNS_MAX) {
      world.violations.push(`the agent did not come to rest in ${RUNS_MAX} runs`);
      return;
    }
    const process = new AgentProcess(world, options);
    try {
      const done = await oneRun(world, process, options);
      if (done) return;
    } catch (error) {
      // Whatever a dying process made of the error that the cut was to it: it is dead.
      if (!process.isDead) {
        if (refusedAttack(world, error) || failedRun(world, error)) continue;
        return;
      }
      const cut = cuts.shift()!;
      cutPower(world, cut);
      world.cutAt = cuts[0]?.at ?? Infinity;
      options.afterCut?.(world, world.tally.cuts);
      if (cut.policy !== 'kill') checkAfterCut(world);
    }
  }
}

/** Returns true when the last step is done and checked. */
async function oneRun(world: World, process: AgentProcess, options: LifeOptions): Promise<boolean> {
  if (world.running === null) {
    process.isBooting = true;
    await boot(world, process);
    process.isBooting = false;
  }
  if (world.running === null) return false;
  const result = await process.agent().run({ once: true });
  if (process.isDead) throw new Error('the power was cut in the last operation');
  refusedAttack(world, null);
  world.tally.cutsInARow = 0;
  if (result.code === 'reboot_pending' || result.code === 'rollback_pending') {
    // A clean shutdown writes everything.
    if (!world.isFileTarget) world.running = null;
    world.storage.cut('all', () => 0);
    return false;
  }
  const rests = result.code === 'no_update' && result.state === 'IDLE' && world.server.assigned === null;
  if (!rests) return false;
  if (world.sealedRuns >= 0) return endsSealed(world, result);
  const { tally } = world;
  // A source that cannot be read is repaired from the full payload.
  // What takes more calls is cancelled at another byte: in the middle of a chunk, which is fetched again as a whole.
  const isShifted =
    options.faults !== undefined && world.scenario.steps.some((step) => step.cancelAfterBytes !== undefined);
  const disturbances = tally.cuts + tally.failedRuns + (isShifted ? 1 : 0);
  const again = disturbances * AGAIN_BYTES + (world.faulty ? FULL_BYTES : 0);
  const most = (options.undisturbedBytes?.[world.step] ?? Infinity) + again;
  await checkAtRest(world, most);
  if (world.violations.length > 0) return true;
  if (world.reboots++ < (world.currentStep?.reboots ?? 0)) {
    if (!world.isFileTarget) world.running = null;
    world.storage.cut('all', () => 0);
    return false;
  }
  if (world.nextStep()) return false;
  if (world.scenario.sealed === undefined) return true;
  world.sealedRuns = 0;
  world.running = null;
  return false;
}

/** Was a forgery refused for what it is? Anything but that, or a link or disk that failed meanwhile, is a violation. */
function refusedAttack(world: World, error: unknown): boolean {
  const { attack, scenario, repository } = world;
  if (scenario.attack === undefined || !attack.served) return false;
  attack.served = false;
  // While a release is planned a refusal ends the attempt, and the server hears of it.
  const reported = error === null ? world.server.closed.at(-1)?.outcome.code : undefined;
  const code = UpdateError.is(error) ? error.code : (reported ?? null);
  if (reported !== undefined) world.faulty = true;
  attack.refused = code === repository.attacks[scenario.attack].code;
  if (attack.refused) attack.on = false;
  else if (error === null || !world.faulty) {
    world.violations.push(`${scenario.attack}: the forged metadata were met with ${code ?? 'belief'}`);
  }
  return attack.refused;
}

/** A run that ended with an error is started again, as a service manager does. Returns false for a violation. */
function failedRun(world: World, error: unknown): boolean {
  world.tally.failedRuns++;
  const known = UpdateError.is(error) && error.code !== 'bug';
  if (known && world.faulty) return true;
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  world.violations.push(`the agent failed: ${stack.split('\n').slice(0, 5).join(' ')}`);
  return false;
}

/** The boot loader chooses, until something runs. Its own writes may be cut as well. */
async function boot(world: World, process: AgentProcess): Promise<void> {
  if (world.isFileTarget) {
    world.tally.boots++;
    world.running = { slot: 'A', bootId: 'none' };
    checkBooted(world);
    return;
  }
  const loader = new SimulatedBootLoader({
    variables: loaderVariables(world, process),
    triesMax: TRIES,
    onChoice:
      world.scenario.boot === 'environment'
        ? undefined
        : async ({ slot, bootId }) => {
            const text = `slot=${slot}\nboot_id=${bootId}\n`;
            await writeFileAtomically(process.fs, PATHS.choice, new TextEncoder().encode(text));
          },
  });
  for (let boots = 0; ; boots++) {
    if (boots > BOOTS_MAX) {
      world.violations.push(`nothing came up in ${BOOTS_MAX} boots`);
      return;
    }
    const chosen = await loader.boot(`boot-${++world.tally.boots}`);
    if (chosen === null) {
      world.violations.push('nothing can be booted');
      return;
    }
    if (chosen.rescued) {
      world.tally.rescues++;
      if (!world.lenient) world.violations.push('no slot had tries left');
    }
    const index = heldIndex(world, chosen.slot);
    if (world.scenario.lastSlot === true && chosen.slot !== world.promised.slot) {
      await loaderVariables(world, process).write(new Map([[`BOOT_${world.promised.slot}_LEFT`, '0']]));
    }
    world.running = { slot: chosen.slot, bootId: chosen.bootId };
    checkBooted(world);
    if (world.violations.length > 0) return;
    if (index === null || !world.scenario.hanging?.includes(index)) return;
    // The watchdog resets a system that does not come up.
    world.running = null;
  }
}

function loaderVariables(world: World, { fs }: AgentProcess): LoaderVariables {
  if (world.scenario.boot === 'environment') {
    const place = { fs, path: PATHS.environment };
    return { read: () => readEnvironment(place), write: (values) => writeEnvironment(place, values) };
  }
  return new FileBootVariables({ fs, stateFile: PATHS.state, choiceFile: PATHS.choice });
}

/** A seed of its own for each cut of a case. */
export const cutSeed = (seed: number, number: number): number => (Math.imul(seed, 2654435761) + number * 40503) >>> 0;
