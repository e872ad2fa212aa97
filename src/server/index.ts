/**
 * An OTA server to run or to embed: `engraft/server`. `repo` is the folder of a repository that `publish` made.
 *
 * Throws UpdateError `usage_invalid`, `repository_missing`, `input_unreadable`, `store_failed`, `disk_full`; stores and
 * deployments also `entity_unknown`, `not_compatible`, `state_conflict`. Requests are answered with the code of their error.
 *
 * @example
 * const server = await createServer({ repo, auth: { managementToken: token } });
 * const url = await server.listen(0); // a free port
 * console.log((await fetch(`${url}/readyz`)).status);
 * await server.close();
 * @module
 */
export { createServer, defaultStorePath } from './server.ts';
export type { EngraftServer, ServerOptions, ServerStats } from './server.ts';
export { createLogger } from './http/log.ts';
export type { LogLevel } from './http/log.ts';
export type { Deadlines } from './http/listen.ts';
export { checkDevices, createDeployment, decodersOf } from './deploy.ts';
export type { CheckDevicesOptions, CreateDeploymentOptions } from './deploy.ts';
export { controllerPattern, tenantPattern } from './ddi.ts';
export type { AuthOptions } from './auth.ts';
export type { Problem } from './problem.ts';
export { Store } from './store/index.ts';
export type { StoredAction, StoredDeployment, StoredDevice, StoredRelease } from './store/index.ts';
export type { ManagedDeviceKey } from './management/key-routes.ts';
export type {
  Action,
  ActionFeedback,
  Decoders,
  Deployment,
  DeploymentAction,
  Device,
  DeviceDetail,
  NewDeployment,
  NewDevice,
  Product,
  RegisteredDevice,
  Release,
} from './management/model.ts';
export type { Audit, NewRollout, Rollout, RolloutMember } from './management/rollout-model.ts';
export type { Command as RolloutCommand } from './store/index.ts';
export type { PublishingOptions } from './publishing/room.ts';
export { newWorker } from './publishing/room.ts';
export type { NewWorker } from './publishing/room.ts';
export type {
  JobView as Job,
  NewRelease,
  NewUploadBody as NewUpload,
  PlanView as Plan,
  PriceView as RolloutPrice,
  PublicationView as Publication,
  Upload,
} from './management/job-model.ts';
