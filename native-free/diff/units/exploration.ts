/**
 * The order in which an image is looked into, in rounds: containers are searched in all bytes at hand, their streams are
 * unpacked, and what comes out is searched in the next round. Both is done by others, on as many threads as they have.
 * @module
 */
import { HISTORY_BYTES, UNIT_DEPTH_MAX, type Skip } from '../../format/unit-map.ts';
import { LIMITS } from '../../limits.ts';
import { isCodecKnown } from '../../unpack/codecs/list.ts';
import { Skips } from '../../unpack/map/skips.ts';
import type { Container, FoundPart, FoundUnit } from '../containers/container.ts';
import type { Explored, ExploredUnit, LayoutItem, Span } from './explored.ts';
import type { StreamRun, UnpackedRun } from './stream-runs.ts';
import { joined, Place } from './views.ts';

/** Containers in containers, compressed or not. */
const NESTING_MAX = 8;
/**
 * Content for a byte of the image, and of any image: more is a bomb, and what is over it stays packed. Zeros may become so
 * much, but nothing that a delta knows to be zeros costs much when it is packed.
 */
const CONTENT_PER_BYTE_MAX = 32;
const CONTENT_BYTES_MIN = 64 * 2 ** 20;
/** Less is not worth a unit of its own. */
const PACKED_BYTES_MIN = 32;

/** Bytes that are searched. */
interface View {
  /** Empty when they are no longer needed. */
  bytes: Uint8Array;
  readonly length: number;
  readonly place: Place;
  readonly nesting: number;
  opened: readonly Opened[];
}

interface Opened {
  readonly container: Container;
  /** Of each of its units the index among all, or -1 for what stays raw. */
  readonly indexes: number[];
  files: readonly OpenedFile[];
}

interface OpenedFile {
  readonly joins: boolean;
  readonly spans: readonly Span[];
  /** Null where nothing is looked for in it. */
  readonly view: View | null;
}

/** A run that was handed out, and whose it is. */
interface Asked {
  readonly view: View;
  readonly opened: Opened;
  /** Number of its first unit in the container; the others follow. */
  readonly first: number;
  readonly run: StreamRun;
}

export class Exploration {
  readonly #root: View;
  readonly #allocate: (bytes: number) => Uint8Array;
  /** Those of the image say where they begin in the image until all skips are known. */
  readonly #units: ExploredUnit[] = [];
  /** Skips of the image, by where they begin: where they end. */
  readonly #skips = new Map<number, number>();
  readonly #depth: number[] = [];
  #round: View[];
  #asked: readonly Asked[] = [];
  /** Of units, and how many they are: with those that were asked for. */
  #contentBytes = 0;
  readonly #contentBytesMax: number;
  #count = 0;
  #streams = 0;

