/**
 * Applying payloads.
 * @module
 */
export { bytesSource, memorySink, memorySource } from './bytes-source.ts';
export { PieceReader } from './piece-reader.ts';
export { applyPayload, readHeader, type ApplyEvent, type ApplyOptions, type ApplyResult } from './patcher.ts';
