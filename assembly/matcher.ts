/**
 * The twin of what finds covers: suffix sort, searches, and parse, in one memory, which threads share: one has made the
 * index with `create` and `build`, then each `attach`es an instance of its own and works on parts of the target, for which
 * it allocates rooms behind the index. An instance is for one step: what it allocated may be others' then.
 */
import { covers } from './match/covers.ts';
import { placePlainTarget, placeTarget, SLACK_BYTES } from './match/images.ts';
import { allocate } from './match/memory.ts';
import { searchCovers } from './match/cover-search.ts';
import { build, create, end, place, plainSource } from './match/source-index.ts';
import { parse } from './parse/parse-covers.ts';
import { setPrices } from './parse/prices.ts';
import { placeSeeds } from './parse/seeds.ts';

export { build, create, covers, end, place as attach, parse, plainSource, searchCovers, setPrices };

const SEED_BYTES: usize = 12;

let piece: usize = 0;
let pieceRoom: i32 = 0;
let plainPiece: usize = 0;
let plainPieceRoom: i32 = 0;
let seeds: usize = 0;
let seedRoom: i32 = 0;

/** The address for a piece of `count` bytes, from offset `from` on, of a target of `targetBytes`. */
export function placePiece(from: i32, count: i32, targetBytes: i32): usize {
  const room = count + 2 * SLACK_BYTES;
  if (room > pieceRoom) {
    pieceRoom = max(room, 2 * pieceRoom);
    piece = allocate(pieceRoom);
  }
  placeTarget(piece, from, targetBytes);
  return piece;
}

/** The same for what the target is a canonical copy of. */
export function placePlainPiece(from: i32, count: i32): usize {
  if (count > plainPieceRoom) {
    plainPieceRoom = max(count, 2 * plainPieceRoom);
    plainPiece = allocate(plainPieceRoom);
  }
  placePlainTarget(plainPiece, from);
  return plainPiece;
}

/** The address for `count` seeds. */
export function seedsRoom(count: i32): usize {
  if (count > seedRoom) {
    seedRoom = max(count, 2 * seedRoom);
    seeds = allocate(<usize>seedRoom * SEED_BYTES);
  }
  placeSeeds(seeds, count);
  return seeds;
}
