/** A file has its final name only when it is whole; whatever goes wrong, the folder is as it was. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replaceFile, writeFileAtomically } from '../../src/platform/files/atomic-file.ts';
import { writeError } from '../../src/platform/files/io-errors.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'engraft-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bytes = new TextEncoder().encode('all of it');

describe('writeFileAtomically', () => {
  it('writes a new file and leaves nothing else', async () => {
    const path = join(folder, 'file');
    await replaceFile(path, bytes);
    expect(readFileSync(path)).toEqual(Buffer.from(bytes));
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('has no final name while it is written', async () => {
    const path = join(folder, 'file');
    await writeFileAtomically(path, async (file) => {
      await file.write(bytes);
      expect(readdirSync(folder)).not.toContain('file');
      expect(readFileSync(file.temporaryPath)).toEqual(Buffer.from(bytes));
    });
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('keeps the earlier file and its mode when the producer fails, and throws what it threw', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'before', { mode: 0o640 });
    const failure = new Error('half-way');
    const attempt = writeFileAtomically(path, async (file) => {
      await file.write(bytes);
      throw failure;
    });
    await expect(attempt).rejects.toBe(failure);
    expect(readFileSync(path, 'utf8')).toBe('before');
    expect(readdirSync(folder)).toEqual(['file']);
    await replaceFile(path, bytes);
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it('does not name the file when the signal fired while it was written', async () => {
    const abort = new AbortController();
    const attempt = writeFileAtomically(join(folder, 'file'), async () => abort.abort(), { signal: abort.signal });
    await expect(attempt).rejects.toMatchObject({ code: 'aborted' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('never overwrites when exclusive', async () => {
    const path = join(folder, 'key');
    await replaceFile(path, bytes, { exclusive: true, mode: 0o600 });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await expect(replaceFile(path, new Uint8Array(1), { exclusive: true })).rejects.toMatchObject({
      code: 'output_unwritable',
    });
    const race = writeFileAtomically(
      join(folder, 'other'),
      async () => writeFileSync(join(folder, 'other'), 'the other one'),
      { exclusive: true },
    );
    await expect(race).rejects.toMatchObject({ code: 'output_unwritable' });
    expect(readFileSync(join(folder, 'other'), 'utf8')).toBe('the other one');
    expect(readdirSync(folder).sort()).toEqual(['key', 'other']);
  });

  it('refuses a folder and a device as its final name', async () => {
    await expect(replaceFile(folder, bytes)).rejects.toMatchObject({ code: 'output_unwritable' });
    await expect(replaceFile('/dev/null', bytes)).rejects.toMatchObject({ code: 'output_unwritable' });
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  it('names the path when the folder is missing', async () => {
    const path = join(folder, 'missing', 'file');
    await expect(replaceFile(path, bytes)).rejects.toMatchObject({ code: 'output_unwritable', detail: { path } });
  });

  it('follows a symbolic link instead of replacing it', async () => {
    writeFileSync(join(folder, 'real'), 'before');
    symlinkSync('real', join(folder, 'link'));
    await replaceFile(join(folder, 'link'), bytes);
    expect(readFileSync(join(folder, 'real'))).toEqual(Buffer.from(bytes));
  });
});

describe('writeError', () => {
  it('tells a full disk from other reasons', () => {
    const error = (code: string) => Object.assign(new Error(code), { code });
    expect(writeError(error('ENOSPC'), 'x').code).toBe('disk_full');
    expect(writeError(error('EDQUOT'), 'x').code).toBe('disk_full');
    expect(writeError(error('EACCES'), 'x').code).toBe('access_denied');
    expect(writeError(error('EISDIR'), 'x').code).toBe('output_unwritable');
  });
});
