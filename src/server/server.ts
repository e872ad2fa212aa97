/**
 * The OTA server: metadata, blobs, devices, management, in one application that can be embedded (`app.fetch`) or
 * listen by itself.
 * @module
 */
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { pino, type Logger } from 'pino';
import { ioError } from '../../native-free/io-error.ts';
import { UpdateError } from '../../native-free/status.ts';
import { makeFolders } from '../engine/files.ts';
import { after } from '../platform/timers.ts';
import type { AuthOptions } from './auth.ts';
import { blobHandler } from './blobs.ts';
import { CatalogMirror } from './catalog-mirror.ts';
import { ddiRoutes } from './ddi.ts';
import { managementRoutes } from './management.ts';
import { Pace } from './pace.ts';
import { problemResponse } from './problem.ts';
import { Store } from './store/index.ts';
import { tufHandler } from './tuf-files.ts';

export interface ServerOptions {
  /** The repository's folder, as `publish` writes it; it need not exist yet. */
  readonly repo: string;
  /** A store, which stays the caller's to close, or the path of its file; default REPO/server.db. */
  readonly store?: Store | string;
  readonly auth?: AuthOptions;
  /** How often devices are told to ask; default 300. */
  readonly pollSeconds?: number;
  /** How devices reach this server, when not as their requests say (behind a proxy). */
  readonly publicUrl?: string;
  /** All blob bodies together get no more than this: a slow link for demonstrations and tests. */
  readonly rateLimitBitsPerSecond?: number;
  /** Default: silent. */
  readonly logger?: Logger;
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
 * @throws UpdateError store_failed
 */
export async function createServer(options: ServerOptions): Promise<EngraftServer> {
  const logger = options.logger ?? pino({ level: 'silent' });
  const { store: given = defaultStorePath(options.repo) } = options;
  if (typeof given === 'string' && given !== ':memory:') await makeFolderFor(given);
  const store = typeof given === 'string' ? await Store.open(given) : given;
  const mirror = new CatalogMirror(options.repo, store, logger);
  await mirror.refresh();
  const stats = { blobBytes: 0, requests: 0 };
  const app = makeApp(options, { store, mirror, logger, stats });
  let listening: Server | null = null;
  return {
    app,
    store,
    stats,
    async listen(port = 8080, host = '127.0.0.1') {
      listening = await listenOn(app, port, host);
      const address = listening.address() as AddressInfo;
      const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address;
      return `http://${shown}:${address.port}`;
    },
    async close(graceMs = 5000) {
      if (listening !== null) await closeGracefully(listening, graceMs);
      listening = null;
      if (typeof given === 'string') await store.close();
    },
  };
}

interface Parts {
  readonly store: Store;
  readonly mirror: CatalogMirror;
  readonly logger: Logger;
  readonly stats: { blobBytes: number; requests: number };
}

function makeApp(options: ServerOptions, { store, mirror, logger, stats }: Parts): Hono {
  const { repo, auth = {}, pollSeconds = 300, publicUrl, rateLimitBitsPerSecond: rate } = options;
  const now = options.now ?? Date.now;
  const refresh = (): Promise<void> => mirror.refresh();
  const app = new Hono();
  app.use('*', async (context, next) => {
    const begun = performance.now();
    stats.requests++;
    await next();
    const { method, path } = context.req;
    const range = context.req.header('Range');
    const ms = Math.round(performance.now() - begun);
    logger.info({ method, path, status: context.res.status, range, ms }, 'request');
  });
  app.onError((error, context) => problemResponse(error, context, logger));
  app.notFound((context) => {
    return problemResponse(new UpdateError('entity_unknown', 'there is nothing at this address'), context, logger);
  });
  app.get('/healthz', (context) => context.json({ ok: true }));
  app.get('/tuf/:file', tufHandler(repo));
  const pace = rate === undefined ? undefined : new Pace(rate);
  app.get('/blobs/sha256/:sha256', blobHandler({ repo, pace, onSent: (bytes) => (stats.blobBytes += bytes) }));
  app.route('/api/v1', managementRoutes({ store, auth, version: options.version ?? '0', now, refresh }));
  app.route('/', ddiRoutes({ store, auth, pollSeconds, publicUrl, now, refresh }));
  return app;
}

async function makeFolderFor(path: string): Promise<void> {
  const { dirname } = await import('node:path');
  try {
    await makeFolders(dirname(path));
  } catch (cause) {
    throw ioError(cause, 'store_failed', `cannot make the folder of ${path}`, { path });
  }
}

function listenOn(app: Hono, port: number, host: string): Promise<Server> {
  // The adapter would replace the process's Request and Response by its own; an embedded server must not.
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server;
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new UpdateError('usage_invalid', `cannot listen on ${host}:${port}: ${cause.message}`, { cause }));
    });
    server.listen(port, host, () => resolve(server));
  });
}

function closeGracefully(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = after(graceMs, () => server.closeAllConnections());
    server.close(() => {
      timer.cancel();
      resolve();
    });
    server.closeIdleConnections();
  });
}
