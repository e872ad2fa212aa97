/** Files behind the core's interfaces: exact reads, clear errors, nothing read past the end. */
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileByteSource, fileSink, fileSource, readImage } from '../../../src/platform/files/node-io.ts';
import { hashSource } from '../../../src/platform/hash.ts';
import { imageBytes, sha256 } from '../../support/images.ts';

const bytes = imageBytes(300_001, 4);
let folder: string;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'engraft-io-'));
  path = join(folder, 'image');
  writeFileSync(path, bytes);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('fileSource', () => {
  it('reads anywhere, and its hash is that of the file or of its beginning', async () => {
    const source = fileSource(path);
    try {
      expect(source.size).toBe(bytes.length);
      const into = new Uint8Array(1000);
      await source.read(299_001, into);
      expect(into).toEqual(bytes.slice(299_001));
      expect(await hashSource(source)).toEqual(sha256(bytes));
      expect(await hashSource(source, 262_145)).toEqual(sha256(bytes.subarray(0, 262_145)));
    } finally {
      source.close();
    }
  });

  it('says where the file ends when more is asked for, also when it shrank', async () => {
    const shrinking = join(folder, 'shrinking');
    writeFileSync(shrinking, bytes);
    const source = fileSource(shrinking);
    try {
      truncateSync(shrinking, 100);
      await expect(source.read(50, new Uint8Array(100))).rejects.toMatchObject({
        code: 'input_unreadable',
        detail: { path: shrinking, offset: 100 },
      });
    } finally {
      source.close();
    }
  });

  it.each(['nothing', '.', '../../../dev/null'])('refuses %s', (name) => {
    expect(() => fileSource(join(folder, name))).toThrow(/cannot read/);
  });
});

describe('fileByteSource', () => {
  it('gives all bytes in pieces, and goes on where it is told to', async () => {
    const source = fileByteSource(path, 4096);
    try {
      const pieces: Buffer[] = [];
      for (let piece = await source.read(); piece !== null; piece = await source.read())
        pieces.push(Buffer.from(piece));
      expect(Buffer.compare(Buffer.concat(pieces), bytes)).toBe(0);
    } finally {
      source.close();
    }
    const skipping = fileByteSource(path, 4096);
    try {
      expect(await skipping.read()).toEqual(bytes.slice(0, 4096));
      await skipping.skipTo!(300_000);
      expect(await skipping.read()).toEqual(bytes.slice(300_000));
      expect(await skipping.read()).toBeNull();
    } finally {
      skipping.close();
    }
  });
});

describe('readImage', () => {
  it('reads into shared memory', () => {
    const image = readImage(path);
    expect(image.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(Buffer.compare(image, bytes)).toBe(0);
  });
});

describe('fileSink', () => {
  it('writes segments at their offsets', async () => {
    const out = join(folder, 'out');
    const fd = openSync(out, 'w');
    const sink = fileSink(fd, out);
    await sink.write({ index: 1, offset: 1000, bytes: bytes.subarray(1000, 1500), isLast: true });
    await sink.write({ index: 0, offset: 0, bytes: bytes.subarray(0, 1000), isLast: true });
    closeSync(fd);
    expect(Buffer.compare(readFileSync(out), bytes.subarray(0, 1500))).toBe(0);
  });

  it.skipIf(!existsSync('/dev/full'))('tells a full disk', async () => {
    const fd = openSync('/dev/full', 'w');
    try {
      const write = fileSink(fd, 'target').write({ index: 0, offset: 0, bytes, isLast: true });
      await expect(write).rejects.toMatchObject({ code: 'disk_full', detail: { path: 'target' } });
    } finally {
      closeSync(fd);
    }
  });
});
