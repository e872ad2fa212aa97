/**
 * Looks into an image: containers, their streams, and containers in those.
 * @module
 */
import { HISTORY_BYTES, UNIT_DEPTH_MAX, type Skip } from '../../format/unit-map.ts';
import { concat } from '../../format/bytes.ts';
import { LIMITS } from '../../limits.ts';
import { UpdateError } from '../../status.ts';
import { codecOf, isCodecKnown } from '../../unpack/codecs/list.ts';
import { Skips } from '../../unpack/map/skips.ts';
import type { StreamState } from '../../unpack/unit-codec.ts';
import type { Container, FoundPart, FoundUnit } from '../containers/container.ts';
import { findContainers } from '../containers/list.ts';
import type { Explored, ExploredUnit, LayoutItem, Span } from './explored.ts';
import { View } from './view.ts';

/** Containers in containers, compressed or not. */
const NESTING_MAX = 8;
/** Less is not worth a unit of its own. */
const PACKED_BYTES_MIN = 32;

export interface ExploreOptions {
  /** Take only streams that come back exactly: they are to be made again. */
  readonly exact: boolean;
  /** Memory for contents; default: this thread's own. */
  readonly allocate?: (bytes: number) => Uint8Array;
  /** Ranges of some bytes that stay as they are: programs, whose parts refer to each other by where they lie. */
  readonly closed?: (bytes: Uint8Array) => readonly { readonly offset: number; readonly length: number }[];
}

export function explore(image: Uint8Array, options: ExploreOptions): Explored {
  return new Explorer(options).explored(image);
}

class Explorer {
  readonly #options: ExploreOptions;
  /** Those of the image say where they begin in the image until all skips are known. */
  readonly #units: ExploredUnit[] = [];
  /** Skips of the image, by where they begin: where they end. */
  readonly #skips = new Map<number, number>();
  readonly #depth: number[] = [];
  readonly #items: LayoutItem[] = [];
  readonly #containers: Record<string, number> = {};
  #contentBytes = 0;

  constructor(options: ExploreOptions) {
    this.#options = options;
  }

  explored(image: Uint8Array): Explored {
    const spans = [{ unit: -1, offset: 0, length: image.length }];
    const view = new View(image, spans);
    this.#layOut(view, this.#containersIn(view), 0);
    return { ...this.#joined(), items: this.#items, containers: this.#containers };
  }

  #joined(): Pick<Explored, 'skips' | 'units'> {
    const skips = [...this.#skips].map(([offset, end]): Skip => ({ offset, length: end - offset }));
    skips.sort((a, b) => a.offset - b.offset);
    const places = new Skips(skips);
    const units = this.#units.map((unit) =>
      unit.parent < 0 ? { ...unit, offset: places.joinedAt(unit.offset) } : unit,
    );
    return { skips, units };
  }

