/**
 * Who asks, and at what address they reached us: as the connection says, or, when that is of a proxy that is trusted,
 * as the proxy says. Headers of anyone else are not believed.
 * @module
 */
import { BlockList, isIP } from 'node:net';
import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context } from 'hono';
import { UpdateError } from '../../../native-free/status.ts';

const LOOPBACK = ['127.0.0.0/8', '::1'];

export class ClientAddress {
  readonly #trusted = new BlockList();
  readonly #any: boolean;

  /**
   * @param proxies addresses, networks (10.0.0.0/8) or 'loopback'
   * @throws UpdateError usage_invalid
   */
  constructor(proxies: readonly string[] = []) {
    this.#any = proxies.length > 0;
    for (const proxy of proxies.flatMap((name) => (name === 'loopback' ? LOOPBACK : [name]))) this.#trust(proxy);
  }

  #trust(text: string): void {
    const [address, prefix, more] = text.split('/') as [string, string?, string?];
    const family = isIP(address);
    const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix);
    if (family === 0 || more !== undefined || !Number.isInteger(bits) || bits < 0 || bits > (family === 6 ? 128 : 32)) {
      throw new UpdateError('usage_invalid', `'${text}' is not an address, a network or 'loopback'`);
    }
    this.#trusted.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
  }

  /** The nearest address that is no trusted proxy's; null for requests made in process. */
  of(context: Context): string | null {
    let address = peerOf(context);
    if (!this.#any || address === null) return address;
    const forwarded = context.req.header('X-Forwarded-For')?.split(',') ?? [];
    while (this.#trusts(address) && forwarded.length > 0) {
      const before = plain(forwarded.pop()!.trim());
      if (isIP(before) === 0) break;
      address = before;
    }
    return address;
  }

  /** Scheme, host and port that the client used. */
  origin(context: Context): string {
    const url = new URL(context.req.url);
    const peer = this.#any ? peerOf(context) : null;
    if (peer === null || !this.#trusts(peer)) return url.origin;
    const last = (name: string): string | undefined => context.req.header(name)?.split(',').pop()?.trim();
    const proto = last('X-Forwarded-Proto');
    const host = last('X-Forwarded-Host');
    const scheme = proto === 'https' || proto === 'http' ? proto : url.protocol.slice(0, -1);
    const wanted = `${scheme}://${host ?? url.host}`;
    return host !== undefined && !/^[\w.:[\]-]{1,255}$/.test(host) ? url.origin : wanted;
  }

  #trusts(address: string): boolean {
    return this.#trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
}

/** IPv4 addresses as such, also where a socket for both families shows them as ::ffff:… */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '').replace(/^\[(.*)\]$/, '$1');
}

function peerOf(context: Context): string | null {
  try {
    const { address } = getConnInfo(context).remote;
    return address === undefined ? null : plain(address);
  } catch {
    return null;
  }
}
