/**
 * All tools that engraft is measured beside. Those that are not on PATH are named as skipped, never left out in silence.
 * @module
 */
import { bsdiff } from './bsdiff.ts';
import { hdiffpatch } from './hdiffpatch.ts';
import { onPath, type Peer } from './peer.ts';
import { puffin } from './puffin.ts';
import { xdelta3 } from './xdelta3.ts';
import { zstd } from './zstd.ts';
import { zucchini } from './zucchini.ts';

export { digestOfFile, onPath, runPeer, type Outcome, type Peer, type PeerFiles } from './peer.ts';

export const PEERS: readonly Peer[] = [hdiffpatch, bsdiff, zucchini, zstd, xdelta3, puffin];

/** Programs of a peer that are not on PATH. */
export function missingPrograms(peer: Peer): string[] {
  return peer.programs.filter((program) => !onPath(program));
}
