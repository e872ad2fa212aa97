/**
 * The engine of a process that makes payloads for others, and what its jobs may take of memory.
 * @module
 */
import type { DeltaEngine } from '../engine/index.ts';

export interface MakerOptions {
  readonly workers?: number;
  /** MiB. */
  readonly memory?: number;
}

/** Throws UpdateError usage_invalid. */
export async function makerFor({
  workers,
  memory,
}: MakerOptions): Promise<{ maker: DeltaEngine; memoryBytes: number }> {
  const { DeltaEngine, defaultMemoryBytesMax } = await import('../engine/index.ts');
  const memoryBytes = memory === undefined ? defaultMemoryBytesMax() : memory * 2 ** 20;
  const maker = new DeltaEngine({ memoryBytesMax: memoryBytes, ...(workers === undefined ? {} : { workers }) });
  return { maker, memoryBytes };
}
