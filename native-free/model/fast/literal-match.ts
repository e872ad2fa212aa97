/**
 * What the literals of a segment were, and where they are likely to continue: first in the source behind the last cover,
 * later wherever the last bytes occurred among the literals before.
 *
 * Only literals are kept, and what stands before them, in a ring: so that whoever codes them needs nothing else of the
 * segment.
 * @module
 */

const RING_BYTES = 1 << 18;
const MASK = RING_BYTES - 1;
const PLACE_BITS = 16;
/** Bytes that are kept of what stands before a run of literals. */
const BEFORE_BYTES = 8;
const LENGTH_MIN = 5;
const LENGTH_MAX = 32;
/** A match of this many bytes is not given up for a longer one. */
const LENGTH_KEPT = 8;
const HELD_MAX = 60;
/** A match that was wrong this often in its recent past is dropped. */
const TROUBLE_MAX = 24;
const TROUBLE = 8;

export class LiteralMatch {
  /** The last eight bytes, the newest lowest in `last`. */
  last = 0;
  older = 0;
  /** How long the match has held, and how much it erred. */
  held = 0;
  trouble = 0;
  readonly #ring = new Uint8Array(RING_BYTES);
  /** Bytes that were put into the ring. */
  #end = 0;
  /** Behind the last place of each hash of six bytes. */
  readonly #places = new Int32Array(1 << PLACE_BITS);
  #follow: Uint8Array = new Uint8Array(0);
  #inFollow = false;
  /** Where the match continues, in the ring or what follows; or -1. */
  #at = -1;

  reset(): void {
    this.#ring.fill(0);
    this.#places.fill(0);
    this.#end = 0;
  }

  /** A run of literals begins at `target[start]`; `follow` are the source's bytes behind the last cover. */
  begin(target: Uint8Array, start: number, follow: Uint8Array): void {
    for (let i = BEFORE_BYTES; i > 0; i--) this.put(start < i ? 0 : target[start - i]!);
    this.#follow = follow;
    this.#inFollow = true;
    this.#at = follow.length > 0 ? 0 : -1;
    this.held = 0;
    this.trouble = 0;
  }

  put(byte: number): void {
    this.#ring[this.#end++ & MASK] = byte;
    this.older = (this.older << 8) | (this.last >>> 24);
    this.last = (this.last << 8) | byte;
  }

  /** Whether the match has the next `count` bytes. */
  has(count: number): boolean {
    if (this.trouble > TROUBLE_MAX) this.#at = -1;
    const hash = this.#hash();
    if (this.#at < 0 || this.held < LENGTH_KEPT) this.#find(this.#places[hash]!);
    this.#places[hash] = this.#end;
    if (this.#at + count > (this.#inFollow ? this.#follow.length : this.#end)) this.#at = -1;
    return this.#at >= 0;
  }

  /** The next `count` bytes of the match, least significant first. */
  bytes(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) value |= this.#byteAt(this.#at + i) << (8 * i);
    return value >>> 0;
  }

  #byteAt(at: number): number {
    return this.#inFollow ? this.#follow[at]! : this.#ring[at & MASK]!;
  }

  /** `count` bytes were put; whether they were those of the match, where there is one. */
  followed(count: number, held: boolean): void {
    if (this.#at < 0) return;
    this.#at += count;
    this.held = held ? Math.min(HELD_MAX, this.held + count) : 0;
    this.trouble = held ? Math.max(0, this.trouble - 1) : this.trouble + TROUBLE;
  }

  /** The last bytes were stored: the match has ended, others may lead to where they end. */
  stored(): void {
    this.#places[this.#hash()] = this.#end;
    this.#at = -1;
    this.held = 0;
    this.trouble = 0;
  }

  #hash(): number {
    const low = this.last & 0xffffff;
    const high = (this.last >>> 24) | ((this.older & 0xffff) << 8);
    return (Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b) ^ (low >>> 3)) >>> (32 - PLACE_BITS);
  }

  /** Continues at `place`, if the bytes before it are the last ones, and more of them than the match held. */
  #find(place: number): void {
    if (place === 0 || place === this.#end || this.#end - place > RING_BYTES - LENGTH_MAX) return;
    const most = Math.min(LENGTH_MAX, place);
    let length = 0;
    while (length < most && this.#ring[(place - 1 - length) & MASK] === this.#ring[(this.#end - 1 - length) & MASK])
      length++;
    if (length < LENGTH_MIN || (this.#at >= 0 && length <= this.held)) return;
    this.#inFollow = false;
    this.#at = place;
    this.held = length;
    this.trouble = 0;
  }
}
