/**
 * Kernels and firmware: whatever header stands before a compressed payload, the stream in it is found, and the header
 * stays as it is.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findContainers } from '../../../native-free/diff/containers/list.ts';
import { explore } from '../../../native-free/diff/units/explore.ts';
import { pipe, quietNoise, streamContent } from '../../support/containers/streams.ts';
import { isInstalled, run } from '../../support/containers/tools.ts';
import { realFiles } from '../../support/unpack/tools.ts';

const KERNEL = Buffer.from(realFiles().get('an arm64 library')!.subarray(0, 300_000));
const RAMDISK = Buffer.from(realFiles().get('a bundle of scripts')!.subarray(0, 200_000));

const has = (program: string): boolean => {
  if (isInstalled(program)) return true;
  console.info(`${program} is not installed: what it makes is left out`);
  return false;
};
const HAS = { mkimage: has('mkimage'), dtc: has('dtc'), xz: has('xz'), lz4: has('lz4'), zstd: has('zstd') };
const HAS_CPIO = has('cpio');

const folder = mkdtempSync(join(tmpdir(), 'engraft-firmware-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Packer {
  readonly pack: (content: Buffer) => Buffer;
  /** As a container is called, and as mkimage calls it. */
  readonly kind: string;
  readonly name: string;
  readonly isThere: boolean;
}

const ALL_PACKERS: readonly Packer[] = [
  { kind: 'gzip', name: 'gzip', isThere: true, pack: (content) => gzipSync(content, { level: 9 }) },
  { kind: 'lzma', name: 'lzma', isThere: HAS.xz, pack: (content) => pipe('xz', ['--format=lzma', '-c'], content) },
  { kind: 'lz4', name: 'lz4', isThere: HAS.lz4, pack: (content) => pipe('lz4', ['-9', '-c'], content) },
  { kind: 'zstd', name: 'zstd', isThere: HAS.zstd, pack: (content) => pipe('zstd', ['-19', '-c'], content) },
];
const PACKERS = ALL_PACKERS.filter(({ isThere }) => isThere);

/** These contents are found, in this order, as streams of these kinds. */
function expectPayloads(image: Uint8Array, payloads: readonly (readonly [string, Buffer])[]): void {
  const found = findContainers(image);
  expect(found.map(({ kind }) => kind)).toEqual(payloads.map(([kind]) => kind));
  for (const [i, [, content]] of payloads.entries()) expect(streamContent(found[i]!, image).equals(content)).toBe(true);
  // What an encoder makes of it: the same streams as units that come back exactly.
  const { units } = explore(image, { exact: true });
  expect(Buffer.concat(units.map(({ content }) => content)).equals(Buffer.concat(payloads.map(([, one]) => one)))).toBe(
    true,
  );
}

const file = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

describe('kernels', () => {
  it.each(PACKERS)('are found as they are: $kind', ({ kind, pack }) => {
    expectPayloads(pack(KERNEL), [[kind, KERNEL]]);
  });

  it.skipIf(!HAS.lz4)('are found as Linux packs them with LZ4: the older frame, and the size behind it', () => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(KERNEL.length);
    expectPayloads(Buffer.concat([pipe('lz4', ['-l', '-9', '-c'], KERNEL), size]), [['lz4-legacy', KERNEL]]);
  });

  it.skipIf(!HAS.xz)('are found as Linux packs them with XZ: a branch filter, CRC-32', () => {
    const packed = pipe('xz', ['--check=crc32', '--arm', '--lzma2=,dict=32MiB', '-c'], KERNEL);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(KERNEL.length);
    expectPayloads(Buffer.concat([packed, size]), [['xz', KERNEL]]);
  });

  it('are found in a zImage: behind the code that unpacks them, at any place', () => {
    const head = quietNoise(0x4b31, 1);
    head.writeUInt32LE(0x016f2818, 0x24);
    const image = Buffer.concat([head, gzipSync(KERNEL, { level: 9 }), quietNoise(333, 2)]);
    expectPayloads(image, [['gzip', KERNEL]]);
  });
});

