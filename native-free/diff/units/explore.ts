/**
 * Looks into an image: containers, their streams, and containers in those.
 * @module
 */
import type { Container } from '../containers/container.ts';
import { findContainers } from '../containers/list.ts';
import { Exploration } from './exploration.ts';
import type { Explored } from './explored.ts';
import { portionsOf, unpackRuns, type RunOptions } from './stream-runs.ts';

/** Ranges of some bytes that stay as they are: programs, whose parts refer to each other by where they lie. */
type Closed = (bytes: Uint8Array) => readonly { readonly offset: number; readonly length: number }[];

export interface ExploreOptions extends RunOptions {
  readonly closed?: Closed;
}

/** All on the caller's thread; `Exploration` has the steps for whoever has several. */
export function explore(image: Uint8Array, options: ExploreOptions): Explored {
  const exploration = new Exploration(image, options.allocate);
  while (exploration.views.length > 0) {
    const runs = exploration.found(exploration.views.map((bytes) => openContainers(bytes, options.closed)));
    exploration.unpacked(portionsOf(runs).flatMap((portion) => unpackRuns(portion, options)));
  }
  return exploration.explored();
}

/** Containers in some bytes, but not in what is closed. */
export function openContainers(bytes: Uint8Array, closed?: Closed): Container[] {
  const containers = findContainers(bytes);
  // What begins where the bytes begin lies in no program, and programs are not looked for in vain.
  if (containers.every(({ offset }) => offset === 0)) return containers;
  const ranges = closed?.(bytes) ?? [];
  const isOpen = (container: Container): boolean =>
    !ranges.some(
      ({ offset, length }) => container.offset > offset && container.offset + container.bytes <= offset + length,
    );
  return containers.filter(isOpen);
}
