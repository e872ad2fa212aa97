/**
 * Rollouts in the management API.
 * @module
 */
import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';
import type { StoredAudit, StoredRollout } from '../store/index.ts';
import { beforeQuery, idParam, tenantQuery } from './model.ts';
import { body, bounded, iso, ok, secured, type ManagementOptions } from './parts.ts';
import * as model from './rollout-model.ts';

type RolloutRoutes = Pick<ManagementOptions, 'store' | 'now'>;

const AUDIT_ROWS = 200;
/** There is one token, and no names yet. */
const WHO = 'operator';

export function rolloutRoutes(app: OpenAPIHono, options: RolloutRoutes): void {
  changes(app, options);
  views(app, options);
}

function changes(app: OpenAPIHono, { store, now }: RolloutRoutes): void {
  const create = createRoute({
    ...{ method: 'post', path: '/rollouts', operationId: 'createRollout', ...secured, ...bounded },
    request: { query: tenantQuery, body: body(model.newRolloutSchema) },
    responses: ok('planned; it starts when it is told to, or at its time', model.rolloutSchema),
  });
  app.openapi(create, async (context) => {
    const { tenant } = context.req.valid('query');
    const { plan, ...rest } = context.req.valid('json');
    const startAt = plan.startAt === null ? null : Date.parse(plan.startAt);
    const id = await store.rollouts.create({ tenant, ...rest, plan: { ...plan, startAt } }, WHO, now());
    return context.json(rolloutOf(await store.rolloutViews.get(tenant, id)), 200);
  });

  const command = createRoute({
    ...{ method: 'post', path: '/rollouts/{id}/{command}', operationId: 'commandRollout', ...secured, ...bounded },
    request: { params: model.commandParam, query: tenantQuery, body: body(model.commandSchema) },
    responses: ok('done; after stop no device is offered the release any more', model.rolloutSchema),
  });
  app.openapi(command, async (context) => {
    const { tenant } = context.req.valid('query');
    const { id, command: name } = context.req.valid('param');
    const { why } = context.req.valid('json');
    await store.rollouts.command(tenant, id, name, { who: WHO, why: why ?? null }, now());
    return context.json(rolloutOf(await store.rolloutViews.get(tenant, id)), 200);
  });
}

function views(app: OpenAPIHono, { store }: RolloutRoutes): void {
  const list = createRoute({
    ...{ method: 'get', path: '/rollouts', operationId: 'listRollouts', ...secured },
    request: { query: beforeQuery },
    responses: ok('newest first', z.object({ rollouts: z.array(model.rolloutSchema) })),
  });
  app.openapi(list, async (context) => {
    const { tenant, limit, before } = context.req.valid('query');
    return context.json({ rollouts: (await store.rolloutViews.list(tenant, limit, before)).map(rolloutOf) }, 200);
  });

  const get = createRoute({
    ...{ method: 'get', path: '/rollouts/{id}', operationId: 'getRollout', ...secured },
    request: { params: idParam, query: tenantQuery },
    responses: ok('one rollout', model.rolloutSchema),
  });
  app.openapi(get, async (context) => {
    const found = await store.rolloutViews.get(context.req.valid('query').tenant, context.req.valid('param').id);
    return context.json(rolloutOf(found), 200);
  });

  const members = createRoute({
    ...{ method: 'get', path: '/rollouts/{id}/devices', operationId: 'listRolloutDevices', ...secured },
    request: { params: idParam, query: model.memberQuery },
    responses: ok('in the order of their ids', z.object({ devices: z.array(model.rolloutMemberSchema) })),
  });
  app.openapi(members, async (context) => {
    const { tenant, limit, after, state } = context.req.valid('query');
    const { id } = await store.rolloutViews.get(tenant, context.req.valid('param').id);
    return context.json({ devices: await store.rolloutViews.members(id, limit, after, state) }, 200);
  });

  const audit = createRoute({
    ...{ method: 'get', path: '/rollouts/{id}/audit', operationId: 'auditRollout', ...secured },
    request: { params: idParam, query: tenantQuery },
    responses: ok('who did what, newest first', z.object({ audit: z.array(model.auditSchema) })),
  });
  app.openapi(audit, async (context) => {
    const { tenant } = context.req.valid('query');
    const entries = await store.rolloutViews.audit(tenant, context.req.valid('param').id, AUDIT_ROWS);
    return context.json({ audit: entries.map(auditOf) }, 200);
  });
}

function rolloutOf({ createdAt, updatedAt, plan, ...rollout }: StoredRollout): model.Rollout {
  const startAt = plan.startAt === null ? null : iso(plan.startAt);
  const times = { createdAt: iso(createdAt), updatedAt: iso(updatedAt) };
  return { ...rollout, plan: { ...plan, startAt }, ...times } as model.Rollout;
}

function auditOf({ at, who, what, subject, why }: StoredAudit): model.Audit {
  return { at: iso(at), who, what, subject, why: why ?? null };
}
