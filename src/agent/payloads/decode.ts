/**
 * Segments of a payload from the link into a slot.
 * @module
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { applyPayload } from '../../../native-free/apply/patcher.ts';
import { hexToBytes } from '../../../native-free/hash.ts';
import type { RandomSource, SegmentSink } from '../../../native-free/io.ts';
import { PayloadPipeline } from '../../transfer/pipeline.ts';
import { modelCoder } from '../../wasm/mix-coder.ts';
import type { Context } from '../context.ts';
import type { OpenPayload } from './download.ts';

export interface Decoding {
  readonly sink: SegmentSink;
  readonly source?: RandomSource;
  readonly resumeSegment: number;
  /** Default: all of them. */
  readonly endSegment?: number;
}

/** What the decoder says, segment by segment; a segment is durable when it is named. */
export async function* decodeSegments(
  context: Context,
  { plan, download, header, headerBytes }: OpenPayload,
  { sink, source, resumeSegment, endSegment }: Decoding,
) {
  const { hash, signal, config } = context;
  const pipeline = new PayloadPipeline({ ...download, hash, header, headerBytes, resumeSegment, endSegment, signal });
  try {
    const run = applyPayload({
      ...{ payload: pipeline, source, sink, hash, models: modelCoder, resumeSegment, signal },
      expectedHeaderDigest: hexToBytes(plan.headerDigest),
      memoryBytesMax: config.limits.decoderMemoryBytes,
      workMax: config.limits.decoderWork,
      pause: breathe,
    });
    for await (const event of run) if (event.type === 'segment') yield event;
  } finally {
    await pipeline.close();
  }
}
