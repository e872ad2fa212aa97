/**
 * Units of the source, unpacked when they are asked for, and kept while there is room.
 * @module
 */
import { HISTORY_BYTES } from '../../format/unit-map.ts';
import { WORK, type WorkMeter } from '../../format/work.ts';
import type { RandomSource } from '../../io.ts';
import { codecOf } from '../codecs/list.ts';
import type { VirtualLayout } from '../map/virtual-layout.ts';
import { GROWING_BYTES, TOKEN_BYTES, type TokenList } from '../tokens.ts';
import type { SourceUnit, StreamState } from '../unit-codec.ts';
import { UnitMemory } from './unit-memory.ts';

/** How much of what was unpacked is kept. Part of the format: how often units are unpacked is declared work. */
const SOURCE_CACHE_BYTES = 4 * 2 ** 20;

/** A unit of the source, and what its tokens are about. */
export interface DecodedUnit {
  readonly index: number;
  readonly content: Uint8Array;
  readonly tokens: TokenList;
  readonly params: unknown;
}

/** What a cache is for. */
export interface UnitCacheOptions {
  /** Counts what is unpacked. */
  readonly work?: WorkMeter;
  readonly memory?: UnitMemory;
  /** All is wanted that packing needs. */
  readonly exact?: boolean;
  /** For who knows it: what comes before is counted, but not unpacked. */
  readonly entry?: ((index: number) => StreamEntry | null) | undefined;
}

/** Where a part of a stream may be entered. */
export interface StreamEntry {
  /** What stands before it. */
  readonly state: StreamState;
  /** Of the part before it. */
  readonly tokensBefore: number;
}

export class UnitCache {
  readonly layout: VirtualLayout;
  readonly memory: UnitMemory;
  readonly #image: RandomSource;
  readonly #work: WorkMeter | null;
  readonly #exact: boolean;
  readonly #entry: (index: number) => StreamEntry | null;
  /** Least recently used first. */
  readonly #kept = new Map<number, DecodedUnit>();
  readonly #states = new Map<number, StreamState>();
  /** Those that are in use, and stay. */
  readonly #pinned = new Set<number>();
  #keptBytes = 0;
  /** How many units were unpacked so far, and which. */
  unpacked = 0;
  readonly seen = new Set<number>();

  constructor(layout: VirtualLayout, image: RandomSource, options: UnitCacheOptions = {}) {
    this.layout = layout;
    this.#image = image;
    this.memory = options.memory ?? new UnitMemory();
    this.#work = options.work ?? null;
    this.#exact = options.exact ?? false;
    this.#entry = options.entry ?? (() => null);
  }

  /** Places where streams may be entered. */
  get statesKept(): number {
    return this.#states.size;
  }

