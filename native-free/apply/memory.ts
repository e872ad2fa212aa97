/**
 * What a decoder needs, worked out from a header before anything is allocated.
 * @module
 */
import type { PayloadHeaderFields } from '../format/payload-header.ts';
import { LIMITS } from '../limits.ts';
import { modelBytes } from '../model/model-coder.ts';
import { STRETCH_BYTES } from '../predict/address-map.ts';
import { UpdateError } from '../status.ts';

/** Memories of a segment (predict/memories.ts and its neighbours), the windows of covers, and small objects. */
const DELTA_FIXED_BYTES = 2.5 * 1024 * 1024;
/** Tables and block buffers of the zstd decoder, and the chunk. */
const FULL_FIXED_BYTES = 1024 * 1024;
/** The cover itself, and its stretch of the address map. */
export const COVER_BYTES = 24 + STRETCH_BYTES;

type Sizes = Pick<PayloadHeaderFields, 'kind' | 'targetBytes' | 'segmentBytes' | 'planBytes' | 'modelSizes'> & {
  readonly segments: readonly { readonly encodedBytes: number }[];
};

/** Bytes over the runtime's floor, not counting covers. */
function baseBytes(sizes: Sizes): number {
  const largest = sizes.segments.reduce((most, segment) => Math.max(most, segment.encodedBytes), sizes.planBytes);
  const fixed = sizes.kind === 'delta' ? DELTA_FIXED_BYTES + modelBytes(sizes.modelSizes) : FULL_FIXED_BYTES;
  return fixed + LIMITS.chunk_bytes + Math.min(sizes.segmentBytes, sizes.targetBytes) + largest;
}

/** What an encoder declares in the header: whole KiB. */
export function declaredMemoryBytes(sizes: Sizes, coverCount: number): number {
  return Math.ceil((baseBytes(sizes) + COVER_BYTES * coverCount) / 1024) * 1024;
}

/**
 * Number of covers that the declared memory leaves room for.
 * @throws UpdateError decoder_memory when the device allows less, payload_malformed when the header declares too little
 */
export function coversAllowed(header: PayloadHeaderFields, memoryBytesMax: number): number {
  if (header.decoderMemoryBytes > memoryBytesMax) {
    throw new UpdateError(
      'decoder_memory',
      `the payload needs ${header.decoderMemoryBytes} bytes to decode; ${memoryBytesMax} are allowed`,
      { detail: { needed: header.decoderMemoryBytes, allowed: memoryBytesMax } },
    );
  }
  const left = header.decoderMemoryBytes - baseBytes(header);
  if (left < 0) throw new UpdateError('payload_malformed', `declared decoder memory is ${-left} bytes too small`);
  return Math.min(LIMITS.covers_max, Math.floor(left / COVER_BYTES));
}
