/**
 * The twin of what prices a segment: the mix coder, and the loop over units under covers and the models of literals that
 * call it. Pages, and which literals are stored, are the host's.
 */
import { makeShapes } from './model/isa/x64-opcodes.ts';
import { byte } from './model/byte-mixer.ts';
import { beginFastLiterals, decodeLiterals, placeLiterals, storedLiterals } from './model/fast/literals.ts';
import { placeModels } from './model/fast/models.ts';
import { beginFastCover, decodeUnits, placeFastUnits, resetFast, spentFast } from './model/fast/units.ts';
import {
  beginLiterals,
  codeLiterals,
  knowsLiterals,
  passLiterals,
  resetLiterals,
  spentLiterals,
} from './model/literals/models.ts';
import { followRoom, literalRoom } from './model/literals/segment.ts';
import {
  bit,
  codeAt,
  contexts,
  createCoder,
  finish,
  flag,
  mapRoom,
  placeBehindTables,
  room,
  start,
  tablesEnd,
  written,
} from './model/mix-coder.ts';
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
  codeAt,
  beginFastCover,
  beginFastLiterals,
  decodeLiterals,
  decodeUnits,
  resetFast,
  spentFast,
  storedLiterals,
};

/** Lays out the memory; once. */
export function create(isEncoder: bool, flagBits: i32, byteBits: i32): void {
  createCoder(isEncoder, flagBits, byteBits);
  makeShapes();
}

/** Lays out what decoders of the fast profile need beside; once, after `create`. */
export function createFast(flagBits: i32, byteBits: i32): void {
  const models = placeModels(tablesEnd(), flagBits, byteBits);
  placeBehindTables(placeLiterals(placeFastUnits(models)));
}
