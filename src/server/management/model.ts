/**
 * The JSON of the management API, as zod schemas: the checks, the OpenAPI document and the client's types are all
 * made from these.
 * @module
 */
import { z } from '@hono/zod-openapi';
import { LIMITS } from '../../../native-free/limits.ts';
import { namePattern } from '../../release/index.ts';
import { controllerPattern, tenantPattern } from '../ddi.ts';
import { ACTION_STATES, DEPLOYMENT_STATES } from '../store/index.ts';

const id = z.number().int().min(1);
const instant = z.string().openapi({ format: 'date-time' });
const controllerId = z.string().regex(controllerPattern);
const digest = z.string().openapi({ description: 'lower-case hexadecimal' });
const pathId = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);
const limit = z.coerce.number().int().min(1).max(LIMITS.page_rows_max).default(100);
const tenant = z.string().regex(tenantPattern).toLowerCase().default('default');

export const tenantQuery = z.object({ tenant });
export const idParam = z.object({ id: pathId.openapi({ param: { name: 'id', in: 'path' }, type: 'integer' }) });
export const controllerParam = z.object({
  controllerId: controllerId.openapi({ param: { name: 'controllerId', in: 'path' } }),
});
export const beforeQuery = z.object({ tenant, limit, before: z.coerce.number().int().min(1).optional() });
export const afterQuery = z.object({ tenant, limit, after: controllerId.optional() });

const name = z.string().regex(namePattern);
const attribute = z.string().max(LIMITS.device_attribute_chars_max).optional();
export const deviceQuery = afterQuery.extend({ product: attribute, hardware: attribute, version: attribute });
export const lineQuery = z.object({ tenant, product: attribute, hardware: attribute });
export const deploymentQuery = beforeQuery.extend({ state: z.enum(DEPLOYMENT_STATES).optional() });
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
    artifact: z.object({
      ...{ filename: z.string(), bytes: z.number().int(), sha256: digest, sha1: digest, md5: digest },
      isPrivate: z.boolean().optional().openapi({ description: 'encrypted: the image is not served' }),
    }),
    payloads: z.array(
      z.object({
        targetName: z.string(),
        kind: z.enum(['full', 'delta']),
        format: z.string().optional().openapi({ description: 'what a device has to decode to take it' }),
        bytes: z.number().int(),
        sha256: digest,
        encryption: z.literal('age-v1').optional(),
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
    state: z.enum(ACTION_STATES),
    code: z.number().int().nullable().openapi({ description: 'the last numeric status that the device reported' }),
    outcome: z.number().int().nullable().openapi({ description: '0, 10, 20, 30 or 40 once it has ended by a report' }),
    reason: z.string().nullable().openapi({ description: "the sub-code of an engraft agent's last report" }),
    subStatus: z.number().int().nullable().openapi({ description: 'its number' }),
    sourceVersion: z.string().nullable().openapi({ description: 'what ran when the device fetched the action' }),
    version: name.openapi({ description: 'of the release' }),
    payload: z
      .object({
        kind: z.enum(['full', 'delta']),
        bytes: z.number().int(),
        sourceVersion: z.string().nullable(),
        unread: z
          .array(z.string())
          .openapi({ description: 'formats of smaller payloads, and of this one, that it does not read' }),
      })
      .nullable()
      .openapi({ description: 'what an engraft agent fetches, by what it said to run and to decode' }),
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
    product: z.string().nullable(),
    hardware: z.string().nullable(),
    version: z
      .string()
      .nullable()
      .openapi({ description: 'what runs, as far as the device or its last success tells' }),
    decodes: z
      .array(z.string())
      .nullable()
      .openapi({ description: 'payload formats that it reads; null: it has not said' }),
    attributes: z.record(z.string(), z.string()),
    hasToken: z.boolean(),
    firstSeen: instant,
    lastSeen: instant.nullable(),
    lastAddress: z.string().nullable(),
  })
  .openapi('Device');

export const decodersSchema = z
  .object({
    devices: z.number().int(),
    untold: z.number().int().openapi({ description: 'devices that have not said what they decode' }),
    formats: z
      .array(z.object({ format: z.string(), devices: z.number().int() }))
      .openapi({ description: 'how many devices read each format' }),
    decoders: z
      .array(z.object({ formats: z.array(z.string()).nullable(), devices: z.number().int() }))
      .openapi({ description: 'how many devices read the same formats, the most common first' }),
  })
  .openapi('Decoders');

export const deviceDetailSchema = deviceSchema
  .extend({ actions: z.array(actionSchema.extend({ feedback: z.array(feedbackSchema) })) })
  .openapi('DeviceDetail');

export const deploymentActionSchema = actionSchema
  .extend({ controllerId, runs: z.string().nullable(), lastSeen: instant.nullable() })
  .openapi('DeploymentAction');

export const deploymentSchema = z
  .object({
    id,
    tenant: z.string(),
    releaseId: id,
    release: z.object({ product: name, version: name, hardware: name, slotClass: name }),
    selector: z.enum(['devices', 'all', 'rollout']),
    state: z.enum(DEPLOYMENT_STATES),
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
    register: z
      .boolean()
      .optional()
      .openapi({ description: 'make devices known that are not; else they are refused, as ids are mistyped' }),
  })
  .openapi('NewDeployment');

export type Product = z.infer<typeof productSchema>;
export type Release = z.infer<typeof releaseSchema>;
export type Action = z.infer<typeof actionSchema>;
export type ActionFeedback = z.infer<typeof feedbackSchema>;
export type Device = z.infer<typeof deviceSchema>;
export type Decoders = z.infer<typeof decodersSchema>;
export type DeploymentAction = z.infer<typeof deploymentActionSchema>;
export type DeviceDetail = z.infer<typeof deviceDetailSchema>;
export type Deployment = z.infer<typeof deploymentSchema>;
export type NewDevice = z.infer<typeof newDeviceSchema>;
export type RegisteredDevice = z.infer<typeof registeredDeviceSchema>;
export type NewDeployment = z.infer<typeof newDeploymentSchema>;
