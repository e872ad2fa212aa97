/**
 * What other tools would have to work on if somebody unpacked both images for them and could pack the target again for
 * nothing: the contents of all streams, files put together, in the order of the files. No such tool is as good as
 * its patch between these says, because nobody packs again for nothing.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { contentsOf } from '../../native-free/diff/index.ts';
import type { PeerFiles } from '../peers/index.ts';

/** The pair's files with the contents of its images in their place, written into `folder`. */
export function unpackedFiles(files: PeerFiles, folder: string): PeerFiles {
  const write = (path: string, name: string): { readonly path: string; readonly bytes: number } => {
    const contents = contentsOf(readFileSync(path));
    const into = join(folder, name);
    writeFileSync(into, contents);
    return { path: into, bytes: contents.length };
  };
  const source = write(files.source, 'source-contents');
  const target = write(files.target, 'target-contents');
  return {
    ...files,
    ...{ source: source.path, sourceBytes: source.bytes },
    ...{ target: target.path, targetBytes: target.bytes },
  };
}
