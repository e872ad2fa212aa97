/**
 * The contract of the TUF project's conformance suite: a client that is given a folder and told to init, refresh and
 * download, judged by what it returns, what it keeps, and what it asks for over HTTP.
 */
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { UpdateError } from '../../../native-free/status.ts';
import { TufClient } from '../../../src/agent/tuf/client.ts';
import { nodeClock } from '../../../src/platform/clock.ts';
import { sha256Node } from '../../../src/platform/hash.ts';
import { nodeFileSystem } from '../../../src/platform/node-filesystem.ts';
import { nodeNetwork } from '../../../src/platform/http/node-network.ts';
import { temporaryFolder } from '../release.ts';
import { jsonOf, TufRepository } from './repository.ts';

/** Answers for any number of repositories by the first part of the path; null is 404. */
export class RepositoryServer {
  readonly #routes = new Map<string, (path: string) => Uint8Array | null>();
  readonly #server: Server = createServer((request, response) => {
    const [, route, ...rest] = request.url!.split('/');
    const body = this.#routes.get(route!)?.(rest.join('/')) ?? null;
    response.writeHead(body === null ? 404 : 200, { 'content-length': body?.length ?? 0 }).end(body);
  });

  async open(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Where it is served. */
  serve(answer: (path: string) => Uint8Array | null): string {
    const route = `r${this.#routes.size}`;
    this.#routes.set(route, answer);
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${route}`;
  }
}

/** Every call is a client of its own, as if the program were started anew. */
export class ContractClient {
  readonly #url: string;
  readonly #folder = temporaryFolder();
  /** The clock says this much more than it is. */
  aheadMs = 0;
  lastError: UpdateError | null = null;

  constructor(url: string) {
    this.#url = url;
    mkdirSync(this.metadataFolder);
    mkdirSync(this.targetFolder);
  }

  get metadataFolder(): string {
    return join(this.#folder, 'metadata');
  }

  get targetFolder(): string {
    return join(this.#folder, 'targets');
  }

  init(root: Uint8Array): Promise<number> {
    const path = join(this.#folder, 'initial_root.json');
    writeFileSync(path, root);
    return this.#run((client) => client.init(path));
  }

  refresh(): Promise<number> {
    return this.#run((client) => client.refresh(`${this.#url}/metadata/`));
  }

  download(...targetNames: string[]): Promise<number> {
    const [metadataUrl, targetsUrl] = [`${this.#url}/metadata`, `${this.#url}/targets/`];
    return this.#run((client) =>
      client.download({ metadataUrl, targetsUrl, targetNames, targetFolder: this.targetFolder }),
    );
  }

  /** 0 or 1. A contradiction in the client itself is neither. */
  async #run(work: (client: TufClient) => Promise<unknown>): Promise<number> {
    const clock = { ...nodeClock, now: () => Date.now() + this.aheadMs };
    const parts = { fs: nodeFileSystem, hash: sha256Node, clock, network: nodeNetwork() };
    try {
      await work(new TufClient({ ...parts, folder: this.metadataFolder }));
      this.lastError = null;
      return 0;
    } catch (error) {
      this.lastError = UpdateError.from(error);
      if (this.lastError.code === 'bug') throw error;
      return 1;
    }
  }

  /** What is trusted of a role, as bytes. */
  trusted(role: string): Uint8Array | null {
    const path = join(this.metadataFolder, `${role}.json`);
    return existsSync(path) ? new Uint8Array(readFileSync(path)) : null;
  }

  version(role: string): number | null {
    const bytes = this.trusted(role);
    return bytes === null ? null : (jsonOf(bytes).signed.version as number);
  }

  /** All that is trusted, as `role version`. */
  versions(): string[] {
    const names = readdirSync(this.metadataFolder).filter((name) => name.endsWith('.json'));
    return names.sort().map((name) => `${name.slice(0, -5)} ${this.version(name.slice(0, -5))}`);
  }

  /** As if the data partition had lost these. */
  forget(...roles: string[]): void {
    for (const role of roles) rmSync(join(this.metadataFolder, `${role}.json`));
  }

  /** When each file was written last, but for the copy of the root that is there to be looked at. */
  writtenAt(): string[] {
    const names = readdirSync(this.metadataFolder).filter((name) => name !== 'root.json');
    return names.sort().map((name) => `${name} ${statSync(join(this.metadataFolder, name), { bigint: true }).mtimeNs}`);
  }

  /** Contents of what was downloaded, the oldest first. */
  downloads(): string[] {
    const paths = readdirSync(this.targetFolder).map((name) => join(this.targetFolder, name));
    return paths.sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs).map((path) => readFileSync(path, 'utf8'));
  }
}

export interface World {
  readonly repo: TufRepository;
  readonly client: ContractClient;
  readonly server: RepositoryServer;
}

/** A repository that was just published, and a client that trusts nothing yet. */
export function newWorld(server: RepositoryServer): World {
  const repo = new TufRepository();
  return { repo, server, client: new ContractClient(server.serve((path) => repo.answer(path))) };
}

export interface Scenario {
  /** As the upstream suite names it. */
  readonly name: string;
  readonly run: (world: World) => Promise<void> | void;
}

/** Trusts version 1 of the root. */
export async function initialised({ repo, client }: World): Promise<void> {
  if ((await client.init(repo.published.get('root')![0]!)) !== 0) throw client.lastError!;
}

type Run = Scenario['run'];

/** A scenario of a client that trusts version 1 of the root. */
export const trusting = (name: string, run: Run): Scenario => ({
  name,
  run: async (world) => {
    await initialised(world);
    await run(world);
  },
});

/** A scenario of a client that has been up to date. */
export const upToDate = (name: string, run: Run): Scenario =>
  trusting(name, async (world) => {
    if ((await world.client.refresh()) !== 0) throw world.client.lastError!;
    await run(world);
  });
