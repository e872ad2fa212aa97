/**
 * The seam between covers and bits: what bytes are expected where a cover lies.
 *
 * A predictor sees a piece of the source and where it goes; what it returns is what the residual models correct.
 * Relocating predictors (branches and pointers through the cover map) will stand here beside the plain copy.
 * @module
 */
import type { Piece } from '../format/pieces.ts';

export interface Predictor {
  /** Turns the piece's source bytes, in place, into the bytes expected in the target. Same result in both directions. */
  predict(piece: Piece, bytes: Uint8Array): void;
}

/** Expects the source bytes as they are. */
export const copyPredictor: Predictor = {
  predict(): void {
    // The source bytes are the prediction.
  },
};
