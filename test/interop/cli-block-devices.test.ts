/**
 * `engraft apply` onto real block devices (loop devices): the right bytes, synced, and everything in the way refused
 * before a byte is written.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, linkSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { attachLoop, detachLoop, type LoopOptions } from '../../campaign/sigkill/loop-device.ts';
import { bsdiffMissing } from '../support/engine.ts';
import { deltaPayload, editedPair, fullPayload } from '../support/images.ts';
import { engraft, start, until, type Ended } from '../support/program.ts';

const DEVICE_BYTES = 2 ** 20;
const FILLER = 0xee;
const pair = editedPair(24, 16 * 1024, 71);

/** Why these tests cannot run here; null where they can. */
function obstacle(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'root on Linux is needed';
  if (spawnSync('losetup', ['--version']).status !== 0) return 'losetup is not installed';
  if (!existsSync('/dev/loop-control')) return 'there are no loop devices';
  const probe = mkdtempSync(join(tmpdir(), 'engraft-probe-'));
  writeFileSync(join(probe, 'file'), Buffer.alloc(DEVICE_BYTES));
  const device = attachLoop(join(probe, 'file'));
  if (device !== null) detachLoop(device);
  rmSync(probe, { recursive: true });
  return device === null ? 'losetup makes no loop devices' : null;
}
const why = obstacle();

let folder: string;
const at = (name: string): string => join(folder, name);
const undo: (() => void)[] = [];
afterEach(() => undo.splice(0).reverse().forEach((step) => step())); // prettier-ignore
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'engraft-devices-'));
  writeFileSync(at('source'), pair.source);
  writeFileSync(at('target'), pair.target);
  writeFileSync(at('patch'), deltaPayload(pair, 64 * 1024));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A loop device of a file filled with FILLER; `bytes` first. */
function device(options: LoopOptions & { bytes?: number; content?: Uint8Array } = {}): { path: string; file: string } {
  const file = join(mkdtempSync(join(folder, 'device-')), 'file');
  const bytes = Buffer.alloc(options.bytes ?? DEVICE_BYTES, FILLER);
  bytes.set(options.content ?? new Uint8Array(0));
  writeFileSync(file, bytes);
  const path = attachLoop(file, options);
  if (path === null) throw new Error(`no loop device for ${file}`);
  undo.push(() => detachLoop(path));
  return { path, file };
}

const content = (path: string): Buffer =>
  spawnSync('dd', [`if=${path}`, 'bs=64k', 'status=none'], { maxBuffer: 64 * 2 ** 20 }).stdout;

function expectTarget(path: string): void {
  const bytes = content(path);
  expect(Buffer.compare(bytes.subarray(0, pair.target.length), pair.target)).toBe(0);
  expect(bytes.subarray(pair.target.length).every((byte) => byte === FILLER)).toBe(true);
}
const expectUntouched = (path: string): void => expect(content(path).every((byte) => byte === FILLER)).toBe(true);
const errorOf = (ended: Ended): { code: string; message: string; detail: Record<string, unknown> } =>
  (JSON.parse(ended.stdout) as { error: ReturnType<typeof errorOf> }).error;
const apply = (source: string, patch: string, output: string): Promise<Ended> =>
  engraft('apply', source, patch, '-o', output, '--json');

