/**
 * The part of `[server]` that is about the way to it: roots, the device's certificate, the proxy.
 * @module
 */
import { parseProxy } from '../../platform/http/proxy.ts';
import type { TableReader } from './table-reader.ts';

export interface NetworkConfig {
  /** PEM file with the roots that are trusted instead of the platform's. */
  readonly ca?: string;
  /** The device's certificate with its chain (a PEM file), and its key: a PEM file, or a PKCS#11 URI for OpenSSL's engine. */
  readonly client?: { readonly cert: string; readonly key: string; readonly engine?: string };
  /** `http://user:password@host:port`, or 'none'; without it the environment says. */
  readonly proxy?: string;
}

export function readNetwork(table: TableReader): NetworkConfig {
  const ca = table.has('ca') ? table.path('ca') : undefined;
  const isPair = table.has('client_cert') === table.has('client_key');
  if (!isPair) {
    const missing = table.has('client_cert') ? 'client_key' : 'client_cert';
    throw table.wrong(missing, 'is missing: client_cert and client_key go together');
  }
  const client = table.has('client_cert') ? readClient(table) : undefined;
  const proxy = table.optionalText('proxy');
  if (proxy !== undefined && proxy !== 'none' && parseProxy(proxy) === null) {
    throw table.wrong('proxy', 'should be a proxy such as http://proxy.example:3128, or "none"');
  }
  return { ca, client, proxy };
}

function readClient(table: TableReader): NetworkConfig['client'] {
  const cert = table.path('client_cert');
  const key = table.text('client_key');
  if (!key.startsWith('pkcs11:')) return { cert, key: table.path('client_key') };
  return { cert, key, engine: table.path('client_key_engine') };
}

/** The same without what nobody should see: the proxy's password, a token's PIN. */
export function withoutNetworkSecrets(config: NetworkConfig): NetworkConfig {
  const { client, proxy } = config;
  const key = client?.key.replace(/(pin-value=)[^;&?]*/g, '$1(set)');
  return {
    ...config,
    client: client === undefined ? undefined : { ...client, key: key! },
    proxy: proxy?.replace(/\/\/[^/@]*@|^[^/@]*@/, (user) => `${user.startsWith('//') ? '//' : ''}(set)@`),
  };
}
