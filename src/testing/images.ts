/**
 * Sources and sinks that count, and a slot in memory.
 * @module
 */
import type { AcceptedSegment, RandomSource, SegmentSink } from '../../native-free/io.ts';
import { UpdateError } from '../../native-free/status.ts';

/** A source that counts how often each of its bytes was read. */
export class CountingSource implements RandomSource {
  readonly size: number;
  /** Reads of each byte. */
  readonly reads: Uint32Array;
  readonly #inner: RandomSource;

  constructor(inner: RandomSource) {
    this.#inner = inner;
    this.size = inner.size;
    this.reads = new Uint32Array(inner.size);
  }

  /** Bytes read in all, each time counted. */
  get bytesRead(): number {
    return this.reads.reduce((sum, count) => sum + count, 0);
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    await this.#inner.read(offset, into);
    for (let i = 0; i < into.length; i++) this.reads[offset + i]!++;
  }
}

/** A slot in memory that notices a segment written twice, out of order, or beyond its end. */
export class MemorySlot implements SegmentSink, RandomSource {
  readonly bytes: Uint8Array;
  readonly written: number[] = [];
  /** Bytes read back through `read`. */
  bytesRead = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  get size(): number {
    return this.bytes.length;
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    if (offset + into.length > this.size) throw new UpdateError('slot_unreadable', `the slot ends at ${this.size}`);
    this.bytesRead += into.length;
    into.set(this.bytes.subarray(offset, offset + into.length));
  }

  async write({ index, offset, bytes }: AcceptedSegment): Promise<void> {
    const last = this.written.at(-1) ?? -1;
    if (index <= last) throw new UpdateError('bug', `segment ${index} was written after ${last}`);
    if (offset + bytes.length > this.size) throw new UpdateError('slot_too_small', `the slot has ${this.size} bytes`);
    this.bytes.set(bytes, offset);
    this.written.push(index);
  }
}