describe.skipIf(why !== null)(`apply onto a block device ${why ?? ''}`, () => {
  test.each([512, 4096])(
    'with sectors of %d bytes writes the target, leaves what is behind it, and needs no regular file',
    async (sectorBytes) => {
      const { path, file } = device({ sectorBytes });
      const ended = await apply(at('source'), at('patch'), path);
      expect(ended.code).toBe(0);
      expect(JSON.parse(ended.stdout)).toMatchObject({ output: path, targetBytes: pair.target.length, verified: true });
      expectTarget(path);
      // Synced: the file below has it, not only the device's cache.
      expect(Buffer.compare(readFileSync(file).subarray(0, pair.target.length), pair.target)).toBe(0);
    },
  );

  test('takes the source from another device, a link to the device, and the patch from a pipe', async () => {
    const source = device({ content: pair.source });
    const target = device();
    symlinkSync(target.path, at('link'));
    const script = `cat '${at('patch')}' | '${process.execPath}' dist/program/engraft.js apply '${source.path}' - -o '${at('link')}'`;
    expect(spawnSync('sh', ['-c', script], { encoding: 'utf8' })).toMatchObject({ status: 0 });
    expectTarget(target.path);
  });

  test.skipIf(bsdiffMissing() !== null)('takes a full payload and a BSDIFF40 patch', async () => {
    const { path } = device();
    const { diff } = createRequire(import.meta.url)('bsdiff-node') as { diff(...paths: string[]): Promise<void> };
    await diff(at('source'), at('target'), at('foreign'));
    expect((await apply(at('source'), at('foreign'), path)).code).toBe(0);
    expectTarget(path);
    writeFileSync(at('full'), fullPayload(pair.target, 64 * 1024));
    const other = device();
    expect((await apply('-', at('full'), other.path)).code).toBe(0);
    expectTarget(other.path);
  });

  test('that is too small, read-only or in use is refused with its own code, untouched', async () => {
    const small = device({ bytes: 128 * 1024 });
    const readOnly = device({ readOnly: true });
    const carrier = device();
    const upper = attachLoop(carrier.path)!;
    undo.push(() => detachLoop(upper));
    for (const [{ path }, code, word] of [
      [small, 'slot_too_small', 'holds 131072'],
      [readOnly, 'slot_read_only', 'read-only'],
      [carrier, 'slot_mounted', 'in use by'],
    ] as const) {
      const ended = await apply(at('source'), at('patch'), path);
      expect([ended.code, errorOf(ended).code]).toEqual([30, code]);
      expect(errorOf(ended).message).toContain(path);
      expect(errorOf(ended).message).toContain(word);
      expectUntouched(path);
    }
  });

  test.skipIf(spawnSync('mkfs.ext4', ['-V']).status !== 0)(
    'that is mounted is refused, and its mount point named',
    async () => {
      const { path } = device({ bytes: 8 * 2 ** 20 });
      expect(spawnSync('mkfs.ext4', ['-q', '-F', path]).status).toBe(0);
      const point = mkdtempSync(join(folder, 'mount-'));
      expect(spawnSync('mount', [path, point]).status).toBe(0);
      undo.push(() => void spawnSync('umount', [point]));
      writeFileSync(join(point, 'precious'), 'data');
      const ended = await apply(at('source'), at('patch'), path);
      expect([ended.code, errorOf(ended).code]).toEqual([30, 'slot_mounted']);
      expect(errorOf(ended).message).toContain(point);
      expect(readFileSync(join(point, 'precious'), 'utf8')).toBe('data');
    },
  );

  test('that is the source or the patch, or lies on one of them, is refused', async () => {
    const source = device({ content: pair.source });
    const link = join(folder, 'source-link');
    symlinkSync(source.path, link);
    const backed = device();
    writeFileSync(backed.file, pair.source);
    linkSync(backed.file, at('backing-link'));
    const patch = device({ content: readFileSync(at('patch')) });
    for (const [from, by, output] of [
      [source.path, at('patch'), source.path],
      [source.path, at('patch'), link],
      [at('backing-link'), at('patch'), backed.path],
      [at('source'), patch.path, patch.path],
    ] as const) {
      const before = content(output);
      const ended = await apply(from, by, output);
      expect([output, ended.code, errorOf(ended).code]).toEqual([output, 30, 'output_is_input']);
      expect(content(output).equals(before)).toBe(true);
    }
  });

  test('says that the device holds a part of the target when the work ends early', async () => {
    const { path } = device();
    const damaged = readFileSync(at('patch'));
    // Not the last bits: a stream may end in some that decide nothing.
    damaged[damaged.length - 2]! ^= 0xff;
    writeFileSync(at('damaged'), damaged);
    const ended = await apply(at('source'), at('damaged'), path);
    expect(ended.code).toBe(20);
    expect(errorOf(ended)).toMatchObject({ detail: { partlyWritten: path } });
    expect(errorOf(ended).message).toContain('holds a part of the target');
    // Nothing was written yet: then nothing is said.
    const other = device();
    const early = await apply(at('source'), at('source'), other.path);
    expect(errorOf(early).message).not.toContain('holds a part');
    expectUntouched(other.path);
  });

  test('stops between two segments when it is told to', async () => {
    const large = editedPair(160, 64 * 1024, 77);
    writeFileSync(at('large'), large.source);
    writeFileSync(at('large-patch'), deltaPayload(large, 64 * 1024));
    const { path } = device({ bytes: 16 * 2 ** 20 });
    const { child, ended } = start(['apply', at('large'), at('large-patch'), '-o', path, '--json']);
    await until(() => content(path)[0] !== FILLER, 'the first segment');
    child.kill('SIGTERM');
    const end = await ended;
    expect(end.code).toBe(143);
    expect(errorOf(end)).toMatchObject({ code: 'aborted', detail: { signal: 'SIGTERM', partlyWritten: path } });
    expect(errorOf(end).message).toContain('holds a part of the target');
  });

  test('is no place for a patch', async () => {
    const { path } = device();
    const ended = await engraft('diff', at('source'), at('target'), '-o', path, '--json');
    expect([ended.code, errorOf(ended).code]).toEqual([30, 'output_unwritable']);
    expectUntouched(path);
  });
});
