/**
 * HDiffPatch with a fine match (-m-6), its single-stream format (-SD) and LZMA2: the generic tool to beat. It checks its
 * patch itself, as ours does; that is part of its cost. One thread (-p-1): its default of four writes other bytes and
 * takes nearly twice the memory on large images.
 * @module
 */
import type { Peer } from './peer.ts';

export const hdiffpatch: Peer = {
  name: 'hdiffpatch',
  programs: ['hdiffz', 'hpatchz'],
  setting: 'hdiffz -m-6 -SD -c-lzma2-9-64m -p-1',
  diff: ({ source, target, patch }) => [
    { program: 'hdiffz', args: ['-m-6', '-SD', '-c-lzma2-9-64m', '-p-1', '-f', source, target, patch] },
  ],
  apply: ({ source, patch, output }) => [{ program: 'hpatchz', args: ['-f', source, patch, output] }],
};
