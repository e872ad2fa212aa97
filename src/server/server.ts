/**
 * The OTA server: metadata, blobs, devices, management, in one application that can be embedded (`app.fetch`) or
 * listen by itself.
 * @module
 */
import { access } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { Hono } from 'hono';
import { pino, type Logger } from 'pino';
import { ioError } from '../../native-free/io-error.ts';
import { UpdateError } from '../../native-free/status.ts';
import { makeFolder } from '../platform/node-filesystem.ts';
import { monotonicMs } from '../platform/timers.ts';
import { RepositoryLayout } from '../release/layout.ts';
import type { AuthOptions } from './auth.ts';
import { blobHandler } from './blobs.ts';
import { CatalogMirror } from './catalog-mirror.ts';
import { ddiRoutes } from './ddi.ts';
import { ClientAddress } from './http/client-address.ts';
import { closeGracefully, listenOn, type Deadlines } from './http/listen.ts';
import { refuseOtherMethods } from './http/methods.ts';
import { managementRoutes } from './management/routes.ts';
import { Pace } from './pace.ts';
import { problemResponse } from './problem.ts';
import { isServerUrl, Store } from './store/index.ts';
import { PublishingRoom, type PublishingOptions } from './publishing/room.ts';
import { tufHandler } from './tuf-files.ts';
import { Upkeep } from './upkeep.ts';

const HOUR_MS = 3_600_000;

export interface ServerOptions {
  /** The repository's folder, as `publish` writes it. One that is none is refused: it is mistyped more often than new. */
  readonly repo: string;
  /**
   * A store, which stays the caller's to close, the path of its file, or `postgres://…` for one that several servers
   * share; default REPO/server.db.
   */
  readonly store?: Store | string;
  readonly auth?: AuthOptions;
  /** How often devices are told to ask; default 300. */
  readonly pollSeconds?: number;
  /** How devices reach this server, when not as their requests say (behind a proxy). */
  readonly publicUrl?: string;
  /** Addresses, networks or 'loopback' of proxies whose word for the client's address is taken. */
  readonly trustedProxies?: readonly string[];
  /** Of connections; defaults in limits.ts. */
  readonly deadlines?: Partial<Deadlines>;
  /** An action that a device fetched and has not reported on for so long is given up; 0: never. Default 168. */
  readonly actionTimeoutHours?: number;
  /** All blob bodies together get no more than this: a slow link for demonstrations and tests. */
  readonly rateLimitBitsPerSecond?: number;
  /** Default: silent. */
  readonly logger?: Logger;
  /** What this server does for publishing: which keys it holds, who makes payloads here. */
  readonly publishing?: PublishingOptions;
  /** Shown in the OpenAPI document. */
  readonly version?: string;
  readonly now?: () => number;
}

export interface ServerStats {
  /** Bytes of blob bodies handed to connections. */
  readonly blobBytes: number;
  readonly requests: number;
}

export interface EngraftServer {
  readonly app: Hono;
  readonly store: Store;
  readonly stats: ServerStats;
  /**
   * What is to be done from time to time, and is while it listens: gives up silent actions, writes who was seen, publishes
   * what was made.
   */
  tend(): Promise<void>;
  /** Listens; resolves with the base URL. Port 0 takes a free one. Throws UpdateError usage_invalid. */
  listen(port?: number, host?: string): Promise<string>;
  /** Takes no more requests, lets running ones end for up to `graceMs`, then closes all. */
  close(graceMs?: number): Promise<void>;
}

/** The file of the store in a repository. */
export function defaultStorePath(repo: string): string {
  return join(repo, 'server.db');
}

/**
 * Makes a server.
 * @throws UpdateError usage_invalid, repository_missing, input_unreadable, store_failed, disk_full
 */
