/**
 * Images of raw flash with volumes of UBI, by hand: blocks of 4 KiB, as small as they can be.
 */
import { crc32 } from '../../../native-free/unpack/checksums.ts';

export const BLOCK_BYTES = 4096;
const DATA_AT = 256;
export const CAPACITY = BLOCK_BYTES - DATA_AT;
const DYNAMIC = 1;
export const STATIC = 2;
export const LAYOUT = 0x7fffefff;

interface BlockOptions {
  readonly volume: number;
  readonly number: number;
  readonly data: Uint8Array;
  readonly type?: number;
  readonly sequence?: number;
  readonly padding?: number;
}

export function header(magic: string, numbers: readonly (readonly [number, number])[], type = 0): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.write(magic, 'latin1');
  bytes[4] = 1;
  bytes[5] = type;
  for (const [at, value] of numbers) bytes.writeUInt32BE(value, at);
  bytes.writeUInt32BE(~crc32(bytes.subarray(0, 60)) >>> 0, 60);
  return bytes;
}

/** An eraseblock; null: one that no volume has. */
export function block(options: BlockOptions | null): Buffer {
  const bytes = Buffer.alloc(BLOCK_BYTES, 0xff);
  header('UBI#', [
    [16, 64],
    [20, DATA_AT],
  ]).copy(bytes);
  if (options === null) return bytes;
  const { volume, number, data, type = DYNAMIC, sequence = 0, padding = 0 } = options;
  const numbers = [
    [8, volume],
    [12, number],
    [20, type === STATIC ? data.length : 0],
    [28, padding],
    [44, sequence],
  ] as const;
  header('UBI!', numbers, type).copy(bytes, 64);
  bytes.set(data, DATA_AT);
  return bytes;
}

/** Bytes of a volume, and before which of its blocks others stand: one that was never written, and one that is free. */
interface Volume {
  readonly data: Uint8Array;
  readonly gaps?: readonly number[];
  readonly reversed?: boolean;
}

/** A table of volumes, then the volumes, one behind the other or `inTurns`. */
export function flashImage(volumes: readonly Volume[], { inTurns = false } = {}): Buffer {
  const layout = [0, 1].map((number) => block({ volume: LAYOUT, number, data: new Uint8Array(99) }));
  const all = volumes.map(({ data, gaps = [], reversed = false }, volume) => {
    const blocks = Array.from({ length: Math.ceil(data.length / CAPACITY) }, (_, number) => {
      const own = block({ volume, number, data: data.subarray(number * CAPACITY, (number + 1) * CAPACITY) });
      return gaps.includes(number) ? Buffer.concat([Buffer.alloc(BLOCK_BYTES, 0xff), block(null), own]) : own;
    });
    return reversed ? blocks.reverse() : blocks;
  });
  const turns = inTurns ? all[0]!.flatMap((_, i) => all.map((blocks) => blocks[i]!)) : all.flat();
  return Buffer.concat([...layout, ...turns]);
}
