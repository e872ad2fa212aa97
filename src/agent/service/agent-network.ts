/**
 * The real network as the configuration wants it: bounds of time, roots, certificate, proxy.
 * @module
 */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { UpdateError } from '../../../native-free/status.ts';
import type { TlsCredentials } from '../../platform/http/connections.ts';
import { chooseProxy } from '../../platform/http/proxy.ts';
import type { Network } from '../../platform/network.ts';
import { boundsOf, nodeNetwork, type NetworkBounds } from '../../platform/http/node-network.ts';
import type { AgentConfig } from '../config/config.ts';

export function networkBounds({ limits }: Pick<AgentConfig, 'limits'>): NetworkBounds {
  const floor = { bytesPerSecond: limits.rateMinBytesPerSecond, windowMs: limits.rateMinWindowSeconds * 1000 };
  return boundsOf({ idleMs: limits.idleSeconds * 1000, exchangeMs: limits.exchangeSeconds * 1000, floor });
}

/** Throws `config_invalid` where the environment names no usable proxy. */
export function agentNetwork(config: AgentConfig, environment: NodeJS.ProcessEnv = process.env): Network {
  const { ca, client, proxy } = config.server;
  return nodeNetwork({
    ...networkBounds(config),
    proxy: chooseProxy(proxy, environment),
    credentials: ca === undefined && client === undefined ? undefined : () => readCredentials(config.server),
  });
}

/** The files of `[server]`. Throws `tls_unusable` with the file that cannot be read, or that the platform does not take. */
export function readCredentials({ ca, client }: AgentConfig['server']): TlsCredentials {
  const read = (path: string, what: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch (cause) {
      throw unusable(`cannot read the ${what} ${path}`, path, cause);
    }
  };
  const tried = <T extends object>(part: T, what: string, path: string): T => {
    try {
      createSecureContext(part);
      return part;
    } catch (cause) {
      throw unusable(`cannot use the ${what} ${path}`, path, cause);
    }
  };
  const credentials: { ca?: string; client?: TlsCredentials['client'] } = {};
  if (ca !== undefined) {
    credentials.ca = tried({ ca: read(ca, 'roots') }, 'roots', ca).ca;
    // The platform takes a file without any certificate for no roots at all, and then trusts nobody.
    if (!credentials.ca.includes('-----BEGIN')) throw unusable(`there is no certificate in ${ca}`, ca);
  }
  if (client !== undefined) {
    const { cert } = tried({ cert: read(client.cert, 'certificate') }, 'certificate', client.cert);
    // An engine is loaded once in a process, so it is not tried here.
    credentials.client =
      client.engine === undefined
        ? tried({ cert, key: read(client.key, 'key') }, 'key', client.key)
        : { cert, privateKeyEngine: client.engine, privateKeyIdentifier: client.key };
  }
  return credentials;
}

function unusable(what: string, path: string, cause?: unknown): UpdateError {
  const reason = cause instanceof Error ? `: ${cause.message}` : '';
  return new UpdateError('tls_unusable', what + reason, { detail: { path }, cause });
}
