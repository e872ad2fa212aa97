/**
 * Damaged streams into every codec, damaged payloads into the decoder: errors of ours only, contents within what was said,
 * and whatever unpacks packs to itself. UNIT_FUZZ_SECONDS says for how long; each failure says the seed that it is of.
 */
import zlib from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeDelta } from '../../native-free/diff/index.ts';
import { CODEC_ID } from '../../native-free/format/unit-map.ts';
import { codecOf } from '../../native-free/unpack/codecs/list.ts';
import { EROFS_LZ4, SQUASHFS_GZIP, SQUASHFS_ZSTD } from '../support/containers/fixtures.ts';
import { concat, sha256Node, TEST_SIZES } from '../support/images.ts';
import {
  bodyStart,
  mappedPayload,
  outcomeOf,
  records,
  resealed,
  revised,
  streamMap,
} from '../support/unit-payloads.ts';
import { LZO_1, LZO_999, MICRO_LZMA, ZSTD_BEST, ZSTD_FAST } from '../support/unpack/foreign-fixtures.ts';
import { packSimply } from '../support/unpack/lz4.ts';
import { damaged, dice, refusalOf } from '../support/unpack/tools.ts';
import {
  FIXTURE_CONTENT,
  LZMA_ENDED,
  LZMA_SIZED,
  XZ_ARM,
  XZ_RISCV_BLOCKS,
  XZ_SHA256,
} from '../support/unpack/xz-fixtures.ts';

const SECONDS = Number(process.env['UNIT_FUZZ_SECONDS'] ?? 4);
const content = FIXTURE_CONTENT;
const STREAMS: readonly (readonly [name: keyof typeof CODEC_ID, packed: Uint8Array])[] = [
  ['deflate', zlib.deflateRawSync(content)],
  ['deflate', zlib.deflateRawSync(content, { strategy: zlib.constants.Z_FIXED })],
  ['zlib', zlib.deflateSync(content)],
  ['xz', XZ_SHA256],
  ['xz', XZ_ARM],
  ['xz', XZ_RISCV_BLOCKS],
  ['lzma', LZMA_ENDED],
  ['lzma', LZMA_SIZED],
  ['lz4', packSimply(content)],
  ['zstd', ZSTD_FAST],
  ['zstd', ZSTD_BEST],
  ['lzo', LZO_1],
  ['lzo', LZO_999],
  ['microLzma', MICRO_LZMA],
];
/** Every stream, as units one behind the other. */
const UNITS = STREAMS.map(([name, packed]) => ({ packed, contentBytes: content.length, codec: CODEC_ID[name] }));

/** Runs until the time is over; at least once. */
async function during(seconds: number, act: (seed: number) => Promise<void> | void): Promise<void> {
  const end = performance.now() + seconds * 1000;
  let seed = 0;
  do await act(++seed);
  while (performance.now() < end);
  console.info(`${seed} runs`);
}

