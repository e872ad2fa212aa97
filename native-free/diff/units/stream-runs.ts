/**
 * Streams taken apart, and made again to see that they come back: what looking into an image takes most of its time for,
 * in portions that may be done anywhere.
 * @module
 */
import { UpdateError } from '../../status.ts';
import { codecOf } from '../../unpack/codecs/list.ts';
import type { StreamState } from '../../unpack/unit-codec.ts';
import type { FoundUnit } from '../containers/container.ts';

/** A stream, or some parts of one from its beginning on: none can be entered but behind the one before. */
export interface StreamRun {
  /** From the first unit on; with the byte behind the last, where the stream goes on in it. */
  readonly packed: Uint8Array;
  /** `offset` is in `packed`. */
  readonly units: readonly (FoundUnit & {
    /** The next part begins in the byte behind this one. */
    readonly goesOn: boolean;
  })[];
}

/** The first units of a run: what follows one that does not come back is lost with it. */
export interface UnpackedRun {
  readonly contents: readonly Uint8Array[];
  /** Of each its first bit in the first byte. */
  readonly bits: readonly number[];
  /** How many tokens each has. */
  readonly tokens: readonly number[];
}

export interface RunOptions {
  /** Take only streams that come back exactly: they are to be made again. */
  readonly exact: boolean;
  /** Memory for contents; default: this thread's own. */
  readonly allocate?: (bytes: number) => Uint8Array;
}

/** Content that is unpacked in one portion, at least, unless there is no more. */
const PORTION_BYTES = 4 * 2 ** 20;

const contentOf = ({ units }: StreamRun): number => units.reduce((sum, { contentBytes }) => sum + contentBytes, 0);

/** Runs in portions, in order. How they are cut depends on nothing but them. */
export const portionsOf = (runs: readonly StreamRun[]): StreamRun[][] => portions(runs, contentOf);

/** Items in portions of some bytes. */
export function portions<T>(items: readonly T[], bytesOf: (item: T) => number): T[][] {
  const all: T[][] = [];
  let bytes = PORTION_BYTES;
  for (const item of items) {
    if (bytes >= PORTION_BYTES) {
      all.push([]);
      bytes = 0;
    }
    all.at(-1)!.push(item);
    bytes += bytesOf(item);
  }
  return all;
}

/** Contents of all runs, in one piece of memory. */
export function unpackRuns(runs: readonly StreamRun[], options: RunOptions): UnpackedRun[] {
  const { exact, allocate = (bytes) => new Uint8Array(bytes) } = options;
  const room = allocate(runs.reduce((sum, run) => sum + contentOf(run), 0));
  let at = 0;
  return runs.map(({ packed, units }) => {
    const contents: Uint8Array[] = [];
    const bits: number[] = [];
    const tokens: number[] = [];
    let state: StreamState | null = null;
    for (const unit of units) {
      const bytes = packed.subarray(unit.offset, unit.offset + unit.packedBytes + (unit.goesOn ? 1 : 0));
      const unpacked = tryUnpack(unit, bytes, state, exact);
      if (unpacked === null) break;
      const content = room.subarray(at, at + unit.contentBytes);
      content.set(unpacked.content);
      at += unit.contentBytes;
      contents.push(content);
      bits.push(state?.bit ?? 0);
      tokens.push(unpacked.tokens.count);
      state = unpacked.after;
    }
    return { contents, bits, tokens };
  });
}

/** What a stream unpacks to; null where it does not, or (`exact`) does not come back. */
function tryUnpack(found: FoundUnit, packed: Uint8Array, before: StreamState | null, exact: boolean) {
  const codec = codecOf(found.codec);
  try {
    const unpacked = codec.unpack(packed, found, before, { exact });
    if (!exact) return unpacked;
    const again = codec.pack(unpacked.content, unpacked.tokens, unpacked.params);
    return again.length === found.packedBytes && again.every((byte, i) => byte === packed[i]) ? unpacked : null;
  } catch (error) {
    if (UpdateError.is(error) && error.code === 'unit_malformed') return null;
    throw error;
  }
}
