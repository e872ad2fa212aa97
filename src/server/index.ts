/**
 * The server room: an OTA server to run or to embed.
 * @module
 */
export { createServer, defaultStorePath } from './server.ts';
export type { EngraftServer, ServerOptions, ServerStats } from './server.ts';
export { createDeployment } from './deploy.ts';
export type { CreateDeploymentOptions } from './deploy.ts';
export { controllerPattern, tenantPattern } from './ddi.ts';
export type { AuthOptions } from './auth.ts';
export type { Problem } from './problem.ts';
export { Store } from './store/index.ts';
export type { StoredAction, StoredDeployment, StoredDevice, StoredRelease } from './store/index.ts';
export type {
  Action,
  ActionFeedback,
  Deployment,
  Device,
  DeviceDetail,
  NewDeployment,
  NewDevice,
  Product,
  RegisteredDevice,
  Release,
} from './management-model.ts';
