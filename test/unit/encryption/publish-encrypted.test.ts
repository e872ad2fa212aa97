/**
 * Publishing an encrypted release: what lies where, what is signed, what is refused.
 */
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openHeader, payloadKey } from '../../../native-free/age/header.ts';
import { recipientOf } from '../../../native-free/age/keys.ts';
import { StreamOpener } from '../../../native-free/age/stream.ts';
import { headerFor, loadMasterKey, makeMasterKey } from '../../../src/release/index.ts';
import { imageBytes, sha256Hex } from '../../support/images.ts';
import { imageOf, publisher, temporaryFolder } from '../../support/release.ts';

async function masterKey(name = 'master.key') {
  const path = join(temporaryFolder(), name);
  await makeMasterKey(path);
  return { path, keys: await loadMasterKey(path) };
}

describe('an encrypted release', () => {
  it('leaves no byte in clear among the blobs, and opens to the payloads that are signed', async () => {
    const made = await publisher();
    const { keys } = await masterKey();
    await made.release(1, { encryption: keys });
    const { release } = await made.release(2, { encryption: keys });
    const { targets } = await made.repository.state();
    expect(release.payloads.map(({ kind }) => kind)).toEqual(['full', 'delta']);
    const secret = imageBytes(32, 77);
    for (const payload of release.payloads) {
      const body = readFileSync(made.repository.blobs.path(payload.sha256));
      const { encryption } = targets[payload.targetName]!.custom as { encryption: Record<string, unknown> };
      expect(targets[payload.targetName]!.length).toBe(body.length);
      expect(encryption).not.toHaveProperty('fileKey');
      const header = await headerFor(recipientOf(secret), { sha256: payload.sha256, wrapped: payload.encryption!.fileKey }, [keys]); // prettier-ignore
      const plainBytes = encryption['bytes'] as number;
      const opener = new StreamOpener({
        key: payloadKey(openHeader(header, secret), body.subarray(0, 16)),
        plainBytes,
      });
      const plain = Buffer.concat([...opener.push(body.subarray(16))]);
      expect(sha256Hex(plain)).toBe(encryption['sha256']);
      expect(body.subarray(0, 16).toString('hex')).toBe(encryption['nonce']);
    }
    const served = readdirSync(made.repository.layout.blobs);
    expect(served).not.toContain(sha256Hex(imageOf(2)));
    expect(served).toHaveLength(3);
  });

  it('keeps its image where only the publisher reads it', async () => {
    const made = await publisher();
    const { keys } = await masterKey();
    await made.release(1, { encryption: keys });
    expect(existsSync(made.repository.privateImages.path(sha256Hex(imageOf(1))))).toBe(true);
    expect(statSync(made.repository.layout.privateImages).mode & 0o077).toBe(0);
  });

  it('has the same payloads as in clear: only the bodies are random', async () => {
    const { keys } = await masterKey();
    const [a, b, clear] = [await publisher(), await publisher(), await publisher()];
    const [one, two] = [
      (await a.release(1, { encryption: keys })).release,
      (await b.release(1, { encryption: keys })).release,
    ];
    expect(one.payloads[0]!.encryption!.sha256).toBe((await clear.release(1)).release.payloads[0]!.sha256);
    expect(two.payloads[0]!.encryption!.sha256).toBe(one.payloads[0]!.encryption!.sha256);
    expect(two.payloads[0]!.sha256).not.toBe(one.payloads[0]!.sha256);
  });

  it('is not published in clear later, nor a clear one encrypted', async () => {
    const made = await publisher();
    const { keys } = await masterKey();
    await made.release(1, { encryption: keys });
    await made.release(2);
    await expect(made.release(1)).rejects.toMatchObject({ code: 'release_exists' });
    await expect(made.release(2, { encryption: keys })).rejects.toMatchObject({ code: 'release_exists' });
    expect(readdirSync(made.repository.layout.blobs)).not.toContain(sha256Hex(imageOf(1)));
  });

  it('is refused for what foreign clients alone would read', async () => {
    const made = await publisher();
    const { keys } = await masterKey();
    await expect(made.release(1, { encryption: keys, payloads: 'none' })).rejects.toMatchObject({
      code: 'usage_invalid',
    });
  });
});

describe('a wrapped key', () => {
  const body = 'ab'.repeat(32);
  const fileKey = imageBytes(16, 3);

  it('comes back by the master key that wrapped it, for its own body alone', async () => {
    const { keys } = await masterKey();
    const wrapped = await keys.wrap(fileKey, body);
    expect(await keys.unwrap(wrapped, body)).toEqual(fileKey);
    await expect(keys.unwrap(wrapped, 'cd'.repeat(32))).rejects.toMatchObject({ code: 'key_unreadable' });
    await expect((await masterKey()).keys.unwrap(wrapped, body)).rejects.toThrow(/master key [0-9a-f]{16} is needed/);
  });

  it('is refused with any letter changed', async () => {
    const { keys } = await masterKey();
    const wrapped = await keys.wrap(fileKey, body);
    for (let at = 0; at < wrapped.length - 1; at++) {
      const bad = `${wrapped.slice(0, at)}${wrapped[at] === 'a' ? 'b' : 'a'}${wrapped.slice(at + 1)}`;
      await expect(keys.unwrap(bad, body), `letter ${at}`).rejects.toMatchObject({ code: 'key_unreadable' });
    }
  });

  it('needs a file that nobody else reads, and that is a master key', async () => {
    const { path } = await masterKey();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await expect(makeMasterKey(path)).rejects.toMatchObject({ code: 'output_unwritable' });
    chmodSync(path, 0o644);
    await expect(loadMasterKey(path)).rejects.toThrow(/chmod 600/);
    const made = await publisher();
    await expect(loadMasterKey(join(made.keys, 'root.key.pem'))).rejects.toThrow(/is no master key/);
    await expect(loadMasterKey(join(made.keys, 'none'))).rejects.toMatchObject({ code: 'key_unreadable' });
  });
});
