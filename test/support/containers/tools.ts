/**
 * For tests of what finds containers: whether a container keeps its promises, and what its files are made of.
 */
import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';
import type { Container, FoundFile } from '../../../native-free/diff/containers/container.ts';
import { CODEC_ID } from '../../../native-free/format/unit-map.ts';
import { unpackDeflate } from '../../../native-free/unpack/deflate/deflate.ts';
import { unpackZlib } from '../../../native-free/unpack/deflate/wrappers.ts';
import { unpackLz4 } from '../../../native-free/unpack/lz4.ts';
import { unpackLzo } from '../../../native-free/unpack/lzo.ts';
import type { LzmaLimits } from '../../../native-free/unpack/lzma/decoder.ts';
import type { Unpacked } from '../../../native-free/unpack/tokens.ts';
import { unpackZstd } from '../../../native-free/unpack/zstd/zstd.ts';
import { unpackLzma } from '../../../native-free/unpack/lzma/lzma1.ts';
import { unpackXz } from '../../../native-free/unpack/xz/xz.ts';

/** Contents of all units. */
function contentsOf({ units }: Container, bytes: Uint8Array): Uint8Array[] {
  return units.map(({ offset, packedBytes, contentBytes, codec }) => {
    const packed = bytes.subarray(offset, offset + packedBytes);
    const content = unpack(packed, codec, contentBytes);
    expect(content.length).toBe(contentBytes);
    return content;
  });
}

const UNPACK: Readonly<Record<number, (packed: Uint8Array, limits: LzmaLimits) => Unpacked<unknown>>> = {
  [CODEC_ID.zlib]: unpackZlib,
  [CODEC_ID.deflate]: (packed, limits) => unpackDeflate(packed, limits),
  [CODEC_ID.xz]: unpackXz,
  [CODEC_ID.lzma]: unpackLzma,
  [CODEC_ID.lz4]: (packed, limits) => unpackLz4(packed, limits),
  [CODEC_ID.lzo]: unpackLzo,
  [CODEC_ID.zstd]: unpackZstd,
};

function unpack(packed: Uint8Array, codec: number, contentBytesMax: number): Uint8Array {
  const limits = { contentBytesMax, dictionaryBytesMax: 2 ** 26 };
  const { content, packedBytes } = UNPACK[codec]!(packed, limits);
  expect(packedBytes).toBe(packed.length);
  return content;
}

/** What each file of the container is made of. */
export function filesOf(container: Container, bytes: Uint8Array): Buffer[] {
  const contents = contentsOf(container, bytes);
  const part = (unit: number): Uint8Array => (unit === -1 ? bytes : contents[unit]!);
  return container.files.map(({ parts }) =>
    Buffer.concat(
      parts.flatMap(({ unit, offset, length, zerosBefore = 0 }) => [
        Buffer.alloc(zerosBefore),
        part(unit).subarray(offset, offset + length),
      ]),
    ),
  );
}

/** Units and files as `Container` promises them. Nothing is decoded. */
export function expectSound(container: Container, bytes: Uint8Array): void {
  const end = container.offset + container.bytes;
  expect(end).toBeLessThanOrEqual(bytes.length);
  const taken = new Map<number, [number, number][]>([[-1, []]]);
  const take = (unit: number, from: number, length: number): void => {
    const ranges = taken.get(unit);
    if (ranges === undefined) taken.set(unit, [[from, from + length]]);
    else ranges.push([from, from + length]);
  };
  let at = container.offset;
  for (const { offset, packedBytes } of container.units) {
    if (offset < at || packedBytes < 1 || offset + packedBytes > end) expect.fail(`a unit at ${offset}`);
    at = offset + packedBytes;
    take(-1, offset, packedBytes);
  }
  for (const { parts } of container.files) {
    if (parts.length === 0) expect.fail('a file of nothing');
    let before = 0;
    for (const { unit, offset, length, zerosBefore = 0 } of parts) {
      if (zerosBefore > before) expect.fail(`${zerosBefore} zeros after ${before} bytes`);
      before += zerosBefore + length;
      take(unit, offset, length);
      const [low, high] = unit === -1 ? [container.offset, end] : [0, container.units[unit]!.contentBytes];
      if (length < 1 || offset < low || offset + length > high) expect.fail(`${length} bytes at ${offset} of ${unit}`);
    }
  }
  for (const ranges of taken.values()) expectApart(ranges);
}

function expectApart(ranges: [number, number][]): void {
  ranges.sort((a, b) => a[0] - b[0]);
  for (const [i, [from]] of ranges.entries()) if (i > 0 && from < ranges[i - 1]![1]) expect.fail(`${from} twice`);
}

/** Files that may follow the one before without a gap go on where it ends, and are small. */
export function expectJoins({ files }: Container): void {
  const end = (file: FoundFile): number => file.parts.at(-1)!.offset + file.parts.at(-1)!.length;
  for (const [i, file] of files.entries()) {
    if (file.joins !== true) continue;
    expect(file.parts[0]!.offset).toBe(end(files[i - 1]!));
    expect(file.parts[0]!.length).toBeLessThan(4096);
  }
}

export const isInstalled = (program: string): boolean => spawnSync('which', [program]).status === 0;

/** Runs a program that must do its work. */
export function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.slice(-500)}`);
  return stdout;
}
