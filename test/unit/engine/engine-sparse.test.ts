/** Images with long runs of one value: as the engine makes payloads of them, from memory and from files. */
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOfImage, withFills } from '../../../native-free/diff/fills/sparse-image.ts';
import { makeDelta } from '../../../native-free/diff/make-delta.ts';
import { fillAt } from '../../../native-free/format/fill-map.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { openSink } from '../../../src/agent/slots/slots.ts';
import { DeltaEngine } from '../../../src/engine/index.ts';
import { ComparedImage, imageSource } from '../../../src/engine/image-in-memory.ts';
import { nodeFileSystem } from '../../../src/platform/node-filesystem.ts';
import { readSparseImage, scanImage } from '../../../src/platform/files/sparse-input.ts';
import { modelCoder } from '../../../src/wasm/mix-coder.ts';
import { applied } from '../../support/engine.ts';
import { concat, editedPair, imageBytes, sha256, sha256Node } from '../../support/images.ts';
import { engraft } from '../../support/program.ts';

const KIB = 1024;
const MIB = 2 ** 20;
const LEAST = LIMITS.fill_bytes_min;
const zeros = (bytes: number): Uint8Array => new Uint8Array(bytes);
const { source: a, target: b } = editedPair(12, 16 * KIB, 3);
const images = {
  source: concat(zeros(128 * KIB), a.subarray(0, 192 * KIB), zeros(256 * KIB)),
  target: concat(b, zeros(4096 - (b.length % 4096)), zeros(512 * KIB).fill(255)),
};
const sparse = { source: withFills(images.source, LEAST), target: withFills(images.target, LEAST) };
const options = { segmentBytes: 64 * KIB };

let folder: string;
let engine: DeltaEngine;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'engraft-sparse-'));
  engine = new DeltaEngine({ workers: 2 });
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('an engine', () => {
  it('makes and proves both payloads of images without their fills', async () => {
    const { full, delta } = await engine.make(sparse.source, sparse.target, options);
    for (const { payload, header } of [full, delta!]) {
      expect(Buffer.compare(await applied(payload, images.source), images.target)).toBe(0);
      expect(header.fills.target).toEqual(sparse.target.map);
      expect(header.targetDigest).toEqual(sha256(images.target));
    }
    expect(delta!.header.sourceDigest).toEqual(sha256(images.source));
  });

  it('gives the bytes that makeDelta gives', async () => {
    const { payload } = await engine.delta(sparse.source, sparse.target, options);
    const alone = await makeDelta(sparse.source, sparse.target, { ...options, hash: sha256Node, models: modelCoder });
    expect(Buffer.compare(payload, alone)).toBe(0);
  });

  it('is asked for memory by content, and says what to do where that is too much', () => {
    expect(() => engine.checkSizes(0, LIMITS.dense_bytes_max + 1)).toThrow(/beside long runs of one value.*split it/);
  });

  it('refuses content that is not what its map leaves', async () => {
    const wrong = { ...sparse.target, dense: sparse.target.dense.subarray(1) };
    await expect(engine.full(wrong, options)).rejects.toMatchObject({ code: 'usage_invalid' });
  });

  it('compares what comes out with every byte of the image', async () => {
    const { map, dense } = sparse.target;
    const { offset, length, value } = fillAt(map, 0);
    const compared = new ComparedImage(sparse.target, 0);
    expect(compared.bytes(0, images.target.subarray(0, 100))).toBe(true);
    expect(compared.bytes(200, images.target.subarray(200, 300))).toBe(false);
    expect(new ComparedImage(sparse.target, 0).bytes(0, images.target.subarray(1, 100))).toBe(false);
    expect(new ComparedImage(sparse.target, null).bytes(offset - 4, new Uint8Array(8))).toBe(false);
    expect(new ComparedImage(sparse.target, offset).fill(offset, length, value)).toBe(true);
    expect(new ComparedImage(sparse.target, offset).fill(offset, length + 1, value)).toBe(false);
    expect(new ComparedImage(sparse.target, offset).fill(offset, length, value ^ 1)).toBe(false);
    expect(new ComparedImage(sparse.target, offset - 1).fill(offset - 1, 1, dense[offset - 1]!)).toBe(false);
    await expect(imageSource(sparse.target).read(offset, new Uint8Array(1))).rejects.toMatchObject({
      code: 'slot_unreadable',
    });
  });
});