describe.skipIf(!HAS.mkimage)('images for U-Boot', () => {
  it.each(PACKERS)('are found in a uImage: $kind', ({ kind, name, pack }) => {
    const [from, to] = [file('payload', pack(KERNEL)), join(folder, 'uImage')];
    const type = ['-A', 'arm64', '-O', 'linux', '-T', 'kernel', '-C', name, '-a', '80000', '-e', '80000'];
    run('mkimage', [...type, '-n', 'a kernel', '-d', from, to]);
    expectPayloads(readFileSync(to), [[kind, KERNEL]]);
  });

  it('are found in a uImage of several', () => {
    const [kernel, ramdisk] = [file('kernel', gzipSync(KERNEL)), file('ramdisk', gzipSync(RAMDISK))];
    const to = join(folder, 'multi');
    run('mkimage', ['-A', 'arm', '-O', 'linux', '-T', 'multi', '-C', 'gzip', '-d', `${kernel}:${ramdisk}`, to]);
    expectPayloads(readFileSync(to), [
      ['gzip', KERNEL],
      ['gzip', RAMDISK],
    ]);
  });

  it.skipIf(!HAS.dtc).each([
    ['inside', []],
    ['behind the tree', ['-E']],
  ])('are found in a FIT with its data %s', (_where, options) => {
    const image = (name: string, type: string, path: string): string => `
      ${name} {
        data = /incbin/("${path}");
        type = "${type}"; arch = "arm64"; os = "linux"; compression = "gzip"; load = <0x80000>; entry = <0x80000>;
        hash-1 { algo = "sha256"; };
      };`;
    const images = [
      image('kernel', 'kernel', file('kernel', gzipSync(KERNEL))),
      image('ramdisk', 'ramdisk', file('ramdisk', gzipSync(RAMDISK))),
    ];
    const tree = `/dts-v1/; / { description = "x"; #address-cells = <1>; images { ${images.join('')} };
      configurations { default = "one"; one { kernel = "kernel"; ramdisk = "ramdisk"; }; }; };`;
    const to = join(folder, 'fit');
    run('mkimage', [...options, '-f', file('fit.its', Buffer.from(tree)), to]);
    expectPayloads(readFileSync(to), [
      ['gzip', KERNEL],
      ['gzip', RAMDISK],
    ]);
  });
});

describe('boot images of Android', () => {
  const PAGE_BYTES = 4096;
  const paged = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & (PAGE_BYTES - 1))]);

  /** Versions 0 to 2 have the page size at 36, the later ones have none. */
  function bootImage(version: number, kernel: Buffer, ramdisk: Buffer): Buffer {
    const head = Buffer.alloc(PAGE_BYTES);
    head.write('ANDROID!');
    const fields = [kernel.length, 0x1000_8000, ramdisk.length, 0x1100_0000, 0, 0, 0x1000_0100, PAGE_BYTES, version];
    const later = [kernel.length, ramdisk.length, 0x1500_0113, 1580, 0, 0, 0, 0, version];
    (version < 3 ? fields : later).forEach((value, i) => head.writeUInt32LE(value, 8 + 4 * i));
    head.write('console=ttyS0 root=/dev/ram0', version < 3 ? 64 : 44);
    return Buffer.concat([head, paged(kernel), paged(ramdisk)]);
  }

  it.each([0, 2, 3, 4])('have their kernel and their ramdisk found (version %i)', (version) => {
    for (const { kind, pack } of PACKERS)
      expectPayloads(bootImage(version, gzipSync(KERNEL), pack(RAMDISK)), [
        ['gzip', KERNEL],
        [kind, RAMDISK],
      ]);
  });
});

describe.skipIf(!HAS_CPIO)('initramfs', () => {
  const archive = (): Buffer => {
    file('init', RAMDISK);
    file('early', KERNEL.subarray(0, 5000));
    return pipe('sh', ['-c', `cd '${folder}' && printf 'init\\nearly\\n' | cpio --quiet -o -H newc`], Buffer.alloc(0));
  };

  it.each(PACKERS)('are found behind an early one that is not compressed: $kind', ({ kind, pack }) => {
    const early = archive();
    const found = findContainers(Buffer.concat([early, pack(early)])).filter((container) => container.kind === kind);
    expect(found).toHaveLength(1);
    expect(found[0]!.offset).toBe(early.length);
  });
});
