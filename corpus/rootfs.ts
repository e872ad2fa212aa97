/**
 * Builds the rootfs-bookworm-* pairs: two Debian root file systems (before and after a round of security updates)
 * packed by the tools that device builders use, with every source of chance (times, identifiers, order, threads) fixed.
 *
 * The trees come from a zstd-compressed tar that is too large for the repository; it holds the folders `A.old` and
 * `A.new`. The digests of pairs.json tell whether the tools of this machine made the same images.
 * @module
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UpdateError } from '../native-free/status.ts';
import { cacheFolder, type CorpusPair, type RootfsOrigin } from './manifest.ts';
import { run } from './run.ts';

const UUID = '11111111-2222-3333-4444-555555555555';
const TIME_SECONDS = '1700000000';
const EXT4_BYTES = 160 * 1024 * 1024;
const EXT4_FIRST_INODE = 11;
const EXT4_ROOT_INODE = 2;

/** Build both images of a pair into the cache. Throws `content_wrong` when an image differs from pairs.json. */
export async function buildRootfsPairs(pair: CorpusPair, tar: string): Promise<{ source: string; target: string }> {
  if (!existsSync(tar)) throw new UpdateError('input_unreadable', `${tar} does not exist`);
  const { rootfs: format } = pair.source.from as RootfsOrigin;
  const folder = join(cacheFolder(), 'corpus', pair.name);
  await mkdir(folder, { recursive: true });
  // On tmpfs: mke2fs -d takes files in directory order, which there is the order in which they were made.
  const work = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'engraft-rootfs-'));
  try {
    await run('tar', ['-C', work, '--use-compress-program', 'zstd -d --long=31', '-xf', tar], {
      code: 'input_unreadable',
    });
    for (const side of ['source', 'target'] as const) {
      const image = join(folder, `${side}.partial`);
      await rm(image, { force: true });
      await buildImage(format, join(work, side === 'source' ? 'A.old' : 'A.new'), image, work);
      await accept(pair, side, image, join(folder, side));
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return { source: join(folder, 'source'), target: join(folder, 'target') };
}

async function accept(pair: CorpusPair, side: 'source' | 'target', image: string, final: string): Promise<void> {
  const sha256 = createHash('sha256')
    .update(await readFile(image))
    .digest('hex');
  if (sha256 !== pair[side].sha256) {
    await rm(image, { force: true });
    throw new UpdateError(
      'content_wrong',
      `${pair.name}.${side}: the tools here built SHA-256 ${sha256}, not ${pair[side].sha256}`,
    );
  }
  await rename(image, final);
}

async function buildImage(format: string, tree: string, image: string, work: string): Promise<void> {
  const squash = (...compression: string[]): Promise<Buffer> =>
    run('mksquashfs', [
      ...[
        tree,
        image,
        '-quiet',
        '-no-progress',
        '-processors',
        '1',
        '-mkfs-time',
        TIME_SECONDS,
        '-all-time',
        TIME_SECONDS,
      ],
      ...['-all-root', '-reproducible', '-noappend', ...compression],
    ]);
  switch (format) {
    case 'ext4':
      return buildExt4(tree, image, work);
    case 'sqgzip':
      return void (await squash('-comp', 'gzip'));
    case 'sqxz':
      // As near to OpenWrt's images as a distribution's mksquashfs comes: -Xpreset, -Xe, -Xlc, -Xlp and -Xpb are
      // OpenWrt's own. What those make is held by test/unit/engine/engine-units.test.ts.
      return void (await squash('-comp', 'xz', '-Xbcj', 'arm', '-b', '256K'));
    case 'sqzstd':
      return void (await squash('-comp', 'zstd', '-Xcompression-level', '15', '-b', '128K'));
    case 'erofs':
      return void (await run('mkfs.erofs', ['-zlz4hc', `-T${TIME_SECONDS}`, '-U', UUID, '--all-root', image, tree]));
    default:
      throw new UpdateError('config_invalid', `no way to build a ${format} image is known`);
  }
}

async function buildExt4(tree: string, image: string, work: string): Promise<void> {
  const env = { ...process.env, E2FSPROGS_FAKE_TIME: TIME_SECONDS };
  await writeFile(image, '');
  await truncate(image, EXT4_BYTES);
  const features = ['-b', '4096', '-O', '^has_journal,^metadata_csum', '-m', '0', '-N', '16384', '-U', UUID];
  const extended = `hash_seed=${UUID},lazy_itable_init=0,root_owner=0:0`;
  await run('mke2fs', ['-q', '-t', 'ext4', ...features, '-E', extended, '-d', tree, image], { env });
  // mke2fs -d copies the times of the tree, change times included, and those are of the moment of unpacking.
  const commands = join(work, 'times');
  await writeFile(commands, inodeTimes((await run('dumpe2fs', ['-h', image], { env })).toString()));
  await run('debugfs', ['-w', '-f', commands, image], { env });
  await run('e2fsck', ['-fn', image], { env });
}

/** debugfs commands that set every time of every used inode to the one fixed time. */
function inodeTimes(superblock: string): string {
  const count = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(superblock)?.[1] ?? Number.NaN);
  const used = count('Inode count') - count('Free inodes');
  if (!Number.isSafeInteger(used)) throw new UpdateError('content_wrong', 'dumpe2fs printed no inode counts');
  const inodes: number[] = [];
  for (let inode = EXT4_FIRST_INODE; inode <= used; inode++) inodes.push(inode);
  // Last, because the superblock counts the kilobytes that debugfs wrote: another order is another image.
  inodes.push(EXT4_ROOT_INODE);
  const fields = ['atime', 'ctime', 'crtime', 'mtime'];
  return inodes
    .flatMap((inode) =>
      fields.map((field) => `sif <${inode}> ${field} @${TIME_SECONDS}\nsif <${inode}> ${field}_extra 0\n`),
    )
    .join('');
}
