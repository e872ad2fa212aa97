/** A server in this process, with what its tests ask of it. Whatever was started is closed after each test. */
import { afterEach } from 'vitest';
import { ManagementClient } from '../../src/client/index.ts';
import { createServer, type EngraftServer, type ServerOptions } from '../../src/server/index.ts';
import { join } from 'node:path';
import { publisher, type Publisher } from './release.ts';

export const TOKEN = 'management-token';
export const ORIGIN = 'http://ota.example';

const started: EngraftServer[] = [];
afterEach(async () => {
  for (const server of started.splice(0)) await server.close(0);
});

/** Where a store of this name really is: tests of stores in files run on PostgreSQL too. */
let placeOf = async (name: string): Promise<string> => name;

export function keepStoresIn(place: (name: string) => Promise<string>): void {
  placeOf = place;
}

export const storeFor = (name: string): Promise<string> => placeOf(name);

export async function startServer(repo: string, options: Partial<ServerOptions> = {}): Promise<EngraftServer> {
  const { store: wanted = join(repo, 'server.db') } = options;
  const store = typeof wanted === 'string' ? await storeFor(wanted) : wanted;
  const server = await createServer({ repo, auth: { managementToken: TOKEN }, ...options, store });
  started.push(server);
  return server;
}

/** Asks the application without a connection. */
export function clientOf(server: EngraftServer): ManagementClient {
  const inProcess = ((input: string, init: RequestInit) => server.app.request(input, init)) as typeof fetch;
  return new ManagementClient({ url: ORIGIN, token: TOKEN, fetch: inProcess });
}

/** A repository with versions 1.0, 2.0, ... */
export async function releases(count = 1): Promise<Publisher> {
  const made = await publisher();
  for (let version = 1; version <= count; version++) await made.release(version);
  return made;
}
