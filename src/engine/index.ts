/**
 * Making payloads on Node.
 *
 * @module
 */
export {
  DeltaEngine,
  type EngineOptions,
  type MakeOptions,
  type MakeResult,
  type Matcher,
  type PayloadResult,
} from './engine.ts';
export type { EngineProgress, Phase } from './job.ts';
export { MemoryGate } from './admission.ts';
export { defaultMemoryBytesMax, jobMemoryBytes } from './memory-plan.ts';
export {
  checkOutputFile,
  replaceFile,
  syncFolder,
  writeFileAtomically,
  type AtomicFile,
  type AtomicWriteOptions,
} from '../platform/files/atomic-file.ts';
export { fileByteSource, fileSink, fileSource, imageSize, readImage } from '../platform/files/node-io.ts';
export { hashSource, sha256Node } from '../platform/hash.ts';
