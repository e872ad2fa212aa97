/**
 * Readers of foreign patches.
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
export { Bzip2Reader } from './bzip2.ts';
