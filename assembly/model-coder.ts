/**
 * The twin of what prices a segment: the mix coder, and the loop over units under covers and the models of literals that
 * call it. Pages, and which literals are stored, are the host's.
 */
import { makeShapes } from './model/isa/x64-opcodes.ts';
import { byte } from './model/byte-mixer.ts';
import {
  beginLiterals,
  codeLiterals,
  knowsLiterals,
  passLiterals,
  resetLiterals,
  spentLiterals,
} from './model/literals/models.ts';
import { followRoom, literalRoom } from './model/literals/segment.ts';
import { createCoder, bit, contexts, finish, flag, mapRoom, room, start, written } from './model/mix-coder.ts';
import { placeMap, selectModule } from './model/knowledge.ts';
import { knowsKind } from './model/readers.ts';
import { baseRoom, sourceRoom, targetRoom } from './model/run.ts';
import { beginCover, beginRun, codeUnits, forgetLoop, resetUnits, spent } from './model/unit-coder.ts';

export {
  bit,
  byte,
  contexts,
  finish,
  flag,
  mapRoom,
  room,
  start,
  written,
  placeMap,
  selectModule,
  baseRoom,
  sourceRoom,
  targetRoom,
  beginCover,
  beginRun,
  codeUnits,
  knowsKind,
  forgetLoop,
  resetUnits,
  spent,
  literalRoom,
  followRoom,
  resetLiterals,
  beginLiterals,
  codeLiterals,
  passLiterals,
  knowsLiterals,
  spentLiterals,
};

/** Lays out the memory; once. */
export function create(isEncoder: bool, flagBits: i32, byteBits: i32): void {
  createCoder(isEncoder, flagBits, byteBits);
  makeShapes();
}
