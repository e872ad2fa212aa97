/**
 * Archives made by the tools that everyone makes them with: units and files are exactly those that a second reader
 * lists, and what is damaged or lies is no archive, or a sound one.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ar } from '../../../native-free/diff/containers/archives/ar.ts';
import { cpio } from '../../../native-free/diff/containers/archives/cpio.ts';
import { oldTar, tar } from '../../../native-free/diff/containers/archives/tar.ts';
import { zip } from '../../../native-free/diff/containers/archives/zip.ts';
import type { ContainerFinder } from '../../../native-free/diff/containers/container.ts';
import {
  expectMembers,
  listTar,
  listZip,
  makeZip,
  type Truth,
  type ZipOptions,
} from '../../support/containers/archives.ts';
import { soundWhenDamaged, span } from '../../support/containers/damage.ts';
import { expectSound, filesOf, isInstalled, run } from '../../support/containers/tools.ts';
import { noise, prose } from '../../support/containers/tree.ts';

const has = Object.fromEntries(
  ['python3', 'zip', 'tar', 'cpio', 'ar', 'dpkg-deb'].map((program) => [program, isInstalled(program)]),
) as Record<string, boolean>;
for (const [program, isThere] of Object.entries(has))
  if (!isThere) console.info(`${program} is not installed: its archives are not read`);

const folder = mkdtempSync(join(tmpdir(), 'engraft-archives-'));
const root = join(folder, 'root');
const contents = new Map<string, Buffer>([
  ['text', prose(1, 70_000)],
  ['empty', Buffer.alloc(0)],
  ['one', Buffer.from('x')],
  ['noise', noise(2, 5001)],
  ['deep/er/text', prose(3, 3333)],
  ['deep/zeros', Buffer.alloc(100_000)],
  ['a-name-of-more-than-a-hundred-bytes-'.repeat(4), prose(4, 513)],
]);
const names = [...contents.keys()];
const full = names.filter((name) => contents.get(name)!.length > 0);
const path = join(folder, 'archive.bin');

beforeAll(() => {
  mkdirSync(join(root, 'deep/er'), { recursive: true });
  for (const [name, content] of contents) writeFileSync(join(root, name), content);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Texts are compared faster than buffers. */
const textsOf = (files: readonly (Buffer | undefined)[]): string[] => files.map((file) => file!.toString('latin1'));
const texts = (wanted: readonly string[]): string[] => textsOf(wanted.map((name) => contents.get(name)));

/** Runs a shell command in the folder of the files; the archive that it made. */
function made(command: string): Buffer {
  rmSync(path, { force: true });
  run('sh', ['-c', `cd ${root} && ${command}`]);
  return readFileSync(path);
}

