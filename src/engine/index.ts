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
  makeFolders,
  replaceFile,
  syncFolder,
  writeFileAtomically,
  type AtomicFile,
  type AtomicWriteOptions,
} from './files/files.ts';
export { fileByteSource, fileSink, fileSource, hashSource, imageSize, readImage, sha256Node } from './files/node-io.ts';
