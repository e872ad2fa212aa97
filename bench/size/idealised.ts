/**
 * What other tools would have to work on if somebody unpacked both images for them and could pack the target again for
 * nothing: the contents of all streams, files put together, in the order of the files. No such tool is as good as
 * its patch between these says, because nobody packs again for nothing.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { explore } from '../../native-free/diff/units/explore.ts';
import { layOut, virtualImage } from '../../native-free/diff/units/lay-out.ts';
import type { Explored } from '../../native-free/diff/units/explored.ts';
import type { Selected } from '../../native-free/diff/units/select.ts';
import type { PeerFiles } from '../peers/index.ts';

/** All of an image's contents. */
export function contentsOf(image: Uint8Array): Uint8Array {
  // Streams that would not come back are unpacked too: nothing is packed again.
  const explored = explore(image, { exact: false });
  const selected = everything(explored);
  return virtualImage({ image, explored }, layOut({ image, explored }, selected, null)).bytes;
}

function everything({ units, items }: Explored): Selected {
  const files = items.flatMap(({ isFile }, i) => (isFile ? [i] : []));
  return { units: new Set(units.keys()), items: new Set(files) };
}

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
