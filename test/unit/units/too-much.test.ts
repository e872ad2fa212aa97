/** Images that have too many streams, or too much in them: they cost no more than their bytes, and never a failure. */
import { deflateRawSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { makeDelta } from '../../../native-free/diff/index.ts';
import { explore } from '../../../native-free/diff/units/explore.ts';
import type { Explored, ExploredUnit } from '../../../native-free/diff/units/explored.ts';
import { layOut } from '../../../native-free/diff/units/lay-out.ts';
import { selectUnits, type ExploredImage } from '../../../native-free/diff/units/select.ts';
import { parseHeader } from '../../../native-free/format/payload-header.ts';
import { CODEC_ID } from '../../../native-free/format/unit-map.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { crc32 } from '../../../native-free/unpack/checksums.ts';
import { DeltaEngine } from '../../../src/engine/index.ts';
import { modelCoder } from '../../../src/wasm/mix-coder.ts';
import { applied } from '../../support/engine.ts';
import { sha256Node } from '../../support/images.ts';

const MIB = 2 ** 20;

/** `count` streams of the image, one behind the other. */
function manyUnits(count: number, packedBytes: number): ExploredImage {
  const unit = (i: number): ExploredUnit => ({
    ...{ parent: -1, offset: i * packedBytes, packedBytes, codec: CODEC_ID.zlib },
    ...{ continues: false, content: new Uint8Array(1), bit: 0, tokens: 1 },
  });
  const units = Array.from({ length: count }, (_, i) => unit(i));
  const explored: Explored = { skips: [], units, items: [], containers: {}, streams: count };
  return { image: new Uint8Array(count * packedBytes).fill(7), explored };
}

/** An archive of `count` members of zeros. */
function zeros(count: number, bytes: number): Buffer {
  const content = new Uint8Array(bytes);
  const packed = deflateRawSync(content);
  const sizes = Buffer.alloc(12);
  sizes.writeUInt32LE(crc32(content));
  sizes.writeUInt32LE(packed.length, 4);
  sizes.writeUInt32LE(bytes, 8);
  const local = Buffer.concat([
    Buffer.from('504b0304140000000800' + '00000000', 'hex'),
    sizes,
    Buffer.alloc(4),
    packed,
  ]);
  const members = Array.from({ length: count }, () => local);
  const directory = members.map((_, i) => {
    const entry = Buffer.concat([
      Buffer.from('504b010214001400' + '00000800' + '00000000', 'hex'),
      ...[sizes, Buffer.alloc(18)],
    ]);
    entry.writeUInt32LE(i * local.length, 42);
    return entry;
  });
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(count * 46, 12);
  end.writeUInt32LE(count * local.length, 16);
  return Buffer.concat([...members, ...directory, end]);
}

describe('an image with as many streams as there may be', () => {
  it('is laid out, though all of them lie in the same place', () => {
    const image = manyUnits(LIMITS.units_max, 1);
    const units = new Set(image.explored.units.keys());
    expect(layOut(image, { units, items: new Set() }, null).map.units.length).toBe(LIMITS.units_max);
  });

  it('is paired with another one, though all of them are equal', () => {
    const image = manyUnits(LIMITS.units_max, 33);
    const { copies } = selectUnits(image, image);
    expect(copies.every((from, to) => from === to)).toBe(true);
  });

  it('is not laid out in more pieces than there may be', () => {
    const spans = Array.from({ length: LIMITS.unit_pieces_max + 1 }, (_, i) => ({ unit: -1, offset: i, length: 1 }));
    const items = [{ isFile: true, joins: false, spans }];
    const explored: Explored = { skips: [], units: [], items, containers: {}, streams: 0 };
    const image = { image: new Uint8Array(spans.length), explored };
    const attempt = (): unknown => layOut(image, { units: new Set(), items: new Set([0]) }, null);
    expect(attempt).toThrow(expect.objectContaining({ code: 'limit_exceeded' }));
  });
});

describe('an image that unpacks to far more than it is', () => {
  it('is unpacked only up to a multiple of its bytes', () => {
    const image = zeros(24, 8 * MIB);
    const { units, streams } = explore(image, { exact: true });
    const bytes = units.reduce((sum, { content }) => sum + content.length, 0);
    expect(streams).toBe(24);
    expect(units.length).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(64 * MIB + 32 * image.length);
  });

  it('is left packed where there is too little memory for what is in it', async () => {
    const [source, target] = [0, 9].map((byte) => {
      const content = Buffer.alloc(16 * MIB);
      content[5 * MIB] = byte;
      return gzipSync(content);
    }) as [Buffer, Buffer];
    const memory = { workers: 1, memoryBytesMax: 110 * MIB };
    const [small, large] = [new DeltaEngine(memory), new DeltaEngine({ workers: 1 })];
    try {
      expect((await large.delta(source, target)).units).toBeDefined();
      const phases: string[] = [];
      const onProgress = ({ phase }: { phase: string }): void => {
        if (phases.at(-1) !== phase) phases.push(phase);
      };
      const { units, payload } = await small.delta(source, target, { onProgress });
      expect(units).toBeUndefined();
      expect(phases).toEqual(['unpack', 'plain', 'prove']);
      expect(Buffer.compare(await applied(payload, source), target)).toBe(0);
    } finally {
      await Promise.all([small.close(), large.close()]);
    }
  });

  it('is left packed where a decoder would have to be allowed more than any is', async () => {
    const models = (...made: Parameters<typeof modelCoder>) => {
      const coder = modelCoder(...made);
      if (!wasRefused) {
        wasRefused = true;
        throw new UpdateError('limit_exceeded', 'too much to decode');
      }
      return coder;
    };
    let wasRefused = false;
    const content = Buffer.alloc(50_000, 'so it goes on and on. ');
    const source = gzipSync(content);
    content.write('but not here', 20_000);
    const target = gzipSync(content);
    const payload = await makeDelta(source, target, { hash: sha256Node, models });
    expect(wasRefused).toBe(true);
    expect(parseHeader(payload).units).toBeNull();
    expect(Buffer.compare(await applied(payload, source), target)).toBe(0);
  });
});
