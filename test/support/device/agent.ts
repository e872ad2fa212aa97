/**
 * A simulated device for tests of the agent: real agent code on a storage, a clock, a network and a boot loader in
 * memory; a real signed repository with real payloads behind the network.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Agent,
  journalOf,
  parseConfig,
  type AgentConfig,
  type AgentEvent,
  type AgentParts,
  type Attempt,
  type CommandRunner,
  type Deployment,
  type DeploymentSource,
  type JournalBody,
  type Proceeding,
  type Report,
  type RunResult,
  type World,
  type FileSystem,
  type NetworkRequest,
} from '../../../src/agent/index.ts';
import { UpdateError } from '../../../native-free/status.ts';
import {
  FakeBootLoader,
  FakeClock,
  MemoryFileSystem,
  MemoryNetwork,
  Power,
  poweredFileSystem,
  serveBytes,
  watchFileSystem,
  type FileWatcher,
  type LinkPlan,
  type MemoryAnswer,
} from '../../../src/testing/index.ts';
import type { FileKeyWrapper, PayloadMaker } from '../../../src/release/index.ts';
import { imageBytes, sha256Hex, sha256Node } from '../images.ts';
import { plainMaker, publisher, type Publisher } from '../release.ts';

/** As `toEqual`, which takes a tenth of a second for an image. */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
export { sha256Hex };

/** Five segments; the target shares most of the source and has enough of its own for a payload of several chunks. */
export function imagePair(bytes = 300_000, fresh = 140_000): { source: Uint8Array; target: Uint8Array } {
  const source = imageBytes(bytes, 11);
  const target = source.slice();
  const news = new Uint8Array(fresh);
  let x = 12345;
  for (let i = 0; i < fresh; i++) {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    news[i] = x >>> 16;
  }
  target.set(news, Math.floor((bytes - fresh) / 2));
  for (let i = 0; i < bytes; i += 5003) target[i]! ^= 0x55;
  return { source, target };
}

export interface Lab {
  readonly publisher: Publisher;
  readonly source: Uint8Array;
  readonly target: Uint8Array;
  /** Serves the repository as it is on disk now. */
  answer(request: NetworkRequest): MemoryAnswer;
}

/** A repository with version 1.0 (source) and 2.0 (target, with a delta from 1.0). */
export async function makeLab(
  pair = imagePair(),
  delta = true,
  engine: PayloadMaker = plainMaker,
  encryption?: FileKeyWrapper,
): Promise<Lab> {
  const made = await publisher();
  if (delta) await made.release(1, { image: pair.source, rollbackIndex: 1, engine, encryption });
  await made.release(2, { image: pair.target, rollbackIndex: 2, engine, encryption });
  return labOf(made, pair);
}

/** A repository as it is, with what the device runs and what it shall run. */
export const labOf = (made: Publisher, pair: Pick<Lab, 'source' | 'target'>): Lab => ({
  ...{ publisher: made, source: pair.source, target: pair.target },
  answer: (request) => answerFrom(made.dir, request),
});

function answerFrom(repo: string, request: NetworkRequest): MemoryAnswer {
  const { pathname } = new URL(request.url);
  const tuf = /^\/tuf\/([^/]+)$/.exec(pathname);
  const blob = /^\/blobs\/sha256\/([0-9a-f]{64})$/.exec(pathname);
  try {
    if (tuf !== null) return { status: 200, body: new Uint8Array(readFileSync(join(repo, 'metadata', tuf[1]!))) };
    if (blob !== null) {
      const bytes = new Uint8Array(readFileSync(join(repo, 'blobs', 'sha256', blob[1]!)));
      return serveBytes(request, bytes, `"${blob[1]}"`);
    }
  } catch {
    // Not found, below.
  }
  return { status: 404 };
}

/** A server's side of deployments, in memory. */
export class FakeDeployments implements DeploymentSource {
  assigned: Deployment | null = null;
  cancelId: string | null = null;
  readonly closed: Omit<Report, 'atMs'>[] = [];
  readonly news: { readonly actionId: string; readonly message: string; readonly code: number; readonly downloaded: boolean }[] = []; // prettier-ignore
  readonly attributes: Readonly<Record<string, string>>[] = [];
  readonly cancelAnswers: boolean[] = [];
  refuseReports = 0;
  refusal = new UpdateError('link_failed', 'the report was lost');
  polls = 0;
  /** A server with encrypted payloads gives it. */
  ageHeader?: (bodySha256: string) => Promise<Uint8Array>;
  power: Power | null = null;

