/**
 * Units of the source, unpacked when they are asked for, and kept while there is room.
 * @module
 */
import { WORK, type WorkMeter } from '../../format/work.ts';
import type { RandomSource } from '../../io.ts';
import { codecOf } from '../codecs/list.ts';
import type { VirtualLayout } from '../map/virtual-layout.ts';
import type { TokenList } from '../tokens.ts';
import type { SourceUnit, StreamState } from '../unit-codec.ts';
import { TOKEN_BYTES, UnitMemory } from './unit-memory.ts';

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
  /** What stands before a part of a stream, for who knows it: what comes before is counted, but not unpacked. */
  readonly entry?: ((index: number) => StreamState | null) | undefined;
}

export class UnitCache {
  readonly layout: VirtualLayout;
  readonly memory: UnitMemory;
  readonly #image: RandomSource;
  readonly #work: WorkMeter | null;
  readonly #exact: boolean;
  readonly #entry: (index: number) => StreamState | null;
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
    const decoded = await this.#unpack(index);
    this.#keep(decoded);
    return decoded;
  }

  /** The content of a unit, which is not kept: who reads it reads all that is wanted of it. */
  async content(index: number): Promise<Uint8Array> {
    const kept = this.#kept.get(index);
    return (kept ?? (await this.#unpack(index))).content;
  }

  /** A unit that stays until `unpin`. */
  async pinned(index: number): Promise<DecodedUnit> {
    const decoded = await this.unit(index);
    this.#pinned.add(index);
    return decoded;
  }

  unpin(): void {
    this.#pinned.clear();
    this.#evict(-1);
  }

  /** The packed bytes of a unit, and `more` bytes behind them where there are any. */
  async packed(index: number, more = 0): Promise<Uint8Array> {
    const { parent, offset, packedBytes } = this.layout.units[index]!;
    const length = Math.min(packedBytes + more, this.layout.lengthOf(parent) - offset);
    if (parent >= 0) return (await this.unit(parent)).content.subarray(offset, offset + length);
    const packed = new Uint8Array(length);
    await this.#image.read(offset, packed);
    return packed;
  }

  async #unpack(index: number): Promise<DecodedUnit> {
    const unit = this.layout.units[index]!;
    const before = unit.continues ? await this.#stateBefore(index) : null;
    const packed = await this.#fetch(index);
    const { content, tokens, params, after } = codecOf(unit.codec).unpack(packed, unit, before, this.#exact);
    this.#unpackedNow(index, after);
    return { index, content, tokens, params };
  }

  /** The packed bytes of a unit that is unpacked now; all that this takes is counted. */
  async #fetch(index: number): Promise<Uint8Array> {
    const { packedBytes, contentBytes } = this.layout.units[index]!;
    this.memory.take(packedBytes);
    // The byte in which the next part of a stream begins holds the last bits of this one.
    const packed = await this.packed(index, this.layout.units[index + 1]?.continues === true ? 1 : 0);
    if (this.#work !== null) {
      this.#work.spent += WORK.unpackedByte * contentBytes + WORK.unpackedUnit;
      this.#work.check();
    }
    return packed;
  }

  #unpackedNow(index: number, after: StreamState | null): void {
    this.memory.take(-this.layout.units[index]!.packedBytes);
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
      const after = this.#entry(i + 1);
      if (after === null) await this.#unpack(i);
      else {
        await this.#fetch(i);
        this.#unpackedNow(i, after);
      }
    }
    return this.#states.get(index - 1) ?? null;
  }

  #keep(decoded: DecodedUnit): void {
    this.#kept.set(decoded.index, decoded);
    this.#keptBytes += bytesOf(decoded);
    this.memory.take(bytesOf(decoded));
    this.#evict(decoded.index);
  }

  /** Makes room, but for the newest. */
  #evict(newest: number): void {
    for (const [index, oldest] of this.#kept) {
      if (this.#keptBytes <= SOURCE_CACHE_BYTES) break;
      if (index === newest || this.#pinned.has(index)) continue;
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
  const starts = new Uint32Array(tokens.count + 1);
  let at = 0;
  for (let i = 0; i < tokens.count; i++) {
    starts[i] = at;
    at += tokens.length[i]!;
  }
  starts[tokens.count] = at;
  return { bytes: tokenBytes(content, headOf(params)), tokens, starts };
}
