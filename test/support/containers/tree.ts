/**
 * A tree of files of all kinds that file systems store in ways of their own.
 */
import { spawnSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { dice } from '../unpack/tools.ts';

const BLOCK = 131_072;

/** Compresses well, and no two seeds give the same. */
export function prose(seed: number, length: number): Buffer {
  const roll = dice(seed);
  const words = Array.from({ length: 60 }, () => Math.floor(roll(2 ** 30)).toString(36));
  let text = `${seed}: `;
  while (text.length < length) text += `${words[roll(60)]} `;
  return Buffer.from(text.slice(0, length), 'latin1');
}

export function noise(seed: number, length: number): Buffer {
  const roll = dice(seed);
  return Buffer.from(Uint8Array.from({ length }, () => roll(256)));
}

/** Fills `root`, which must be empty. */
export function plantTree(root: string): void {
  const write = (name: string, content: Uint8Array): void => writeFileSync(join(root, name), content);
  for (const name of ['bin', 'bin/deep', 'bin/deep/er', 'etc', 'many', 'none', 'var']) mkdirSync(join(root, name));
  write('bin/exactly-one', prose(1, BLOCK));
  write('bin/exactly-three', prose(2, 3 * BLOCK));
  write('bin/one-more', prose(3, 2 * BLOCK + 1));
  write('bin/deep/er/large', Buffer.concat([prose(4, 900_000), noise(5, 200_000), prose(6, 33_333)]));
  write('bin/noise', noise(7, 300_001));
  write('bin/page', prose(8, 4096));
  write('bin/page-and-more', prose(9, 4097));
  write('etc/empty', Buffer.alloc(0));
  write('etc/one', Buffer.from('x'));
  write('etc/conf', prose(10, 700));
  write('etc/copy-of-conf', prose(10, 700));
  write('etc/copy-of-large', readFileSync(join(root, 'bin/deep/er/large')));
  write('etc/other-end', Buffer.concat([prose(2, 3 * BLOCK), prose(11, 500)]));
  write('var/holes', Buffer.concat([prose(12, BLOCK), Buffer.alloc(2 * BLOCK), prose(13, 5000)]));
  write('var/small-hole', Buffer.concat([prose(14, 3 * BLOCK), Buffer.alloc(2 * BLOCK), prose(15, BLOCK + 9)]));
  write('var/zeros', Buffer.alloc(0));
  truncateSync(join(root, 'var/zeros'), 4 * BLOCK);
  for (let i = 0; i < 500; i++)
    write(`many/a-name-that-is-long-enough-to-need-an-index-${i}`, prose(100 + i, 1 + 37 * i));
  linkSync(join(root, 'etc/conf'), join(root, 'etc/hard-link'));
  symlinkSync('conf', join(root, 'etc/symlink'));
  spawnSync('mkfifo', [join(root, 'var/fifo')]);
  for (const [name, type] of Object.entries({ block: 'b', char: 'c' }))
    spawnSync('mknod', [join(root, 'var', name), type, '7', '3']); // only root can
  const attributes = "import os,sys; [os.setxattr(f,'user.of',f.encode()*3) for f in sys.argv[1:]]";
  const marked = ['bin/page', 'bin/noise', 'etc/one', 'many', 'bin/deep/er/large'].map((name) => join(root, name));
  spawnSync('python3', ['-c', attributes, ...marked]); // not every file system can
}

/** Names and contents of all files below `root` that have any, in the order of their paths. */
export function filesBelow(root: string): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const walk = (folder: string): void => {
    for (const name of readdirSync(join(root, folder)).sort()) {
      const path = join(folder, name);
      const kind = statSync(join(root, path));
      if (kind.isDirectory()) walk(path);
      else if (kind.isFile() && kind.size > 0) files.set(path, readFileSync(join(root, path)));
    }
  };
  walk('.');
  return files;
}

/** What is left of files with large holes when blocks of nothing but zeros are left out. */
export function withoutHoles(path: string, content: Buffer, blockBytes: number): Buffer {
  if (path === 'var/small-hole') return content;
  const blocks: Buffer[] = [];
  for (let at = 0; at < content.length; at += blockBytes) {
    const block = content.subarray(at, at + blockBytes);
    if (block.some((byte) => byte !== 0)) blocks.push(block);
  }
  return Buffer.concat(blocks);
}
