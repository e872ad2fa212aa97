/**
 * The real file system: what it must never make.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, readdirSync, symlinkSync, writeFileSync, existsSync, statSync } from 'node:fs';
import { FileTarget } from '../../../src/agent/index.ts';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { FileSlots } from '../../../src/agent/slots/slots.ts';
import { nodeFileSystem } from '../../../src/platform/node-filesystem.ts';
import { isDevicePath, writeFileAtomically } from '../../../src/platform/filesystem.ts';
import { temporaryFolder } from '../../support/release.ts';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

describe('a slot that is not there', () => {
  test('is missing, and opening it for writing makes no file of its name', async () => {
    const paths = { A: join(folder, 'a'), B: join(folder, 'b') };
    writeFileSync(paths.A, 'running');
    const slots = new FileSlots({ fs: nodeFileSystem, paths });
    const missing = { code: 'slot_missing', message: expect.stringContaining(`slot B (${paths.B})`) };
    await expect(slots.check('B', 100, 'A')).rejects.toMatchObject(missing);
    await expect(slots.sink('B', 'A')).rejects.toMatchObject(missing);
    await expect(slots.finish('B', 'A', 100)).rejects.toMatchObject(missing);
    await expect(nodeFileSystem.open(paths.B, 'update')).rejects.toMatchObject({ code: 'ENOENT' });
    expect(readdirSync(folder)).toEqual(['a']);
  });

  test('is no slot either when a link leads to nothing', async () => {
    const paths = { A: join(folder, 'a'), B: join(folder, 'b') };
    writeFileSync(paths.A, 'running');
    symlinkSync(join(folder, 'gone'), paths.B);
    const slots = new FileSlots({ fs: nodeFileSystem, paths });
    await expect(slots.sink('B', 'A')).rejects.toMatchObject({ code: 'slot_missing' });
    expect(existsSync(join(folder, 'gone'))).toBe(false);
  });

  test('is no slot when it is the running one, with or without a device', async () => {
    const paths = { A: join(folder, 'a'), B: join(folder, 'a') };
    writeFileSync(paths.A, 'running');
    const slots = new FileSlots({ fs: nodeFileSystem, paths });
    await expect(slots.check('B', 1, 'A')).rejects.toMatchObject({ code: 'slot_active' });
    await expect(slots.sink('B', 'A')).rejects.toMatchObject({ code: 'slot_active' });
  });
});

test('a named pipe is refused at once, and not waited at', async () => {
  const path = join(folder, 'journal');
  execFileSync('mkfifo', [path]);
  for (const mode of ['read', 'update', 'create'] as const) {
    await expect(nodeFileSystem.open(path, mode)).rejects.toMatchObject({ code: 'EINVAL', message: `${path} is a pipe and no file` }); // prettier-ignore
  }
});

describe('a new file', () => {
  test.skipIf(!existsSync('/dev/null'))('is never made in /dev', async () => {
    const path = `/dev/engraft-test-${process.pid}`;
    const refused = { code: 'slot_missing', message: expect.stringContaining(path) };
    await expect(nodeFileSystem.open(path, 'create')).rejects.toMatchObject(refused);
    await expect(nodeFileSystem.open(`/tmp/../dev/engraft-test-${process.pid}`, 'create')).rejects.toMatchObject({ code: 'slot_missing' }); // prettier-ignore
    await expect(writeFileAtomically(nodeFileSystem, path, new Uint8Array(1))).rejects.toMatchObject({ code: 'slot_missing' }); // prettier-ignore
    expect(existsSync(path)).toBe(false);
  });

  test('may be made in shared memory, which is below /dev', () => {
    expect(['/dev/shm/slot', '/data/dev/slot', '/dev/mmcblk0p3', '/dev/disk/by-label/b'].map(isDevicePath)).toEqual([
      ...[false, false, true, true],
    ]);
  });

  test('does not go through a link that lies in its place', async () => {
    const [record, precious] = [join(folder, 'record'), join(folder, 'precious')];
    writeFileSync(precious, 'as it was');
    symlinkSync(precious, `${record}.new`);
    await expect(writeFileAtomically(nodeFileSystem, record, new Uint8Array(3))).rejects.toMatchObject({ code: 'ELOOP' }); // prettier-ignore
    expect(readFileSync(precious, 'utf8')).toBe('as it was');
  });

  test('is for its owner alone, and takes the place of what an earlier process left', async () => {
    const record = join(folder, 'record');
    writeFileSync(`${record}.new`, 'half of a long record');
    await writeFileAtomically(nodeFileSystem, record, new TextEncoder().encode('new'));
    expect(readFileSync(record, 'utf8')).toBe('new');
    await writeFileAtomically(nodeFileSystem, join(folder, 'other'), new Uint8Array(1));
    expect(statSync(join(folder, 'other')).mode & 0o777).toBe(0o600);
  });

  test('keeps the mode of the file that it replaces', async () => {
    const record = join(folder, 'state');
    writeFileSync(record, 'old');
    chmodSync(record, 0o644);
    await writeFileAtomically(nodeFileSystem, record, new TextEncoder().encode('new'));
    expect(statSync(record).mode & 0o777).toBe(0o644);
  });

  test('keeps it in an update, too: a program can be run afterwards', async () => {
    const path = join(folder, 'program');
    writeFileSync(path, 'old');
    chmodSync(path, 0o755);
    const target = new FileTarget({ fs: nodeFileSystem, path, stateFile: join(folder, 'state') });
    await target.markUnbootable('B');
    await target.arm('B');
    expect(statSync(path).mode & 0o777).toBe(0o755);
  });
});
