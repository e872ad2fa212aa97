/**
 * The management API, `/api/v1`: what people and their tools ask of the server. Described by its own OpenAPI document.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { UpdateError } from '../../../native-free/status.ts';
import { checkManagement, tokenDigest } from '../auth.ts';
import { payloadFor } from '../store/payload-for.ts';
import type { StoredAction, StoredDeployment, StoredDevice, StoredRelease } from '../store/index.ts';
import { summaryOf } from './fleet.ts';
import { jobRoutes } from './jobs.ts';
import * as model from './model.ts';
import { body, bounded, iso, ok, secured, type ManagementOptions } from './parts.ts';
import { priceRoutes } from './price.ts';
import { publishingRoutes } from './publishing.ts';
import { rolloutRoutes } from './rollouts.ts';
import { uploadRoutes } from './uploads.ts';

const HISTORY_ROWS = 50;

/** The routes, to be mounted at /api/v1. */
export function managementRoutes(options: ManagementOptions): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (result.success) return;
      const issue = result.error.issues[0]!;
      throw new UpdateError('usage_invalid', `${issue.path.join('.') || result.target}: ${issue.message}`);
    },
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  app.doc31('/openapi.json', { openapi: '3.1.0', info: { title: 'engraft', version: options.version } });
  app.use('*', async (context, next) => {
    checkManagement(options.auth, context.req.header('Authorization'));
    context.header('Cache-Control', 'no-store');
    await options.refresh();
    await next();
  });
  releaseRoutes(app, options);
  deviceRoutes(app, options);
  deploymentRoutes(app, options);
  rolloutRoutes(app, options);
  jobRoutes(app, options);
  uploadRoutes(app, options);
  publishingRoutes(app, options);
  priceRoutes(app, options);
  return app;
}

function releaseRoutes(app: OpenAPIHono, { store }: ManagementOptions): void {
  const products = createRoute({
    ...{ method: 'get', path: '/products', operationId: 'listProducts', ...secured },
    responses: ok('product lines with their latest release', z.object({ products: z.array(model.productSchema) })),
  });
  app.openapi(products, async (context) => context.json({ products: await store.releases.products() }, 200));

  const list = createRoute({
    ...{ method: 'get', path: '/releases', operationId: 'listReleases', ...secured },
    request: { query: model.releaseQuery },
    responses: ok('newest first', z.object({ releases: z.array(model.releaseSchema) })),
  });
  app.openapi(list, async (context) => {
    const releases = await store.releases.list(context.req.valid('query'));
    return context.json({ releases: releases as model.Release[] }, 200);
  });

  const get = createRoute({
    ...{ method: 'get', path: '/releases/{id}', operationId: 'getRelease', ...secured },
    request: { params: model.idParam },
    responses: ok('one release', model.releaseSchema),
  });
  app.openapi(get, async (context) => {
    const release = await store.releases.get(context.req.valid('param').id);
    return context.json(release as model.Release, 200);
  });
}

function deviceRoutes(app: OpenAPIHono, { store, now }: ManagementOptions): void {
  const list = createRoute({
    ...{ method: 'get', path: '/devices', operationId: 'listDevices', ...secured },
    request: { query: model.deviceQuery },
    responses: ok('in the order of their ids', z.object({ devices: z.array(model.deviceSchema) })),
  });
  app.openapi(list, async (context) => {
    const { tenant, limit, after, ...filter } = context.req.valid('query');
    return context.json({ devices: (await store.devices.list(tenant, limit, after, filter)).map(deviceOf) }, 200);
  });

  const decoders = createRoute({
    ...{ method: 'get', path: '/decoders', operationId: 'countDecoders', ...secured },
    request: { query: model.lineQuery },
    responses: ok('how many devices read which payload formats', model.decodersSchema),
  });
  app.openapi(decoders, async (context) => {
    const { tenant, ...filter } = context.req.valid('query');
    return context.json(summaryOf(await store.devices.decoders(tenant, filter)), 200);
  });

  const register = createRoute({
    ...{ method: 'post', path: '/devices', operationId: 'registerDevice', ...secured, ...bounded },
    request: { query: model.tenantQuery, body: body(model.newDeviceSchema) },
    responses: ok('registered; the token is shown only here', model.registeredDeviceSchema),
  });
  app.openapi(register, async (context) => {
    const { controllerId, token = randomBytes(24).toString('base64url') } = context.req.valid('json');
    const name = { tenant: context.req.valid('query').tenant, controllerId };
    await store.devices.register(name, now(), tokenDigest(token));
    return context.json({ controllerId, token }, 200);
  });

  const get = createRoute({
    ...{ method: 'get', path: '/devices/{controllerId}', operationId: 'getDevice', ...secured },
    request: { params: model.controllerParam, query: model.tenantQuery },
    responses: ok('one device with its latest actions', model.deviceDetailSchema),
  });
  app.openapi(get, async (context) => {
    const name = { ...context.req.valid('query'), ...context.req.valid('param') };
    const device = deviceOf(await store.devices.get(name));
    const actions = await store.actions.history(name, HISTORY_ROWS);
    const detailed = actions.map(async (action) => ({
      ...actionOf(action, await store.releases.get(action.releaseId), {
        runs: device.version,
        decodes: device.decodes,
      }),
      feedback: (await store.actions.feedback(action.id)).map((said) => ({
        ...{ ...said, details: [...said.details] },
        receivedAt: iso(said.receivedAt),
      })),
    }));
    return context.json({ ...device, actions: await Promise.all(detailed) }, 200);
  });
}

