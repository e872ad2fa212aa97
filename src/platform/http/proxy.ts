/**
 * Which proxy a request goes through, and the tunnel through it.
 *
 * `CONNECT` is made with the platform's own client rather than with a library: those of the https-proxy-agent family hand
 * a proxy's refusal out as if the server had answered, and cannot be stopped while they connect (decision 0100).
 * @module
 */
import * as http from 'node:http';
import * as https from 'node:https';
import { BlockList, isIP, type Socket } from 'node:net';
import { UpdateError } from '../../../native-free/status.ts';
import { parseRetryAfter } from './retry-after.ts';
import { nodeClock } from '../clock.ts';

/** The proxy for an address, or null: none. */
export type ProxyChoice = (url: string) => URL | null;

/** `host:port` and `http://user:password@host:port`, also https. Null for anything else. */
export function parseProxy(text: string): URL | null {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(full)) return null;
  const url = new URL(full);
  const usable = /^https?:$/.test(url.protocol) && url.hostname !== '' && /^\/?$/.test(url.pathname + url.search);
  return usable ? url : null;
}

/** For messages: without user and password. */
export const proxyName = ({ protocol, host }: URL): string => `${protocol}//${host}`;

const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '').toLowerCase();
const portOf = ({ port, protocol }: URL): string => port || (protocol === 'https:' ? '443' : '80');

/** Is there an entry of `NO_PROXY` for this address? Names with all below them, `host:port`, addresses, networks, `*`. */
export function isExempt(url: string, noProxy: string): boolean {
  const parsed = new URL(url);
  const host = bare(parsed.hostname);
  for (const entry of noProxy.split(/[\s,]+/)) {
    if (entry === '') continue;
    if (entry === '*') return true;
    const network = /^(?<address>[0-9a-f.:]+)\/(?<bits>\d{1,3})$/i.exec(entry)?.groups;
    if (network !== undefined) {
      if (inNetwork(host, network['address']!, Number(network['bits']))) return true;
      continue;
    }
    const parts = /^(?<name>\[[^\]]*\]|[^:]*|[0-9a-f]*:[0-9a-f:.]+)(?::(?<port>\d+))?$/i.exec(entry)?.groups;
    if (parts === undefined) continue;
    if (parts['port'] !== undefined && parts['port'] !== portOf(parsed)) continue;
    const name = bare(parts['name']!).replace(/^\*?\./, '');
    if (host === name || (isIP(host) === 0 && name !== '' && host.endsWith(`.${name}`))) return true;
  }
  return false;
}

function inNetwork(host: string, address: string, bits: number): boolean {
  const family = isIP(address);
  if (family === 0 || isIP(host) !== family || bits > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `configured` is a proxy, 'none', or undefined: then `http_proxy` and `https_proxy` of the environment say it. In all cases
 * `no_proxy` exempts. All in lower case before upper case, as curl has it. Throws `config_invalid` for a value that is no
 * proxy.
 */
export function chooseProxy(configured: string | undefined, environment: Environment): ProxyChoice {
  const read = (name: string): string | undefined => environment[name] || environment[name.toUpperCase()] || undefined;
  const checked = (name: string, text: string | undefined): URL | null => {
    if (text === undefined) return null;
    const url = parseProxy(text);
    if (url !== null) return url;
    throw new UpdateError('config_invalid', `${name} should be a proxy such as http://proxy.example:3128`, {
      detail: { key: name },
    });
  };
  if (configured === 'none') return () => null;
  const own = checked('server.proxy', configured);
  const ofHttp = own ?? checked('http_proxy', read('http_proxy'));
  const ofHttps = own ?? checked('https_proxy', read('https_proxy'));
  const noProxy = read('no_proxy') ?? '';
  return (url) => (isExempt(url, noProxy) ? null : url.startsWith('https:') ? ofHttps : ofHttp);
}

/** `Proxy-Authorization`, where the proxy's address has a user. */
export function proxyHeaders({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const words = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(words).toString('base64')}` };
}

/** Host, port and client to reach a proxy with. */
export function proxyAddress(proxy: URL): { readonly host: string; readonly hostname: string; readonly port: string } {
  const host = bare(proxy.hostname);
  return { host, hostname: host, port: portOf(proxy) };
}

export function proxyRefused(url: string, proxy: URL, answer: http.IncomingMessage): UpdateError {
  const { statusCode = 0, statusMessage = '', headers } = answer;
  const after = parseRetryAfter(headers['retry-after'] ?? null, nodeClock.now(), headers.date ?? null);
  return new UpdateError(
    'proxy_refused',
    `${url}: the proxy ${proxyName(proxy)} answered ${statusCode} ${statusMessage.slice(0, 100)}`.trimEnd(),
    {
      detail: {
        url,
        proxy: proxyName(proxy),
        proxyStatus: statusCode,
        ...(after === null ? {} : { retryAfterMs: after }),
      },
    },
  );
}

export interface Tunnel {
  readonly proxy: URL;
  /** `host:port` of the server. */
  readonly to: string;
  /** Roots for a proxy that is reached by TLS. */
  readonly secureContext?: object;
  readonly signal: AbortSignal;
}

/** A connection to the server, through the proxy. Rejects with `proxy_refused`, or with what the socket says. */
export function openTunnel({ proxy, to, secureContext, signal }: Tunnel): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const options = {
      ...proxyAddress(proxy),
      ...{ method: 'CONNECT', path: to, agent: false as const, signal },
      headers: { host: to, ...proxyHeaders(proxy) },
    };
    const secure: https.RequestOptions & { readonly secureContext?: object } = { ...options, secureContext };
    const asked = proxy.protocol === 'https:' ? https.request(secure) : http.request(options);
    asked.once('connect', (answer, socket: Socket) => {
      if (answer.statusCode !== undefined && answer.statusCode >= 200 && answer.statusCode < 300) resolve(socket);
      else {
        socket.destroy();
        reject(proxyRefused(`https://${to}/`, proxy, answer));
      }
    });
    asked.once('response', (answer) => {
      answer.destroy();
      reject(proxyRefused(`https://${to}/`, proxy, answer));
    });
    asked.once('error', reject);
    asked.end();
  });
}
