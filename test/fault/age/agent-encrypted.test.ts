/**
 * Updates by encrypted payloads: as in clear, whatever is cut, dropped or changed on the way.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { UpdateError } from '../../../native-free/status.ts';
import { isPowerCut } from '../../../src/testing/index.ts';
import { imagePair, isBlob, sameBytes } from '../../support/device/agent.ts';
import { encryptedDevice, encryptedLab, type EncryptedLab } from '../../support/device/encrypted.ts';

let lab: EncryptedLab;
beforeAll(async () => {
  lab = await encryptedLab(imagePair(140_000, 70_000));
});

describe('an encrypted update', () => {
  test('ends as one in clear, and nothing of it crosses the link in clear', async () => {
    const it = await encryptedDevice(lab);
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
    expect(it.journal().last!.plan).toMatchObject({ kind: 'delta' });
  });

  test('ends well when the power is cut in any operation', async () => {
    const whole = await encryptedDevice(lab);
    whole.power.restore();
    await whole.untilDone();
    const { operations } = whole.power;
    for (let cut = 1; cut <= operations; cut += 3) {
      const it = await encryptedDevice(lab);
      it.power.cutAt(cut);
      const failure = await it.untilDone().catch((error: unknown) => error);
      const at = `cut ${cut} of ${operations} in ${it.power.log.at(-1)}`;
      expect(isPowerCut(failure) || it.power.isOff, at).toBe(true);
      it.power.restore();
      it.disk.crash('lost');
      expect(await it.boot(), at).not.toBeNull();
      if ((await it.untilDone()).code === 'no_update') expect(it.journal().last!.outcome!.status, at).toBe(0);
      expect(sameBytes(it.slot('b'), lab.target), at).toBe(true);
    }
  });

  test('with changed bytes ends with 20, and nothing is armed', async () => {
    const spoil = (request: Parameters<EncryptedLab['answer']>[0]) => {
      const answer = lab.answer(request);
      if (!isBlob(request)) return answer;
      return { ...answer, body: (answer.body as Uint8Array).map((byte) => byte ^ 1) };
    };
    const it = await encryptedDevice(lab, { answer: spoil });
    expect(await it.untilDone()).toMatchObject({ status: 20, code: 'age_chunk' });
    expect(it.bootState()).toMatch(/BOOT_ORDER=A\b/);
  });

  test('with the header of another device ends with 20, and says so', async () => {
    const it = await encryptedDevice(lab);
    const other = 'age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj';
    it.deployments.ageHeader = (sha256) => lab.headerFor(other, sha256);
    expect(await it.untilDone()).toMatchObject({ status: 20, code: 'age_key' });
  });

  test('that the server refuses ends with 10', async () => {
    const it = await encryptedDevice(lab);
    it.deployments.ageHeader = () => Promise.reject(new UpdateError('age_refused', 'revoked'));
    expect(await it.untilDone()).toMatchObject({ status: 10, code: 'age_refused' });
    delete it.deployments.ageHeader;
    it.deployments.assign('2.0', 'action-2');
    expect(await it.untilDone()).toMatchObject({ status: 10, code: 'age_refused' });
  });
});
