/**
 * Who may ask. Metadata and blobs are open: they are signed, and any cache may hold them. Devices show hawkBit's
 * GatewayToken or TargetToken when the server is set to ask for it; the management API always asks for its bearer
 * token, and is closed when none was set.
 * @module
 */
import { timingSafeEqual } from 'node:crypto';
import { UpdateError } from '../../native-free/status.ts';
import { sha256Hex } from '../platform/hash.ts';

export interface AuthOptions {
  /** Opens the management API. Without one it is closed. */
  readonly managementToken?: string;
  /** One token for all devices, as behind a gateway. */
  readonly gatewayToken?: string;
  /** Devices must show a token: their own, or the gateway's. Default: true when a gateway token is set. */
  readonly deviceTokens?: boolean;
}

/** What is stored of a token. */
export function tokenDigest(token: string): string {
  return sha256Hex(token);
}

function sameToken(given: string, expected: string): boolean {
  return timingSafeEqual(Buffer.from(tokenDigest(given)), Buffer.from(tokenDigest(expected)));
}

/** Throws UpdateError not_authorized. */
export function checkManagement(options: AuthOptions, header: string | undefined): void {
  if (options.managementToken === undefined) {
    throw new UpdateError('not_authorized', 'the management API is closed: the server was started without a token');
  }
  const given = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
  if (given === undefined || !sameToken(given, options.managementToken)) {
    throw new UpdateError('not_authorized', 'the management API needs Authorization: Bearer TOKEN');
  }
}

/**
 * @param storedDigest of the device's own token, null when it has none
 * @returns whether the device has shown who it is; false where nobody asks
 * @throws UpdateError not_authorized
 */
export function checkDevice(options: AuthOptions, header: string | undefined, storedDigest: string | null): boolean {
  const match = /^(GatewayToken|TargetToken) +(\S+)$/i.exec(header ?? '');
  const kind = match?.[1]!.toLowerCase();
  const token = match?.[2] ?? '';
  const { gatewayToken } = options;
  if (kind === 'gatewaytoken' && gatewayToken !== undefined && sameToken(token, gatewayToken)) return true;
  if (kind === 'targettoken' && storedDigest !== null) {
    if (timingSafeEqual(Buffer.from(tokenDigest(token)), Buffer.from(storedDigest))) return true;
  }
  const asked = (options.deviceTokens ?? gatewayToken !== undefined) || storedDigest !== null;
  if (asked) throw new UpdateError('not_authorized', 'the device needs Authorization: TargetToken (or GatewayToken)');
  return false;
}