  assign(version: string, actionId = 'action-1'): void {
    this.assigned = { actionId, release: { product: 'cam', version, hardware: 'v1', slotClass: 'rootfs' } };
  }

  async poll() {
    this.power?.use('poll');
    this.polls++;
    const cancel =
      this.cancelId === null ? null : { cancelId: this.cancelId, stopId: this.assigned?.actionId ?? 'none' };
    return { deployment: cancel === null ? this.assigned : null, cancel, sleepMs: null };
  }

  async proceeding({ actionId, details, code, downloaded = false }: Proceeding): Promise<void> {
    this.power?.use('proceeding');
    this.news.push({ actionId, message: details.join(''), code, downloaded });
  }

  async close({ actionId, outcome, release, details }: Report): Promise<void> {
    this.power?.use('close');
    if (this.refuseReports > 0) {
      this.refuseReports--;
      throw this.refusal;
    }
    this.closed.push({ actionId, outcome, release, details });
    if (this.assigned?.actionId === actionId) this.assigned = null;
  }

  async answerCancel(_cancelId: string, accepted: boolean): Promise<void> {
    this.power?.use('answer');
    this.cancelAnswers.push(accepted);
    this.cancelId = null;
    if (accepted) this.assigned = null;
  }

  async sendAttributes(attributes: Readonly<Record<string, string>>): Promise<void> {
    this.power?.use('attributes');
    this.attributes.push(attributes);
  }
}

export interface DeviceOptions {
  /** Lines of TOML behind the given tables, by table name. */
  readonly toml?: Readonly<Record<string, string>>;
  readonly plan?: (request: NetworkRequest, number: number) => LinkPlan;
  readonly answer?: (request: NetworkRequest) => MemoryAnswer;
  readonly run?: CommandRunner;
  readonly watch?: FileWatcher;
  /** The TOML of `[slots]`, for more than one slot class. */
  readonly slots?: string;
  readonly controllerId?: string;
  /** A file target instead of two slots. */
  readonly fileTarget?: boolean;
  /** What the decoder reads, for an agent of another build. */
  readonly decoder?: AgentParts['decoder'];
  /** Let the agent talk DDI through the network instead of the fake deployments. */
  readonly ddi?: boolean;
}

const HEALTHY: CommandRunner = async () => ({ exitCode: 0, timedOut: false, output: '', stdout: '' });

const FILES = { state: '/boot/state', choice: '/boot/choice', a: '/slots/a', b: '/slots/b', data: '/data' };

function configOf(options: DeviceOptions): AgentConfig {
  const extra = options.toml ?? {};
  const table = (name: string, lines: string): string => `[${name}]\n${lines}\n${extra[name] ?? ''}\n`;
  const place =
    options.fileTarget === true
      ? table('target', 'path = "/slots/a"')
      : table('slots', options.slots ?? 'A = "/slots/a"\nB = "/slots/b"') +
        table('boot', 'state_file = "/boot/state"\nchoice_file = "/boot/choice"');
  const text =
    table('device', `controller_id = "${options.controllerId ?? 'dev-1'}"\nproduct = "cam"\nhardware = "v1"`) +
    table('server', 'url = "http://ota.test"\ncancel_poll_seconds = 1') +
    table('data', `folder = "${FILES.data}"`) +
    table('trust', 'root = "/etc/root.json"') +
    place +
    // Where a test does not wait for metadata, a release that is not listed ends its attempt at once.
    table(
      'limits',
      `spare_bytes = 0${/metadata_wait/.test(extra['limits'] ?? '') ? '' : '\nmetadata_wait_hours = 0'}`,
    ) +
    table('health', 'commands = [["check"]]') +
    (extra['hooks'] === undefined ? '' : table('hooks', ''));
  return parseConfig(text, '/', 'test.toml');
}

export class SimulatedDevice {
  readonly lab: Lab;
  readonly disk = new MemoryFileSystem();
  readonly power = new Power();
  readonly clock: FakeClock;
  readonly network: MemoryNetwork;
  readonly loader: FakeBootLoader;
  readonly deployments = new FakeDeployments();
  readonly config: AgentConfig;
  readonly events: AgentEvent[] = [];
  log: { event(event: AgentEvent, attempt: Attempt | null): void } | null = null;
  readonly fs: FileSystem;
  run: CommandRunner;
  /** May change, as when the agent itself is updated. */
  decoder: AgentParts['decoder'];
  readonly #options: DeviceOptions;

