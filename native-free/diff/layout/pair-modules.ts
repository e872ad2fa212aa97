/**
 * Which module of the source a module of the target comes from.
 *
 * The same build is the same module, wherever it went; then what calls itself the same; then what exports and needs the
 * same names (programs do not call themselves anything); then what stands in the same place. Pairs of modules with the
 * most in common come first, so that twins do not steal each other's partner.
 * @module
 */
import { NO_HASH } from './elf/elf-identity.ts';
import type { Module, NamedLayout } from './named-layout.ts';

/** Hashes of a sketch that must be equal for a pair without a name in common. */
const HASHES_MIN = 4;
/** Modules that have one hash in common; of more, none is telling. */
const HOLDERS_MAX = 32;
/** By how much a module that only stands in the right place may have grown or shrunk. */
const GROWTH_MAX = 2;

/** A pair that may be right: more points, more likely. */
interface Guess {
  readonly from: number;
  readonly to: number;
  readonly points: number;
  /** Difference of lengths, and of places in the order. */
  readonly growth: number;
  readonly jump: number;
}

/** For each module of the target the index of the source's that it most likely comes from, or -1. */
export function pairModules(source: NamedLayout, target: NamedLayout): Int32Array {
  const pairing = new Pairing(source.modules, target.modules);
  pairing.settle(pairing.guesses(({ build }) => build));
  pairing.settle(pairing.guesses(({ name }) => name));
  pairing.settle(pairing.alike());
  pairing.settle(pairing.inPlace());
  // What is left has no partner of its own; it may come from one that another module has taken.
  pairing.share(pairing.alike());
  return pairing.sourceOf;
}

class Pairing {
  readonly sourceOf: Int32Array;
  readonly #source: readonly Module[];
  readonly #target: readonly Module[];
  readonly #taken: Uint8Array;

  constructor(source: readonly Module[], target: readonly Module[]) {
    this.#source = source;
    this.#target = target;
    this.sourceOf = new Int32Array(target.length).fill(-1);
    this.#taken = new Uint8Array(source.length);
  }

  /** Takes the best guesses first, as long as both modules are free. */
  settle(guesses: Guess[]): void {
    guesses.sort(
      (a, b) => b.points - a.points || a.growth - b.growth || a.jump - b.jump || a.to - b.to || a.from - b.from,
    );
    for (const { from, to } of guesses) {
      if (this.#taken[from] !== 0 || this.sourceOf[to]! >= 0) continue;
      this.#taken[from] = 1;
      this.sourceOf[to] = from;
    }
  }

  share(guesses: Guess[]): void {
    guesses.sort((a, b) => b.points - a.points || a.growth - b.growth || a.from - b.from);
    for (const { from, to } of guesses) if (this.sourceOf[to]! < 0) this.sourceOf[to] = from;
  }

  /** Pairs that share what `key` gives; '' is no key. */
  guesses(key: (module: Module) => string): Guess[] {
    const holders = new Map<string, number[]>();
    this.#source.forEach((module, from) => {
      if (this.#taken[from] === 0 && key(module) !== '') push(holders, key(module), from);
    });
    return this.#target.flatMap((module, to) => {
      const found = this.sourceOf[to]! < 0 ? holders.get(key(module)) : undefined;
      return (found ?? []).slice(0, HOLDERS_MAX).map((from) => this.#guess(from, to, 0));
    });
  }

  /** Pairs whose sketches have hashes in common. */
  alike(): Guess[] {
    const holders = new Map<number, number[]>();
    this.#source.forEach(({ sketch }, from) =>
      sketch.forEach((hash, i) => hash !== NO_HASH && push(holders, slot(hash, i), from)),
    );
    return this.#target.flatMap(({ sketch }, to) => {
      if (this.sourceOf[to]! >= 0) return [];
      const points = new Map<number, number>();
      sketch.forEach((hash, i) => {
        const found = hash === NO_HASH ? undefined : holders.get(slot(hash, i));
        if (found === undefined || found.length > HOLDERS_MAX) return;
        for (const from of found) points.set(from, (points.get(from) ?? 0) + 1);
      });
      return [...points]
        .filter(([, count]) => count >= HASHES_MIN)
        .map(([from, count]) => this.#guess(from, to, count));
    });
  }

  /** Pairs that stand in the same place, counted from the start, from the end, or from a neighbour that is settled. */
  inPlace(): Guess[] {
    const guesses: Guess[] = [];
    const isSingle = this.#source.length === 1 && this.#target.length === 1;
    this.#target.forEach((module, to) => {
      if (this.sourceOf[to]! >= 0) return;
      const before = to === 0 ? 0 : this.sourceOf[to - 1]! + 1;
      const after = to + 1 === this.#target.length ? this.#source.length - 1 : this.sourceOf[to + 1]! - 1;
      const places = new Set([this.#source.length === this.#target.length ? to : -1, before, after]);
      for (const from of places) {
        const other = this.#source[from];
        if (other === undefined) continue;
        const [less, more] = [module.length, other.length].sort((a, b) => a - b);
        if (isSingle || more! <= less! * GROWTH_MAX) guesses.push(this.#guess(from, to, 0));
      }
    });
    return guesses;
  }

  #guess(from: number, to: number, points: number): Guess {
    const growth = Math.abs(this.#source[from]!.length - this.#target[to]!.length);
    return { from, to, points, growth, jump: Math.abs(from - to) };
  }
}

/** One key for a hash in its place of the sketch. */
function slot(hash: number, i: number): number {
  return hash * 64 + i;
}

function push<K>(lists: Map<K, number[]>, key: K, value: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
