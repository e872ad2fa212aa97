/**
 * Which region of the target took the place of which region of the source: same module, same name, same kind.
 * @module
 */
import type { Layout, Region } from '../../format/regions.ts';
import { NO_LAYOUT, type NamedLayout, type NamedRegion } from './named-layout.ts';
import { layoutsOf, type PairedRegions, type RegionPair } from '../../model/region-coder.ts';
import type { Base } from '../../format/plan.ts';

/** Both layouts in one numbering of modules. */
export interface PairedLayouts {
  readonly paired: PairedRegions;
  readonly source: Layout;
  readonly target: Layout;
  /** For each region of `source` the index of its counterpart in `target`, or -1. */
  readonly counterpart: Int32Array;
  /** Names of the source's regions, for reports and for what only a name tells. */
  readonly names: readonly string[];
}

/**
 * Pairs regions. `sourceModule` gives for each module of the target the one of the source that it comes from, or -1;
 * modules without partner are left out, and a module of the source serves the first that asks.
 */
export function pairRegions(
  source: Omit<NamedLayout, 'modules'>,
  target: Omit<NamedLayout, 'modules'>,
  sourceModule: ArrayLike<number>,
): PairedLayouts {
  const pairs: RegionPair[] = [];
  const highs: [number, number][] = [];
  const partners = new Map<number, number>();
  Array.from(sourceModule).forEach((from, to) => {
    if (from >= 0 && !partners.has(from)) partners.set(from, to);
  });
  const sourceRegions = byModule(source);
  const targetRegions = byModule(target);
  const nameOf = new Map<Region, string>();
  for (const [from, to] of [...partners].sort((a, b) => a[0] - b[0])) {
    const module = highs.length;
    highs.push([source.vaHigh[from] ?? 0, target.vaHigh[to] ?? 0]);
    for (const pair of pairModule(sourceRegions.get(from) ?? [], targetRegions.get(to) ?? [], module)) {
      nameOf.set(pair.source, pair.name);
      pairs.push({ source: pair.source, target: pair.target, bases: [] });
    }
  }
  const layouts = layoutsOf(pairs, highs);
  const targetIndex = new Map(layouts.target.regions.map((region, i) => [region, i]));
  const targetOf = new Map(pairs.map((pair) => [pair.source, pair.target]));
  const counterpart = Int32Array.from(layouts.source.regions, (region) => {
    const other = targetOf.get(region) ?? null;
    return other === null ? -1 : targetIndex.get(other)!;
  });
  const names = layouts.source.regions.map((region) => nameOf.get(region) ?? '');
  return { paired: { pairs, highs }, source: layouts.source, target: layouts.target, counterpart, names };
}

/** Of images of which nothing is said. */
export const NO_LAYOUTS: PairedLayouts = pairRegions(NO_LAYOUT, NO_LAYOUT, []);

/** Of a smaller delta, what it says of the images' structure is so much that it may be worth saying nothing. */
export const TINY_DELTA_BYTES = 4096;

/** The same pairs, with the bases that were found for each region of the source layout. */
export function withBases(layouts: PairedLayouts, bases: readonly (readonly Base[])[]): PairedRegions {
  const basesOf = new Map(layouts.source.regions.map((region, i) => [region, bases[i] ?? []]));
  const pairs = layouts.paired.pairs.map((pair) => ({ ...pair, bases: basesOf.get(pair.source) ?? [] }));
  return { ...layouts.paired, pairs };
}

function byModule(layout: Omit<NamedLayout, 'modules'>): Map<number, NamedRegion[]> {
  const modules = new Map<number, NamedRegion[]>();
  for (const region of layout.regions) {
    const list = modules.get(region.module);
    if (list === undefined) modules.set(region.module, [region]);
    else list.push(region);
  }
  return modules;
}

function* pairModule(source: readonly NamedRegion[], target: readonly NamedRegion[], module: number) {
  const waiting = new Map<string, NamedRegion[]>();
  const key = ({ name, kind }: NamedRegion): string => `${kind} ${name}`;
  for (const region of target) waiting.set(key(region), [...(waiting.get(key(region)) ?? []), region]);
  for (const region of source) {
    const other = waiting.get(key(region))?.shift() ?? null;
    yield {
      name: region.name,
      source: plain(region, module),
      target: other === null ? null : plain(other, module),
    };
  }
}

function plain({ kind, offset, length, va }: Region, module: number): Region {
  return { module, kind, offset, length, va };
}
