/**
 * Decoders of one segment, by payload kind. Each fills the whole target buffer or throws.
 * @module
 */
import { decompress } from 'fzstd';
import { piecesOf, sourceBytesOf, type Piece } from '../format/pieces.ts';
import type { Plan } from '../format/plan.ts';
import type { RandomSource } from '../io.ts';
import { LIMITS } from '../limits.ts';
import type { ModelCoder } from '../model/model-coder.ts';
import { SegmentCoder } from '../model/segment-coder.ts';
import { UpdateError } from '../status.ts';
import { Pauses } from './pauses.ts';

export interface SegmentDecoder {
  /** Decodes `encoded` into all of `target`, whose first byte has offset `targetOffset` in the image. */
  decode(encoded: Uint8Array, target: Uint8Array, targetOffset: number): Promise<void>;
}

/** Delta: one read of the source a piece, each byte exactly as often as covers name it. */
export class DeltaSegmentDecoder implements SegmentDecoder {
  readonly #segment: SegmentCoder;
  readonly #window = new Uint8Array(LIMITS.source_window_bytes);
  readonly #plan: Plan;
  readonly #source: RandomSource;
  readonly #sourceBytes: number;
  readonly #coder: ModelCoder;
  readonly #pauses: Pauses;

  /** `sourceBytes` is the size that the patch was made from: a slot may be larger. */
  constructor(plan: Plan, coder: ModelCoder, source: RandomSource, sourceBytes: number, pauses = new Pauses()) {
    this.#plan = plan;
    this.#segment = new SegmentCoder(plan, coder);
    this.#source = source;
    this.#sourceBytes = sourceBytes;
    this.#coder = coder;
    this.#pauses = pauses;
  }

  async decode(encoded: Uint8Array, target: Uint8Array, targetOffset: number): Promise<void> {
    this.#segment.begin(encoded);
    for (const piece of piecesOf(this.#plan.covers, targetOffset, targetOffset + target.length)) {
      await this.#pauses.work();
      const window = await this.#read(piece);
      this.#segment.piece(piece, window, target, piece.targetOffset - targetOffset);
      this.#coder.work.check();
    }
  }

  async #read(piece: Piece): Promise<Uint8Array> {
    const { offset, length } = sourceBytesOf(piece, this.#sourceBytes);
    const window = this.#window.subarray(0, length);
    if (window.length > 0) await this.#source.read(offset, window);
    return window;
  }
}

/** Full: one zstd frame (RFC 8878) a segment. */
export class FullSegmentDecoder implements SegmentDecoder {
  async decode(encoded: Uint8Array, target: Uint8Array): Promise<void> {
    checkZstdFrame(encoded, target.length);
    try {
      decompress(encoded, withoutText(target));
    } catch (error) {
      throw new UpdateError('segment_malformed', `zstd: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }
}

/**
 * The same bytes under a view that is cheap to compare with a number: the library asks whether its output buffer == 1,
 * and JavaScript would answer by writing the whole segment out as text, 44 bytes of garbage for each byte of it.
 */
function withoutText(bytes: Uint8Array): Uint8Array {
  return Object.defineProperty(bytes.subarray(), Symbol.toPrimitive, { value: () => NaN });
}

/**
 * The library trusts the frame header and takes any number of frames; we want one frame that says it fills the
 * segment (RFC 8878, 3.1.1.1).
 */
function checkZstdFrame(encoded: Uint8Array, expectedBytes: number): void {
  const isFrame = [0x28, 0xb5, 0x2f, 0xfd].every((byte, i) => encoded[i] === byte);
  if (!isFrame || encoded.length < 9) throw new UpdateError('segment_malformed', 'a full segment is not a zstd frame');
  const descriptor = encoded[4]!;
  const singleSegment = (descriptor >> 5) & 1;
  const dictionaryBytes = descriptor & 3;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? singleSegment : 1 << sizeFlag;
  const at = 5 + (1 - singleSegment) + dictionaryBytes;
  let size = sizeFlag === 1 ? 256 : 0;
  for (let i = 0; i < sizeBytes; i++) size += (encoded[at + i] ?? 0) * 256 ** i;
  if (dictionaryBytes !== 0 || sizeBytes === 0 || size !== expectedBytes) {
    throw new UpdateError(
      'segment_malformed',
      `a zstd frame says ${size} bytes where the segment has ${expectedBytes}`,
    );
  }
}