/** A file with parts of content and holes between. */
function sparseFile(name: string, size: number, parts: readonly (readonly [number, Uint8Array])[]): string {
  const path = join(folder, name);
  const fd = openSync(path, 'w');
  ftruncateSync(fd, size);
  for (const [at, bytes] of parts) writeSync(fd, bytes, 0, bytes.length, at);
  closeSync(fd);
  return path;
}

describe('a file', () => {
  it('is read without its fills, wherever pieces of it end', () => {
    const content = imageBytes(300 * KIB, 8);
    const path = sparseFile('holes', 23 * MIB + 99, [[3 * MIB, content], [15 * MIB + 4096, content], [23 * MIB, content.subarray(0, 99)]]); // prettier-ignore
    const image = readSparseImage(path);
    expect(image.map.count).toBe(3);
    expect(digestOfImage(sha256Node, image)).toEqual(sha256(readFileSync(path)));
    expect(image.dense.length).toBeLessThan(3 * content.length);
  });

  it('of 3 GiB is looked through, and one over 16 GiB or of too much content is not', () => {
    const path = sparseFile('large', 3 * 2 ** 30, [[2 ** 31 + 4096, imageBytes(8 * KIB, 1)]]);
    const { map } = scanImage(path);
    expect(map).toMatchObject({ imageBytes: 3 * 2 ** 30, denseBytes: 8 * KIB });
    truncateSync(path, 2 ** 34 + 1);
    expect(() => scanImage(path)).toThrow(expect.objectContaining({ code: 'limit_exceeded' }));
  });

  it('goes through diff, inspect and apply, and comes out with its holes', async () => {
    const size = 64 * MIB;
    const source = sparseFile('from', size, [[MIB, a], [40 * MIB, a.subarray(0, 5000)]]); // prettier-ignore
    const target = sparseFile('to', size, [[3 * MIB, b], [50 * MIB, a.subarray(0, 5000)]]); // prettier-ignore
    const [patch, copy] = [join(folder, 'patch'), join(folder, 'copy')];
    expect(await engraft('diff', source, target, '-o', patch, '--workers', '1')).toMatchObject({ code: 0 });
    const inspected = await engraft('inspect', patch, '--json');
    expect(JSON.parse(inspected.stdout)).toMatchObject({ targetBytes: size, fills: { target: { count: 3 } } });
    expect(await engraft('apply', source, patch, '-o', copy)).toMatchObject({ code: 0 });
    expect(Buffer.compare(readFileSync(copy), readFileSync(target))).toBe(0);
    expect(statSync(copy).blocks * 512).toBeLessThan(4 * MIB);
  });
});

describe('a slot', () => {
  const fill = { index: 0, offset: MIB, length: 2 * MIB + 4096, value: 0, isLast: true };

  it('is written only where it is not as a fill wants it', async () => {
    const path = join(folder, 'slot');
    const stale = imageBytes(4 * MIB, 5);
    stale.fill(0, MIB, 2 * MIB);
    writeFileSync(path, stale);
    const file = await nodeFileSystem.open(path, 'update');
    let written = 0;
    const counting = {
      ...nodeFileSystem,
      open: async () => ({
        ...file,
        read: (into: Uint8Array, offset: number) => file.read(into, offset),
        write: (bytes: Uint8Array, offset: number) => {
          written += bytes.length;
          return file.write(bytes, offset);
        },
        sync: () => file.sync(),
        close: () => file.close(),
      }),
    };
    const sink = await openSink(counting, path, 'B');
    await sink.fill!(fill);
    await sink.close();
    stale.fill(0, MIB, 3 * MIB + 4096);
    expect(Buffer.compare(readFileSync(path), stale)).toBe(0);
    expect(written).toBe(MIB + 4096);
  });

  it('in a short file grows by a hole of zeros, and by bytes of another value', async () => {
    const path = join(folder, 'short');
    writeFileSync(path, imageBytes(MIB + 100, 6));
    const sink = await openSink(nodeFileSystem, path, 'B');
    await sink.fill!(fill);
    await sink.fill!({ ...fill, offset: 3 * MIB + 4096, length: LEAST, value: 255 });
    await sink.close();
    const after = readFileSync(path);
    expect(after.length).toBe(3 * MIB + 4096 + LEAST);
    expect(after.subarray(MIB, 3 * MIB + 4096).every((byte) => byte === 0)).toBe(true);
    expect(after.subarray(3 * MIB + 4096).every((byte) => byte === 255)).toBe(true);
  });
});
