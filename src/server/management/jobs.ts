/**
 * Jobs, as people ask about them.
 * @module
 */
import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';
import type { Job } from '../jobs/queue.ts';
import * as model from './job-model.ts';
import { iso, ok, secured, type ManagementOptions } from './parts.ts';

export function jobRoutes(app: OpenAPIHono, { store: { jobs } }: Pick<ManagementOptions, 'store'>): void {
  const list = createRoute({
    ...{ method: 'get', path: '/jobs', operationId: 'listJobs', ...secured },
    request: { query: model.jobQuery },
    responses: ok('newest first', z.object({ jobs: z.array(model.jobSchema) })),
  });
  app.openapi(list, async (context) => {
    return context.json({ jobs: (await jobs.list(context.req.valid('query'))).map(jobOf) }, 200);
  });

  const get = createRoute({
    ...{ method: 'get', path: '/jobs/{id}', operationId: 'getJob', ...secured },
    request: { params: model.jobIdParam },
    responses: ok('one job', model.jobSchema),
  });
  app.openapi(get, async (context) => context.json(jobOf(await jobs.get(context.req.valid('param').id)), 200));

  const cancel = createRoute({
    ...{ method: 'post', path: '/jobs/{id}/cancel', operationId: 'cancelJob', ...secured },
    request: { params: model.jobIdParam },
    responses: ok('cancelled; one that runs ends when its worker hears of it', model.jobSchema),
  });
  app.openapi(cancel, async (context) => {
    const { id } = context.req.valid('param');
    await jobs.cancel(id);
    return context.json(jobOf(await jobs.get(id)), 200);
  });
}

function jobOf({
  id,
  kind,
  key,
  state,
  priority,
  progress,
  phase,
  attempts,
  worker,
  memoryBytes,
  ...rest
}: Job): model.JobView {
  const { label } = (rest.input ?? {}) as { label?: unknown };
  return {
    ...{ id, kind, label: typeof label === 'string' ? label : key, state, priority, progress, phase, attempts },
    ...{ worker, memoryBytes, error: rest.error === null ? null : { ...rest.error } },
    createdAt: iso(rest.createdAt),
    updatedAt: iso(rest.updatedAt),
  };
}
