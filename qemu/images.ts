/**
 * The images that go into a slot, and the partition of tools that both slots share.
 *
 * A slot holds kernel, initramfs, busybox, libubootenv and the agent, in an ext4 file system without a journal: it is
 * only ever mounted read-only, so its bytes stay those of the image. Node is on a partition of its own, because 95 MB
 * of it in each slot would make every scenario a test of patience.
 * @module
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { UpdateError } from '../native-free/status.ts';
import { formatCpio, type CpioEntry } from './cpio.ts';

/** What is wrong with an image: `hang` never starts the agent, `unhealthy` fails its health check. */
export type Fault = 'none' | 'hang' | 'unhealthy';

export interface Pieces {
  /** The cache folder that prepare.sh filled. */
  readonly cache: string;
  /** The folder of the guest's scripts. */
  readonly guest: string;
  /** The folder of the pair of programs. */
  readonly programs: string;
  /** The agent as one file. */
  readonly agent: string;
}

export interface ImageOptions {
  readonly version: string;
  readonly kernel: 'old' | 'new';
  /** Which image of the pair of arm64 programs that is part of the repository. */
  readonly program: 'source' | 'target';
  readonly fault: Fault;
}

const MIB = 1024 * 1024;
/** Of the image; the slots are larger. */
const IMAGE_BYTES = 48 * MIB;
const TIME_SECONDS = 1_700_000_000;
const LIBRARIES = [
  'libc.so.6',
  'libm.so.6',
  'ld-linux-aarch64.so.1',
  'libubootenv.so.0',
  'libyaml-0.so.2',
  'libz.so.1',
];
const NODE_LIBRARIES = ['libstdc++.so.6', 'libgcc_s.so.1', 'libdl.so.2', 'libpthread.so.0', 'librt.so.1'];
const APPLETS = `ash cat cp date df dd echo env false grep halt hostname ifconfig insmod kill ls mkdir mknod mount mv ps
  reboot rm sed sh sha256sum sleep switch_root sync test true umount uname`.split(/\s+/);

/** Write a slot image to `into`. The same inputs give the same bytes. */
export function makeImage(pieces: Pieces, options: ImageOptions, into: string): void {
  const { cache, guest, agent, programs } = pieces;
  const tree = `${into}.tree`;
  rmSync(tree, { recursive: true, force: true });
  for (const folder of [
    'bin',
    'sbin',
    'boot',
    'data',
    'dev',
    'etc',
    'lib',
    'proc',
    'sys',
    'run',
    'tmp',
    'tools',
    'var',
    'usr/bin',
    'usr/lib/engraft',
  ])
    mkdirSync(join(tree, folder), { recursive: true });
  const kernel = join(cache, 'kernel', options.kernel);
  copyFileSync(join(kernel, 'vmlinuz'), join(tree, 'boot/vmlinuz'));
  writeFileSync(join(tree, 'boot/initramfs'), makeInitramfs(cache, guest, kernel));
  addBusybox(cache, tree);
  for (const tool of ['fw_printenv', 'fw_setenv'])
    copyFileSync(join(cache, 'packages/tree/usr/bin', tool), join(tree, 'usr/bin', tool));
  symlinkSync('../tools/lib', join(tree, 'usr/lib/node'));
  for (const library of LIBRARIES) copyLibrary(cache, library, join(tree, 'lib'));
  for (const library of NODE_LIBRARIES) symlinkSync(`/tools/lib/${library}`, join(tree, 'lib', library));
  copyFileSync(join(guest, 'init'), join(tree, 'sbin/init'));
  copyFileSync(join(guest, 'health'), join(tree, 'bin/health'));
  copyFileSync(agent, join(tree, 'usr/lib/engraft/engraft-agent.mjs'));
  copyFileSync(join(programs, options.program), join(tree, 'usr/lib/watcher.node'));
  writeFileSync(join(tree, 'etc/version'), `${options.version}\n`);
  writeFileSync(join(tree, 'etc/fault'), `${options.fault}\n`);
  writeFileSync(join(tree, 'etc/fw_env.config'), '/dev/mmcblk0 0x100000 0x4000\n/dev/mmcblk0 0x110000 0x4000\n');
  makeFileSystem(tree, into, IMAGE_BYTES, 'slot', '^metadata_csum,^64bit,^has_journal');
  rmSync(tree, { recursive: true });
}

