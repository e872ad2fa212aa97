/**
 * hawkBit's DDI API: how devices learn what to install and report what became of it.
 *
 * Where hawkBit would answer 410 to a report on a closed action, so does this server, unless the very same report was
 * taken before: then its answer was lost on the way, and the device is told once more that all is well.
 * @module
 */
import { Hono, type Context } from 'hono';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';
import { checkDevice, type AuthOptions } from './auth.ts';
import * as model from './ddi-model.ts';
import { deviceHeader, noteRecipient, type HeaderOptions } from './device-headers.ts';
import { readJson } from './http/body.ts';
import type { ClientAddress } from './http/client-address.ts';
import { withHttpStatus } from './problem.ts';
import type { DeviceName, Feedback, PollState, Store } from './store/index.ts';

export interface DdiOptions extends HeaderOptions {
  readonly auth: AuthOptions;
  readonly pollSeconds: number;
  /** How devices reach this server; default: as the request did. */
  readonly publicUrl?: string;
  readonly address: ClientAddress;
}

export const tenantPattern = /^[A-Za-z0-9_-]{1,40}$/;
/** Tenants are the same in capitals, as with hawkBit, wherever they are named. Throws UpdateError usage_invalid. */
export function tenantOf(text: string): string {
  if (tenantPattern.test(text)) return text.toLowerCase();
  throw new UpdateError('usage_invalid', 'the tenant is not a valid name');
}

export const controllerPattern = /^[A-Za-z0-9._:@+=~-]{1,128}$/;

interface DdiEnv {
  Variables: { device: DeviceName; vouched: boolean };
}
type DdiContext = Context<DdiEnv>;

/** The routes below `/{tenant}/controller/v1/{controllerId}`. */
export function ddiRoutes(options: DdiOptions): Hono<DdiEnv> {
  const app = new Hono<DdiEnv>();
  const base = '/:tenant/controller/v1/:controllerId';
  app.use(`${base}/*`, async (context, next) => {
    await admit(context, options);
    context.header('Cache-Control', 'no-store');
    await next();
  });
  app.get(base, (context) => poll(context, options));
  app.get(`${base}/engraft/header/:sha256`, (context) => header(context, options));
  app.put(`${base}/configData`, (context) => configData(context, options));
  app.get(`${base}/deploymentBase/:actionId`, (context) => deployment(context, options, 'deployment'));
  app.get(`${base}/installedBase/:actionId`, (context) => deployment(context, options, 'installed'));
  app.post(`${base}/deploymentBase/:actionId/feedback`, (context) => feedback(context, options, 'deployment'));
  app.get(`${base}/cancelAction/:actionId`, (context) => cancellation(context, options));
  app.post(`${base}/cancelAction/:actionId/feedback`, (context) => feedback(context, options, 'cancel'));
  return app;
}

async function admit(context: DdiContext, { store, auth }: DdiOptions): Promise<void> {
  const tenant = tenantOf(context.req.param('tenant') ?? '');
  const controllerId = context.req.param('controllerId') ?? '';
  if (!controllerPattern.test(controllerId)) {
    throw new UpdateError('usage_invalid', 'the controller id is not 1 to 128 letters, digits or ._:@+=~-');
  }
  const name = { tenant, controllerId };
  const { tokenDigest } = await store.polls.state(name);
  context.set('vouched', checkDevice(auth, context.req.header('Authorization'), tokenDigest));
  context.set('device', name);
}

/** The beginning of all links. */
function originOf(context: DdiContext, options: DdiOptions): string {
  return options.publicUrl?.replace(/\/+$/, '') ?? options.address.origin(context);
}

async function poll(context: DdiContext, options: DdiOptions): Promise<Response> {
  const { store, now } = options;
  const device = context.get('device');
  const known = await stateOf(device, store, now(), options.address.of(context));
  const { attributesWanted, action, installedId } = await store.polls.confirmed(device, known);
  const base = `${originOf(context, options)}/${context.req.param('tenant')}/controller/v1/${device.controllerId}`;
  const links: model.ControllerLinks = {
    ...(action === null
      ? {}
      : action.state === 'cancelling'
        ? { cancelAction: `${base}/cancelAction/${action.id}` }
        : { deploymentBase: `${base}/deploymentBase/${action.id}` }),
    ...(installedId === null ? {} : { installedBase: `${base}/installedBase/${installedId}` }),
    ...(attributesWanted ? { configData: `${base}/configData` } : {}),
  };
  return context.json(model.controllerBase(options.pollSeconds, links));
}

