/**
 * Memory that units take while they are decoded: counted before it is taken, the same by encoder and decoder, and never more
 * than was declared.
 */
import zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../../native-free/apply/bytes-source.ts';
import { UnitSegmentDecoder } from '../../../native-free/apply/unit-segment-decoder.ts';
import { CODEC_ID } from '../../../native-free/format/unit-map.ts';
import { MixCoder } from '../../../native-free/model/mix-coder.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { VirtualLayout } from '../../../native-free/unpack/map/virtual-layout.ts';
import { UnitCache } from '../../../native-free/unpack/source/unit-cache.ts';
import { UnitMemory } from '../../../native-free/unpack/source/unit-memory.ts';
import { concat, noise } from '../../support/images.ts';
import { mappedSegments, records, revised, streamMap, unit } from '../../support/unit-payloads.ts';

const zlibStreams = (contents: readonly Uint8Array[]) =>
  contents.map((content) => ({
    packed: new Uint8Array(zlib.deflateSync(content)),
    contentBytes: content.length,
    codec: CODEC_ID.zlib,
  }));

/** Some streams, of which the first and the largest changed, in two segments. */
async function streams() {
  const contents = [1, 2, 3, 4].map((seed) => records(seed, seed === 3 ? 300_000 : 60_000));
  const before = zlibStreams(contents);
  const after = zlibStreams(contents.map((content, i) => (i % 2 === 0 ? revised(content) : content)));
  const [source, target] = [before, after].map((list) => concat(...list.map(({ packed }) => packed)));
  const cut = after[0]!.packed.length + after[1]!.packed.length;
  const spans = [
    { offset: 0, length: cut },
    { offset: cut, length: target!.length - cut },
  ];
  const maps = { source: streamMap(before), target: streamMap(after) };
  const made = await mappedSegments({ source: source!, target: target!, maps, spans });
  return { ...made, source: source!, target: target!, spans };
}

type Streams = Awaited<ReturnType<typeof streams>>;

/** Decodes all segments one behind the other; what each took at most. */
async function decoded({ finished, images, segments, source, target, spans }: Streams, memory: UnitMemory) {
  const coder = new MixCoder(false, finished.modelSizes);
  const decoder = new UnitSegmentDecoder(finished.plan, images.layouts, coder, memorySource(source), memory);
  const peaks: number[] = [];
  for (const [i, { offset, length }] of spans.entries()) {
    memory.peak = 0;
    const bytes = new Uint8Array(length);
    await decoder.decode(segments[i]!.encoded, bytes, offset);
    expect(Buffer.compare(bytes, target.subarray(offset, offset + length))).toBe(0);
    peaks.push(memory.peak);
  }
  return peaks;
}

describe('memory of units', () => {
  it('is to the byte what the encoder declares for each segment', async () => {
    const made = await streams();
    expect(await decoded(made, new UnitMemory())).toEqual(made.segments.map(({ memoryBytes }) => memoryBytes));
  });

  it('that is declared is enough, and a byte less is not', async () => {
    const made = await streams();
    const declared = Math.max(...made.segments.map(({ memoryBytes }) => memoryBytes));
    await decoded(made, new UnitMemory(declared));
    await expect(decoded(made, new UnitMemory(declared - 1))).rejects.toMatchObject({ code: 'segment_digest' });
  });

  it('of more tokens than there is room for is never taken', async () => {
    // Of noise each byte is a token.
    const contentBytes = 200_000;
    const packed = new Uint8Array(zlib.deflateSync(noise(contentBytes, 9)));
    const units = [unit({ packedBytes: packed.length, contentBytes, codec: CODEC_ID.zlib })];
    const layout = new VirtualLayout({ units, pieces: [], skips: [] }, packed.length);
    const readWith = async (bytes: number): Promise<{ peak: number; message: string }> => {
      const memory = new UnitMemory(bytes);
      const error = await new UnitCache(layout, memorySource(packed), { memory }).unit(0).catch((e: unknown) => e);
      return { peak: memory.peak, message: UpdateError.is(error) ? error.message : '' };
    };
    const { peak } = await readWith(2 ** 30);
    expect(await readWith(peak)).toEqual({ peak, message: '' });
    const refused = await readWith(peak - 8);
    expect(refused.message).toMatch(/more than 199999 tokens/);
    expect(refused.peak).toBeLessThan(peak - 8 * contentBytes + 1);
  });
});
