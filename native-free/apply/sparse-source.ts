/**
 * A source without its fills, as segments read it.
 * @module
 */
import { imageRuns, type FillMap } from '../format/fill-map.ts';
import type { RandomSource } from '../io.ts';

/** The dense image of `source`, which may be larger than the map says. Fills are never read. */
export function denseSource(source: RandomSource, map: FillMap): RandomSource {
  if (map.count === 0) return source;
  return {
    size: map.denseBytes,
    async read(offset, into) {
      if (into.length === 0) return;
      for (const run of imageRuns(map, offset, offset + into.length)) {
        if (run.dense === null) continue;
        const at = run.dense - offset;
        await source.read(run.offset, into.subarray(at, at + run.length));
      }
    },
  };
}
