/**
 * Squashfs volumes in images of raw flash, by mksquashfs and ubinize: a patch between two of them is hardly larger than one
 * between the squashfs images, though the headers of eraseblocks cut their compressed blocks wherever they like.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DeltaEngine } from '../../../src/engine/index.ts';
import { isInstalled, run } from '../../support/containers/tools.ts';
import { noise, prose } from '../../support/containers/tree.ts';
import { applied } from '../../support/engine.ts';

const missing = ['mksquashfs', 'ubinize'].filter((tool) => !isInstalled(tool));
if (missing.length > 0) console.info(`${missing.join(' and ')} not installed: no images of flash`);

const engine = new DeltaEngine({ workers: 1 });
const folder = mkdtempSync(join(tmpdir(), 'engraft-flash-'));
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

const VERSIONS = ['old', 'new'] as const;

/** Sixty files that compress and one that does not; two are other ones in the new version, one is new. */
function plant(version: (typeof VERSIONS)[number]): void {
  const root = join(folder, version);
  mkdirSync(root);
  const write = (name: string, content: Uint8Array): void => writeFileSync(join(root, name), content);
  for (let i = 0; i < 60; i++) write(`file-${i + 10}`, prose(i, 45_000 + 971 * i));
  write('noise', noise(1, 300_000));
  if (version === 'old') return;
  const [first, second] = [prose(3, 47_913), prose(40, 83_840)];
  write('file-13', Buffer.concat([first.subarray(0, 40_000), Buffer.from('some words more'), first.subarray(40_000)]));
  write('file-50', Buffer.concat([second.subarray(0, 50_000), second.subarray(50_100)]));
  write('file-23-and-a-half', prose(99, 5000));
}

const squashfsOf = (version: string, options: string): string => {
  const image = join(folder, `${version}.squashfs`);
  const fixed = ['-noappend', '-quiet', '-no-progress', '-all-root', '-all-time', '0', '-mkfs-time', '0'];
  run('mksquashfs', [join(folder, version), image, ...fixed, ...options.split(' ')]);
  return image;
};

/** A kernel volume of noise, and the squashfs image behind it. */
function flashOf(version: string, squashfs: string, geometry: readonly string[], type: string, seed: number): Buffer {
  const [kernel, plan, image] = ['kernel', 'plan', 'image'].map((name) => join(folder, `${version}.${name}`));
  writeFileSync(kernel!, noise(2, 150_000));
  const volume = (name: string, id: number, from: string): string =>
    `[${name}]\nmode=ubi\nimage=${from}\nvol_id=${id}\nvol_type=${type}\nvol_name=${name}\nvol_size=4MiB\n`;
  writeFileSync(plan!, volume('kernel', 0, kernel!) + volume('rootfs', 1, squashfs));
  run('ubinize', ['-o', image!, ...geometry, '-Q', String(seed), plan!]);
  return readFileSync(image!);
}

const LARGE = { blockBytes: 131_072, headerBytes: 4096, options: ['-p', '128KiB', '-m', '2048'] };
const SMALL = { blockBytes: 16_384, headerBytes: 1024, options: ['-p', '16KiB', '-m', '512'] };

/** Blocks of the target whose headers the source has nowhere: checksums that nothing tells. */
function newHeaders(source: Buffer, target: Buffer, { blockBytes, headerBytes }: typeof LARGE): number {
  const headersOf = (image: Buffer): string[] =>
    Array.from({ length: image.length / blockBytes }, (_, i) =>
      image.toString('latin1', i * blockBytes, i * blockBytes + headerBytes),
    );
  const known = new Set(headersOf(source));
  return headersOf(target).filter((header) => !known.has(header)).length;
}

describe.skipIf(missing.length > 0)('images of flash', () => {
  beforeAll(() => VERSIONS.forEach(plant));

  it.each([
    [
      '-comp gzip -b 128K',
      [
        [LARGE, 'dynamic', 7],
        [LARGE, 'static', 8],
        [SMALL, 'dynamic', 8],
        [SMALL, 'static', 7],
      ],
    ],
    ['-comp xz -b 256K', [[LARGE, 'dynamic', 7]]],
    ['-comp zstd -b 1M', [[SMALL, 'dynamic', 7]]],
  ] as const)('cost what their squashfs (%s) costs', async (options, cases) => {
    const bare = VERSIONS.map((version) => squashfsOf(version, options));
    const alone = await engine.delta(...(bare.map((path) => readFileSync(path)) as [Buffer, Buffer]));
    for (const [geometry, type, seed] of cases) {
      const [source, target] = VERSIONS.map((version, i) =>
        flashOf(version, bare[i]!, geometry.options, type, i === 0 ? 7 : seed),
      ) as [Buffer, Buffer];
      const made = await engine.delta(source, target);
      expect(Buffer.compare(await applied(made.payload, source), target)).toBe(0);
      const headers = newHeaders(source, target, geometry);
      const blocks = `blocks of ${geometry.blockBytes} (${headers} new headers), ${type}, sequence ${seed}`;
      const sizes = `${made.payload.length} bytes, squashfs (${options}) alone ${alone.payload.length}`;
      console.info(`${blocks}: ${sizes}; ${made.units!.target} units of ${alone.units!.target}`);
      expect(made.units!.target).toBe(alone.units!.target);
      // Of a header the sequence or the checksum of a static volume's data is new, and its own checksum.
      expect(made.payload.length).toBeLessThan(1.3 * alone.payload.length + 8 * headers);
    }
  });
});