export async function createServer(options: ServerOptions): Promise<EngraftServer> {
  const logger = options.logger ?? pino({ level: 'silent' });
  const address = new ClientAddress(options.trustedProxies);
  await checkRepository(options.repo);
  const { store: given = defaultStorePath(options.repo) } = options;
  if (typeof given === 'string' && given !== ':memory:' && !isServerUrl(given)) await makeFolderFor(given);
  const store = typeof given === 'string' ? await Store.open(given) : given;
  const mirror = new CatalogMirror(options.repo, store, logger);
  await mirror.refresh();
  const stats = { blobBytes: 0, requests: 0 };
  const { now = Date.now, actionTimeoutHours = 168 } = options;
  const refresh = (): Promise<void> => mirror.refresh();
  const room = new PublishingRoom(options.repo, store, options.publishing ?? {}, { logger, now, refresh });
  const app = makeApp(options, { store, logger, stats, address, room, refresh });
  const uptime = options.now ?? monotonicMs;
  const upkeep = new Upkeep(store, logger, actionTimeoutHours * HOUR_MS, now, uptime);
  let listening: Server | null = null;
  return {
    app,
    store,
    stats,
    async tend() {
      await upkeep.run();
      await room.settle();
    },
    async listen(port = 8080, host = '127.0.0.1') {
      listening = await listenOn(app, { port, host }, logger, options.deadlines);
      upkeep.start();
      room.start();
      const bound = listening.address() as AddressInfo;
      const shown = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
      return `http://${shown}:${bound.port}`;
    },
    async close(graceMs = 5000) {
      upkeep.stop();
      if (listening !== null) await closeGracefully(listening, graceMs);
      listening = null;
      await room.stop();
      await upkeep.run();
      if (typeof given === 'string') await store.close();
    },
  };
}

interface Parts {
  readonly store: Store;
  readonly logger: Logger;
  readonly stats: { blobBytes: number; requests: number };
  readonly address: ClientAddress;
  readonly room: PublishingRoom;
  /** Takes over what was published. */
  readonly refresh: () => Promise<void>;
}

function makeApp(options: ServerOptions, { store, logger, stats, address, room, refresh }: Parts): Hono {
  const { repo, auth = {}, pollSeconds = 300, publicUrl, rateLimitBitsPerSecond: rate } = options;
  const now = options.now ?? Date.now;
  const app = new Hono();
  app.use('*', async (context, next) => {
    const begun = monotonicMs();
    stats.requests++;
    await next();
    const { method, path } = context.req;
    const { status } = context.res;
    const ms = Math.round(monotonicMs() - begun);
    const about = { address: address.of(context), range: context.req.header('Range') };
    logger.info({ event: 'request', method, path, status, ...about, ms }, 'request');
  });
  app.onError((error, context) => problemResponse(error, context, logger));
  app.notFound((context) => {
    return problemResponse(new UpdateError('entity_unknown', 'there is nothing at this address'), context, logger);
  });
  app.get('/healthz', (context) => context.json({ ok: true }));
  app.get('/readyz', async (context) => {
    await store.probe();
    await checkRepository(repo);
    return context.json({ ready: true });
  });
  app.get('/tuf/:file', tufHandler(repo));
  const pace = rate === undefined ? undefined : new Pace(rate);
  app.get('/blobs/sha256/:sha256', blobHandler({ repo, pace, onSent: (bytes) => (stats.blobBytes += bytes) }));
  app.route('/api/v1', managementRoutes({ store, auth, version: options.version ?? '0', now, refresh, room }));
  app.route('/', ddiRoutes({ store, auth, pollSeconds, publicUrl, now, address }));
  refuseOtherMethods(app);
  return app;
}

/** Every repository has its first root, from the moment that it is founded. */
async function checkRepository(repo: string): Promise<void> {
  const root = new RepositoryLayout(repo).root(1);
  try {
    await access(root);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw ioError(cause, 'input_unreadable', `cannot read ${root}`);
    throw new UpdateError('repository_missing', `${repo} is no repository: there is no ${root}`, { cause });
  }
}

async function makeFolderFor(path: string): Promise<void> {
  const { dirname } = await import('node:path');
  try {
    await makeFolder(dirname(path));
  } catch (cause) {
    throw ioError(cause, 'store_failed', `cannot make the folder of ${path}`, { path });
  }
}
