/**
 * engraft: make, publish and apply delta updates on Node. All of `engraft/native-free`, the engine on its pool of worker
 * threads, files as sources and sinks, and publishing.
 *
 * `DeltaEngine` throws UpdateError `usage_invalid`, `config_invalid`, `limit_exceeded`, `memory_exceeded`,
 * `delta_not_smaller`, `proof_failed`, `aborted`; files `input_unreadable`, `output_unwritable`, `disk_full` and what
 * else the system says of them; publishing `key_unreadable`, `signature_invalid`, `metadata_malformed`,
 * `repository_busy`, `repository_missing`, `release_exists`, `release_rollback`, `source_digest` and `usage_invalid`
 * besides. docs/errors.md says of each what to do.
 *
 * @example
 * const engine = new DeltaEngine();
 * const { payload } = await engine.delta(source, target); // proved: it was applied and compared
 * await engine.close();
 * await replaceFile('update.payload', payload);
 * @module
 */
export * from '../native-free/index.ts';
export * from './engine/index.ts';
export {
  replaceFile,
  writeFileAtomically,
  type AtomicFile,
  type AtomicWriteOptions,
} from './platform/files/atomic-file.ts';
export { fileByteSource, fileSink, fileSource } from './platform/files/node-io.ts';
export { sha256Node } from './platform/hash.ts';
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
