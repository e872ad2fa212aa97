/**
 * The room between the link and the decoder: file system, clock and network as interfaces, and the resumable
 * download built on them.
 * @module
 */
export * from '../platform/clock.ts';
export * from '../platform/filesystem.ts';
export * from './header.ts';
export * from './layout.ts';
export * from './link.ts';
export * from './meter.ts';
export * from '../platform/network.ts';
export { nodeFileSystem } from '../platform/node-filesystem.ts';
export * from './pipeline.ts';
export * from '../platform/http/retry-after.ts';
export * from './spool.ts';
export { sha256Node } from '../platform/hash.ts';