  constructor(lab: Lab, options: DeviceOptions = {}) {
    this.lab = lab;
    this.#options = options;
    this.config = configOf(options);
    this.clock = new FakeClock({ power: this.power });
    const handler = options.answer ?? ((request: NetworkRequest) => lab.answer(request));
    this.network = new MemoryNetwork({ handler, plan: options.plan, power: this.power });
    const powered = poweredFileSystem(this.disk, this.power);
    this.fs = options.watch === undefined ? powered : watchFileSystem(powered, options.watch);
    this.loader = new FakeBootLoader({ fs: this.disk, stateFile: FILES.state, choiceFile: FILES.choice });
    this.deployments.power = this.power;
    this.run = options.run ?? HEALTHY;
    this.decoder = options.decoder;
  }

  /** Slot A holds the source; the device was booted once. */
  async install(): Promise<this> {
    this.disk.place(
      '/etc/root.json',
      new Uint8Array(readFileSync(join(this.lab.publisher.dir, 'metadata', '1.root.json'))),
    );
    this.disk.place(FILES.a, this.lab.source);
    if (this.#options.fileTarget !== true) this.disk.place(FILES.b, new Uint8Array(0));
    await this.disk.makeFolder('/boot');
    await this.disk.makeFolder(FILES.data);
    await this.loader.install(['A', 'B'], ['A']);
    await this.boot();
    return this;
  }

  /** The journal knows what slot A holds, as after `init` or an earlier update. */
  async knowsSource(): Promise<void> {
    const journal = journalOf(this.config, { fs: this.disk, hash: sha256Node });
    await journal.load();
    journal.body.confirmed = { slot: 'A', counters: {} };
    const { length: bytes } = this.lab.source;
    journal.body.slots['A'] = { bytes, sha256: sha256Hex(this.lab.source), version: '1.0' };
    await journal.save();
  }

  boot(): Promise<string | null> {
    return this.loader.boot();
  }

  agent(): Agent {
    const { clock, network, fs } = this;
    const world: Partial<World> = { clock, network, fs, hash: sha256Node, run: (request) => this.run(request) };
    return new Agent(this.config, {
      world,
      deployments: this.#options.ddi === true ? undefined : this.deployments,
      decoder: this.decoder,
      onEvent: (event, attempt) => {
        this.events.push(event);
        this.log?.event(event, attempt);
      },
    });
  }

  once(signal?: AbortSignal): Promise<RunResult> {
    return this.agent().run({ once: true, signal });
  }

  /** Run, reboot and run until the machine rests with nothing to do. Returns the last attempt's result. */
  async untilDone(runsMax = 6): Promise<RunResult> {
    for (let i = 0; i < runsMax; i++) {
      const result = await this.once();
      if (result.code !== 'reboot_pending' && result.code !== 'rollback_pending') return result;
      if ((await this.boot()) === null) throw new Error('the device is bricked');
    }
    throw new Error(`not done after ${runsMax} runs`);
  }

  slot(name: 'a' | 'b'): Uint8Array {
    return this.disk.peek(`/slots/${name}`) ?? new Uint8Array(0);
  }

  /** The journal as it is on the disk. */
  journal(): JournalBody {
    const text = new TextDecoder().decode(this.disk.peek(`${FILES.data}/journal`) ?? new Uint8Array(0));
    return JSON.parse(text.slice(text.indexOf('\n') + 1)) as JournalBody;
  }

  bootState(): string {
    return new TextDecoder().decode(this.disk.peek(FILES.state) ?? new Uint8Array(0));
  }

  states(): string[] {
    return this.events.flatMap((event) => (event.type === 'state' ? [event.state] : []));
  }
}

export const device = (lab: Lab, options: DeviceOptions = {}): Promise<SimulatedDevice> =>
  new SimulatedDevice(lab, options).install();

/** A device that is told to install 2.0 and knows what it runs. */
export async function assignedDevice(lab: Lab, options: DeviceOptions = {}): Promise<SimulatedDevice> {
  const it = await device(lab, options);
  await it.knowsSource();
  it.deployments.assign('2.0');
  return it;
}

export const isBlob = ({ url }: { readonly url: string }): boolean => url.includes('/blobs/');