/** Notes the poll, and gives the device its part in deployments to all. A known device with nothing new writes nothing. */
async function stateOf(device: DeviceName, store: Store, at: number, address: string | null): Promise<PollState> {
  const known = await store.polls.state(device);
  if (known.known) store.polls.seen(device, at, address);
  else await store.devices.meet(device, at, address);
  if (known.revoked) return { ...known, action: null, installedId: null, attributesWanted: false };
  if (known.joined) return known;
  const { changes } = store.polls;
  await store.deployments.join(device, at);
  await store.rollouts.join(device, at);
  const state = await store.polls.state(device);
  if (changes === store.polls.changes) state.joined = true;
  return state;
}

async function configData(context: DdiContext, options: DdiOptions): Promise<Response> {
  const { mode, data } = model.parseConfigData(await readJson(context, LIMITS.ddi_body_bytes_max));
  const device = context.get('device');
  await options.store.devices.setAttributes(device, mode, data);
  if (mode !== 'remove') await noteRecipient(options, device, data, context.get('vouched'));
  return taken(context);
}

/** Of an encrypted payload, for this device. */
async function header(context: DdiContext, options: DdiOptions): Promise<Response> {
  const bytes = await deviceHeader(options, context.get('device'), context.req.param('sha256') ?? '');
  return context.body(new Uint8Array(bytes), 200, { 'Content-Type': 'application/octet-stream' });
}

async function deployment(
  context: DdiContext,
  options: DdiOptions,
  which: 'deployment' | 'installed',
): Promise<Response> {
  const { store, now } = options;
  const device = context.get('device');
  if ((await store.polls.state(device)).revoked) {
    throw new UpdateError('entity_unknown', `device ${device.controllerId} is revoked: there is nothing for it`);
  }
  let action = await store.actions.get(device, actionIdOf(context));
  if (which === 'deployment' && action.retrievedAt === null) {
    // It may have been withdrawn in this very moment; what is shown before it is noted is what it was then.
    const isFirst = await store.actions.retrieved(device, action.id, now());
    if (!isFirst) action = await store.actions.get(device, action.id);
  }
  const shown = which === 'installed' ? ['finished'] : ['pending', 'running'];
  if (!shown.includes(action.state)) {
    throw new UpdateError('entity_unknown', `action ${action.id} is ${action.state}: nothing to ${which} here`);
  }
  const release = await store.releases.get(action.releaseId);
  const history = context.req.query('actionHistory') === undefined ? null : await store.actions.feedback(action.id);
  return context.json(model.deploymentBase(action, release, originOf(context, options), history));
}

async function cancellation(context: DdiContext, { store }: DdiOptions): Promise<Response> {
  const action = await store.actions.get(context.get('device'), actionIdOf(context));
  if (action.state !== 'cancelling') {
    throw new UpdateError('entity_unknown', `action ${action.id} is not being cancelled`);
  }
  return context.json(model.cancelAction(action));
}

async function feedback(context: DdiContext, { store, now }: DdiOptions, channel: Feedback['channel']) {
  const id = actionIdOf(context);
  const report = model.parseFeedback(await readJson(context, LIMITS.ddi_body_bytes_max), channel);
  try {
    await store.actions.report(context.get('device'), id, report, now());
    await store.rollouts.tickOf(id, now());
  } catch (error) {
    throw UpdateError.is(error) && error.detail['closed'] === true ? withHttpStatus(error, 410) : error;
  }
  return taken(context);
}

/** Said with a length, so that a device knows at once that nothing follows. */
function taken(context: DdiContext): Response {
  return context.body(null, 200, { 'Content-Length': '0' });
}

function actionIdOf(context: DdiContext): number {
  const text = context.req.param('actionId') ?? '';
  if (!/^\d{1,15}$/.test(text)) throw new UpdateError('entity_unknown', 'an action id is a number');
  return Number(text);
}
