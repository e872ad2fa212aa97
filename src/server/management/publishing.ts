/**
 * Publishing: a release from an upload, how far it is, and what is planned for it.
 * @module
 */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import type { CatalogRelease, ReleaseKey } from '../../release/index.ts';
import type { DeltaPlan } from '../planning/plan.ts';
import { keyOf } from '../publishing/publisher.ts';
import type { PlannedPayload, Publication } from '../publishing/plan-store.ts';
import type { StoredRelease } from '../store/index.ts';
import * as model from './job-model.ts';
import { idParam } from './model.ts';
import { body, bounded, iso, ok, secured, type ManagementOptions } from './parts.ts';

export function publishingRoutes(
  app: OpenAPIHono,
  options: Pick<ManagementOptions, 'room' | 'store' | 'refresh'>,
): void {
  const { store, room } = options;
  const { publisher, uploads, repository } = room;

  const viewOf = async (publication: Publication): Promise<model.PublicationView> => {
    const [release] = await store.releases.list({ ...keyOf(publication), limit: 1 });
    const { id, state, error, createdAt, updatedAt } = publication;
    const payloads = (await publisher.plans.ofRelease(publication)).map(plannedOf);
    const times = { createdAt: iso(createdAt), updatedAt: iso(updatedAt) };
    return { id, ...keyOf(publication), state, error, releaseId: release?.id ?? null, payloads, ...times };
  };

  const create = createRoute({
    ...{ method: 'post', path: '/releases', operationId: 'publishRelease', ...secured, ...bounded },
    request: { body: body(model.newReleaseSchema) },
    responses: ok('begun; visible once its full payload is made and signed', model.publicationSchema),
  });
  app.openapi(create, async (context) => {
    const { upload: id, ...request } = context.req.valid('json');
    const upload = await uploads.get(id);
    const adopt = () => repository.blobs.adopt(uploads.path(id), upload.sha256, upload.bytes);
    const publication = await publisher.publish(request, upload, adopt);
    await uploads.remove(id);
    await room.settle();
    return context.json(await viewOf(await publisher.plans.publication(publication.id)), 200);
  });

  const show = createRoute({
    ...{ method: 'get', path: '/publications/{id}', operationId: 'getPublication', ...secured },
    request: { params: idParam },
    responses: ok('how far it is', model.publicationSchema),
  });
  app.openapi(show, async (context) => {
    return context.json(await viewOf(await publisher.plans.publication(context.req.valid('param').id)), 200);
  });

  const planOf = async (release: StoredRelease, plan: DeltaPlan): Promise<model.PlanView> => ({
    chosen: plan.chosen.map(({ sha256: _, ...delta }) => delta),
    left: plan.left.map((left) => ({ ...left })),
    payloads: (await publisher.plans.ofRelease(release)).map(plannedOf),
  });

  const plan = createRoute({
    ...{ method: 'get', path: '/releases/{id}/plan', operationId: 'showPlan', ...secured },
    request: { params: idParam, query: model.planQuery },
    responses: ok('which deltas would be made now, by the fleet as it is', model.planSchema),
  });
  app.openapi(plan, async (context) => {
    const release = await store.releases.get(context.req.valid('param').id);
    const bounds = defined(context.req.valid('query'));
    return context.json(await planOf(release, await publisher.planFor(release, release.artifact, bounds)), 200);
  });

  const replan = createRoute({
    ...{ method: 'post', path: '/releases/{id}/plan', operationId: 'planRelease', ...secured },
    request: { params: idParam, query: model.planQuery },
    responses: ok('planned, and handed to the queue', model.planSchema),
  });
  app.openapi(replan, async (context) => {
    const release = await store.releases.get(context.req.valid('param').id);
    const made = await publisher.replan(catalogReleaseOf(release), defined(context.req.valid('query')));
    return context.json(await planOf(release, made), 200);
  });
}

function plannedOf(planned: PlannedPayload): model.PlanView['payloads'][number] {
  const { kind, source, jobId, state, reason, origin, devices, estimateBytes, createdAt, updatedAt } = planned;
  const times = { createdAt: iso(createdAt), updatedAt: iso(updatedAt) };
  return {
    kind,
    sourceVersion: source?.version ?? null,
    jobId,
    state,
    reason,
    origin,
    devices,
    estimateBytes,
    ...times,
  };
}

const catalogReleaseOf = (release: StoredRelease): ReleaseKey & Pick<CatalogRelease, 'artifact'> => release;

/** Only what was said. */
function defined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
