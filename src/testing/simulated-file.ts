/**
 * A file or block device behind a volatile cache: what programs see, what is durable, and the writes between the two.
 *
 * Buffers are shared until one side writes (copy on write), so that a whole simulated storage can be forked at every
 * operation of a life. Durable buffers are never written in place.
 * @module
 */
import { below } from './seeded-random.ts';

/** One unsynced change. `bytes` is null for a change of the size alone. */
interface Effect {
  readonly offset: number;
  readonly bytes: Uint8Array | null;
  readonly sizeAfter: number;
}

const NOTHING = new Uint8Array(0);

export class SimulatedFile {
  readonly block: boolean;
  #view: Uint8Array = NOTHING;
  #size = 0;
  #durable: Uint8Array = NOTHING;
  #durableSize = 0;
  /** True while somebody else may hold the buffer of the view. */
  #shared = true;
  #pending: Effect[] = [];

  /** `content` is there from the beginning, durable. It must not change afterwards. */
  constructor(block: boolean, content: Uint8Array = NOTHING) {
    this.block = block;
    this.#view = this.#durable = content;
    this.#size = this.#durableSize = content.length;
  }

  fork(): SimulatedFile {
    const twin = new SimulatedFile(this.block);
    twin.#view = this.#view;
    twin.#size = this.#size;
    twin.#durable = this.#durable;
    twin.#durableSize = this.#durableSize;
    twin.#pending = [...this.#pending];
    this.#shared = true;
    return twin;
  }

  get size(): number {
    return this.#size;
  }

  /** Unsynced writes, and changes of the size. */
  get pending(): number {
    return this.#pending.length;
  }

  /** Numbers of those unsynced changes that carry data. */
  get pendingWrites(): number[] {
    return this.#pending.flatMap(({ bytes }, i) => (bytes === null ? [] : [i]));
  }

  /** As programs see it. Not to be changed. */
  content(): Uint8Array {
    return this.#view.subarray(0, this.#size);
  }

  /** What would be left if every unsynced write were lost. Not to be changed. */
  durable(): Uint8Array {
    return this.#durable.subarray(0, this.#durableSize);
  }

  read(into: Uint8Array, offset: number): number {
    const count = Math.max(0, Math.min(into.length, this.#size - offset));
    into.set(this.#view.subarray(offset, offset + count));
    return count;
  }

  write(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length;
    this.#own(end);
    if (offset > this.#size) this.#view.fill(0, this.#size, offset);
    this.#view.set(bytes, offset);
    this.#size = Math.max(this.#size, end);
    this.#pending.push({ offset, bytes: bytes.slice(), sizeAfter: this.#size });
  }

  resize(bytes: number): void {
    if (bytes === this.#size) return;
    this.#own(bytes);
    if (bytes > this.#size) this.#view.fill(0, this.#size, bytes);
    this.#size = bytes;
    this.#pending.push({ offset: bytes, bytes: null, sizeAfter: bytes });
  }

  sync(): void {
    this.#durable = this.#view;
    this.#durableSize = this.#size;
    this.#shared = true;
    this.#pending = [];
  }

  /** Power is lost, and every unsynced write with it. */
  loseAll(): void {
    this.#settle(this.#durable, this.#durableSize);
  }

  /**
   * Power is lost. Of the data any subset of sectors was written, in any order; changes of the size keep their order,
   * as the journal of a file system does. Where the size survived and the data did not, there are zeros or garbage.
   */
  loseSome(random: () => number, sectorBytes: number, survival: number): void {
    if (this.#pending.length === 0) return;
    const kept = below(random, this.#pending.length + 1);
    const size = kept === 0 || this.block ? this.#durableSize : this.#pending[kept - 1]!.sizeAfter;
    const result = this.#base(random, size, kept);
    for (const { offset, bytes } of this.#pending) {
      if (bytes !== null) putSectors(result, offset, bytes, sectorBytes, () => random() < survival);
    }
    this.#settle(result, size);
  }

  /** Power is lost. Everything was written except for a part of change number `torn`. */
  tear(random: () => number, sectorBytes: number, torn: number): void {
    const result = this.#base(random, this.#size, this.#pending.length);
    this.#pending.forEach(({ offset, bytes }, i) => {
      if (bytes === null) return;
      if (i !== torn) putSectors(result, offset, bytes, sectorBytes, () => true);
      else if (random() < 0.5) putSectors(result, offset, bytes, sectorBytes, () => random() < 0.5);
      else {
        const sectors = Math.ceil((offset + bytes.length) / sectorBytes) - Math.floor(offset / sectorBytes);
        const whole = below(random, sectors);
        putSectors(result, offset, bytes, sectorBytes, (sector) => sector < whole);
      }
    });
    this.#settle(result, this.#size);
  }

  /** What was there before the surviving writes. */
  #base(random: () => number, size: number, kept: number): Uint8Array {
    const result = new Uint8Array(size);
    let same = Math.min(size, this.#durableSize);
    // Blocks behind a cut were given back: what is there afterwards is anyone's guess.
    for (let i = 0; i < kept; i++) same = Math.min(same, this.#pending[i]!.sizeAfter);
    result.set(this.#durable.subarray(0, same));
    const filling = below(random, 3);
    if (filling === 1) result.set(this.#durable.subarray(same, Math.min(size, this.#durableSize)), same);
    if (filling === 2) for (let i = same; i < size; i++) result[i] = below(random, 256);
    return result;
  }

  #settle(bytes: Uint8Array, size: number): void {
    this.#view = this.#durable = bytes;
    this.#size = this.#durableSize = size;
    this.#shared = true;
    this.#pending = [];
  }

  #own(length: number): void {
    if (!this.#shared && length <= this.#view.length) return;
    const grown = this.block ? this.#size : Math.max(length, this.#size);
    const copy = new Uint8Array(grown);
    copy.set(this.#view.subarray(0, Math.min(this.#size, grown)));
    this.#view = copy;
    this.#shared = false;
  }
}

/** Write those sectors of `bytes` that `survives` (asked with the sector's number within this write). */
function putSectors(
  into: Uint8Array,
  offset: number,
  bytes: Uint8Array,
  sectorBytes: number,
  survives: (sector: number) => boolean,
): void {
  let at = 0;
  for (let sector = 0; at < bytes.length; sector++) {
    const end = Math.min(bytes.length, (Math.floor((offset + at) / sectorBytes) + 1) * sectorBytes - offset);
    if (survives(sector)) {
      const from = offset + at;
      const room = Math.max(0, Math.min(end - at, into.length - from));
      if (room > 0) into.set(bytes.subarray(at, at + room), from);
    }
    at = end;
  }
}
