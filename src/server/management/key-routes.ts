/**
 * Management of device keys: what headers of encrypted payloads are made for, an operator's consent to another key, and
 * the revocation of a device.
 * @module
 */
import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';
import type { Logger } from 'pino';
import { LIMITS } from '../../../native-free/limits.ts';
import { jsonBody } from '../http/body.ts';
import type { DeviceKey, DeviceName, Store } from '../store/index.ts';
import * as model from './model.ts';

export interface KeyRoutesOptions {
  readonly store: Store;
  readonly now: () => number;
  readonly logger: Logger;
}

const instant = z.string().nullable();
const keySchema = z
  .object({
    controllerId: z.string(),
    recipient: z.string().nullable().openapi({ description: 'headers are made for it; null before one was accepted' }),
    offered: z.string().nullable().openapi({ description: 'another key that the device has told and nobody accepted' }),
    changedAt: instant,
    revokedAt: instant,
  })
  .openapi('DeviceKey');
const acceptSchema = z.object({ recipient: z.string().max(LIMITS.device_attribute_chars_max) }).openapi('AcceptKey');

export type ManagedDeviceKey = z.infer<typeof keySchema>;

const json = <S extends z.ZodType>(schema: S) => ({ content: { 'application/json': { schema } } });
const common = {
  security: [{ bearer: [] }],
  request: { params: model.controllerParam, query: model.tenantQuery },
  responses: {
    200: { description: 'the key of the device', ...json(keySchema) },
    default: {
      description: 'what went wrong',
      content: { 'application/problem+json': { schema: model.problemSchema } },
    },
  },
};

export function keyRoutes(app: OpenAPIHono, { store, now, logger }: KeyRoutesOptions): void {
  const shown = async (device: DeviceName): Promise<ManagedDeviceKey> => keyOf(device, await store.keys.get(device));

  const get = createRoute({
    ...{ method: 'get', path: '/devices/{controllerId}/key', operationId: 'getDeviceKey', ...common },
  });
  app.openapi(get, async (context) => {
    const device = { ...context.req.valid('query'), ...context.req.valid('param') };
    await store.devices.get(device);
    return context.json(await shown(device), 200);
  });

  const accept = createRoute({
    ...{ method: 'post', path: '/devices/{controllerId}/key', operationId: 'acceptDeviceKey', ...common },
    middleware: jsonBody(LIMITS.management_body_bytes_max),
    request: { ...common.request, body: { ...json(acceptSchema), required: true } },
  });
  app.openapi(accept, async (context) => {
    const device = { ...context.req.valid('query'), ...context.req.valid('param') };
    const { recipient } = context.req.valid('json');
    await store.keys.accept(device, recipient, now());
    logger.info({ event: 'device_key', audit: true, result: 'accepted', ...device, recipient }, 'device key accepted');
    return context.json(await shown(device), 200);
  });

  const revoke = createRoute({
    ...{ method: 'post', path: '/devices/{controllerId}/revoke', operationId: 'revokeDevice', ...common },
  });
  app.openapi(revoke, async (context) => {
    const device = { ...context.req.valid('query'), ...context.req.valid('param') };
    await store.keys.revoke(device, now());
    logger.warn({ event: 'device_revoked', audit: true, ...device }, 'device revoked');
    return context.json(await shown(device), 200);
  });
}

const iso = (ms: number | null | undefined): string | null =>
  typeof ms === 'number' ? new Date(ms).toISOString() : null;

const keyOf = ({ controllerId }: DeviceName, key: DeviceKey | null): ManagedDeviceKey => ({
  ...{ controllerId, recipient: key?.recipient ?? null, offered: key?.offered ?? null },
  ...{ changedAt: iso(key?.changedAt), revokedAt: iso(key?.revokedAt) },
});
