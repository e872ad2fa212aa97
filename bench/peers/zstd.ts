/**
 * zstd with the source as its dictionary: the least that a delta has to be worth.
 * @module
 */
import type { Peer } from './peer.ts';

export const zstd: Peer = {
  name: 'zstd',
  programs: ['zstd'],
  setting: 'zstd -19 --long=27 --patch-from',
  diff: ({ source, target, patch }) => [
    { program: 'zstd', args: ['-q', '-f', '-19', '--long=27', `--patch-from=${source}`, target, '-o', patch] },
  ],
  // A source over the window makes zstd widen it; the decoder has to be allowed that.
  apply: ({ source, patch, output }) => [
    { program: 'zstd', args: ['-q', '-f', '-d', '--long=31', `--patch-from=${source}`, patch, '-o', output] },
  ],
};
