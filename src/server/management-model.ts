/**
 * The JSON of the management API, as zod schemas: the checks, the OpenAPI document and the client's types are all
 * made from these.
 * @module
 */
import { z } from '@hono/zod-openapi';
import { LIMITS } from '../../native-free/limits.ts';
import { namePattern } from '../release/index.ts';
import { controllerPattern, tenantPattern } from './ddi.ts';

const id = z.number().int().min(1);
const instant = z.string().openapi({ format: 'date-time' });
const controllerId = z.string().regex(controllerPattern);
const digest = z.string().openapi({ description: 'lower-case hexadecimal' });
const pathId = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);
const limit = z.coerce.number().int().min(1).max(LIMITS.page_rows_max).default(100);
const tenant = z.string().regex(tenantPattern).default('default');

export const tenantQuery = z.object({ tenant });
export const idParam = z.object({ id: pathId.openapi({ param: { name: 'id', in: 'path' }, type: 'integer' }) });
export const controllerParam = z.object({
  controllerId: controllerId.openapi({ param: { name: 'controllerId', in: 'path' } }),
});
export const beforeQuery = z.object({ tenant, limit, before: z.coerce.number().int().min(1).optional() });
export const afterQuery = z.object({ tenant, limit, after: controllerId.optional() });

const name = z.string().regex(namePattern);
export const releaseQuery = z.object({
  ...{ limit, before: z.coerce.number().int().min(1).optional() },
  ...{ product: name.optional(), version: name.optional(), hardware: name.optional(), slotClass: name.optional() },
});

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.string(),
    number: z.number().int(),
    action: z.string(),
  })
  .openapi('Problem');

export const productSchema = z
  .object({ product: name, hardware: name, slotClass: name, releases: z.number().int(), latest: name })
  .openapi('Product');

export const releaseSchema = z
  .object({
    id,
    product: name,
    version: name,
    hardware: name,
    slotClass: name,
    rollbackIndex: z.number().int(),
    publishedAt: instant,
    artifact: z.object({ filename: z.string(), bytes: z.number().int(), sha256: digest, sha1: digest, md5: digest }),
    payloads: z.array(
      z.object({
        targetName: z.string(),
        kind: z.enum(['full', 'delta']),
        bytes: z.number().int(),
        sha256: digest,
        source: z.object({ version: z.string(), bytes: z.number().int(), sha256: digest }).nullable(),
      }),
    ),
  })
  .openapi('Release');

export const actionSchema = z
  .object({
    id,
    deploymentId: id,
    releaseId: id,
    state: z.enum(['pending', 'running', 'canceling', 'finished', 'failed', 'canceled']),
    code: z.number().int().nullable().openapi({ description: 'the last numeric status that the device reported' }),
    createdAt: instant,
    updatedAt: instant,
  })
  .openapi('Action');

export const feedbackSchema = z
  .object({
    channel: z.enum(['deployment', 'cancel']),
    execution: z.string(),
    finished: z.enum(['success', 'failure', 'none']),
    code: z.number().int().nullable(),
    details: z.array(z.string()),
    receivedAt: instant,
  })
  .openapi('Feedback');

export const deviceSchema = z
  .object({
    controllerId,
    tenant: z.string(),
    attributes: z.record(z.string(), z.string()),
    hasToken: z.boolean(),
    firstSeen: instant,
    lastSeen: instant.nullable(),
    lastAddress: z.string().nullable(),
  })
  .openapi('Device');

export const deviceDetailSchema = deviceSchema
  .extend({ actions: z.array(actionSchema.extend({ feedback: z.array(feedbackSchema) })) })
  .openapi('DeviceDetail');

export const deploymentSchema = z
  .object({
    id,
    tenant: z.string(),
    releaseId: id,
    selector: z.enum(['devices', 'all']),
    state: z.enum(['active', 'cancelled', 'superseded']),
    createdAt: instant,
    actions: z.record(z.string(), z.number().int()).openapi({ description: 'devices by the state of their action' }),
  })
  .openapi('Deployment');

export const newDeviceSchema = z
  .object({
    controllerId,
    token: z.string().min(16).max(256).regex(/^\S+$/).optional().openapi({ description: 'made up when left out' }),
  })
  .openapi('NewDevice');

export const registeredDeviceSchema = z.object({ controllerId, token: z.string() }).openapi('RegisteredDevice');

export const newDeploymentSchema = z
  .object({
    releaseId: id,
    devices: z.union([z.literal('all'), z.array(controllerId).min(1).max(LIMITS.deployment_devices_max)]).openapi({
      description: "ids, or 'all' of the release's product and hardware, including those that report in later",
    }),
  })
  .openapi('NewDeployment');

export type Product = z.infer<typeof productSchema>;
export type Release = z.infer<typeof releaseSchema>;
export type Action = z.infer<typeof actionSchema>;
export type ActionFeedback = z.infer<typeof feedbackSchema>;
export type Device = z.infer<typeof deviceSchema>;
export type DeviceDetail = z.infer<typeof deviceDetailSchema>;
export type Deployment = z.infer<typeof deploymentSchema>;
export type NewDevice = z.infer<typeof newDeviceSchema>;
export type RegisteredDevice = z.infer<typeof registeredDeviceSchema>;
export type NewDeployment = z.infer<typeof newDeploymentSchema>;