/** The partition with Node and its libraries. */
export function makeTools(cache: string, into: string, bytes: number): void {
  const tree = `${into}.tree`;
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(join(tree, 'bin'), { recursive: true });
  mkdirSync(join(tree, 'lib'));
  copyFileSync(join(cache, 'node/node'), join(tree, 'bin/node'));
  for (const library of NODE_LIBRARIES) copyLibrary(cache, library, join(tree, 'lib'));
  makeFileSystem(tree, into, bytes, 'tools', '^metadata_csum,^64bit,^has_journal');
  rmSync(tree, { recursive: true });
}

/** The read-write partition: configuration and pinned root. It has a journal of its own. */
export function makeData(files: Readonly<Record<string, string | Buffer>>, into: string, bytes: number): void {
  const tree = `${into}.tree`;
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(tree, name), content);
  makeFileSystem(tree, into, bytes, 'data', '^metadata_csum,^64bit');
  rmSync(tree, { recursive: true });
}

function makeInitramfs(cache: string, guest: string, kernel: string): Buffer {
  const folders = ['bin', 'sbin', 'dev', 'proc', 'sys', 'modules', 'slot'];
  const applets = ['sh', 'mount', 'umount', 'insmod', 'cat', 'sleep', 'mkdir', 'switch_root', 'reboot', 'echo'];
  const entries: CpioEntry[] = [
    ...folders.map((path) => ({ path, kind: 'folder' as const, content: null })),
    { path: 'bin/busybox', kind: 'file', content: readFileSync(join(cache, 'packages/tree/bin/busybox')) },
    ...applets.map((name) => ({ path: `bin/${name}`, kind: 'link' as const, content: 'busybox' })),
    { path: 'init', kind: 'file', content: readFileSync(join(guest, 'initramfs-init')) },
  ];
  const names = readFileSync(join(kernel, 'modules'), 'utf8').trim().split('\n');
  entries.push({ path: 'modules/modules', kind: 'file', content: `${names.join('\n')}\n` });
  for (const name of names)
    entries.push({ path: `modules/${name}`, kind: 'file', content: readFileSync(join(kernel, name)) });
  return formatCpio(entries);
}

function addBusybox(cache: string, tree: string): void {
  copyFileSync(join(cache, 'packages/tree/bin/busybox'), join(tree, 'bin/busybox'));
  for (const name of APPLETS) symlinkSync('busybox', join(tree, 'bin', name));
  symlinkSync('../bin/busybox', join(tree, 'sbin/reboot'));
}

function copyLibrary(cache: string, name: string, into: string): void {
  for (const folder of ['lib/aarch64-linux-gnu', 'usr/lib/aarch64-linux-gnu', 'lib']) {
    const path = join(cache, 'packages/tree', folder, name);
    try {
      cpSync(path, join(into, name), { dereference: true });
      chmodSync(join(into, name), 0o755);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new UpdateError('input_unreadable', `none of the arm64 packages holds ${name}; remove ${cache} and run again`);
}

/** An ext4 file system from a folder, without mounting anything; its bytes depend on the folder alone. */
function makeFileSystem(tree: string, into: string, bytes: number, label: string, features: string): void {
  for (const entry of readdirSync(tree, { recursive: true, withFileTypes: true }))
    if (!entry.isSymbolicLink()) utimesSync(join(entry.parentPath, entry.name), TIME_SECONDS, TIME_SECONDS);
  rmSync(into, { force: true });
  const uuid = '5e7a0000-0000-4000-8000-000000000000';
  const args = ['-q', '-F', '-t', 'ext4', '-b', '4096', '-m', '0', '-L', label, '-U', uuid, '-O', features];
  args.push('-E', `hash_seed=${uuid},root_owner=0:0,lazy_itable_init=0`, '-d', tree, into, `${bytes / 1024}K`);
  // Without this, superblock and inodes would carry the time of making.
  execFileSync('mke2fs', args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...toolPath(), E2FSPROGS_FAKE_TIME: String(TIME_SECONDS) },
  });
}

/** `mke2fs` and `sgdisk` are in folders that are not on every user's PATH. */
export const toolPath = (): NodeJS.ProcessEnv => ({ ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` });
