/**
 * The job that makes a payload. It is named by what goes in: the same images and format give the same bytes, whoever
 * makes them and however often.
 * @module
 */
import { z } from 'zod';
import { PAYLOAD_VERSION } from '../../../native-free/format/payload-header.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { factsOf, payloadFactsSchema, type PayloadMaker, type PayloadResult } from '../../release/index.ts';
import type { BlobFolder } from '../../release/blobs.ts';
import type { ImageCache } from './image-cache.ts';
import type { NewJob } from './queue.ts';
import type { JobHandler } from './worker.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const inputSchema = z.object({
  target: sha256,
  /** Null: the full payload. */
  source: sha256.nullable(),
  profile: z.enum(['small', 'fast', 'low-memory']),
  /** What people read. */
  label: z.string().max(200),
});
export type PayloadInput = z.infer<typeof inputSchema>;

const resultSchema = z.object({
  /** Null: the delta is not smaller than the full payload. */
  facts: payloadFactsSchema.nullable(),
  reason: z.string().nullable(),
  cpuSeconds: z.number(),
});
export type PayloadJobResult = z.infer<typeof resultSchema>;

export const PAYLOAD_JOB = 'payload';

/** As a job. Jobs to one target come one after another. */
export function payloadJob(input: PayloadInput, priority: number, memoryBytes: number): NewJob {
  const { target, source, profile } = input;
  const key = `payload/${PAYLOAD_VERSION}/${source === null ? 'full' : `${profile}/${source}`}/${target}`;
  return { key, kind: PAYLOAD_JOB, input, priority, memoryBytes, affinity: target };
}

/** What came of one. Throws UpdateError bug where it is not what workers write. */
export function payloadResultOf(result: unknown): PayloadJobResult {
  const parsed = resultSchema.safeParse(result);
  if (parsed.success) return parsed.data;
  throw new UpdateError('bug', `the result of a job is none: ${parsed.error.issues[0]?.message}`);
}

/** Where in all of the work a phase begins and ends. */
const SPANS: Readonly<Record<string, readonly [number, number]>> = {
  ...{ unpack: [0, 0.1], analyse: [0.1, 0.15], match: [0.15, 0.5], encode: [0.5, 0.85] },
  ...{ retry: [0.85, 0.9], plain: [0.85, 0.9], full: [0, 0.9], prove: [0.9, 1] },
};

export interface PayloadWork {
  readonly blobs: BlobFolder;
  readonly images: ImageCache;
  readonly maker: PayloadMaker;
}

/** Makes payloads and puts them among the blobs; only then is a job done. */
export function payloadHandler({ blobs, images, maker }: PayloadWork): JobHandler {
  return async (given, { signal, onProgress }) => {
    const { target, source, profile } = inputSchema.parse(given);
    const settings = {
      signal,
      profile,
      onProgress: ({ phase, done, total }: { phase: string; done: number; total: number }) => {
        const [from, to] = SPANS[phase] ?? [0, 0];
        onProgress(from + (to - from) * (total === 0 ? 1 : done / total), phase);
      },
    };
    const image = images.read(target);
    let made: PayloadResult;
    try {
      made = await (source === null ? maker.full(image, settings) : maker.delta(images.read(source), image, settings));
    } catch (error) {
      if (!UpdateError.is(error) || error.code !== 'delta_not_smaller') throw error;
      return { facts: null, reason: error.message, cpuSeconds: 0 } satisfies PayloadJobResult;
    }
    const facts = factsOf(made, await blobs.add(made.payload));
    return { facts, reason: null, cpuSeconds: made.cpuSeconds } satisfies PayloadJobResult;
  };
}
