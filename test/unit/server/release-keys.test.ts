import { generateKeyPairSync, verify, createPublicKey } from 'node:crypto';
import { chmod, readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keygen, keyPath, loadSigner, loadSigners, ROLES } from '../../../src/release/index.ts';
import { temporaryFolder } from '../../support/release.ts';

const code = (value: string) => expect.objectContaining({ code: value });

describe('keys', () => {
  test('are made for each role, for their owner alone, and sign', async () => {
    const dir = join(temporaryFolder(), 'keys');
    const made = await keygen(dir);
    expect(made.map(({ role }) => role)).toEqual([...ROLES]);
    for (const { path } of made) expect((await stat(path)).mode & 0o777).toBe(0o600);
    const signers = await loadSigners(dir);
    const bytes = Buffer.from('what is signed');
    const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), signers.targets.publicKey]);
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    expect(verify(null, bytes, key, await signers.targets.sign(bytes))).toBe(true);
    expect(signers.targets.keyId).toBe(made[1]!.keyId);
  });

  test('are never overwritten, and a refused run leaves no other file', async () => {
    const dir = temporaryFolder();
    await writeFile(keyPath(dir, 'timestamp'), 'precious');
    await expect(keygen(dir)).rejects.toEqual(code('output_unwritable'));
    expect(await readdir(dir)).toEqual(['timestamp.key.pem']);
    expect(await readFile(keyPath(dir, 'timestamp'), 'utf8')).toBe('precious');
  });

  test('load without the root key, but not without another', async () => {
    const dir = temporaryFolder();
    await keygen(dir);
    await unlink(keyPath(dir, 'root'));
    expect((await loadSigners(dir)).root).toBeUndefined();
    await unlink(keyPath(dir, 'snapshot'));
    await expect(loadSigners(dir)).rejects.toMatchObject({
      code: 'key_unreadable',
      message: expect.stringContaining('snapshot.key.pem'),
    });
  });

  test('are refused when open to others, of another kind, or no keys at all', async () => {
    const dir = temporaryFolder();
    await keygen(dir);
    const path = keyPath(dir, 'targets');
    await chmod(path, 0o640);
    await expect(loadSigner(path)).rejects.toMatchObject({
      code: 'key_unreadable',
      message: expect.stringContaining('mode 640'),
    });
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    await writeFile(join(dir, 'ec.pem'), other.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    await expect(loadSigner(join(dir, 'ec.pem'))).rejects.toMatchObject({
      message: expect.stringContaining('kind ec'),
    });
    const whole = await readFile(keyPath(dir, 'root'));
    for (let cut = 0; cut < whole.length - 2; cut++) {
      await writeFile(join(dir, 'cut.pem'), whole.subarray(0, cut), { mode: 0o600 });
      await expect(loadSigner(join(dir, 'cut.pem'))).rejects.toEqual(code('key_unreadable'));
    }
  });
});
