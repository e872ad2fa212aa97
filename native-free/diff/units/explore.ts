/**
 * Looks into an image: containers, their streams, and containers in those.
 * @module
 */
import { HISTORY_BYTES, UNIT_DEPTH_MAX } from '../../format/unit-map.ts';
import { concat } from '../../format/bytes.ts';
import { LIMITS } from '../../limits.ts';
import { UpdateError } from '../../status.ts';
import { codecOf, isCodecKnown } from '../../unpack/codecs/list.ts';
import type { StreamState } from '../../unpack/unit-codec.ts';
import type { Container, FoundPart, FoundUnit } from '../containers/container.ts';
import { findContainers } from '../containers/list.ts';
import type { Explored, ExploredUnit, LayoutItem, Span } from './explored.ts';

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

/** Bytes that are searched, and where they lie: one span behind the other. */
interface View {
  readonly bytes: Uint8Array;
  readonly spans: readonly Span[];
}

export function explore(image: Uint8Array, options: ExploreOptions): Explored {
  return new Explorer(options).explored(image);
}

class Explorer {
  readonly #options: ExploreOptions;
  readonly #units: ExploredUnit[] = [];
  readonly #depth: number[] = [];
  readonly #items: LayoutItem[] = [];
  readonly #containers: Record<string, number> = {};
  #contentBytes = 0;

  constructor(options: ExploreOptions) {
    this.#options = options;
  }

  explored(image: Uint8Array): Explored {
    const spans = [{ unit: -1, offset: 0, length: image.length }];
    const view = { bytes: image, spans };
    this.#layOut(view, this.#containersIn(view), 0);
    return { units: this.#units, items: this.#items, containers: this.#containers };
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
      this.#rest(spansIn(view, at, container.offset));
      this.#open(view, container, nesting);
      at = container.offset + container.bytes;
    }
    this.#rest(spansIn(view, at, view.bytes.length));
  }

  #rest(spans: readonly Span[]): void {
    if (spans.length > 0) this.#items.push({ isFile: false, spans });
  }

  #open(view: View, container: Container, nesting: number): void {
    const { kind, units, files, offset, bytes, nests } = container;
    this.#containers[kind] = (this.#containers[kind] ?? 0) + 1;
    const indexes = this.#unpackAll(view, units);
    for (const file of files) {
      const spans = file.parts.flatMap((part) => this.#spansOf(view, part, indexes));
      if (spans.length === 0) continue;
      if (!nests || !this.#openFile(view, spans, nesting + 1))
        this.#items.push({ isFile: true, joins: file.joins ?? false, spans });
    }
    for (const index of indexes)
      if (index >= 0) this.#rest([{ unit: index, offset: 0, length: this.#units[index]!.content.length }]);
    this.#rest(spansIn(view, offset, offset + bytes));
  }

  #spansOf(view: View, part: FoundPart, indexes: readonly number[]): Span[] {
    const { unit, offset, length, zerosBefore = 0 } = part;
    if (unit >= 0) {
      const index = indexes[unit]!;
      return index < 0 || length === 0 ? [] : [{ unit: index, offset, length, zeros: zerosBefore }];
    }
    const [first, ...others] = spansIn(view, offset, offset + length);
    return first === undefined ? [] : [{ ...first, zeros: zerosBefore }, ...others];
  }

  /** Whether there is something in a file, which is then laid out by its parts. */
  #openFile(view: View, spans: readonly Span[], nesting: number): boolean {
    if (nesting >= NESTING_MAX) return false;
    const bytes = this.#bytesOf(view, spans);
    const inner = { bytes, spans };
    const containers = this.#containersIn(inner);
    if (containers.length === 0) return false;
    this.#layOut(inner, containers, nesting);
    return true;
  }

  #bytesOf(view: View, spans: readonly Span[]): Uint8Array {
    const parts = spans.map(({ unit, offset, length }) => {
      const at = viewOffset(view, unit, offset);
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
    const places = spansIn(view, offset, offset + packedBytes);
    const place = places[0];
    const depth = place === undefined || place.unit < 0 ? 1 : this.#depth[place.unit]! + 1;
    const total = this.#contentBytes + contentBytes;
    if (places.length !== 1 || depth > UNIT_DEPTH_MAX || packedBytes < PACKED_BYTES_MIN || !isCodecKnown(codec))
      return null;
    if (packedBytes > LIMITS.unit_packed_bytes_max) return null;
    if (contentBytes > LIMITS.unit_content_bytes_max || total > LIMITS.image_bytes_max) return null;
    if (this.#units.length >= LIMITS.units_max || this.#isHistory(place!, packedBytes)) return null;
    const packed = view.bytes.subarray(offset, offset + packedBytes + (goesOn ? 1 : 0));
    const unpacked = tryUnpack(found, packed, before, this.#options.exact);
    if (unpacked === null) return null;
    this.#contentBytes = total;
    const content = this.#options.allocate?.(contentBytes) ?? new Uint8Array(contentBytes);
    content.set(unpacked.content);
    const continues = found.continues === true;
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

/** Where bytes [from, to) of a view lie. */
function spansIn({ spans }: View, from: number, to: number): Span[] {
  const found: Span[] = [];
  let at = 0;
  for (const { unit, offset, length } of spans) {
    const start = Math.max(from, at);
    const end = Math.min(to, at + length);
    if (start < end) found.push({ unit, offset: offset + start - at, length: end - start });
    at += length;
    if (at >= to) break;
  }
  return found;
}

/** Where a view has byte `offset` of a unit's content or of the image; null where it has not. */
function viewOffset({ spans }: View, unit: number, offset: number): number | null {
  let at = 0;
  for (const span of spans) {
    if (span.unit === unit && offset >= span.offset && offset < span.offset + span.length)
      return at + offset - span.offset;
    at += span.length;
  }
  return null;
}
