/**
 * One segment of a delta: pieces in target order, each coded by the models of its kind.
 *
 * Written once for both directions (see BitCoder). All state is reset at the start of a segment, which makes
 * segments independent restart points at no measurable cost in bytes.
 * @module
 */
import type { Piece } from '../format/pieces.ts';
import { copyPredictor, type Predictor } from '../predict/predictor.ts';
import { LiteralModels } from './literal-models.ts';
import type { BitCoder } from './range-coder.ts';
import { ResidualModels } from './residual-models.ts';

export class SegmentCoder {
  readonly #residuals = new ResidualModels();
  readonly #literals = new LiteralModels();
  readonly #predictor: Predictor;
  #coder: BitCoder | null = null;
  #used = false;

  constructor(predictor: Predictor = copyPredictor) {
    this.#predictor = predictor;
  }

  /** Bytes of the model tables. */
  get byteLength(): number {
    return this.#residuals.byteLength + this.#literals.byteLength;
  }

  /** Starts a segment. */
  begin(coder: BitCoder): void {
    this.#coder = coder;
    if (this.#used) {
      this.#residuals.reset();
      this.#literals.reset();
    }
    this.#used = true;
  }

  /**
   * Codes one piece. `target[at..at + piece.length)` is read by an encoder and filled by a decoder; `source` holds
   * the piece's source bytes from index 0 (and is overwritten by the prediction), or is empty for literals.
   */
  piece(piece: Piece, source: Uint8Array, target: Uint8Array, at: number): void {
    const coder = this.#coder!;
    if (piece.sourceOffset < 0) {
      this.#literals.code(coder, target, at, piece.length, piece.targetOffset);
      return;
    }
    this.#predictor.predict(piece, source);
    this.#residuals.code(coder, source, target, at, piece.length, piece.targetOffset);
  }
}
