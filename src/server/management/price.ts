/**
 * What a rollout of a release would cost, before it starts.
 * @module
 */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { priceRollout, type RolloutPrice } from '../planning/price.ts';
import * as model from './job-model.ts';
import { idParam } from './model.ts';
import { ok, secured, type ManagementOptions } from './parts.ts';

export function priceRoutes(app: OpenAPIHono, { store, room }: Pick<ManagementOptions, 'store' | 'room'>): void {
  const price = createRoute({
    ...{ method: 'get', path: '/releases/{id}/price', operationId: 'priceRelease', ...secured },
    request: { params: idParam, query: model.priceQuery },
    responses: ok('bytes by wave, who gets a delta and who has to take all', model.priceSchema),
  });
  app.openapi(price, async (context) => {
    const { tenant, ...asked } = context.req.valid('query');
    const release = await store.releases.get(context.req.valid('param').id);
    const { product, hardware, version, payloads } = release;
    const counts = await store.fleet({ tenant, product, hardware });
    const planned = await room.publisher.plans.ofRelease(release);
    const making = new Set(planned.flatMap(({ state, source }) => (state === 'wanted' ? (source?.version ?? []) : [])));
    return context.json(viewOf(priceRollout({ version, payloads, counts, making, ...asked })), 200);
  });
}

const viewOf = (made: RolloutPrice): model.PriceView => ({
  ...made,
  full: made.full.map((row) => ({ ...row })),
  waves: made.waves.map((wave) => ({ ...wave })),
});