describe.skipIf(!has.python3)('zip by Python', () => {
  it.each<[string, ZipOptions]>([
    ...[1, 6, 9].map((level): [string, ZipOptions] => [`level ${level}`, { level }]),
    ['stored', { method: 'ZIP_STORED' }],
    ['some stored', { stored: ['text', 'one'] }],
    ['sizes behind the data', { streamed: true }],
    ['stored, sizes behind the data', { streamed: true, method: 'ZIP_STORED' }],
    ['64-bit sizes', { zip64: true }],
    ['64-bit sizes behind the data', { zip64: true, streamed: true }],
    ['64-bit count', { zip64End: true }],
    ['a comment', { comment: 'PK and more '.repeat(5000) }],
    ['padding before data', { padding: 37 }],
    ['bzip2', { method: 'ZIP_BZIP2' }],
    ['lzma', { method: 'ZIP_LZMA' }],
  ])('%s', (_, options) => {
    const image = makeZip(path, root, names, options);
    const container = zip.at(image, 0);
    expectMembers(container, image, listZip(path));
    expect(container!.bytes).toBe(image.length);
    if (options.method !== undefined && options.method !== 'ZIP_STORED') expect(container!.units).toEqual([]);
    else expect(textsOf(filesOf(container!, image))).toEqual(texts(full));
  });

  it.each([1, 5000])('behind %i other bytes, whichever offsets count from', (prefix) => {
    const adjusted = makeZip(path, root, names, { prefix });
    const truth = listZip(path);
    expectMembers(zip.at(adjusted, prefix), adjusted, truth);
    const image = Buffer.concat([noise(8, prefix), makeZip(path, root, names, {}), noise(9, 3000)]);
    expectMembers(zip.at(image, prefix), image, truth);
    expect(zip.at(image, prefix)!.bytes).toBe(image.length - prefix - 3000);
  });

  it('several in the same bytes, one in another one', () => {
    const [a, b] = [makeZip(path, root, names, { comment: 'a' }), makeZip(path, root, ['one', 'text'], {})];
    mkdirSync(join(root, 'inner'), { recursive: true });
    writeFileSync(join(root, 'inner/b.jar'), b);
    const nesting = makeZip(path, root, ['text', 'inner/b.jar', 'one'], { stored: ['inner/b.jar'] });
    const truth = listZip(path);
    const image = Buffer.concat([a, b, nesting]);
    expect(zip.at(image, 0)!.bytes).toBe(a.length);
    expect(zip.at(image, a.length)!.bytes).toBe(b.length);
    const start = a.length + b.length;
    expectMembers(zip.at(image.subarray(start), 0), image.subarray(start), truth);
    expect(zip.at(image, start)!.bytes).toBe(nesting.length);
    const inner = zip.at(image, start)!.files[1]!.parts[0]!;
    expect(zip.at(image, inner.offset)!.bytes).toBe(b.length);
    // Members that are no archive's first.
    expect(zip.at(image, image.indexOf('PK\x03\x04', 1))).toBeNull();
  });

  it('leaves what unpacks to more than a unit may have', () => {
    writeFileSync(join(root, 'large'), Buffer.alloc(2 ** 24 + 1));
    const image = makeZip(path, root, ['one', 'large', 'text'], {});
    const container = zip.at(image, 0)!;
    expect(container.units.length).toBe(2);
    expect(container.files.map(({ parts }) => parts[0]!.unit)).toEqual([0, -1, 1]);
  });

  it('more members than 16 bits count, in linear time', () => {
    const many = `import zipfile; z = zipfile.ZipFile('${path}', 'w')\nfor i in range(70000): z.writestr(str(i), 'x')`;
    run('python3', ['-c', `${many}\nz.close()`]);
    const image = readFileSync(path);
    expect(zip.at(image, 0)!.files.length).toBe(70_000);
  });

  it('with a block of signatures before the directory', () => {
    const plain = makeZip(path, root, names, {});
    const truth = listZip(path);
    const end = plain.length - 22;
    const directory = plain.readUInt32LE(end + 16);
    const image = Buffer.concat([plain.subarray(0, directory), noise(3, 4096), plain.subarray(directory)]);
    image.writeUInt32LE(directory + 4096, end + 4096 + 16);
    expectMembers(zip.at(image, 0), image, truth);
  });

  it('is none when cut, and sound when damaged', () => {
    const image = makeZip(path, root, ['one', 'noise', 'empty'], { zip64End: true, stored: ['noise'] });
    for (let length = 0; length < image.length; length++) expect(zip.at(image.subarray(0, length), 0)).toBeNull();
    const heads = [...span(0, 60), ...span(image.length - 320, image.length)];
    expect(soundWhenDamaged(zip, image, heads)).toBeGreaterThan(0);
  });
});