  #containersIn(view: View): Container[] {
    const containers = findContainers(view.bytes);
    // What begins where the bytes begin lies in no program, and programs are not looked for in vain.
    if (containers.every(({ offset }) => offset === 0)) return containers;
    const closed = this.#options.closed?.(view.bytes) ?? [];
    const isOpen = ({ offset, bytes }: Container): boolean =>
      !closed.some((range) => offset > range.offset && offset + bytes <= range.offset + range.length);
    return containers.filter(isOpen);
  }

  #layOut(view: View, containers: readonly Container[], nesting: number): void {
    let at = 0;
    for (const container of containers) {
      this.#rest(view.spansIn(at, container.offset));
      this.#open(view, container, nesting);
      at = container.offset + container.bytes;
    }
    this.#rest(view.spansIn(at, view.bytes.length));
  }

  #rest(spans: readonly Span[]): void {
    if (spans.length > 0) this.#items.push({ isFile: false, spans });
  }

  #open(view: View, container: Container, nesting: number): void {
    const { kind, units, files, offset, bytes, nests } = container;
    this.#containers[kind] = (this.#containers[kind] ?? 0) + 1;
    this.#skip(view, container.skips ?? []);
    const indexes = this.#unpackAll(view, units);
    for (const file of files) {
      const spans = file.parts.flatMap((part) => this.#spansOf(view, part, indexes));
      if (spans.length === 0) continue;
      if (!nests || !this.#openFile(view, spans, nesting + 1))
        this.#items.push({ isFile: true, joins: file.joins ?? false, spans });
    }
    for (const index of indexes)
      if (index >= 0) this.#rest([{ unit: index, offset: 0, length: this.#units[index]!.content.length }]);
    this.#rest(view.spansIn(offset, offset + bytes));
  }

  /** Only of what lies in the image as it is searched: else skips of one container could be too close to another's. */
  #skip({ spans }: View, skips: readonly Skip[]): void {
    const { unit, offset: base } = spans[0]!;
    if (spans.length > 1 || unit >= 0) return;
    for (const { offset, length } of skips) {
      if (this.#skips.size === LIMITS.unit_skips_max) break;
      this.#skips.set(base + offset, base + offset + length);
    }
  }

  /** Whether spans are one run of bytes of the image for its units, or all one. */
  #isOneRun(spans: readonly Span[]): boolean {
    return spans.every(({ unit, offset }, i) => {
      const before = spans[i - 1];
      if (before === undefined) return true;
      return unit < 0 && before.unit < 0 && this.#skips.get(before.offset + before.length) === offset;
    });
  }

  #spansOf(view: View, part: FoundPart, indexes: readonly number[]): Span[] {
    const { unit, offset, length, zerosBefore = 0 } = part;
    if (unit >= 0) {
      const index = indexes[unit]!;
      return index < 0 || length === 0 ? [] : [{ unit: index, offset, length, zeros: zerosBefore }];
    }
    const [first, ...others] = view.spansIn(offset, offset + length);
    return first === undefined ? [] : [{ ...first, zeros: zerosBefore }, ...others];
  }

  /** Whether there is something in a file, which is then laid out by its parts. */
  #openFile(view: View, spans: readonly Span[], nesting: number): boolean {
    if (nesting >= NESTING_MAX) return false;
    const bytes = this.#bytesOf(view, spans);
    const inner = new View(bytes, spans);
    const containers = this.#containersIn(inner);
    if (containers.length === 0) return false;
    this.#layOut(inner, containers, nesting);
    return true;
  }

  #bytesOf(view: View, spans: readonly Span[]): Uint8Array {
    const parts = spans.map(({ unit, offset, length }) => {
      const at = view.offsetOf(unit, offset);
      if (at !== null) return view.bytes.subarray(at, at + length);
      return this.#units[unit]!.content.subarray(offset, offset + length);
    });
    return parts.length === 1 ? parts[0]! : concat(parts);
  }

  /** Index of each unit, or -1 for what stays raw. */
  #unpackAll(view: View, units: readonly FoundUnit[]): number[] {
    const indexes: number[] = [];
    let state: StreamState | null = null;
    for (const [i, unit] of units.entries()) {
      const continues = unit.continues === true;
      const before = continues ? state : null;
      state = null;
      const known = continues ? (indexes[i - 1] ?? -1) : 0;
      if (known < 0 || (continues && this.#units[known]!.content.length < HISTORY_BYTES)) indexes.push(-1);
      else {
        const goesOn = units[i + 1]?.continues === true;
        const after = this.#unpack(view, unit, before, goesOn);
        state = after?.state ?? null;
        indexes.push(after === null ? -1 : this.#units.length - 1);
      }
    }
    return indexes;
  }

  #unpack(
    view: View,
    found: FoundUnit,
    before: StreamState | null,
    goesOn: boolean,
  ): { readonly state: StreamState | null } | null {
    const { offset, packedBytes, contentBytes, codec } = found;
    const continues = found.continues === true;
    const place = view.spansIn(offset, offset + packedBytes)[0];
    const isOneRun = this.#isOneRun(view.spansIn(continues ? offset - 1 : offset, offset + packedBytes));
    const depth = place === undefined || place.unit < 0 ? 1 : this.#depth[place.unit]! + 1;
    const total = this.#contentBytes + contentBytes;
    if (!isOneRun || depth > UNIT_DEPTH_MAX || packedBytes < PACKED_BYTES_MIN || !isCodecKnown(codec)) return null;
    if (packedBytes > LIMITS.unit_packed_bytes_max) return null;
    if (contentBytes > LIMITS.unit_content_bytes_max || total > LIMITS.image_bytes_max) return null;
    if (this.#units.length >= LIMITS.units_max || this.#isHistory(place!, packedBytes)) return null;
    const packed = view.bytes.subarray(offset, offset + packedBytes + (goesOn ? 1 : 0));
    const unpacked = tryUnpack(found, packed, before, this.#options.exact);
    if (unpacked === null) return null;
    this.#contentBytes = total;
    const content = this.#options.allocate?.(contentBytes) ?? new Uint8Array(contentBytes);
    content.set(unpacked.content);
    this.#units.push({ parent: place!.unit, offset: place!.offset, packedBytes, codec, continues, content });
    this.#depth.push(depth);
    return { state: unpacked.after };
  }

  /** Content that the unit behind refers to stays as it is. */
  #isHistory({ unit, offset }: Span, packedBytes: number): boolean {
    if (unit < 0 || this.#units[unit + 1]?.continues !== true) return false;
    return offset + packedBytes > this.#units[unit]!.content.length - HISTORY_BYTES;
  }
}

/** What a stream unpacks to; null where it does not, or (`exact`) does not come back. */
function tryUnpack(found: FoundUnit, packed: Uint8Array, before: StreamState | null, exact: boolean) {
  const codec = codecOf(found.codec);
  try {
    const unpacked = codec.unpack(packed, found, before, { exact });
    if (!exact) return unpacked;
    const again = codec.pack(unpacked.content, unpacked.tokens, unpacked.params);
    return again.length === found.packedBytes && again.every((byte, i) => byte === packed[i]) ? unpacked : null;
  } catch (error) {
    if (UpdateError.is(error) && error.code === 'unit_malformed') return null;
    throw error;
  }
}
