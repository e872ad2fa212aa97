/**
 * The room between the link and the decoder: file system, clock and network as interfaces, and the resumable
 * download built on them.
 * @module
 */
export * from './clock.ts';
export * from './filesystem.ts';
export * from './header.ts';
export * from './layout.ts';
export * from './link.ts';
export * from './meter.ts';
export * from './network.ts';
export { nodeFileSystem } from './node-filesystem.ts';
export * from './pipeline.ts';
export * from './retry-after.ts';
export * from './spool.ts';
export { sha256Node } from './hash.ts';
