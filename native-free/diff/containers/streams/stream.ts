/**
 * What finders of single streams share.
 * @module
 */
import { UpdateError } from '../../../status.ts';
import { malformed } from '../../../unpack/tokens.ts';
import type { Container, ContainerFinder, FoundPart, FoundUnit } from '../container.ts';
import { Effort } from './effort.ts';

/** Shorter streams save less than their unit costs. */
const STREAM_BYTES_MIN = 64;
/** What any attempt costs: tables are made before the first byte is read. */
export const ATTEMPT_STEPS = 1024;

/** Looks for streams within an effort; alone, within that of the bytes at hand. */
export interface StreamFinder extends ContainerFinder {
  at(bytes: Uint8Array, offset: number, effort?: Effort): Container | null;
}

/** A stream as a finder reads it: where it ends, its units in order, and the file that they make. */
export interface FoundStream {
  readonly end: number;
  readonly units: readonly FoundUnit[];
  /** Default: the units' contents, one behind the other. */
  readonly parts?: readonly FoundPart[];
}

/**
 * `looks` is asked first and costs nothing; `read` may throw unit_malformed, and does so before it believes anything.
 */
export function streamFinder(
  kind: string,
  looks: (bytes: Uint8Array, offset: number) => boolean,
  read: (bytes: Uint8Array, offset: number, effort: Effort) => FoundStream,
): StreamFinder {
  return {
    kind,
    at(bytes, offset, effort = new Effort(bytes.length)) {
      if (bytes.length - offset < STREAM_BYTES_MIN || !looks(bytes, offset)) return null;
      const { left } = effort;
      try {
        effort.spend(ATTEMPT_STEPS);
        const container = containerOf(kind, offset, read(bytes, offset, effort));
        effort.giveBack(left);
        return container;
      } catch (error) {
        if (UpdateError.is(error) && error.code === 'unit_malformed') return null;
        throw error;
      }
    },
  };
}

function containerOf(kind: string, offset: number, { end, units, parts }: FoundStream): Container {
  if (end - offset < STREAM_BYTES_MIN) malformed(kind, 'it is too short to be worth a unit');
  const whole = units.map(({ contentBytes }, unit) => ({ unit, offset: 0, length: contentBytes }));
  const file = (parts ?? whole).filter(({ length }) => length > 0);
  if (units.length === 0 || file.length === 0) malformed(kind, 'there is nothing in it');
  return { kind, offset, bytes: end - offset, units, files: [{ parts: file }], nests: true };
}

/** Do the bytes at `offset` begin with these? */
export function beginsWith(bytes: Uint8Array, offset: number, magic: readonly number[]): boolean {
  return magic.every((byte, i) => bytes[offset + i] === byte);
}

/** 32 bits, the lowest byte first. @throws UpdateError unit_malformed behind the end */
export function wordAt(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) malformed('stream', `it ends at byte ${bytes.length}, inside a number`);
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
