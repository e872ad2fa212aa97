/**
 * Where an output will really be, and what is there now.
 *
 * Links are followed by hand and not by `realpath`: a link whose target does not exist yet shall get one (as a shell's
 * `>` makes it), and a working folder whose own name is not UTF-8 must not be spelled out.
 *
 * @module
 */
import type { Stats } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';
import { ioCode } from '../../../native-free/errno.ts';
import { unwritable, writeError } from './io-errors.ts';

export interface OutputPlace {
  /** No link, unless in its folder. */
  readonly path: string;
  /** Null when nothing is there. */
  readonly before: Stats | null;
}

/** As many as Linux follows. */
const LINKS_MAX = 40;

/**
 * Throws UpdateError `output_unwritable` when links go in circles, lead to a name that cannot be spelled, or the name
 * is impossible (too long, a folder that is not there).
 */
export async function outputPlace(path: string): Promise<OutputPlace> {
  if (path === '' || path.endsWith('/')) throw unwritable(path, 'this is no name of a file');
  let place = path;
  for (let links = 0; ; links++) {
    const facts = await factsAt(place, path);
    if (facts?.isSymbolicLink() !== true) return { path: place, before: facts };
    if (links === LINKS_MAX) throw unwritable(path, 'its links go in circles');
    const target = await readlink(place, { encoding: 'buffer' }).catch((error: unknown) => {
      throw writeError(error, path);
    });
    const text = target.toString();
    // Node would make another name of it.
    if (!Buffer.from(text).equals(target)) throw unwritable(path, 'it links to a name that is not UTF-8');
    // Joined as text: `..` behind a link to a folder means that folder's parent.
    place = isAbsolute(text) ? text : `${dirname(place)}/${text}`;
  }
}

async function factsAt(place: string, path: string): Promise<Stats | null> {
  try {
    return await lstat(place);
  } catch (error) {
    if (ioCode(error) === 'ENOENT') return null;
    throw writeError(error, path);
  }
}
