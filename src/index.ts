/**
 * engraft: make, publish and apply delta updates.
 *
 * @example
 * import { DeltaEngine } from 'engraft';
 * const engine = new DeltaEngine();
 * const { payload } = await engine.delta(source, target);
 * await engine.close();
 * @module
 */
export * from '../native-free/index.ts';
export * from './engine/index.ts';
export {
  checkReleaseKey,
  deltaTargetName,
  fullTargetName,
  keygen,
  loadSigners,
  publish,
  Repository,
  type PublishOptions,
  type PublishResult,
  type ReleaseKey,
  type RoleSigners,
  type Signer,
} from './release/index.ts';