describe.skipIf(!has.python3)('zips that lie', () => {
  /** The numbers of entry `i` begin here. */
  function entryAt(image: Buffer, i: number): number {
    let at = image.readUInt32LE(image.length - 6);
    for (; i > 0; i--) at += 46 + image.readUInt16LE(at + 28) + image.readUInt16LE(at + 30);
    return at;
  }

  it('about how many members there are', () => {
    const image = makeZip(path, root, names, { zip64End: true });
    const end = image.length - 22;
    image.writeUInt16LE(0xffff, end + 8);
    image.writeUInt16LE(0xffff, end + 10);
    for (const count of [2n ** 32n, 2n ** 63n, 2n ** 64n - 1n, BigInt(names.length + 1), BigInt(names.length - 1)]) {
      for (const at of [end - 76 + 24, end - 76 + 32]) image.writeBigUInt64LE(count, at);
      expect(zip.at(image, 0)).toBeNull();
    }
    for (const at of [end - 76 + 24, end - 76 + 32]) image.writeBigUInt64LE(BigInt(names.length), at);
    expect(zip.at(image, 0)).not.toBeNull();
  });

  it('with one kernel of data for all members', () => {
    const image = makeZip(path, root, ['text', 'deep/zeros'], {});
    // Both entries are the first member, with its name.
    const [a, b] = [entryAt(image, 0), entryAt(image, 1)];
    const shared = Buffer.concat([image.subarray(0, b), image.subarray(a, b), image.subarray(-22)]);
    shared.writeUInt32LE(2 * (b - a), shared.length - 10);
    expect(zip.at(shared, 0)).toBeNull();
  });

  it('with a member whose data are the next one', () => {
    const image = makeZip(path, root, ['one', 'text', 'noise'], {});
    const [a, b] = [entryAt(image, 0), entryAt(image, 1)];
    const second = image.readUInt32LE(b + 42);
    const more = image.readUInt32LE(a + 20) + (image.length - 22 - second) / 2;
    image.writeUInt32LE(more, a + 20);
    image.writeUInt32LE(more, 18);
    expect(zip.at(image, 0)).toBeNull();
  });

  it('with headers of another name, method or size', () => {
    const image = makeZip(path, root, names, {});
    expect(zip.at(image, 0)).not.toBeNull();
    for (const at of [8, 18, 22, 30]) {
      const lie = Uint8Array.from(image);
      lie[at]! ^= 1;
      expect(zip.at(lie, 0)).toBeNull();
    }
  });

  it('at many places, in linear time', () => {
    const local = makeZip(path, root, ['one'], { stored: ['one'] });
    const head = local.subarray(0, 34);
    const end = local.subarray(-22);
    const directory = local.subarray(34 + 1, -22);
    const images = [
      Buffer.concat(Array.from({ length: 60_000 }, () => head)),
      // Each end has the same directory, and another count.
      Buffer.concat([local.subarray(0, 35), ...Array.from({ length: 20_000 }, () => directory)]),
    ];
    const ends = Array.from({ length: 40_000 }, (_, i) => {
      const lie = Buffer.from(end);
      lie.writeUInt16LE(20_000, 8);
      lie.writeUInt16LE(20_000, 10);
      lie.writeUInt32LE(20_000 * directory.length + 22 * i, 12);
      return lie;
    });
    images.push(Buffer.concat([images[1]!, ...ends]));
    for (const image of images) {
      const started = performance.now();
      const find = zip.within!(image);
      for (let at = image.indexOf('PK\x03\x04'); at >= 0; at = image.indexOf('PK\x03\x04', at + 1)) find(at);
      expect(performance.now() - started).toBeLessThan(5000);
    }
  });
});

describe.skipIf(!has.zip || !has.python3)('zip by Info-ZIP', () => {
  it.each(['-9', '-1', '-0', '-X -fd', '-fz', '-q -e -P secret', '-z'])('zip %s', (options) => {
    const image = made(`echo comment | zip -q -r ${options} ${path} . -x large`);
    expectMembers(zip.at(image, 0), image, listZip(path));
  });

  it('to a pipe', () => {
    const image = made(`zip -q -r - text noise deep > ${path}`);
    expectMembers(zip.at(image, 0), image, listZip(path));
  });
});

