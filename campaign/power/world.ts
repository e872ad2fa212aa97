/**
 * One simulated device with its server: everything that outlives a process of the agent. It can be forked at any
 * operation, which is how the power is cut everywhere without living the same life up to there again and again.
 * @module
 */
import { FileKeystore, journalOf, rollbackCounter, type AttemptOutcome } from '../../src/agent/index.ts';
import { formatCopy, SimulatedStorage } from '../../src/testing/index.ts';
import { sha256Hex, sha256Node } from '../../src/platform/hash.ts';
import { configOf } from './config.ts';
import { SEGMENT_BYTES, type RepositoryFiles } from './images.ts';
import { PATHS, slotPath } from './paths.ts';
import type { Scenario, SlotClass, Step } from './scenarios.ts';

export const TRIES = 3;
const SLOT_BYTES = 192 * 1024;
const COPY_BYTES = 4096;

/** What the server knows. */
export interface ServerState {
  assigned: { readonly actionId: string; readonly release: number } | null;
  cancelling: boolean;
  refuseReports: number;
  closed: { readonly actionId: string; readonly outcome: AttemptOutcome }[];
}

/** What the campaign has seen being promised; the oracle holds the device to it. */
export interface Promised {
  /** The slot that is committed, and the index of its images. */
  slot: string;
  index: number;
  counters: Record<string, number>;
}

export interface Tally {
  /** Payload bytes that crossed, in this step and before. */
  wireBytes: number;
  stepWireBytes: number;
  cuts: number;
  /** Cuts since the last run of the agent that ended by itself. */
  cutsInARow: number;
  /** Runs that ended with an error other than a power cut. */
  failedRuns: number;
  boots: number;
  rescues: number;
}

export class World {
  readonly scenario: Scenario;
  readonly repository: RepositoryFiles;
  storage: SimulatedStorage;
  nowMs: number;
  server: ServerState = { assigned: null, cancelling: false, refuseReports: 0, closed: [] };
  promised: Promised = { slot: 'A', index: 1, counters: {} };
  tally: Tally = {
    wireBytes: 0,
    stepWireBytes: 0,
    cuts: 0,
    cutsInARow: 0,
    failedRuns: 0,
    boots: 0,
    rescues: 0,
  };
  /** The attempt of this step was rolled back: it must not be armed again. */
  rolledBack = false;
  /** Index into the scenario's steps; -1 before the first. */
  step = -1;
  /** What runs: gone when the power is. */
  running: { readonly slot: string; readonly bootId: string } | null = null;
  /** Runs since the data partition could not be written any more; -1 before. */
  sealedRuns = -1;
  /** Operations since the start of the life, or since the last cut; the power fails in number `cutAt`. */
  operations = 0;
  cutAt = Infinity;
  /** A boot loader may legally have given the trial up, or fallen back: after that many cuts in a row. */
  lenient = false;
  /** What must never happen and did; the first one is the cause. */
  violations: string[] = [];
  /** A record was damaged on purpose. */
  damaged = false;
  /**
   * A scenario's attack: `believed` once the device has acted on what the attacker will deny, `on` from the next cut
   * until the device has refused, `served` when this run was given a forgery.
   */
  attack = { believed: false, on: false, served: false, refused: false };
  /** The journal, or all data, were lost, or are not of now. */
  lost: 'journal' | 'data' | 'stale' | null = null;
  /** Counters went with them: the keystore is a file. */
  countersLost = false;
  /** Index of the release whose health check was passed last. */
  tested: number | null = null;
  /** The running slot is sick and the only one: it has to stay. */
  stuck = false;
  /** Reboots since this step came to rest. */
  reboots = 0;
  /** More than power failed: an attempt may end otherwise than the scenario says, but never unsafely. */
  faulty = false;

  constructor(scenario: Scenario, repository: RepositoryFiles, storage = new SimulatedStorage()) {
    this.scenario = scenario;
    this.repository = repository;
    this.storage = storage;
    this.nowMs = repository.madeAtMs + 60_000;
  }

  /** An independent copy, as if the power failed now: nothing runs in it. */
  fork(): World {
    const twin = new World(this.scenario, this.repository, this.storage.fork());
    twin.nowMs = this.nowMs;
    twin.server = { ...this.server, closed: [...this.server.closed] };
    twin.promised = { ...this.promised, counters: { ...this.promised.counters } };
    twin.tally = { ...this.tally };
    twin.step = this.step;
    twin.rolledBack = this.rolledBack;
    twin.running = this.running;
    twin.sealedRuns = this.sealedRuns;
    twin.operations = this.operations;
    twin.cutAt = this.cutAt;
    twin.lenient = this.lenient;
    twin.faulty = this.faulty;
    twin.damaged = this.damaged;
    twin.lost = this.lost;
    twin.countersLost = this.countersLost;
    twin.tested = this.tested;
    twin.stuck = this.stuck;
    twin.reboots = this.reboots;
    twin.violations = [...this.violations];
    twin.attack = { ...this.attack };
    return twin;
  }

