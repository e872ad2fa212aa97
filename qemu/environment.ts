/**
 * U-Boot's redundant environment, read and written as bytes: a CRC-32 (little endian) over the data, one byte that
 * says which copy is newer, then `name=value` texts, each ended by a zero byte, and one more zero byte.
 *
 * Our own reader, so that the state of a cut board is judged by something else than the tools that wrote it.
 * @module
 */
import { crc32 } from 'node:zlib';
import { UpdateError } from '../native-free/status.ts';

export const ENVIRONMENT_BYTES = 0x4000;
/** Where the two copies are on the card; as in u-boot.config. */
export const ENVIRONMENT_OFFSETS = [0x100000, 0x110000] as const;
const HEADER_BYTES = 5;

export interface EnvironmentCopy {
  readonly valid: boolean;
  readonly flag: number;
  readonly variables: ReadonlyMap<string, string>;
}

export interface Environment {
  readonly copies: readonly [EnvironmentCopy, EnvironmentCopy];
  /** The copy that U-Boot and libubootenv use; null when neither is whole. */
  readonly active: EnvironmentCopy | null;
}

/** One copy. `flag` counts up with every write, modulo 256. */
export function formatEnvironment(variables: Readonly<Record<string, string>>, flag: number): Buffer {
  const copy = Buffer.alloc(ENVIRONMENT_BYTES);
  const text = Object.entries(variables)
    .map(([name, value]) => `${name}=${value}\0`)
    .join('');
  if (Buffer.byteLength(text) + 1 > ENVIRONMENT_BYTES - HEADER_BYTES)
    throw new UpdateError('limit_exceeded', `the variables take more than the ${ENVIRONMENT_BYTES} bytes of a copy`);
  copy.write(text, HEADER_BYTES);
  copy.writeUInt32LE(checksum(copy), 0);
  copy[4] = flag;
  return copy;
}

/** Both copies on a card. */
export function readEnvironment(card: Buffer): Environment {
  const [first, second] = ENVIRONMENT_OFFSETS.map((offset) =>
    readCopy(card.subarray(offset, offset + ENVIRONMENT_BYTES)),
  ) as [EnvironmentCopy, EnvironmentCopy];
  return { copies: [first, second], active: newer(first, second) };
}

function readCopy(copy: Buffer): EnvironmentCopy {
  const valid = copy.length === ENVIRONMENT_BYTES && copy.readUInt32LE(0) === checksum(copy);
  const variables = new Map<string, string>();
  if (valid) {
    const end = copy.indexOf('\0\0', HEADER_BYTES);
    for (const pair of copy.toString('latin1', HEADER_BYTES, Math.max(end, HEADER_BYTES)).split('\0')) {
      const at = pair.indexOf('=');
      if (at > 0) variables.set(pair.slice(0, at), pair.slice(at + 1));
    }
  }
  return { valid, flag: copy[4] ?? 0, variables };
}

/** With both whole the higher flag wins, except that 0 follows 255. */
function newer(first: EnvironmentCopy, second: EnvironmentCopy): EnvironmentCopy | null {
  if (!first.valid || !second.valid) return first.valid ? first : second.valid ? second : null;
  if (first.flag === 255 && second.flag === 0) return second;
  if (second.flag === 255 && first.flag === 0) return first;
  return second.flag > first.flag ? second : first;
}

const checksum = (copy: Buffer): number => crc32(copy.subarray(HEADER_BYTES));
