/**
 * Compressors that the codecs' tests compare with: zstd 1.5.7 in WebAssembly, the tools zstd and lzop where they are there.
 */
import { execFileSync } from 'node:child_process';
import { Zstd } from '@hpcc-js/wasm-zstd';

const OUTPUT_BYTES_MAX = 2 ** 28;

const library = await Zstd.load();

/** What libzstd writes at a level, from -7 or so to 22. */
export function libzstd(content: Uint8Array, level: number): Uint8Array {
  return new Uint8Array(library.compress(content, level));
}

/** What the zstd tool writes: frames of unknown length, which come in with the pipe. */
export function zstdTool(input: Uint8Array, ...args: string[]): Uint8Array {
  return new Uint8Array(
    execFileSync('zstd', ['-q', '-c', ...args], { input, maxBuffer: OUTPUT_BYTES_MAX, stdio: 'pipe' }),
  );
}

/** An LZO1X block as lzop wrote it, and what it unpacks to. */
export interface LzopBlock {
  readonly packed: Uint8Array;
  readonly contentBytes: number;
}

const LZOP_MAGIC_BYTES = 9;
/** Versions, method and level, flags, mode, two times. */
const LZOP_FIXED_BYTES = 25;
const LZOP_FLAGS_AT = 17;
const CHECKSUM_BYTES = 4;

/** Blocks of what lzop writes at a level, without those that it stored. */
export function lzopBlocks(input: Uint8Array, level: number): readonly LzopBlock[] {
  const file = execFileSync('lzop', ['-c', '-F', `-${level}`], { input, maxBuffer: OUTPUT_BYTES_MAX, stdio: 'pipe' });
  const nameAt = LZOP_MAGIC_BYTES + LZOP_FIXED_BYTES - 1;
  // Some levels have a checksum of the content all the same.
  const sumBytes = (file.readUInt32BE(LZOP_FLAGS_AT) & 1) * CHECKSUM_BYTES;
  const blocks: LzopBlock[] = [];
  let at = nameAt + 1 + file[nameAt]! + CHECKSUM_BYTES;
  for (;;) {
    const contentBytes = file.readUInt32BE(at);
    if (contentBytes === 0) return blocks;
    const packedBytes = file.readUInt32BE(at + 4);
    at += 8 + sumBytes;
    const packed = new Uint8Array(file.subarray(at, at + packedBytes));
    if (packedBytes < contentBytes) blocks.push({ packed, contentBytes });
    at += packedBytes;
  }
}
