/**
 * What the decoder of this build reads, one row a feature. A payload's format is its version with its codec; both stand
 * at fixed places in every header, of versions to come as well.
 *
 * The name of a format is what devices tell of themselves, what a second delta for the same source is called by, and what
 * people read. A row is added with the decoder, and goes only with it.
 * @module
 */
import { CODEC, PAYLOAD_MAGIC, type PayloadKind } from './payload-header.ts';

export interface PayloadFormat {
  readonly version: number;
  readonly codec: number;
}

export interface DecoderFeature extends PayloadFormat {
  readonly kind: PayloadKind;
}

export const DECODER_FEATURES: readonly DecoderFeature[] = [
  { version: 5, codec: CODEC.zstd, kind: 'full' },
  { version: 5, codec: CODEC.mixing, kind: 'delta' },
  { version: 5, codec: CODEC.units, kind: 'delta' },
];

/** What is made for decoders that do not look inside of compressed images. */
export const PLAIN_DELTA: PayloadFormat = { version: 5, codec: CODEC.mixing };

/** Codecs that have a name; of one to come there is a number. */
const CODEC_NAMES: Readonly<Record<number, string>> = {
  [CODEC.zstd]: 'full',
  [CODEC.mixing]: 'delta',
  [CODEC.units]: 'units',
};

/** `5-full`, `5-delta`, `5-units`; `6-codec9` for what this build has no word for. */
export const formatName = ({ version, codec }: PayloadFormat): string =>
  `${version}-${CODEC_NAMES[codec] ?? `codec${codec}`}`;

export const readsFormat = (decoder: readonly PayloadFormat[], { version, codec }: PayloadFormat): boolean =>
  decoder.some((feature) => feature.version === version && feature.codec === codec);

const VERSION_AT = PAYLOAD_MAGIC.length;
const CODEC_AT = VERSION_AT + 2;

/** What the first bytes of a payload say, whether this build reads it or not; null where they are those of no payload. */
export function formatOf(payload: Uint8Array): PayloadFormat | null {
  if (payload.length <= CODEC_AT || PAYLOAD_MAGIC.some((byte, i) => payload[i] !== byte)) return null;
  return { version: payload[VERSION_AT]!, codec: payload[CODEC_AT]! };
}
