/**
 * Puffin, which takes deflate apart and puts it together again bit by bit; for gzip and zip files only.
 * @module
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Peer, PeerFiles } from './peer.ts';

const GZIP = '1f8b';
const ZIP = '504b0304';

/** What puffin calls the format of a file; null when it has no name for it. */
function formatOf(path: string): 'gzip' | 'zip' | null {
  const start = Buffer.alloc(4);
  const file = openSync(path, 'r');
  try {
    readSync(file, start, 0, start.length, 0);
  } finally {
    closeSync(file);
  }
  const magic = start.toString('hex');
  return magic.startsWith(GZIP) ? 'gzip' : magic === ZIP ? 'zip' : null;
}

const files = ({ source, patch }: PeerFiles, made: string): string[] => [
  `--src_file=${source}`,
  `--dst_file=${made}`,
  `--patch_file=${patch}`,
];

export const puffin: Peer = {
  name: 'puffin',
  programs: ['puffin'],
  setting: 'puffin --operation=puffdiff',
  unfit: ({ source, target }) =>
    formatOf(source) !== null && formatOf(source) === formatOf(target) ? null : 'neither gzip nor zip',
  diff: (pair) => {
    const types = [`--src_file_type=${formatOf(pair.source)}`, `--dst_file_type=${formatOf(pair.target)}`];
    return [{ program: 'puffin', args: ['--operation=puffdiff', ...types, ...files(pair, pair.target)] }];
  },
  apply: (pair) => [{ program: 'puffin', args: ['--operation=puffpatch', ...files(pair, pair.output)] }],
};
