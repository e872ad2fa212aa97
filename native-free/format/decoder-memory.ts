/**
 * What a decoder needs, worked out from a header before anything is allocated.
 * @module
 */
import { FILL_MEMORY_BYTES } from './fill-map.ts';
import { type PayloadHeaderFields } from './payload-header.ts';
import { LIMITS } from '../limits.ts';
import { modelBytes } from './model-sizes.ts';
import { UpdateError } from '../status.ts';

/** Memories of a segment (predict/memories.ts and its neighbours, or their twins), windows, and small objects. */
const DELTA_FIXED_BYTES = 2.5 * 1024 * 1024;
/** Tables and block buffers of the zstd decoder, and the chunk. */
const FULL_FIXED_BYTES = 1024 * 1024;
/** A digest of the header, as an array of its own. */
const DIGEST_BYTES = 256;

type Sizes = Pick<PayloadHeaderFields, 'kind' | 'planBytes' | 'modelSizes' | 'fills'> & {
  readonly segments: readonly { readonly length: number; readonly encodedBytes: number }[];
  readonly chunkDigests: readonly unknown[];
  readonly inlineBody: Uint8Array | null;
};

/** Bytes over the runtime's floor, not counting what a plan holds. */
function baseBytes(sizes: Sizes): number {
  let coded = 0;
  let longest = 0;
  for (const { length, encodedBytes } of sizes.segments) {
    longest = Math.max(longest, length);
    if (encodedBytes < length) coded = Math.max(coded, encodedBytes);
  }
  const fixed = sizes.kind === 'delta' ? DELTA_FIXED_BYTES + modelBytes(sizes.modelSizes) : FULL_FIXED_BYTES;
  const header =
    DIGEST_BYTES * (sizes.segments.length + sizes.chunkDigests.length) + 2 * (sizes.inlineBody?.length ?? 0);
  const buffers = LIMITS.chunk_bytes + longest;
  const fills = sizes.fills.source.count + sizes.fills.target.count;
  const sparse = fills === 0 ? 0 : LIMITS.source_window_bytes + FILL_MEMORY_BYTES * fills;
  return fixed + header + buffers + sparse + Math.max(sizes.planBytes, coded);
}

/** What an encoder declares in the header: whole KiB. */
export function declaredMemoryBytes(sizes: Sizes, planMemoryBytes: number): number {
  return Math.ceil((baseBytes(sizes) + planMemoryBytes) / 1024) * 1024;
}

/**
 * Bytes that the declared memory leaves for what the plan holds, and maps and units.
 * @throws UpdateError decoder_memory when the device allows less, payload_malformed when the header declares too little
 */
export function planBytesAllowed(header: PayloadHeaderFields, memoryBytesMax: number): number {
  checkMemory(header.decoderMemoryBytes, memoryBytesMax);
  const left = header.decoderMemoryBytes - baseBytes(header);
  if (left >= 0) return left;
  throw new UpdateError('payload_malformed', `declared decoder memory is ${-left} bytes too small`);
}

/**
 * Checks the declared memory against what a device allows.
 * @throws UpdateError decoder_memory
 */
export function checkMemory(decoderMemoryBytes: number, memoryBytesMax: number): void {
  if (decoderMemoryBytes <= memoryBytesMax) return;
  throw new UpdateError(
    'decoder_memory',
    `the payload needs ${decoderMemoryBytes} bytes to decode; ${memoryBytesMax} are allowed`,
    { detail: { needed: decoderMemoryBytes, allowed: memoryBytesMax } },
  );
}

/**
 * Checks the declared work against what a device allows, both in units of WORK_UNIT.
 * @throws UpdateError decoder_work
 */
export function checkWork(decoderWork: number, workMax: number): void {
  if (decoderWork <= workMax) return;
  throw new UpdateError(
    'decoder_work',
    `the payload needs ${decoderWork} units of work to decode; ${workMax} are allowed`,
    { detail: { needed: decoderWork, allowed: workMax } },
  );
}
