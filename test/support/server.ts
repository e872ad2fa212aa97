/** A server in this process, with what its tests ask of it. Whatever was started is closed after each test. */
import { afterEach } from 'vitest';
import { ManagementClient } from '../../src/client/index.ts';
import { createServer, type EngraftServer, type ServerOptions } from '../../src/server/index.ts';
import { publisher, type Publisher } from './release.ts';

export const TOKEN = 'management-token';
export const ORIGIN = 'http://ota.example';

const started: EngraftServer[] = [];
afterEach(async () => {
  for (const server of started.splice(0)) await server.close(0);
});

export async function startServer(repo: string, options: Partial<ServerOptions> = {}): Promise<EngraftServer> {
  const server = await createServer({ repo, auth: { managementToken: TOKEN }, ...options });
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
