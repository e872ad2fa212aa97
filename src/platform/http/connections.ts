/**
 * Connections: shared by requests that follow each other, direct or through a proxy, with the roots and the certificate
 * that the device has been given.
 * @module
 */
import * as http from 'node:http';
import * as https from 'node:https';
import type { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { UpdateError } from '../../../native-free/status.ts';
import { openTunnel, proxyAddress, proxyHeaders, proxyName, type ProxyChoice } from './proxy.ts';

/** PEM texts. A key may be anywhere that the platform's TLS can use it from. */
export interface TlsCredentials {
  /** Trusted instead of the platform's roots. */
  readonly ca?: string;
  readonly client?: Pick<SecureContextOptions, 'cert' | 'key' | 'privateKeyEngine' | 'privateKeyIdentifier'>;
}

/** An idle connection older than this may have died without a word (NAT, another cell). */
const REUSE_MS = 10_000;
/** Handshakes are what small exchanges cost most on a slow link, so requests that follow each other share one. */
const KEEP = { keepAlive: true, timeout: REUSE_MS };

type Connected = (error: Error | null, socket: Duplex) => void;

/** TLS to the server inside of a tunnel. */
class TunnelAgent extends https.Agent {
  readonly #proxy: URL;
  readonly #connectMs: number;
  readonly #roots: () => SecureContext | undefined;

  constructor(proxy: URL, connectMs: number, roots: () => SecureContext | undefined) {
    super(KEEP);
    this.#proxy = proxy;
    this.#connectMs = connectMs;
    this.#roots = roots;
  }

  /** The request that asked may be given up meanwhile, and cannot say so here: hence the time limit. */
  override createConnection(options: https.RequestOptions, callback?: Connected): undefined {
    const { host, port } = options;
    const name = host ?? '';
    const to = `${name.includes(':') ? `[${name}]` : name}:${port ?? 443}`;
    const signal = AbortSignal.timeout(this.#connectMs);
    openTunnel({ proxy: this.#proxy, to, secureContext: this.#roots(), signal }).then(
      (socket) => {
        const create = super.createConnection.bind(this) as unknown as (options: object) => Duplex;
        callback?.(null, create({ ...options, socket }));
      },
      (error: unknown) => (callback as ((error: unknown) => void) | undefined)?.(error),
    );
  }
}

/** How one request is to be sent. */
export interface Route {
  readonly client: typeof http | typeof https;
  readonly options: https.RequestOptions & { readonly secureContext?: SecureContext };
  readonly headers: Readonly<Record<string, string>>;
  /** Whose 407 is not the server's. */
  readonly plainProxy: URL | null;
}

export interface ConnectionOptions {
  /** Asked again after every reset: certificates are renewed while the agent runs. */
  readonly credentials?: () => TlsCredentials;
  readonly proxy?: ProxyChoice;
  /** For a tunnel. */
  readonly connectMs: number;
}

export class Connections {
  readonly #options: ConnectionOptions;
  readonly #agents = new Map<string, http.Agent>();
  #credentials: TlsCredentials | null = null;
  /** For the server that was asked, and for whoever else it names. */
  readonly #contexts = new Map<boolean, SecureContext>();

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** `isOwn`: this is the server that was asked, which may see the device's certificate. Throws what reading it throws. */
  route(url: string, isOwn: boolean): Route {
    const proxy = this.#options.proxy?.(url) ?? null;
    if (url.startsWith('https:')) {
      const agent = this.#agent(`https ${isOwn} ${proxy?.href ?? ''}`, () =>
        proxy === null
          ? new https.Agent(KEEP)
          : new TunnelAgent(proxy, this.#options.connectMs, () => this.#context(false)),
      );
      return { client: https, options: { agent, ...this.#secure(isOwn) }, headers: {}, plainProxy: null };
    }
    if (proxy === null) {
      return { client: http, options: { agent: this.#agent('http', () => new http.Agent(KEEP)) }, headers: {}, plainProxy: null }; // prettier-ignore
    }
    // A proxy is asked for the whole address.
    const isSecure = proxy.protocol === 'https:';
    const agent = this.#agent(`proxy ${proxyName(proxy)}`, () => new (isSecure ? https : http).Agent(KEEP));
    return {
      client: isSecure ? https : http,
      options: {
        ...proxyAddress(proxy),
        protocol: proxy.protocol,
        path: url,
        agent,
        ...(isSecure ? this.#secure(false) : {}),
      },
      headers: { host: new URL(url).host, ...proxyHeaders(proxy) },
      plainProxy: proxy,
    };
  }

  /** Close what stands idle. */
  reset(): void {
    for (const { freeSockets } of this.#agents.values()) {
      for (const sockets of Object.values(freeSockets)) for (const socket of sockets ?? []) socket.destroy();
    }
    // OpenSSL loads an engine once in a process: the key in a token, and the certificate with it, stay as they are.
    if (this.#options.credentials === undefined || this.#credentials?.client?.privateKeyEngine !== undefined) return;
    this.#credentials = null;
    this.#contexts.clear();
    // They keep sessions, and a session that is resumed has the certificate of its beginning.
    this.#agents.clear();
  }

  #agent(name: string, make: () => http.Agent): http.Agent {
    const known = this.#agents.get(name);
    if (known !== undefined) return known;
    const made = make();
    this.#agents.set(name, made);
    return made;
  }

  #secure(isOwn: boolean): { readonly secureContext?: SecureContext } {
    const secureContext = this.#context(isOwn);
    return secureContext === undefined ? {} : { secureContext };
  }

  /** Undefined where nothing is configured: the platform's own. */
  #context(isOwn: boolean): SecureContext | undefined {
    const { credentials } = this.#options;
    if (credentials === undefined) return undefined;
    this.#credentials ??= credentials();
    const { ca, client } = this.#credentials;
    const known = this.#contexts.get(isOwn);
    if (known !== undefined) return known;
    try {
      const made = createSecureContext({ ca, ...(isOwn ? client : {}) });
      this.#contexts.set(isOwn, made);
      return made;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new UpdateError('tls_unusable', `cannot use the roots, the certificate or its key: ${reason}`, { cause });
    }
  }
}
