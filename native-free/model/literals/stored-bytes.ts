/**
 * Bytes of a stream that no model prices: copied, where everything else goes bit by bit through a range coder.
 *
 * They stand at the end of the stream, the first of them last: the range coder reads from the front, these are read from
 * the back, so that neither has to say where the other begins, and neither has to be flushed for the other.
 * @module
 */

/** The back of a coder's stream. */
export class StoredBytes {
  /** Decoder: the stream. Encoder: what was written, at the end of a buffer that grows at its front. */
  #bytes: Uint8Array = new Uint8Array(0);
  /** What of #bytes lies before the bytes of this kind so far. */
  #left = 0;

  /** Bytes written, or read, since `start`. */
  get length(): number {
    return this.#bytes.length - this.#left;
  }

  /** A new stream: to be written (null), or read. */
  start(bytes: Uint8Array | null): void {
    this.#bytes = bytes ?? new Uint8Array(0);
    this.#left = this.#bytes.length;
  }

  write(block: Uint8Array): void {
    if (this.#left < block.length) this.#grow(block.length);
    this.#left -= block.length;
    this.#bytes.set(block, this.#left);
  }

  /** Fills `block`; before the stream's first byte are zeros. */
  read(block: Uint8Array): void {
    const count = Math.min(block.length, this.#left);
    block.fill(0, 0, block.length - count);
    block.set(this.#bytes.subarray(this.#left - count, this.#left), block.length - count);
    this.#left -= count;
  }

  /** The stream of an encoder: what its range coder wrote, then these. */
  behind(coded: Uint8Array): Uint8Array {
    if (this.length === 0) return coded;
    const joined = new Uint8Array(coded.length + this.length);
    joined.set(coded);
    joined.set(this.#bytes.subarray(this.#left), coded.length);
    return joined;
  }

  #grow(count: number): void {
    const { length } = this;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, length + count));
    grown.set(this.#bytes.subarray(this.#left), grown.length - length);
    this.#left = grown.length - length;
    this.#bytes = grown;
  }
}
