/** What the decoder says that it reads is what it reads, by one name each. */
import { describe, expect, test } from 'vitest';
import { CODEC, DECODER_FEATURES, formatName, formatOf, parseHeader, readsFormat } from '../../../native-free/index.ts';
import { imageOf, plainMaker } from '../../support/release.ts';

const VERSION_AT = 8;
const CODEC_AT = 10;

async function payloads() {
  const full = (await plainMaker.full(imageOf(2))).payload;
  const delta = (await plainMaker.delta(imageOf(1), imageOf(2))).payload;
  return { full, delta };
}

/** As a header may fail in many ways once its bytes are changed, only this one counts. */
function isUnread(payload: Uint8Array): boolean {
  try {
    parseHeader(payload);
    return false;
  } catch (error) {
    return (error as { code?: string }).code === 'payload_version';
  }
}

describe('what is decoded', () => {
  test('has a name for each feature, and one for what is not known yet', () => {
    expect(DECODER_FEATURES.map(formatName)).toEqual(['5-full', '5-delta', '5-units']);
    expect(formatName({ version: 5, codec: 9 })).toBe('5-codec9');
    expect(readsFormat(DECODER_FEATURES, { version: 5, codec: CODEC.units })).toBe(true);
    expect(readsFormat(DECODER_FEATURES, { version: 6, codec: CODEC.units })).toBe(false);
  });

  test('is found in the first bytes of every payload, also of versions to come', async () => {
    const { full, delta } = await payloads();
    expect(formatOf(full)).toEqual({ version: 5, codec: CODEC.zstd });
    expect(formatOf(delta)).toEqual({ version: 5, codec: CODEC.mixing });
    expect(formatOf(delta.subarray(0, CODEC_AT))).toBeNull();
    expect(formatOf(imageOf(1))).toBeNull();
    const future = delta.slice(0, 16);
    future.set([9, 1, 200], VERSION_AT);
    expect(formatOf(future)).toEqual({ version: 9, codec: 200 });
  });

  test('is what headers are taken for: every row of the table, and no other version or codec', async () => {
    const made = await payloads();
    for (const [kind, payload] of Object.entries(made)) {
      for (let version = 0; version < 8; version++) {
        for (let codec = 0; codec < 8; codec++) {
          const changed = payload.slice();
          changed[VERSION_AT] = version;
          changed[CODEC_AT] = codec;
          const reads = DECODER_FEATURES.filter((feature) => feature.kind === kind);
          expect(isUnread(changed), `${kind} ${version} ${codec}`).toBe(!readsFormat(reads, { version, codec }));
        }
      }
    }
  });

  test('has a full payload of the current version, which is what everybody falls back to', async () => {
    const { full } = await payloads();
    const oldest = DECODER_FEATURES.filter(({ kind }) => kind === 'full')[0]!;
    expect(formatOf(full)).toEqual({ version: oldest.version, codec: oldest.codec });
  });
});
