/**
 * The JSON of jobs, uploads, publications and prices.
 * @module
 */
import { z } from '@hono/zod-openapi';
import { LIMITS } from '../../../native-free/limits.ts';
import { namePattern } from '../../release/index.ts';
import { JOB_STATES } from '../jobs/queue.ts';
import { PLANNED_STATES, PUBLICATION_STATES } from '../jobs/schema.ts';
import { DEFAULT_BOUNDS } from '../planning/plan.ts';
import { FULL_REASONS } from '../planning/price.ts';

const name = z.string().regex(namePattern);
const instant = z.string().openapi({ format: 'date-time' });
const count = z.number().int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits');

export const jobIdParam = z.object({
  id: z
    .string()
    .max(64)
    .openapi({ param: { name: 'id', in: 'path' } }),
});
export const jobQuery = z.object({
  limit: z.coerce.number().int().min(1).max(LIMITS.page_rows_max).default(100),
  before: z.string().max(64).optional(),
  state: z.enum(JOB_STATES).optional(),
});

export const jobSchema = z
  .object({
    ...{ id: z.string(), kind: z.string(), label: z.string(), state: z.enum(JOB_STATES), priority: z.number().int() },
    progress: z.number().openapi({ description: 'from 0 to 1' }),
    ...{ phase: z.string().nullable(), attempts: count, worker: z.string().nullable(), memoryBytes: count },
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    ...{ createdAt: instant, updatedAt: instant },
  })
  .openapi('Job');

export const newUploadSchema = z
  .object({
    bytes: z.number().int().min(1).max(LIMITS.image_bytes_max),
    sha256,
    filename: z
      .string()
      .min(1)
      .max(200)
      .regex(/^[^/\\\0]+$/)
      .optional(),
  }) // prettier-ignore
  .openapi('NewUpload');

export const uploadSchema = z
  .object({
    ...{ id: z.string(), bytes: count, sha256, filename: z.string().nullable() },
    offset: count.openapi({ description: 'so much of it is here: go on with PATCH and Upload-Offset' }),
    ...{ complete: z.boolean(), expiresAt: instant },
  })
  .openapi('Upload');

export const newReleaseSchema = z
  .object({
    ...{ product: name, version: name, hardware: name, slotClass: name.default('rootfs') },
    upload: z.string().max(64).openapi({ description: 'of an upload that is complete' }),
    rollbackIndex: z.union([z.number().int().min(0).max(Number.MAX_SAFE_INTEGER), z.literal('keep')]).optional(),
    ...{ force: z.boolean().optional(), filename: z.string().min(1).max(200).optional() },
    payloads: z.enum(['all', 'none']).default('all').openapi({ description: 'none: for foreign clients alone' }),
    deltasMax: z.number().int().min(0).max(1000).default(DEFAULT_BOUNDS.deltasMax),
    latest: z.number().int().min(0).max(1000).default(DEFAULT_BOUNDS.latest).openapi({
      description: 'so many of the latest releases get a delta, also where no device is known to run them',
    }),
  })
  .openapi('NewRelease');

const plannedSchema = z.object({
  ...{ kind: z.enum(['full', 'delta']), sourceVersion: z.string().nullable(), jobId: z.string() },
  ...{ state: z.enum(PLANNED_STATES), reason: z.string().nullable(), origin: z.enum(['plan', 'demand']) },
  ...{ devices: count, estimateBytes: count, createdAt: instant, updatedAt: instant },
});

export const publicationSchema = z
  .object({
    ...{ id: z.number().int(), product: name, version: name, hardware: name, slotClass: name },
    ...{ state: z.enum(PUBLICATION_STATES), error: z.string().nullable() },
    releaseId: z.number().int().nullable().openapi({ description: 'once it is visible' }),
    payloads: z.array(plannedSchema),
    ...{ createdAt: instant, updatedAt: instant },
  })
  .openapi('Publication');

export const planQuery = z.object({
  deltasMax: z.coerce.number().int().min(0).max(1000).optional(),
  latest: z.coerce.number().int().min(0).max(1000).optional(),
});

export const planSchema = z
  .object({
    chosen: z.array(
      z.object({ version: z.string(), bytes: count, devices: count, estimateBytes: count, savedBytes: count }),
    ),
    left: z.array(z.object({ version: z.string().nullable(), devices: count, why: z.string() })),
    payloads: z.array(plannedSchema).openapi({ description: 'what is being made, or was' }),
  })
  .openapi('Plan');

const percents = z
  .string()
  .regex(/^\d+(\.\d+)?(,\d+(\.\d+)?)*$/, 'expected percentages with commas between')
  .transform((text) => text.split(',').map(Number));

export const priceQuery = z.object({
  tenant: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,40}$/)
    .toLowerCase()
    .default('default'),
  groups: percents.optional().openapi({ type: 'string', description: 'percent of each wave, such as 1,9,90' }),
  pricePerMb: z.coerce.number().positive().optional(),
  linkBits: z.coerce.number().positive().optional(),
});

export const priceSchema = z
  .object({
    ...{ devices: count, current: count, without: count, deltas: count, deltaShare: z.number() },
    ...{ largestDeltaBytes: count.nullable(), bytes: count, fullOnlyBytes: count },
    full: z.array(z.object({ version: z.string().nullable(), devices: count, why: z.enum(FULL_REASONS) })),
    waves: z.array(z.object({ percent: z.number(), devices: count, bytes: count, deltas: count })),
    money: z.number().nullable(),
    minutes: z.object({ longest: z.number(), mean: z.number() }).nullable(),
  })
  .openapi('RolloutPrice');

export type JobView = z.infer<typeof jobSchema>;
export type Upload = z.infer<typeof uploadSchema>;
export type NewUploadBody = z.input<typeof newUploadSchema>;
export type NewRelease = z.input<typeof newReleaseSchema>;
export type PublicationView = z.infer<typeof publicationSchema>;
export type PlanView = z.infer<typeof planSchema>;
export type PriceView = z.infer<typeof priceSchema>;
