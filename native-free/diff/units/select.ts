/**
 * Which units of two images are worth unpacking.
 *
 * A stream that both images have to the byte is copied as it is, and best not looked into: its bytes stay raw on both
 * sides. But a file of which one block changed is laid out whole, with the blocks that did not change, because it is
 * understood as a whole. What is unpacked on one side is unpacked on the other.
 * @module
 */
import { ALIGNMENT } from '../../format/unit-map.ts';
import { firstWhere } from '../../search.ts';
import { packedUnits, type Explored, type ExploredUnit, type Span } from './explored.ts';

/** An image that was explored. */
export interface ExploredImage {
  readonly image: Uint8Array;
  readonly explored: Explored;
}

/** What of one image is laid out: by index. */
export interface Selected {
  readonly units: ReadonlySet<number>;
  /** Files whose parts are put together; all else is laid out as it lies. */
  readonly items: ReadonlySet<number>;
}

export interface SelectedPair {
  readonly source: Selected;
  readonly target: Selected;
  /** For each unit of the target the unit of the source with the same bytes, or -1. */
  readonly copies: Int32Array;
}

const HASH_PRIME = 0x01000193;

export function selectUnits(source: ExploredImage, target: ExploredImage): SelectedPair {
  const copies = sameUnits(source, target);
  const sides = [new Side(source.explored), new Side(target.explored)] as const;
  const [a, b] = sides;
  const partners: [Map<number, number[]>, Map<number, number[]>] = [new Map(), new Map()];
  copies.forEach((from, to) => {
    if (from < 0) return;
    push(partners[0], from, to);
    push(partners[1], to, from);
  });
  a.explored.units.forEach((_, i) => partners[0].has(i) || a.change(i));
  b.explored.units.forEach((_, i) => partners[1].has(i) || b.change(i));
  // What one side wants the other has to want, until nothing new comes.
  for (let i = 0; a.isOpen || b.isOpen; i ^= 1) {
    for (const unit of sides[i]!.close())
      for (const partner of partners[i]!.get(unit) ?? []) sides[i ^ 1]!.want(partner);
  }
  return { source: a, target: b, copies };
}

/** One image while units are chosen. */
class Side implements Selected {
  readonly explored: Explored;
  readonly units = new Set<number>();
  readonly items = new Set<number>();
  readonly #changed = new Set<number>();
  readonly #open: number[] = [];
  /** Files by the units that they have parts of. */
  readonly #filesOf = new Map<number, number[]>();

  constructor(explored: Explored) {
    this.explored = explored;
    explored.items.forEach(({ isFile, spans }, i) => {
      if (isFile) for (const { unit } of spans) if (unit >= 0) push(this.#filesOf, unit, i);
    });
  }

  get isOpen(): boolean {
    return this.#open.length > 0;
  }

  change(unit: number): void {
    this.#changed.add(unit);
    this.want(unit);
  }

  want(unit: number): void {
    if (unit < 0 || this.units.has(unit)) return;
    this.units.add(unit);
    this.#open.push(unit);
  }

  /** Follows what was wanted to all that comes with it; the units that are new. */
  close(): number[] {
    const found: number[] = [];
    for (let unit = this.#open.pop(); unit !== undefined; unit = this.#open.pop()) {
      found.push(unit);
      const { units, items } = this.explored;
      this.want(units[unit]!.parent);
      // A stream is entered at its beginning only.
      if (units[unit]!.continues) this.want(unit - 1);
      if (units[unit + 1]?.continues === true) this.want(unit + 1);
      if (!this.#changed.has(unit)) continue;
      for (const item of this.#filesOf.get(unit) ?? []) {
        if (this.items.has(item) || !isScattered(this.explored, item)) continue;
        this.items.add(item);
        for (const span of items[item]!.spans) this.want(span.unit);
      }
    }
    return found;
  }
}

/** Whether a file has to be put together, or moved to where its words are aligned: else it is well where it lies. */
function isScattered({ units, items }: Explored, item: number): boolean {
  const { spans, joins } = items[item]!;
  const { unit, offset } = spans[0]!;
  const isOneRun = spans.every((span, i) => i === 0 || goesOn(units, spans[i - 1]!, span));
  if (!isOneRun) return true;
  return joins !== true && unit >= 0 && (streamStart(units, unit) + offset) % ALIGNMENT !== 0;
}

/** Whether a span begins where the one before ends: a stream in parts is one run of bytes. */
function goesOn(units: readonly ExploredUnit[], before: Span, span: Span): boolean {
  if (span.unit === before.unit) return span.offset === before.offset + before.length;
  const isEnd = before.unit >= 0 && before.offset + before.length === units[before.unit]!.content.length;
  return isEnd && span.unit === before.unit + 1 && units[span.unit]!.continues && span.offset === 0;
}

/** Content of the stream before a part of it. */
function streamStart(units: readonly ExploredUnit[], unit: number): number {
  let start = 0;
  for (let i = unit; units[i]!.continues; i--) start += units[i - 1]!.content.length;
  return start;
}

/** For each unit of the target one of the source with equal packed bytes, or -1. */
function sameUnits(source: ExploredImage, target: ExploredImage): Int32Array {
  const known = new EqualUnits(source);
  const wanted = packedUnits(target.image, target.explored);
  let before = -1;
  return Int32Array.from(target.explored.units, (unit, index) => {
    const fits = known.like(unit, wanted[index]!) ?? [];
    // Of several the one behind the last, which costs least to say.
    before = fits[firstWhere(0, fits.length, (i) => fits[i]! > before)] ?? fits[0] ?? -1;
    return before;
  });
}

/** Units of an image by what they are; equal ones are one list, since an image may have nothing but equal ones. */
class EqualUnits {
  readonly #units: readonly ExploredUnit[];
  readonly #packed: readonly Uint8Array[];
  readonly #byHash = new Map<number, number[][]>();

  constructor({ image, explored }: ExploredImage) {
    this.#units = explored.units;
    this.#packed = packedUnits(image, explored);
    this.#packed.forEach((packed, i) => {
      const equals = this.like(this.#units[i]!, packed);
      if (equals === undefined) push(this.#byHash, hashOf(packed), [i]);
      else equals.push(i);
    });
  }

  /** In order, or undefined. */
  like({ codec, content, continues }: ExploredUnit, packed: Uint8Array): number[] | undefined {
    return this.#byHash.get(hashOf(packed))?.find(([first]) => {
      const other = this.#units[first!]!;
      const isSame = other.codec === codec && other.content.length === content.length && other.continues === continues;
      return isSame && equal(this.#packed[first!]!, packed);
    });
  }
}

function hashOf(bytes: Uint8Array): number {
  let hash = bytes.length;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, HASH_PRIME);
  return hash >>> 0;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function push<T>(lists: Map<number, T[]>, key: number, value: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