  get isFileTarget(): boolean {
    return this.scenario.boot === 'target';
  }

  get currentStep(): Step | null {
    return this.scenario.steps[this.step] ?? null;
  }

  actionOf(step: number): string {
    return `action-${this.scenario.steps[step]?.action ?? step + 1}`;
  }

  /** The server's next deployment; false when there is none. */
  nextStep(): boolean {
    const step = this.scenario.steps[++this.step];
    if (step === undefined) return false;
    this.server.assigned = { actionId: this.actionOf(this.step), release: step.deploy };
    this.server.refuseReports = step.refusedReports ?? 0;
    this.server.cancelling = false;
    this.tally.stepWireBytes = 0;
    this.rolledBack = false;
    this.reboots = 0;
    return true;
  }

  /** What a slot holds that has release `index`. */
  image(slotClass: SlotClass, index: number): Uint8Array {
    const drifted = slotClass === 'rootfs' && index === 1 && this.scenario.driftedSegment !== undefined;
    return drifted ? driftedSource(this) : this.repository.images[slotClass][index]!;
  }
}

/**
 * A device that came from the factory with release 1.0 in slot A, running and committed, and an older whole image in
 * slot B that the boot loader may choose.
 */
export async function makeWorld(scenario: Scenario, repository: RepositoryFiles): Promise<World> {
  const world = new World(scenario, repository);
  const { storage } = world;
  storage.place(PATHS.root, repository.metadata.get('1.root.json')!);
  storage.placeFolder(PATHS.data);
  const variables = new Map([
    ['BOOT_ORDER', 'A B'],
    ['BOOT_A_LEFT', String(TRIES)],
    ['BOOT_B_LEFT', String(TRIES)],
  ]);
  if (scenario.boot === 'file') {
    const text = [...variables].map(([name, value]) => `${name}=${value}\n`).join('');
    storage.place(PATHS.state, new TextEncoder().encode(text));
  }
  if (scenario.boot === 'environment') {
    const environment = new Uint8Array(2 * COPY_BYTES);
    environment.set(formatCopy(variables, 10, COPY_BYTES));
    environment.set(formatCopy(variables, 9, COPY_BYTES), COPY_BYTES);
    storage.place(PATHS.environment, environment, 'block');
  }
  placeImages(world);
  await seedRecords(world);
  return world;
}

const driftedSources = new WeakMap<Uint8Array, Uint8Array>();

/** Release 1.0 with a wrong byte where the delta predicts from: that segment comes out wrong and has to be repaired. */
function driftedSource({ repository, scenario }: World): Uint8Array {
  const whole = repository.images.rootfs[1]!;
  const known = driftedSources.get(whole);
  if (known !== undefined) return known;
  const drifted = whole.slice();
  drifted[(scenario.driftedSegment ?? 0) * SEGMENT_BYTES + 5000]! ^= 0xff;
  driftedSources.set(whole, drifted);
  return drifted;
}

function placeImages(world: World): void {
  const { storage, scenario } = world;
  if (world.isFileTarget) {
    storage.place(PATHS.target, world.image('rootfs', 1));
    return;
  }
  for (const slotClass of scenario.classes) {
    for (const [slot, index] of [
      ['A', 1],
      ['B', 0],
    ] as const) {
      const device = new Uint8Array(SLOT_BYTES);
      device.set(world.image(slotClass, index));
      storage.place(slotPath(slot, slotClass), device, 'block');
    }
  }
}

/** As after an earlier update: the journal knows what slot A holds, the counters stand at its index. */
async function seedRecords(world: World): Promise<void> {
  const { storage, scenario } = world;
  const journal = journalOf(configOf(scenario), { fs: storage, hash: sha256Node });
  await journal.load();
  for (const slotClass of scenario.classes) {
    const image = world.repository.images[slotClass][1]!;
    const sha256 = sha256Hex(image);
    const place = slotClass === 'rootfs' ? 'A' : `A/${slotClass}`;
    journal.body.slots[place] = { bytes: image.length, sha256, version: '1.0' };
    world.promised.counters[rollbackCounter('cam', slotClass)] = 1;
  }
  journal.body.confirmed = { slot: 'A', counters: { ...world.promised.counters } };
  await journal.save();
  const keystore = new FileKeystore({ fs: storage, hash: sha256Node, path: `${PATHS.data}/keystore` });
  await keystore.raise(world.promised.counters);
  storage.cut('all', () => 0);
}
