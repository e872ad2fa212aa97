/**
 * Segments of full payloads: zstd, always from the same WebAssembly build, so that every machine makes the same bytes
 * (the runtime's own zstd differs between versions, and Node 20 has none).
 *
 * @module
 */
import type { Zstd } from '@hpcc-js/wasm-zstd';

/** The highest level whose memory stays modest; 20 to 22 buy under 1 % on windows this small. */
const LEVEL = 19;

let loaded: Promise<Zstd> | undefined;

/** The build is large, and most threads never compress anything. */
async function load(): Promise<Zstd> {
  return (await import('@hpcc-js/wasm-zstd')).Zstd.load();
}

/** One zstd frame, or the bytes themselves (a copy) where a frame would not be smaller. */
export async function compressSegment(bytes: Uint8Array): Promise<Uint8Array> {
  loaded ??= load();
  const zstd = await loaded;
  const frame = bytes.length === 0 ? bytes : zstd.compress(bytes, LEVEL);
  return frame.length < bytes.length ? frame : bytes.slice();
}