describe('damage', () => {
  it('to a stream is noticed by its codec, or makes another stream that comes back', async () => {
    await during(SECONDS, (seed) => {
      const [name, packed] = STREAMS[seed % STREAMS.length]!;
      const codec = codecOf(CODEC_ID[name]);
      const roll = dice(seed);
      const bytes = damaged(packed, roll);
      const contentBytes = content.length + (roll(4) === 0 ? roll(9) - 4 : 0);
      const sizes = { packedBytes: bytes.length, contentBytes };
      refusalOf(() => {
        const { content: made, tokens, params } = codec.unpack(bytes, sizes, null, { exact: true });
        expect(made.length, `${name}, seed ${seed}`).toBe(contentBytes);
        let at = 0;
        for (let i = 0; i < tokens.count; i++) {
          expect(tokens.distanceAt(i) <= at, `${name}, seed ${seed}: a distance`).toBe(true);
          at += tokens.lengthAt(i);
        }
        expect(at, `${name}, seed ${seed}: the tokens' length`).toBe(contentBytes);
        // What cannot be said exactly is refused, or left raw by whoever compares.
        if (name !== 'deflate') codec.pack(made, tokens, params);
      });
    });
  });

  it('that is a match of one byte too far is noticed by both loops of deflate', () => {
    const dictionary = Buffer.from('none of these is in the stream: Z');
    for (const before of [4, 9, 40, 300, 3000]) {
      const text = records(before, before);
      const repeat = Buffer.concat([Buffer.from('Z'), text.subarray(0, 200)]);
      // Behind the repeat there is room for the fast loop, or none.
      for (const rest of [0, 5000]) {
        const whole = Buffer.concat([text, repeat, records(rest + 1, rest)]);
        const packed = zlib.deflateRawSync(whole, { dictionary });
        const sizes = { packedBytes: packed.length, contentBytes: whole.length };
        expect(refusalOf(() => codecOf(CODEC_ID.deflate).unpack(packed, sizes, null, { exact: true }))).toMatch(
          `a distance of ${before + 1} at byte ${before} points before the start`,
        );
      }
    }
  });

  describe('to a payload', () => {
    const parts = [SQUASHFS_GZIP, zlib.gzipSync(records(1, 9000)), EROFS_LZ4, SQUASHFS_ZSTD];
    const source = concat(...parts);
    const target = concat(
      revised(SQUASHFS_GZIP, [0.4, 0.7], 0),
      ...parts.slice(2),
      zlib.gzipSync(revised(records(1, 9000))),
    );
    let payload: Uint8Array;
    beforeAll(async () => {
      payload = await makeDelta(source, target, { hash: sha256Node, modelSizes: TEST_SIZES });
    });

    it('or to its source lets nothing wrong reach the slot', async () => {
      const start = bodyStart(payload);
      await during(SECONDS, async (seed) => {
        const roll = dice(seed);
        const bytes = payload.slice();
        const slot = source.slice();
        if (seed % 2 === 0)
          for (let i = roll(4); i >= 0; i--) bytes[start + roll(bytes.length - start)]! ^= 1 << roll(8);
        else for (let i = roll(4); i >= 0; i--) slot[roll(slot.length)]! ^= 1 << roll(8);
        const { error, written, target: made } = await outcomeOf(resealed(bytes), slot, target.length);
        for (const { offset, length } of written)
          expect(Buffer.compare(made.subarray(offset, offset + length), target.subarray(offset, offset + length))).toBe(
            0,
          );
        if (error !== null)
          expect(['segment_digest', 'plan_malformed', 'payload_work'], `seed ${seed}`).toContain(error.code);
      });
    });
  });
});

describe('units of all codecs', () => {
  const image = concat(...UNITS.map(({ packed }) => packed));

  it('come back from segments of one unit each, in order and from each on, whatever was before', async () => {
    const backwards = [...UNITS].reverse();
    const target = concat(...backwards.map(({ packed }) => packed));
    const maps = { source: streamMap(UNITS), target: streamMap(backwards) };
    const spans = maps.target.units.map(({ offset, packedBytes }) => ({ offset, length: packedBytes }));
    const payload = await mappedPayload({ source: image, target, maps, spans });
    for (let resumeSegment = 0; resumeSegment < spans.length; resumeSegment++) {
      const { error, target: made } = await outcomeOf(payload, image, target.length, { resumeSegment });
      expect(error).toBeNull();
      const from = spans[resumeSegment]!.offset;
      expect(Buffer.compare(made.subarray(from), target.subarray(from))).toBe(0);
    }
  });

  it('come back from segments of two and three units of different codecs', async () => {
    const mixed = UNITS.map((_, i) => UNITS[(i * 5) % UNITS.length]!);
    const target = concat(...mixed.map(({ packed }) => packed));
    const maps = { source: streamMap(UNITS), target: streamMap(mixed) };
    for (const step of [2, 3, UNITS.length]) {
      const spans = [];
      for (let i = 0; i < mixed.length; i += step) {
        const offset = maps.target.units[i]!.offset;
        spans.push({ offset, length: (maps.target.units[i + step]?.offset ?? target.length) - offset });
      }
      const payload = await mappedPayload({ source: image, target, maps, spans });
      const { error, target: made } = await outcomeOf(payload, image, target.length);
      expect(error).toBeNull();
      expect(Buffer.compare(made, target)).toBe(0);
    }
  });
});