describe.skipIf(!has.tar || !has.python3)('tar', () => {
  it.each(['ustar', 'gnu', 'pax', 'oldgnu', 'v7'])('%s', (format) => {
    const files = names.filter((name) => name.length < 99 || !['v7', 'ustar'].includes(format)).join(' ');
    const image = made(`ln -sf text link && tar --format=${format} -cf ${path} deep link ${files}`);
    const finder = format === 'v7' ? oldTar : tar;
    const truth = listTar(path);
    expect(truth.length).toBeGreaterThanOrEqual(6);
    expectMembers(finder.at(image, 0), image, truth);
    const shifted = Buffer.concat([noise(1, 77), image, noise(2, 5000)]);
    const moved = truth.map((member): Truth => ({ ...member, at: member.at + 77 }));
    expectMembers(finder.at(shifted, 77), shifted, moved);
    if (finder === tar) expect(oldTar.at(image, 0)!.files).toEqual(tar.at(image, 0)!.files);
  });

  it('with sparse files', () => {
    const image = made(`truncate -s 1M holes && printf x >> holes && tar -S --format=gnu -cf ${path} one holes text`);
    // The parts of a file with holes are not a file.
    const truth = listTar(path);
    expect(truth.length).toBe(3);
    expectMembers(tar.at(image, 0), image, [truth[0]!, truth[2]!]);
  });

  it('is sound when cut or damaged', () => {
    const image = made(`tar --format=gnu -cf ${path} one noise ${names.at(-1)!}`);
    expectFirstFilesWhenCut(tar, image);
    const places = [...span(0, 512), ...span(1024, 1536)];
    expect(soundWhenDamaged(tar, image, places)).toBeGreaterThan(0);
    for (const digits of [
      '77777777777\0',
      '\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
      '-0000000001\0',
      '            ',
    ]) {
      const lie = Uint8Array.from(image);
      lie.set(Buffer.from(digits, 'latin1'), 124);
      const sum = lie.subarray(0, 512).reduce((a, byte, i) => a + (i >= 148 && i < 156 ? 32 : byte), 0);
      lie.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `, 'latin1'), 148);
      expect(tar.at(lie, 0)).toBeNull();
    }
  });
});

/** What is there of the archive: its first members. */
function expectFirstFilesWhenCut(finder: ContainerFinder, image: Uint8Array): void {
  const whole = finder.at(image, 0)!;
  for (let length = 0; length < image.length; length += 7) {
    const bytes = image.subarray(0, length);
    const container = finder.at(bytes, 0);
    if (container === null) continue;
    expectSound(container, bytes);
    expect(container.files).toEqual(whole.files.slice(0, container.files.length));
  }
}

describe.skipIf(!has.cpio)('cpio', () => {
  it.each(['newc', 'crc'])('%s', (format) => {
    const list = ['.', 'deep', ...names].map((name) => `'${name}'`).join(' ');
    const image = made(`ln -sf text link && printf '%s\\n' ${list} link | cpio -o -H ${format} --quiet > ${path}`);
    const container = cpio.at(image, 0)!;
    expectSound(container, image);
    expect(container.units).toEqual([]);
    expect(textsOf(filesOf(container, image))).toEqual(texts(full));
    const shifted = Buffer.concat([noise(1, 3), image, image]);
    expect(textsOf(filesOf(cpio.at(shifted, 3)!, shifted))).toEqual(texts(full));
    expect(cpio.at(shifted, 3)!.bytes).toBe(container.bytes);
    expect(image.length - container.bytes).toBeLessThan(512);
  });

  it('is sound when cut or damaged', () => {
    const image = made(`printf '%s\\n' one noise text | cpio -o -H newc --quiet > ${path}`);
    expectFirstFilesWhenCut(cpio, image);
    expect(soundWhenDamaged(cpio, image, span(0, 240))).toBeGreaterThan(0);
    for (const [at, digits] of [
      [54, 'ffffffff'],
      [94, 'ffffffff'],
      [94, '00000000'],
      [54, '0000000g'],
      [54, '-0000001'],
    ] as const) {
      const lie = Uint8Array.from(image);
      lie.set(Buffer.from(digits), at);
      expect(cpio.at(lie, 0)).toBeNull();
    }
  });
});

describe.skipIf(!has.ar)('ar', () => {
  it.each(['rcS', 'rcSU'])('ar %s', (options) => {
    const image = made(`ar ${options} ${path} text one noise deep/zeros empty ${names.at(-1)!}`);
    const container = ar.at(image, 0)!;
    expectSound(container, image);
    const files = filesOf(container, image);
    // Names that are too long stand in a member of their own.
    expect(files[0]!.toString().startsWith('a-name')).toBe(true);
    const wanted = ['text', 'one', 'noise', 'deep/zeros', names.at(-1)!];
    expect(textsOf(files.slice(1))).toEqual(texts(wanted));
    expect(container.bytes).toBe(image.length);
  });

  it('with names before the data, as BSD has them', () => {
    const header = (name: string, size: number): string => `${name.padEnd(48)}${String(size).padEnd(10)}\`\n`;
    const image = Buffer.from(`!<arch>\n${header('#1/6', 11)}a nameDATA!\n${header('b/', 2)}BC`, 'latin1');
    const files = filesOf(ar.at(Buffer.concat([image, noise(1, 99)]), 0)!, image);
    expect(files.map(String)).toEqual(['DATA!', 'BC']);
  });

  it.skipIf(!has['dpkg-deb'])('packages of Debian', () => {
    const control =
      'Package: a\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody <n@example.org>\\nDescription: a\\n';
    const image = made(
      `mkdir -p ../deb/DEBIAN && cp text noise ../deb && printf '${control}' > ../deb/DEBIAN/control && dpkg-deb -Zxz -b ../deb ${path}`,
    );
    const files = filesOf(ar.at(image, 0)!, image);
    expect(files.length).toBe(3);
    expect(String(files[0])).toBe('2.0\n');
    for (const file of files.slice(1)) expect(file.subarray(1, 5).toString()).toBe('7zXZ');
  });

  it('is sound when cut or damaged', () => {
    const image = made(`ar rcS ${path} one noise text`);
    expectFirstFilesWhenCut(ar, image);
    expect(soundWhenDamaged(ar, image, span(0, 140))).toBeGreaterThan(0);
    expect(ar.at(Buffer.from('!<arch>\n'), 0)).toBeNull();
  });
});
