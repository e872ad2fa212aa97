/**
 * The device's own key for encrypted payloads: made on the device, in two copies in a folder that only the agent's user
 * reads. The secret never leaves the device; the server is told the public key.
 *
 * It is a file whatever backend the keystore has: whoever reads the data partition as that user reads the payloads, as he
 * reads the slots.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { identityText, KEY_BYTES, parseIdentity, recipientOf } from '../../../native-free/age/keys.ts';
import { orIoError } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { AgentConfig } from '../config/config.ts';
import type { World } from '../context.ts';
import { loadRecord, storeRecord, twoCopies, type RecordPlace } from '../records/record.ts';
import { KEYSTORE_CODES } from './keystore.ts';

type Parts = Pick<World, 'fs' | 'hash'>;

/** As they stand in the file: `age -d -i` takes the identity, and a person compares the recipient. */
interface AgeKeyRecord {
  readonly recipient: string;
  readonly identity: string;
}

const folderOf = ({ dataFolder }: Pick<AgentConfig, 'dataFolder'>): string => `${dataFolder}/private`;

const placesOf = (config: Pick<AgentConfig, 'dataFolder'>, { fs, hash }: Parts): readonly RecordPlace[] =>
  twoCopies({ fs, hash, path: `${folderOf(config)}/age-key`, kind: 'age-key', version: 1, codes: KEYSTORE_CODES });

/** The secret key, or null before one was made. Throws `keystore_failed` when no copy of it can be read. */
export async function ageSecret(config: Pick<AgentConfig, 'dataFolder'>, parts: Parts): Promise<Uint8Array | null> {
  let failure: UpdateError | null = null;
  for (const place of placesOf(config, parts)) {
    try {
      const record = (await loadRecord(place)) as AgeKeyRecord | null;
      if (record !== null) return parseIdentity(record.identity);
    } catch (thrown) {
      failure = UpdateError.from(thrown, 'keystore_failed');
    }
  }
  if (failure === null) return null;
  const message = `no copy of the device's key for encrypted payloads can be read: ${failure.message}`;
  throw new UpdateError('keystore_failed', message, { cause: failure });
}

/** The public key, `age1...`; makes the key first if need be, durable when it resolves. */
export async function ageRecipient(config: Pick<AgentConfig, 'dataFolder'>, parts: Parts): Promise<string> {
  const known = await ageSecret(config, parts);
  if (known !== null) return recipientOf(known);
  const folder = folderOf(config);
  const made = parts.fs.makeFolder(folder, 0o700);
  await orIoError(made, 'keystore_failed', `cannot make the folder ${folder}`, { path: folder });
  const secret = new Uint8Array(randomBytes(KEY_BYTES));
  const recipient = recipientOf(secret);
  const record: AgeKeyRecord = { recipient, identity: identityText(secret) };
  for (const place of placesOf(config, parts)) await storeRecord(place, record);
  return recipient;
}
