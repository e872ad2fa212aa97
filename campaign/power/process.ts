/**
 * One process of the agent on a simulated device: the real agent, with every operation that leaves it counted, and
 * dead for ever once the power has failed. Whatever an old process still has in flight can then do no harm.
 * @module
 */
import {
  Agent,
  FileBootVariables,
  FileKeystore,
  FileSlots,
  FileTarget,
  VariableBootControl,
  type AgentEvent,
  type BootControl,
  type CommandRunner,
  type DeploymentSource,
  type FileSystem,
  type SlotSet,
  type NetworkRequest,
} from '../../src/agent/index.ts';
import { UpdateError } from '../../native-free/status.ts';
import {
  FakeClock,
  MemoryNetwork,
  Power,
  serveBytes,
  SimulatedEnvironment,
  watchFileSystem,
  type FileCall,
  type LinkPlan,
  type MemoryAnswer,
} from '../../src/testing/index.ts';
import { sha256Node } from '../../src/platform/hash.ts';
import { configOf } from './config.ts';
import { observedBoot, observedKeystore, seenClose, seenWrite } from './observed.ts';
import { PATHS, slotPath } from './paths.ts';
import type { Scenario } from './scenarios.ts';
import { refuseSealed } from './sealed.ts';
import { TRIES, type World } from './world.ts';

/** What goes wrong besides the power. All of it is asked once for each call. */
export interface Faults {
  /** May throw, or return how many bytes a write may take. */
  readonly file?: (call: FileCall) => number | void;
  readonly network?: (request: NetworkRequest) => LinkPlan;
  /** May change an answer on its way. */
  readonly answer?: (request: NetworkRequest, answer: MemoryAnswer) => MemoryAnswer;
  readonly ignoresEnvironmentWrite?: () => boolean;
}

export interface ProcessHooks {
  readonly faults?: Faults;
  /** Called before each operation, while the world is as a power cut in it would leave it. */
  readonly onOperation?: (what: string) => void;
  readonly onEvent?: (event: AgentEvent) => void;
}

/** Time passes with every operation, so that what is due once a second comes due. */
const OPERATION_MS = 60;

class Plug extends Power {
  readonly #use: (what: string) => void;

  constructor(use: (what: string) => void) {
    super();
    this.#use = use;
  }

  override use(what: string): void {
    this.#use(what);
  }
}

export class AgentProcess {
  readonly #world: World;
  readonly #hooks: ProcessHooks;
  readonly #plug: Plug;
  readonly #clock: FakeClock;
  readonly #network: MemoryNetwork;
  readonly fs: FileSystem;
  /** True once the power failed in this process. */
  isDead = false;
  /** The boot loader is at work: only the agent's own calls are made to fail. */
  isBooting = false;
  #wireSeen = 0;

  constructor(world: World, hooks: ProcessHooks = {}) {
    this.#world = world;
    this.#hooks = hooks;
    this.#plug = new Plug((what) => this.use(what));
    this.#clock = new FakeClock({ nowMs: world.nowMs, seed: world.nowMs % 1_000_003, power: this.#plug });
    const { faults } = hooks;
    this.#network = new MemoryNetwork({
      handler: (request) => answerOf(world, request, faults),
      plan: (request) => faults?.network?.(request) ?? {},
      power: this.#plug,
    });
    this.fs = watchFileSystem(world.storage, (call) => {
      this.use(`${call.name} ${call.path}`);
      if (!this.isBooting) refuseSealed(world, call);
      const most = this.isBooting ? undefined : faults?.file?.(call);
      seenWrite(world, call);
      return most;
    });
  }

  /** One operation. Throws once the power is gone. */
  use(what: string): void {
    if (this.isDead) throw powerCut('the power is gone');
    const world = this.#world;
    this.#clock.advance(OPERATION_MS);
    this.#note();
    world.operations++;
    this.#hooks.onOperation?.(what);
    if (world.operations < world.cutAt) return;
    this.isDead = true;
    throw powerCut(`power was cut in operation ${world.cutAt}: ${what}`);
  }

  /** What the server and the clock know belongs to the world. */
  #note(): void {
    const world = this.#world;
    world.nowMs = this.#clock.now();
    const seen = this.#network.bytesOf('/blobs/');
    world.tally.wireBytes += seen - this.#wireSeen;
    world.tally.stepWireBytes += seen - this.#wireSeen;
    this.#wireSeen = seen;
  }

  /** The agent as the program would put it together, with its world injected and its promises observed. */
  agent(): Agent {
    const world = this.#world;
    const { boot, slots } = places(world, this.fs, this.#hooks.faults);
    const keystore = new FileKeystore({ fs: this.fs, hash: sha256Node, path: `${PATHS.data}/keystore` });
    return new Agent(configOf(world.scenario), {
      world: { fs: this.fs, clock: this.#clock, network: this.#network, hash: sha256Node, run: this.#runner() },
      boot: observedBoot(boot, world),
      slots,
      keystore: observedKeystore(keystore, world),
      deployments: deploymentsOf(world, (what) => this.use(what)),
      onEvent: this.#hooks.onEvent,
    });
  }

  #runner(): CommandRunner {
    const { scenario } = this.#world;
    return ({ argv, env }) => {
      this.use(`run ${argv[0]}`);
      const release = Number(env?.['ENGRAFT_VERSION']?.split('.')[0] ?? 0);
      const sick = argv[0] === 'check' && this.#runningIsSick(release, scenario);
      const output = sick ? 'it does not work' : '';
      if (argv[0] === 'check' && !sick) this.#world.tested = runningIndex(this.#world);
      return Promise.resolve({ exitCode: sick ? 1 : 0, timedOut: false, output, stdout: output });
    };
  }

  /** Health is a property of the image that runs, whatever the agent believes to be running. */
  #runningIsSick(named: number, { unhealthy = [] }: Scenario): boolean {
    const index = runningIndex(this.#world) ?? named;
    return unhealthy.includes(index);
  }
}

