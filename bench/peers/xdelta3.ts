/**
 * xdelta3 with its secondary compressor and a window over the whole source. It would unpack gzip files on its own and
 * pack them again with whatever gzip is there, into other bytes: -D and -R forbid that.
 * @module
 */
import type { Peer, PeerFiles } from './peer.ts';

/** The least that xdelta3 takes for -B. */
const WINDOW_BYTES_MIN = 2 ** 19;

const window = ({ sourceBytes }: PeerFiles): string[] => ['-B', String(Math.max(sourceBytes, WINDOW_BYTES_MIN))];

const AS_IT_IS = ['-D', '-R'];

export const xdelta3: Peer = {
  name: 'xdelta3',
  programs: ['xdelta3'],
  setting: 'xdelta3 -9 -S lzma -D -R -B <source bytes>',
  diff: (files) => {
    const options = ['-e', '-f', '-9', '-S', 'lzma', ...AS_IT_IS, ...window(files)];
    return [{ program: 'xdelta3', args: [...options, '-s', files.source, files.target, files.patch] }];
  },
  apply: (files) => {
    const options = ['-d', '-f', ...AS_IT_IS, ...window(files)];
    return [{ program: 'xdelta3', args: [...options, '-s', files.source, files.patch, files.output] }];
  },
};
