/**
 * Readers of foreign patches: `engraft/compat`. BSDIFF40 is what Percival's bsdiff 4 writes, applied as bspatch applies
 * it. The format has no digest: whoever applies a patch compares the target with one of his own.
 *
 * Throws UpdateError `foreign_malformed`, `limit_exceeded`, `aborted`, and what the given source throws.
 *
 * @example
 * const copy = new Uint8Array(parseBsdiff40(patch).targetBytes);
 * let done = 0;
 * for await (const piece of applyBsdiff40({ patch, source: memorySource(source) })) {
 *   copy.set(piece, done); // a piece is only valid until the next one
 *   done += piece.length;
 * }
 * @module
 */
export {
  applyBsdiff40,
  bsdiffCovers,
  bsdiffFacts,
  isBsdiff40,
  parseBsdiff40,
  type ApplyBsdiff40Options,
  type Bsdiff40,
  type ForeignWork,
} from './bsdiff40.ts';
