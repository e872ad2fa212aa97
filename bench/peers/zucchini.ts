/**
 * Chromium's Zucchini, which knows executables. Its patches are meant to be compressed by somebody else: here by xz.
 * @module
 */
import type { Peer } from './peer.ts';

export const zucchini: Peer = {
  name: 'zucchini',
  programs: ['zucchini', 'xz'],
  setting: 'zucchini -gen, then xz -9',
  diff: ({ source, target, between, patch }) => [
    { program: 'zucchini', args: ['-gen', source, target, between] },
    { program: 'xz', args: ['-9', '-c', between], stdoutFile: patch },
  ],
  apply: ({ source, between, patch, output }) => [
    { program: 'xz', args: ['-d', '-c', patch], stdoutFile: between },
    { program: 'zucchini', args: ['-apply', source, between, output] },
  ],
};