  /** Forgets what was unpacked. Where streams may be entered stays known. */
  clear(): void {
    this.#kept.clear();
    this.#pinned.clear();
    this.memory.take(-this.#keptBytes);
    this.#keptBytes = 0;
  }

  /** @throws UpdateError unit_malformed where it is not what the map says; what reading throws; payload_work */
  async unit(index: number): Promise<DecodedUnit> {
    const kept = this.#kept.get(index);
    if (kept !== undefined) {
      this.#kept.delete(index);
      this.#kept.set(index, kept);
      return kept;
    }
    const { parent, contentBytes } = this.layout.units[index]!;
    // What it lies in must not go for its sake.
    if (parent >= 0) await this.unit(parent);
    this.#evict(contentBytes, parent);
    const decoded = await this.#unpack(index);
    this.#kept.set(index, decoded);
    this.#keptBytes += bytesOf(decoded);
    this.#evict(0, index);
    return decoded;
  }

  /** Reads the content of a unit, which is not kept: who reads it reads all that is wanted of it. */
  async read(index: number, reader: (content: Uint8Array) => void): Promise<void> {
    const kept = this.#kept.get(index);
    const decoded = kept ?? (await this.#unpack(index));
    reader(decoded.content);
    if (kept === undefined) this.memory.take(-bytesOf(decoded));
  }

  /** A unit that stays until `unpin`. */
  async pinned(index: number): Promise<DecodedUnit> {
    const decoded = await this.unit(index);
    this.#pinned.add(index);
    return decoded;
  }

  unpin(): void {
    this.#pinned.clear();
    this.#evict(0, -1);
  }

  /** The packed bytes of a unit, and `more` bytes behind them where there are any. */
  async packed(index: number, more = 0): Promise<Uint8Array> {
    const { parent, offset, packedBytes } = this.layout.units[index]!;
    const length = Math.min(packedBytes + more, this.layout.roomIn(parent) - offset);
    if (parent >= 0) return (await this.unit(parent)).content.subarray(offset, offset + length);
    const packed = new Uint8Array(length);
    for (const { from, to, at } of this.layout.skips.parts(offset, length))
      await this.#image.read(from, packed.subarray(at, at + to - from));
    return packed;
  }

  /** What it takes stays taken until it is given up. */
  async #unpack(index: number): Promise<DecodedUnit> {
    const unit = this.layout.units[index]!;
    const before = unit.continues ? await this.#stateBefore(index) : null;
    const packed = await this.#fetch(index);
    const wanted = { exact: this.#exact, tokensMax: this.memory.tokensLeft };
    const { content, tokens, params, after } = codecOf(unit.codec).unpack(packed, unit, before, wanted);
    this.#unpackedNow(index, tokens.count, after);
    return { index, content, tokens: tokens.trim(), params };
  }

  /** The packed bytes of a unit that is unpacked now; all that this takes is counted, but for its tokens. */
  async #fetch(index: number): Promise<Uint8Array> {
    const { contentBytes } = this.layout.units[index]!;
    this.memory.take(this.#passing(index) + contentBytes);
    // The byte in which the next part of a stream begins holds the last bits of this one.
    const packed = await this.packed(index, this.layout.units[index + 1]?.continues === true ? 1 : 0);
    if (this.#work !== null) {
      this.#work.spent += WORK.unpackedByte * contentBytes + WORK.unpackedUnit;
      this.#work.check();
    }
    return packed;
  }

  /** Packed bytes, what stood before, and tokens that grow are not needed any more when a unit is there. */
  #passing(index: number): number {
    const { packedBytes, continues } = this.layout.units[index]!;
    return packedBytes + (continues ? HISTORY_BYTES : 0) + GROWING_BYTES;
  }

  #unpackedNow(index: number, tokens: number, after: StreamState | null): void {
    this.memory.take(TOKEN_BYTES * tokens);
    this.memory.take(-this.#passing(index));
    // Room for all of these was taken with the map, and only for those that a unit goes on from.
    if (after !== null && this.layout.units[index + 1]?.continues === true) this.#states.set(index, after);
    this.unpacked++;
    this.seen.add(index);
  }

  /** Unpacks the parts of a stream up to this one, as far as it was not done before. */
  async #stateBefore(index: number): Promise<StreamState | null> {
    let first = index - 1;
    while (!this.#states.has(first) && this.layout.units[first]!.continues) first--;
    for (let i = this.#states.has(first) ? first + 1 : first; i < index; i++) {
      const next = this.#entry(i + 1);
      if (next === null) this.memory.take(-bytesOf(await this.#unpack(i)));
      else {
        await this.#fetch(i);
        this.#unpackedNow(i, next.tokensBefore, next.state);
        this.memory.take(-(this.layout.units[i]!.contentBytes + TOKEN_BYTES * next.tokensBefore));
      }
    }
    return this.#states.get(index - 1) ?? null;
  }

  /** Makes room for `bytes` more; one unit stays. */
  #evict(bytes: number, stays: number): void {
    for (const [index, oldest] of this.#kept) {
      if (this.#keptBytes + bytes <= SOURCE_CACHE_BYTES) break;
      if (index === stays || this.#pinned.has(index)) continue;
      this.#kept.delete(index);
      this.#keptBytes -= bytesOf(oldest);
      this.memory.take(-bytesOf(oldest));
    }
  }
}

function bytesOf({ content, tokens }: DecodedUnit): number {
  return content.length + TOKEN_BYTES * tokens.count;
}

/** A unit as tokens are predicted from it. */
export function asSource({ content, tokens, params }: DecodedUnit, codec: number): SourceUnit {
  const { tokenBytes, headOf } = codecOf(codec);
  return { bytes: tokenBytes(content, headOf(params)), tokens };
}
