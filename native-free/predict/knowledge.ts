/**
 * What readers of all regions share: the address map, and what the segment at hand has taught.
 * @module
 */
import { ORIGIN } from '../format/origins.ts';
import type { AddressSpace } from './address-space.ts';
import type { AddressMap } from './address-map.ts';
import { KnownValues, NeighbourChanges } from './memories.ts';

const OVERRIDE_BITS = 15;
const WORD_BITS = 14;

export class Knowledge {
  readonly map: AddressMap;
  /** The module at hand. */
  readonly space: AddressSpace;
  /** Addresses that went elsewhere than the map says. */
  readonly overrides = new KnownValues(OVERRIDE_BITS);
  /** Words without references that changed. */
  readonly words = new KnownValues(WORD_BITS);
  /** How addresses moved, and how other values changed. */
  readonly moves = new NeighbourChanges();
  readonly changes = new NeighbourChanges();

  constructor(map: AddressMap, space: AddressSpace) {
    this.map = map;
    this.space = space;
  }

  /** Forgets everything but the map: a new segment begins. */
  reset(): void {
    this.overrides.reset();
    this.words.reset();
    this.moves.reset();
    this.changes.reset();
  }

  /** Where an address of the source leads, or NOWHERE: as before, like its neighbours if that is the `origin`, or by the map. */
  expected(address: number, origin: number): number {
    const { module } = this.space;
    if (this.overrides.find(module, address)) return this.overrides.value;
    if (origin === ORIGIN.near && this.moves.find(module, address)) return (address + this.moves.change) >>> 0;
    return this.map.map(address);
  }

  /** An address of the source is now known to be `reached` in the target. */
  learnAddress(address: number, reached: number): void {
    const { module } = this.space;
    if (this.map.map(address) === reached) this.overrides.forget(module, address);
    else this.overrides.learn(module, address, reached);
    this.moves.learn(module, address, (reached - address) | 0);
  }
}