  /** `allocate`: memory for files that have to be put together. */
  constructor(image: Uint8Array, allocate: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes)) {
    const spans = [{ unit: -1, offset: 0, length: image.length }];
    this.#root = { bytes: image, length: image.length, place: new Place(spans), nesting: 0, opened: [] };
    this.#round = [this.#root];
    this.#allocate = allocate;
    const allowed = CONTENT_BYTES_MIN + CONTENT_PER_BYTE_MAX * image.length;
    this.#contentBytesMax = Math.min(LIMITS.dense_bytes_max, allowed);
  }

  /** What is to be searched now; none when all is done. */
  get views(): readonly Uint8Array[] {
    return this.#round.map(({ bytes }) => bytes);
  }

  /** Which containers were found in each of the views; the streams that are to be unpacked. */
  found(containers: readonly (readonly Container[])[]): StreamRun[] {
    const asked: Asked[] = [];
    this.#round.forEach((view, i) => {
      view.opened = containers[i]!.map((container) => {
        return { container, indexes: new Array<number>(container.units.length).fill(-1), files: [] };
      });
      for (const opened of view.opened) {
        this.#skip(view, opened.container.skips ?? []);
        // One by one: a call takes no list as long as this may be.
        for (const run of this.#runsOf(view, opened)) asked.push(run);
      }
    });
    this.#asked = asked;
    return asked.map(({ run }) => run);
  }

  /** What became of each of those streams. */
  unpacked(runs: readonly UnpackedRun[]): void {
    this.#asked.forEach((asked, i) => this.#take(asked, runs[i]!));
    this.#asked = [];
    const next: View[] = [];
    for (const view of this.#round) {
      for (const opened of view.opened) {
        opened.files = this.#filesOf(view, opened);
        for (const file of opened.files) if (file.view !== null) next.push(file.view);
      }
      view.bytes = new Uint8Array(0);
    }
    this.#round = next;
  }

  /** Once there are no more views. */
  explored(): Explored {
    const skips = [...this.#skips].map(([offset, end]): Skip => ({ offset, length: end - offset }));
    skips.sort((a, b) => a.offset - b.offset);
    const places = new Skips(skips);
    const units = this.#units.map((unit) =>
      unit.parent < 0 ? { ...unit, offset: places.joinedAt(unit.offset) } : unit,
    );
    return { skips, ...new Order(units, this.#streams).explored(this.#root) };
  }

  /** Streams of a container that may be units. */
  #runsOf(view: View, opened: Opened): Asked[] {
    const { units } = opened.container;
    const runs: { first: number; units: FoundUnit[] }[] = [];
    this.#streams += units.length;
    for (const [i, unit] of units.entries()) {
      const last = runs.at(-1);
      if (unit.continues !== true) {
        if (this.#ask(view, unit)) runs.push({ first: i, units: [unit] });
      } else if (last !== undefined && last.first + last.units.length === i) {
        if (units[i - 1]!.contentBytes >= HISTORY_BYTES && this.#ask(view, unit)) last.units.push(unit);
      }
    }
    return runs.map((run) => ({ view, opened, first: run.first, run: runOf(view.bytes, run, units) }));
  }

  /** Whether a stream may be a unit; there has to be room for it from now on. */
  #ask(view: View, { offset, packedBytes, contentBytes, codec, continues }: FoundUnit): boolean {
    const place = view.place.spansIn(offset, offset + packedBytes)[0];
    const spans = view.place.spansIn(continues === true ? offset - 1 : offset, offset + packedBytes);
    const depth = place === undefined || place.unit < 0 ? 1 : this.#depth[place.unit]! + 1;
    if (!this.#isOneRun(spans) || depth > UNIT_DEPTH_MAX) return false;
    if (packedBytes < PACKED_BYTES_MIN || !isCodecKnown(codec)) return false;
    const total = this.#contentBytes + contentBytes;
    if (packedBytes > LIMITS.unit_packed_bytes_max || contentBytes > LIMITS.unit_content_bytes_max) return false;
    if (total > this.#contentBytesMax || this.#count >= LIMITS.units_max) return false;
    if (this.#isHistory(place!, packedBytes)) return false;
    this.#contentBytes = total;
    this.#count++;
    return true;
  }

  /** Only of what lies in the image as it is searched: else skips of one container could be too close to another's. */
  #skip({ place }: View, skips: readonly Skip[]): void {
    const { unit, offset: base } = place.spans[0]!;
    if (place.spans.length > 1 || unit >= 0) return;
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

  /** Content that the unit behind refers to stays as it is. */
  #isHistory({ unit, offset }: Span, packedBytes: number): boolean {
    if (unit < 0 || this.#units[unit + 1]?.continues !== true) return false;
    return offset + packedBytes > this.#units[unit]!.content.length - HISTORY_BYTES;
  }

  #take({ view, opened, first, run }: Asked, { contents, bits, tokens }: UnpackedRun): void {
    run.units.forEach(({ packedBytes, contentBytes, codec, continues = false }, i) => {
      const content = contents[i];
      if (content === undefined) {
        this.#contentBytes -= contentBytes;
        this.#count--;
        return;
      }
      const { offset } = opened.container.units[first + i]!;
      const place = view.place.spansIn(offset, offset + packedBytes)[0]!;
      opened.indexes[first + i] = this.#units.length;
      this.#depth.push(place.unit < 0 ? 1 : this.#depth[place.unit]! + 1);
      const where = { parent: place.unit, offset: place.offset, packedBytes };
      this.#units.push({ ...where, codec, continues, content, bit: bits[i]!, tokens: tokens[i]! });
    });
  }

  #filesOf(view: View, { container, indexes }: Opened): OpenedFile[] {
    const files: OpenedFile[] = [];
    const nesting = view.nesting + 1;
    for (const { parts, joins = false } of container.files) {
      const spans = parts.flatMap((part) => spansOf(view, part, indexes));
      if (spans.length === 0) continue;
      const isSearched = container.nests && nesting < NESTING_MAX;
      files.push({ joins, spans, view: isSearched ? this.#viewOf(view, spans, nesting) : null });
    }
    return files;
  }

  #viewOf(view: View, spans: readonly Span[], nesting: number): View {
    const parts = spans.map(({ unit, offset, length }) => {
      const at = view.place.offsetOf(unit, offset);
      if (at !== null) return view.bytes.subarray(at, at + length);
      return this.#units[unit]!.content.subarray(offset, offset + length);
    });
    const bytes = joined(parts, this.#allocate);
    return { bytes, length: bytes.length, place: new Place(spans), nesting, opened: [] };
  }
}

function runOf(
  bytes: Uint8Array,
  { first, units }: { readonly first: number; readonly units: readonly FoundUnit[] },
  all: readonly FoundUnit[],
): StreamRun {
  const from = units[0]!.offset;
  const last = units.at(-1)!;
  const withEnds = units.map((unit, i) => {
    return { ...unit, offset: unit.offset - from, goesOn: all[first + i + 1]?.continues === true };
  });
  return { packed: bytes.subarray(from, last.offset + last.packedBytes + 1), units: withEnds };
}

function spansOf(view: View, part: FoundPart, indexes: readonly number[]): Span[] {
  const { unit, offset, length, zerosBefore = 0 } = part;
  if (unit >= 0) {
    const index = indexes[unit]!;
    return index < 0 || length === 0 ? [] : [{ unit: index, offset, length, zeros: zerosBefore }];
  }
  const [first, ...others] = view.place.spansIn(offset, offset + length);
  return first === undefined ? [] : [{ ...first, zeros: zerosBefore }, ...others];
}

/** From rounds to the order of the image: what was found in a file stands where the file stands. */
class Order {
  readonly #units: readonly ExploredUnit[];
  readonly #streams: number;
  /** Of each unit its number in order. */
  readonly #numbers: Int32Array;
  readonly #order: number[] = [];
  readonly #items: LayoutItem[] = [];
  readonly #containers: Record<string, number> = {};

  constructor(units: readonly ExploredUnit[], streams: number) {
    this.#units = units;
    this.#streams = streams;
    this.#numbers = new Int32Array(units.length);
  }

  explored(root: View): Omit<Explored, 'skips'> {
    this.#layOut(root);
    const units = this.#order.map((index) => {
      const unit = this.#units[index]!;
      return { ...unit, parent: this.#numberOf(unit.parent) };
    });
    return { units, items: this.#items, containers: this.#containers, streams: this.#streams };
  }

  #numberOf(unit: number): number {
    return unit < 0 ? -1 : this.#numbers[unit]!;
  }

  #layOut(view: View): void {
    let at = 0;
    for (const opened of view.opened) {
      const { offset, bytes } = opened.container;
      this.#rest(view.place.spansIn(at, offset));
      this.#open(view, opened);
      at = offset + bytes;
    }
    this.#rest(view.place.spansIn(at, view.length));
  }

  #open(view: View, { container, indexes, files }: Opened): void {
    const { kind, offset, bytes } = container;
    this.#containers[kind] = (this.#containers[kind] ?? 0) + 1;
    const units = indexes.filter((index) => index >= 0);
    for (const index of units) this.#numbers[index] = this.#order.push(index) - 1;
    for (const file of files) {
      if (file.view !== null && file.view.opened.length > 0) this.#layOut(file.view);
      else this.#items.push({ isFile: true, joins: file.joins, spans: this.#numbered(file.spans) });
    }
    for (const index of units) this.#rest([{ unit: index, offset: 0, length: this.#units[index]!.content.length }]);
    this.#rest(view.place.spansIn(offset, offset + bytes));
  }

  #rest(spans: readonly Span[]): void {
    if (spans.length > 0) this.#items.push({ isFile: false, spans: this.#numbered(spans) });
  }

  #numbered(spans: readonly Span[]): Span[] {
    return spans.map((span) => ({ ...span, unit: this.#numberOf(span.unit) }));
  }
}
