/**
 * All codecs by their number in the format.
 * @module
 */
import { CODEC_ID } from '../../format/unit-map.ts';
import { UpdateError } from '../../status.ts';
import type { UnitCodec } from '../unit-codec.ts';
import { deflate, zlib } from './deflate.ts';
import { lz4 } from './lz4.ts';
import { lzmaCodec } from './lzma.ts';
import { lzoCodec } from './lzo.ts';
import { microLzmaCodec } from './micro-lzma.ts';
import { xzCodec } from './xz.ts';
import { zstdCodec } from './zstd.ts';

const CODECS: ReadonlyMap<number, UnitCodec> = new Map<number, UnitCodec>([
  [CODEC_ID.deflate, deflate as UnitCodec],
  [CODEC_ID.zlib, zlib as UnitCodec],
  [CODEC_ID.xz, xzCodec as UnitCodec],
  [CODEC_ID.lzma, lzmaCodec as UnitCodec],
  [CODEC_ID.lz4, lz4 as UnitCodec],
  [CODEC_ID.zstd, zstdCodec as UnitCodec],
  [CODEC_ID.lzo, lzoCodec as UnitCodec],
  [CODEC_ID.microLzma, microLzmaCodec as UnitCodec],
]);

export function isCodecKnown(id: number): boolean {
  return CODECS.has(id);
}

/** @throws UpdateError plan_malformed for a number that no codec has */
export function codecOf(id: number): UnitCodec {
  const codec = CODECS.get(id);
  if (codec === undefined) throw new UpdateError('plan_malformed', `there is no codec ${id}`);
  return codec;
}
