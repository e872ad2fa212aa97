/**
 * bsdiff 4.3 as distributions ship it.
 * @module
 */
import type { Peer } from './peer.ts';

const SOURCE_BYTES_MAX = 64 * 2 ** 20;

export const bsdiff: Peer = {
  name: 'bsdiff',
  programs: ['bsdiff', 'bspatch'],
  setting: 'bsdiff',
  unfit: ({ sourceBytes }) =>
    sourceBytes > SOURCE_BYTES_MAX ? 'over 64 MiB it takes gigabytes of memory and far too long' : null,
  diff: ({ source, target, patch }) => [{ program: 'bsdiff', args: [source, target, patch] }],
  apply: ({ source, patch, output }) => [{ program: 'bspatch', args: [source, output, patch] }],
};
