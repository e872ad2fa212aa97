/**
 * Headers of encrypted payloads: made for the one device that asks, from the key that it has registered, and kept nowhere.
 * @module
 */
import type { Logger } from 'pino';
import { parseRecipient } from '../../native-free/age/keys.ts';
import { UpdateError } from '../../native-free/status.ts';
import { headerFor, type FileKeyWrapper } from '../release/index.ts';
import { withHttpStatus } from './problem.ts';
import type { DeviceName, Store } from './store/index.ts';

/** The attribute in which a device tells its key. */
const RECIPIENT_ATTRIBUTE = 'engraft.ageRecipient';

export interface HeaderOptions {
  readonly store: Store;
  readonly masterKeys: readonly FileKeyWrapper[];
  readonly logger: Logger;
  readonly now: () => number;
}

/**
 * Takes the key that a device tells among its attributes. What is no key is logged, and the report taken all the same.
 * @param vouched the device has authenticated
 */
export async function noteRecipient(
  { store, logger, now }: Omit<HeaderOptions, 'masterKeys'>,
  device: DeviceName,
  attributes: Readonly<Record<string, string>>,
  vouched: boolean,
): Promise<void> {
  const recipient = attributes[RECIPIENT_ATTRIBUTE];
  if (recipient === undefined) return;
  const about = { audit: true, ...device, recipient };
  try {
    parseRecipient(recipient);
  } catch {
    logger.warn({ event: 'device_key', result: 'malformed', ...device }, 'a device told a key that is none');
    return;
  }
  const result = await store.keys.offer(device, recipient, vouched, now());
  if (result === 'taken') logger.info({ event: 'device_key', result, ...about }, 'first key of a device');
  if (result === 'waits') {
    logger.warn({ event: 'device_key', result, ...about }, 'a device key waits for `engraft device accept-key`');
  }
}

/**
 * The header of a body for a device.
 * @throws UpdateError entity_unknown (404), not_authorized (403), state_conflict (409) where it has no key yet, key_unreadable
 */
export async function deviceHeader(options: HeaderOptions, device: DeviceName, sha256: string): Promise<Uint8Array> {
  const { store, masterKeys, logger } = options;
  const key = await store.keys.get(device);
  if (key !== null && key.revokedAt !== null) throw forbidden(`device ${device.controllerId} is revoked`);
  const body = /^[0-9a-f]{64}$/.test(sha256) ? await store.keys.entitled(device, sha256) : null;
  if (body === null)
    throw new UpdateError('entity_unknown', 'no action of this device has a release with that payload');
  if (body.wrapped === null) throw new UpdateError('entity_unknown', 'that payload is not encrypted');
  if (key === null || key.recipient === null) {
    const why = key === null ? 'the device has told no key' : 'its key was not accepted yet';
    throw new UpdateError('state_conflict', `${why}: it tells it as attribute ${RECIPIENT_ATTRIBUTE}`);
  }
  const header = await headerFor(key.recipient, { sha256, wrapped: body.wrapped }, masterKeys);
  const about = { audit: true, ...device, sha256, action: body.actionId };
  logger.info({ event: 'device_header', ...about }, 'header of an encrypted payload');
  return header;
}

const forbidden = (text: string): UpdateError => withHttpStatus(new UpdateError('not_authorized', text), 403);
