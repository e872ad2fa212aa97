/**
 * For tests of what finds containers: whether a container keeps its promises, and what its files are made of.
 */
import { spawnSync } from 'node:child_process';
import { decompress } from 'fzstd';
import { expect } from 'vitest';
import type { Container, FoundFile } from '../../../native-free/diff/containers/container.ts';
import { CODEC_ID } from '../../../native-free/format/unit-map.ts';
import { unpackDeflate } from '../../../native-free/unpack/deflate/deflate.ts';
import { unpackZlib } from '../../../native-free/unpack/deflate/wrappers.ts';
import { unpackLz4 } from '../../../native-free/unpack/lz4.ts';
import { unpackLzma } from '../../../native-free/unpack/lzma/lzma1.ts';
import { unpackXz } from '../../../native-free/unpack/xz/xz.ts';

/** Contents of all units. A codec's own checks say that no byte of the packed ones is too many. */
export function contentsOf({ units }: Container, bytes: Uint8Array): Uint8Array[] {
  return units.map(({ offset, packedBytes, contentBytes, codec }) => {
    const packed = bytes.subarray(offset, offset + packedBytes);
    const content = unpack(packed, codec, contentBytes);
    expect(content.length).toBe(contentBytes);
    return content;
  });
}

function unpack(packed: Uint8Array, codec: number, contentBytesMax: number): Uint8Array {
  if (codec === CODEC_ID.zstd) return decompress(packed);
  const limits = { contentBytesMax, dictionaryBytesMax: 2 ** 26 };
  const codecs = {
    [CODEC_ID.deflate]: unpackDeflate,
    [CODEC_ID.zlib]: unpackZlib,
    [CODEC_ID.xz]: unpackXz,
    [CODEC_ID.lzma]: unpackLzma,
  };
  const { content, packedBytes } = { ...codecs, [CODEC_ID.lz4]: unpackLz4 }[codec]!(packed, limits);
  expect(packedBytes).toBe(packed.length);
  return content;
}

/** What each file of the container is made of. */
export function filesOf(container: Container, bytes: Uint8Array): Buffer[] {
  const contents = contentsOf(container, bytes);
  const part = (unit: number): Uint8Array => (unit === -1 ? bytes : contents[unit]!);
  return container.files.map(({ parts }) =>
    Buffer.concat(parts.map(({ unit, offset, length }) => part(unit).subarray(offset, offset + length))),
  );
}

/** Units and files as `Container` promises them. Nothing is decoded. */
export function expectSound(container: Container, bytes: Uint8Array): void {
  const end = container.offset + container.bytes;
  expect(end).toBeLessThanOrEqual(bytes.length);
  const taken = new Map<number, [number, number][]>([[-1, []]]);
  const take = (unit: number, from: number, length: number): void => {
    taken.set(unit, [...(taken.get(unit) ?? []), [from, from + length]]);
  };
  let at = container.offset;
  for (const { offset, packedBytes } of container.units) {
    if (offset < at || packedBytes < 1 || offset + packedBytes > end) expect.fail(`a unit at ${offset}`);
    at = offset + packedBytes;
    take(-1, offset, packedBytes);
  }
  const inImage: [number, number][] = taken.get(-1)!;
  for (const { parts } of container.files) {
    if (parts.length === 0) expect.fail('a file of nothing');
    for (const { unit, offset, length } of parts) {
      if (unit === -1) inImage.push([offset, offset + length]);
      else take(unit, offset, length);
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
