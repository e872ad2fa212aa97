/**
 * Contexts of x86-64 among literals: which part of an instruction a byte is says more of it than where it stands.
 * @module
 */
import type { X64Parts } from '../../predict/isa/x64-parts.ts';
import { CONTEXT_TAGS } from '../contexts.ts';
import { contextHash } from '../hash.ts';

const { part: PART } = CONTEXT_TAGS;

/** Contexts of a byte but for the match, which is number 8. */
export const PART_CONTEXTS = 12;
export const MATCH_CONTEXT = 8;

/**
 * `place` is that of the byte in its instruction, `field` what is known of its field, `last` and `older` are the eight bytes
 * before as they were coded.
 */
export function setPartContexts(
  contexts: Uint32Array,
  { opcode, before, earlier, modrm, rex }: X64Parts,
  place: number,
  field: number,
  last: number,
  older: number,
): void {
  const at = (place << 12) | opcode;
  contexts[0] = contextHash(PART, place);
  contexts[1] = contextHash(PART + 1, place, last & 0xff);
  contexts[2] = contextHash(PART + 2, place, last & 0xffff);
  contexts[3] = contextHash(PART + 3, place, last & 0xffffff);
  contexts[4] = contextHash(PART + 4, last, older & 0xffff);
  contexts[5] = contextHash(PART + 5, at, rex, field);
  contexts[6] = contextHash(PART + 6, at, before, field);
  contexts[7] = contextHash(PART + 7, at, (rex << 8) | modrm, field);
  contexts[9] = contextHash(PART + 8, at, (before << 12) | earlier, (rex << 8) | modrm);
  contexts[10] = contextHash(PART + 9, at, field);
  contexts[11] = contextHash(PART + 10, at, last, (before << 8) | modrm);
}
