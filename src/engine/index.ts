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
export type { UnitReport } from './unit-counts.ts';
export { defaultMemoryBytesMax } from './memory-plan.ts';
