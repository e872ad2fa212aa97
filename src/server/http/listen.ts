/**
 * The listening socket: every connection has deadlines for its header, for its whole request, for silence in either
 * direction and for waiting between requests, so that clients that say nothing cannot use up the descriptors.
 * @module
 */
import { createServer, STATUS_CODES, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Logger } from 'pino';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { after } from '../../platform/timers.ts';
import { problemOf, withHttpStatus } from '../problem.ts';

export interface Deadlines {
  /** From the connection, or the end of the last answer's reuse, to the end of the header. */
  readonly headerMs: number;
  /** To the end of the body. */
  readonly requestMs: number;
  /** Without a byte in either direction while a request is answered. */
  readonly silenceMs: number;
  /** Between two requests. */
  readonly keepAliveMs: number;
}

const DEFAULTS: Deadlines = {
  headerMs: LIMITS.http_header_ms,
  requestMs: LIMITS.http_request_ms,
  silenceMs: LIMITS.http_silence_ms,
  keepAliveMs: LIMITS.http_keep_alive_ms,
};

/** Throws UpdateError usage_invalid. */
export function listenOn(
  app: Hono,
  { port, host }: { port: number; host: string },
  logger: Logger,
  deadlines: Partial<Deadlines> = {},
): Promise<Server> {
  const { headerMs, requestMs, silenceMs, keepAliveMs } = { ...DEFAULTS, ...deadlines };
  const times = { headersTimeout: headerMs, requestTimeout: Math.max(headerMs, requestMs) };
  const checked = { connectionsCheckingInterval: Math.min(5000, Math.ceil(headerMs / 4)) };
  const listener = getRequestListener(app.fetch, {
    // The adapter would replace the process's Request and Response by its own; an embedded server must not.
    overrideGlobalObjects: false,
    hostname: host,
    errorHandler: (error) => refusal(error),
  });
  const server = createServer({ ...times, ...checked, keepAliveTimeout: keepAliveMs }, (request, response) => {
    void listener(request, response);
  });
  server.setTimeout(silenceMs, (socket) => socket.destroy());
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuse(error, socket, logger));
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new UpdateError('usage_invalid', `cannot listen on ${host}:${port}: ${cause.message}`, { cause }));
    });
    server.listen(port, host, () => resolve(server));
  });
}

/** Requests that are HTTP, but have no address that could be looked up. */
function refusal(error: unknown): Response {
  const text = error instanceof Error ? error.message : String(error);
  const problem = problemOf(withHttpStatus(new UpdateError('usage_invalid', text), 400));
  return new Response(JSON.stringify(problem), { status: problem.status, headers: problemHeaders });
}

const problemHeaders = { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store' };

const STATUS_OF: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

/** Requests that are not HTTP, too large or too slow: answered, if anyone still listens, and never a stack. */
function refuse(error: NodeJS.ErrnoException, socket: Socket, logger: Logger): void {
  // Bytes behind a request that closes the connection: the answer to that request is still to come.
  if (error.code === 'HPE_CLOSED_CONNECTION') return;
  const status = STATUS_OF[error.code ?? ''] ?? 400;
  const fields = { event: 'refused', address: socket.remoteAddress, status, reason: error.code };
  if (error.code !== 'ECONNRESET') logger.info(fields, 'a request that cannot be read');
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const problem = problemOf(withHttpStatus(new UpdateError('usage_invalid', STATUS_CODES[status]!), status));
  const body = JSON.stringify(problem);
  const headers = { ...problemHeaders, 'Content-Length': Buffer.byteLength(body), Connection: 'close' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
}

/** Takes no more connections, lets running requests end for up to `graceMs`, then closes all. */
export function closeGracefully(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = after(graceMs, () => server.closeAllConnections());
    server.close(() => {
      timer.cancel();
      resolve();
    });
    server.closeIdleConnections();
  });
}