/** Index of the release that runs now, told by its bytes. */
export function runningIndex(world: World): number | null {
  const path = world.isFileTarget ? PATHS.target : slotPath(world.running?.slot ?? 'A', 'rootfs');
  const content = world.storage.peek(path);
  if (content === null) return null;
  for (let index = 0; index < world.repository.images.rootfs.length; index++) {
    const image = world.image('rootfs', index);
    if (Buffer.compare(content.subarray(0, image.length), image) === 0) return index;
  }
  return null;
}

function powerCut(message: string): Error {
  return Object.assign(new Error(message), { name: 'PowerCut' });
}

function places(world: World, fs: FileSystem, faults?: Faults): { boot: BootControl; slots: Map<string, SlotSet> } {
  const { scenario } = world;
  if (scenario.boot === 'target') {
    const target = new FileTarget({ fs, path: PATHS.target, stateFile: PATHS.targetState });
    return { boot: target, slots: new Map([['rootfs', target]]) };
  }
  const variables =
    scenario.boot === 'file'
      ? new FileBootVariables({ fs, stateFile: PATHS.state, choiceFile: PATHS.choice })
      : new SimulatedEnvironment({
          fs,
          path: PATHS.environment,
          chosen: () => world.running ?? { slot: '', bootId: '' },
          ignores: faults?.ignoresEnvironmentWrite,
        });
  const boot = new VariableBootControl({ slots: ['A', 'B'], variables, triesMax: TRIES });
  const slots = new Map<string, SlotSet>();
  for (const slotClass of scenario.classes) {
    const paths = { A: slotPath('A', slotClass), B: slotPath('B', slotClass) };
    slots.set(slotClass, new FileSlots({ fs, paths }));
  }
  return { boot, slots };
}

function answerOf(world: World, request: NetworkRequest, faults?: Faults): MemoryAnswer {
  const { pathname } = new URL(request.url);
  const [, kind, ...rest] = pathname.split('/');
  const name = rest.at(-1) ?? '';
  const { blobs } = world.repository;
  const content = kind === 'tuf' ? metadataOf(world, name) : kind === 'blobs' ? blobs.get(name) : undefined;
  let answer: MemoryAnswer = { status: 404 };
  if (content !== undefined) {
    answer = kind === 'tuf' ? { status: 200, body: content } : serveBytes(request, content, `"${name}"`);
  }
  return faults?.answer?.(request, answer) ?? answer;
}

/** A metadata file, as the server or the attacker gives it. */
function metadataOf({ repository, scenario, attack }: World, name: string): Uint8Array | undefined {
  if (scenario.attack === undefined) return repository.metadata.get(name);
  const { metadata, forged, believed } = repository.attacks[scenario.attack];
  const forgery = attack.on ? forged.get(name) : undefined;
  if (forgery instanceof Uint8Array) attack.served = true;
  if (forgery !== undefined) return forgery ?? undefined;
  if (name === believed) attack.believed = true;
  return metadata.get(name);
}

/** The server's side of deployments. */
function deploymentsOf(world: World, use: (what: string) => void): DeploymentSource {
  const { server } = world;
  return {
    poll: async () => {
      use('poll');
      const { cancelAfterBytes, withdrawAfterBytes = Infinity, isReplaced = false } = world.currentStep ?? {};
      if (server.assigned !== null && world.tally.stepWireBytes >= withdrawAfterBytes) {
        server.assigned = null;
        if (isReplaced) world.nextStep();
      }
      const { assigned } = server;
      if (assigned !== null && cancelAfterBytes !== undefined && world.tally.stepWireBytes >= cancelAfterBytes) {
        server.cancelling = true;
      }
      if (server.cancelling && assigned !== null) {
        const cancel = { cancelId: `${assigned.actionId}-cancel`, stopId: assigned.actionId };
        return { deployment: null, cancel, sleepMs: null };
      }
      const release = { product: 'cam', version: `${assigned?.release}.0`, hardware: 'v1', slotClass: 'rootfs' };
      const deployment = assigned === null ? null : { actionId: assigned.actionId, release };
      return { deployment, cancel: null, sleepMs: null };
    },
    proceeding: async () => use('proceeding'),
    close: async ({ actionId, outcome }) => {
      use('close');
      if (server.refuseReports > 0) {
        server.refuseReports--;
        if (server.refuseReports === 0 && world.currentStep?.losesDatabase === true) world.nextStep();
        throw new UpdateError('link_failed', 'the report was lost');
      }
      // A journal that is not of now may tell of an action that is over: the server knows it as closed.
      if (world.lost !== null && server.assigned?.actionId !== actionId) return;
      seenClose(world, outcome);
      server.closed.push({ actionId, outcome });
      if (server.assigned?.actionId === actionId) server.assigned = null;
    },
    answerCancel: async (cancelId, accepted, { outcome: { message } }) => {
      use('answer');
      // As with a report: the answer to a cancellation of before is one to nothing.
      if (world.lost !== null && cancelId !== `${server.assigned?.actionId}-cancel`) return;
      const actionId = world.actionOf(world.step);
      const code = accepted ? 'cancelled' : 'bug';
      const outcome = { status: accepted ? 10 : 0, code, subStatus: 0, message } as const;
      server.closed.push({ actionId, outcome });
      server.cancelling = false;
      if (accepted) server.assigned = null;
    },
    sendAttributes: async () => use('attributes'),
  };
}