function deploymentRoutes(app: OpenAPIHono, { store, now }: ManagementOptions): void {
  const create = createRoute({
    ...{ method: 'post', path: '/deployments', operationId: 'createDeployment', ...secured, ...bounded },
    request: { query: model.tenantQuery, body: body(model.newDeploymentSchema) },
    responses: ok('created', model.deploymentSchema),
  });
  app.openapi(create, async (context) => {
    const { tenant } = context.req.valid('query');
    const id = await store.deployments.create({ tenant, ...context.req.valid('json') }, now());
    return context.json(deploymentOf(await store.deployments.get(tenant, id)), 200);
  });

  const list = createRoute({
    ...{ method: 'get', path: '/deployments', operationId: 'listDeployments', ...secured },
    request: { query: model.deploymentQuery },
    responses: ok('newest first', z.object({ deployments: z.array(model.deploymentSchema) })),
  });
  app.openapi(list, async (context) => {
    const { tenant, limit, before, state } = context.req.valid('query');
    const deployments = await store.deployments.list(tenant, limit, before, state);
    return context.json({ deployments: deployments.map(deploymentOf) }, 200);
  });

  const actions = createRoute({
    ...{ method: 'get', path: '/deployments/{id}/actions', operationId: 'listDeploymentActions', ...secured },
    request: { params: model.idParam, query: model.afterQuery },
    responses: ok(
      'its devices in the order of their ids',
      z.object({ actions: z.array(model.deploymentActionSchema) }),
    ),
  });
  app.openapi(actions, async (context) => {
    const { tenant, limit, after } = context.req.valid('query');
    const { releaseId, id } = await store.deployments.get(tenant, context.req.valid('param').id);
    const release = await store.releases.get(releaseId);
    const rows = await store.actions.ofDeployment(tenant, id, limit, after);
    const shown = rows.map(({ controllerId, runs, decodes, lastSeen, ...action }) => {
      const seen = { controllerId, runs, lastSeen: lastSeen === null ? null : iso(lastSeen) };
      return { ...actionOf(action, release, { runs, decodes }), ...seen };
    });
    return context.json({ actions: shown }, 200);
  });

  const get = createRoute({
    ...{ method: 'get', path: '/deployments/{id}', operationId: 'getDeployment', ...secured },
    request: { params: model.idParam, query: model.tenantQuery },
    responses: ok('one deployment', model.deploymentSchema),
  });
  app.openapi(get, async (context) => {
    const found = await store.deployments.get(context.req.valid('query').tenant, context.req.valid('param').id);
    return context.json(deploymentOf(found), 200);
  });

  const cancel = createRoute({
    ...{ method: 'post', path: '/deployments/{id}/cancel', operationId: 'cancelDeployment', ...secured },
    request: { params: model.idParam, query: model.tenantQuery },
    responses: ok('cancelled; devices that began are asked to stop', model.deploymentSchema),
  });
  app.openapi(cancel, async (context) => {
    const { tenant } = context.req.valid('query');
    const { id } = context.req.valid('param');
    await store.deployments.cancel(tenant, id, now());
    return context.json(deploymentOf(await store.deployments.get(tenant, id)), 200);
  });
}

function deviceOf(device: StoredDevice): model.Device {
  const { attributes, decodes, firstSeen, lastSeen, ...same } = device;
  const seen = { firstSeen: iso(firstSeen), lastSeen: lastSeen === null ? null : iso(lastSeen) };
  return { ...same, decodes: decodes === null ? null : [...decodes], attributes: { ...attributes }, ...seen };
}

/** @param device as it is now */
function actionOf(
  action: StoredAction,
  release: StoredRelease,
  { runs, decodes }: { readonly runs: string | null; readonly decodes: readonly string[] | null },
): model.Action {
  const { retrievedAt, createdAt, updatedAt, ...same } = action;
  const payload = payloadFor(release.payloads, retrievedAt === null ? runs : action.sourceVersion, decodes);
  return { ...same, version: release.version, payload, createdAt: iso(createdAt), updatedAt: iso(updatedAt) };
}

function deploymentOf(deployment: StoredDeployment): model.Deployment {
  return { ...deployment, createdAt: iso(deployment.createdAt), actions: { ...deployment.actions } as never };
}
