/**
 * The host's side: a repository with the releases, and the server that the board asks. Both are the real programs.
 * @module
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Edition } from './editions.ts';
import { UpdateError } from '../native-free/status.ts';

export const PRODUCT = 'qemu-board';
export const HARDWARE = 'virt-arm64';
const TOKEN = 'management-token-of-the-qemu-scenarios';

export interface Payload {
  readonly kind: 'full' | 'delta';
  readonly bytes: number;
  readonly source: { readonly version: string } | null;
}

interface Catalog {
  readonly releases: readonly {
    readonly version: string;
    readonly payloads: readonly (Payload & { readonly sha256: string })[];
  }[];
}

export interface Release {
  readonly id: number;
  readonly artifact: { readonly bytes: number; readonly sha256: string };
  readonly payloads: readonly Payload[];
}

/** `engraft` as users run it. */
export class Publisher {
  readonly #program: string;
  readonly #folder: string;

  constructor(program: string, folder: string) {
    this.#program = program;
    this.#folder = folder;
  }

  get repo(): string {
    return join(this.#folder, 'repo');
  }

  get pinnedRoot(): string {
    return join(this.repo, 'metadata/1.root.json');
  }

  /** Throw away the repository of an earlier run. */
  clear(): void {
    rmSync(this.repo, { recursive: true, force: true });
  }

  /** Publish an image with a full payload, and deltas where the edition asks for them. */
  publish({ version, deltasFrom, rollbackIndex }: Edition, image: string): void {
    const keys = join(this.#folder, 'keys');
    if (!existsSync(keys)) this.#engraft(['keygen', keys]);
    this.#engraft([
      ...['publish', image, '--repo', this.repo, '--keys', keys, '--product', PRODUCT, '--hardware', HARDWARE],
      ...['--release-version', version, '--from', String(deltasFrom), '--expire-days', '3650'],
      ...['--rollback-index', String(rollbackIndex)],
    ]);
  }

  #engraft(args: readonly string[]): void {
    execFileSync(process.execPath, [this.#program, ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: 900_000,
    });
  }

  /** Bytes of a segment in the delta from the release before. */
  segmentBytes(version: string): number {
    const entries = readdirSync(join(this.repo, 'catalog')).flatMap(
      (name) => (JSON.parse(readFileSync(join(this.repo, 'catalog', name), 'utf8')) as Catalog).releases,
    );
    const entry = entries.find((each) => each.version === version);
    const delta = entry?.payloads.find(({ kind }) => kind === 'delta');
    if (delta === undefined) throw new UpdateError('input_unreadable', `${version} has no delta`);
    const blob = join(this.repo, 'blobs/sha256', delta.sha256);
    const text = execFileSync(process.execPath, [this.#program, 'inspect', '--json', blob], { encoding: 'utf8' });
    return (JSON.parse(text) as { segmentBytes: number }).segmentBytes;
  }

  /** A server with an empty database; port 0 takes a free one. */
  async serve(store: string, log: string, port: number): Promise<Server> {
    for (const end of ['', '-wal', '-shm']) rmSync(store + end, { force: true });
    const args = [
      this.#program,
      'serve',
      '--repo',
      this.repo,
      '--store',
      store,
      '--port',
      String(port),
      '--poll',
      '3',
      '--json',
    ];
    const env = { ...process.env, ENGRAFT_MANAGEMENT_TOKEN: TOKEN };
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    child.stderr.on('data', (piece: Buffer) => appendFileSync(log, piece));
    const url = await new Promise<string>((resolve, reject) => {
      let text = '';
      child.stdout.on('data', (piece: Buffer) => {
        text += piece.toString();
        const found = /http:\/\/[0-9.]+:\d+/.exec(text);
        if (found !== null) resolve(found[0]);
      });
      child.on('close', (status) =>
        reject(new UpdateError('link_failed', `the server ended with ${status}; see ${log}`)),
      );
    });
    return new Server(child, url);
  }
}

const servers = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of servers) child.kill('SIGKILL');
});

export interface ActionSeen {
  readonly state: string;
  readonly code: number | null;
  readonly feedback: readonly { execution: string; finished: string; code: number | null; details: string[] }[];
}

export class Server {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #url: string;

  constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
    this.port = Number(new URL(url).port);
    servers.add(child);
  }

  async releases(): Promise<(Release & { readonly version: string })[]> {
    return ((await this.#ask('GET', 'releases')) as { releases: (Release & { version: string })[] }).releases;
  }

  /** Assign a version to all devices, those that report in later included. */
  async deploy(version: string): Promise<void> {
    const release = (await this.releases()).find((each) => each.version === version);
    if (release === undefined) throw new UpdateError('input_unreadable', `there is no release ${version}`);
    await this.#ask('POST', 'deployments', { releaseId: release.id, devices: 'all' });
  }

  /** What the server knows of the device's newest action. */
  async action(device: string): Promise<ActionSeen> {
    const { actions } = (await this.#ask('GET', `devices/${device}`)) as { actions: ActionSeen[] };
    return actions[0]!;
  }

  /** False as long as the device is unknown, too. */
  async isFinished(device: string): Promise<boolean> {
    try {
      return (await this.action(device))?.state === 'finished';
    } catch (error) {
      if (UpdateError.is(error) && error.code === 'http_status') return false;
      throw error;
    }
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(late);
    servers.delete(this.#child);
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
    const answer = await fetch(`${this.#url}/api/v1/${path}`, { method, headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new UpdateError('http_status', `${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }
}
