/**
 * Durable records of the agent: one JSON document behind one line that says what it is and vouches for it.
 *
 *   engraft-<kind> <version> <SHA-256 of the rest, hex>\n{...}
 *
 * A record is replaced atomically, so a power cut leaves the earlier one. What the checksum finds is storage that
 * lies: such a record is never guessed at.
 * @module
 */
import { ioError, orIoError } from '../../../native-free/io-error.ts';
import { digestOf, toHex } from '../../../native-free/hash.ts';
import type { HashFactory } from '../../../native-free/io.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError, type StatusCode } from '../../../native-free/status.ts';
import { folderOf, readSmallFile, writeFileAtomically, type FileSystem } from '../../platform/filesystem.ts';

/** Where a record is kept, and what it takes to read it. */
export interface RecordFile {
  readonly fs: FileSystem;
  readonly hash: HashFactory;
  readonly path: string;
}

export interface RecordPlace extends RecordFile {
  /** 'journal', 'keystore', ... */
  readonly kind: string;
  readonly version: number;
  /** Codes of what the storage refuses. Default: `input_unreadable` and `output_unwritable`, as the errno says more. */
  readonly codes?: { readonly read: StatusCode; readonly write: StatusCode };
}

/** Two copies beside each other, the second with `.copy`, where one that is damaged must not be the end. */
export const twoCopies = (place: RecordPlace): readonly RecordPlace[] => [
  place,
  { ...place, path: `${place.path}.copy` },
];

/** The parsed JSON, or null when there is no record. Throws `record_malformed` when it is damaged or foreign, `input_unreadable`. */
export async function loadRecord(place: RecordPlace): Promise<unknown> {
  const { fs, path, kind, version, hash } = place;
  const read = readSmallFile(fs, path, LIMITS.record_bytes_max);
  const bytes = await orIoError(read, place.codes?.read ?? 'input_unreadable', `cannot read the ${kind} ${path}`, {
    path,
  });
  if (bytes === null) return null;
  const bad = (why: string): UpdateError =>
    new UpdateError('record_malformed', `${path}: ${why}`, { detail: { path, bytes: bytes.length } });
  const end = bytes.indexOf(10);
  if (end < 0 || end > 200) throw bad('it does not begin with a record line');
  const [name, given, digest] = new TextDecoder().decode(bytes.subarray(0, end)).split(' ');
  if (name !== `engraft-${kind}`) throw bad(`it is no engraft ${kind}`);
  if (given !== String(version)) throw bad(`it is of version ${given}; this build knows ${version}`);
  const body = bytes.subarray(end + 1);
  if (toHex(digestOf(hash, body)) !== digest) throw bad('its checksum is wrong');
  return JSON.parse(new TextDecoder().decode(body)) as unknown;
}

/** Durable when it resolves. */
export async function storeRecord(place: RecordPlace, value: unknown): Promise<void> {
  const { fs, path, kind, version, hash } = place;
  const body = new TextEncoder().encode(`${JSON.stringify(value)}\n`);
  const line = new TextEncoder().encode(`engraft-${kind} ${version} ${toHex(digestOf(hash, body))}\n`);
  if (line.length + body.length > LIMITS.record_bytes_max) {
    throw new UpdateError('limit_exceeded', `the ${kind} would have ${body.length} bytes`);
  }
  const bytes = new Uint8Array(line.length + body.length);
  bytes.set(line);
  bytes.set(body, line.length);
  const written = writeFileAtomically(fs, path, bytes);
  await orIoError(written, place.codes?.write ?? 'output_unwritable', `cannot write ${path}`, { path });
}

/** The record itself is wrong, by its checksum or its size: reading it again is of no use. */
export const isDamage = (error: unknown): error is UpdateError =>
  UpdateError.is(error) && (error.code === 'record_malformed' || error.code === 'limit_exceeded');

/** A damaged record gets another name, for people to look at. Throws as `storeRecord`. */
export async function keepAside({ fs, path, kind, codes }: RecordPlace, what = 'damaged'): Promise<void> {
  try {
    await fs.rename(path, `${path}.${what}`);
    await fs.syncFolder(folderOf(path));
  } catch (error) {
    throw ioError(error, codes?.write ?? 'output_unwritable', `cannot set the ${what} ${kind} ${path} aside`, { path });
  }
}
