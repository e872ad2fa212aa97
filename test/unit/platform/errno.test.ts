/**
 * What the operating system refuses has one meaning everywhere, with the path and its cause once.
 */
import { describe, expect, test } from 'vitest';
import { codeOfErrno } from '../../../native-free/errno.ts';
import { ioError, mayPass } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { errnoError } from '../../../src/testing/index.ts';

describe('an error of the system', () => {
  test.each([
    ['ENOSPC', 'keystore_failed', 'disk_full'],
    ['SQLITE_FULL', 'store_failed', 'disk_full'],
    ['EMFILE', 'slot_unreadable', 'resources_exhausted'],
    ['ENFILE', 'key_unreadable', 'resources_exhausted'],
    ['ENOMEM', 'input_unreadable', 'resources_exhausted'],
    ['EROFS', 'output_unwritable', 'disk_read_only'],
    ['EROFS', 'slot_unwritable', 'slot_read_only'],
    ['EROFS', 'boot_unwritable', 'boot_unwritable'],
    ['SQLITE_READONLY_DBMOVED', 'output_unwritable', 'disk_read_only'],
    ['EIO', 'input_unreadable', 'storage_failed'],
    ['EIO', 'slot_unreadable', 'slot_unreadable'],
    ['SQLITE_IOERR_WRITE', 'store_failed', 'store_failed'],
    ['SQLITE_CORRUPT', 'bug', 'store_failed'],
    ['EACCES', 'output_unwritable', 'access_denied'],
    ['EPERM', 'key_unreadable', 'key_unreadable'],
    ['ENOENT', 'input_unreadable', 'input_unreadable'],
    ['ERR_INVALID_ARG_TYPE', 'bug', 'bug'],
  ] as const)('%s in work that fails with %s is %s', (errno, code, meaning) => {
    expect(codeOfErrno(errno, code)).toBe(meaning);
    const error = ioError(errnoError(errno, 'no'), code, 'cannot write /data/x', { path: '/data/x' });
    expect(error).toMatchObject({ code: meaning, message: `cannot write /data/x: ${errno}: no`, detail: { errno, path: '/data/x' } }); // prettier-ignore
  });

  test.each([
    ['EDQUOT', -122, 'boot_unwritable', 'disk_full', 'disk quota exceeded'],
    ['ESTALE', -116, 'input_unreadable', 'storage_failed', 'stale file handle'],
    ['EUCLEAN', -117, 'bug', 'storage_failed', 'structure needs cleaning'],
    ['EBADMSG', -74, 'output_unwritable', 'storage_failed', 'bad message (a checksum is wrong)'],
    ['ENOMEDIUM', -123, 'slot_unreadable', 'slot_unreadable', 'no medium found'],
  ] as const)('that Node has no name for has its own: %s (%i) in work that fails with %s is %s', (...row) => {
    const [errno, number, code, meaning, words] = row;
    const said = `Unknown system error ${number}`;
    const error = ioError(
      Object.assign(new Error(`${said}: ${said}, fsync`), { code: said }),
      code,
      'cannot sync /data',
    );
    expect(error).toMatchObject({ code: meaning, message: `cannot sync /data: ${errno}: ${words}, fsync`, detail: { errno } }); // prettier-ignore
    expect(mayPass(error)).toBe(true);
    expect(UpdateError.from(errnoError(errno, 'fsync')).message).toBe(`${errno}: ${words}, fsync`);
  });

  test('that nobody has a name for keeps its number', () => {
    const said = 'Unknown system error -4095';
    expect(ioError(Object.assign(new Error(`${said}, read`), { code: said }), 'bug', 'no')).toMatchObject({
      code: 'bug',
      message: `no: ${said}, read`,
      detail: { errno: said },
    });
  });

  test('that nobody foresaw is no bug of ours either', () => {
    expect(UpdateError.from(errnoError('ENOSPC', "write '/data/x'"))).toMatchObject({
      code: 'disk_full',
      message: "ENOSPC: write '/data/x'",
      detail: { errno: 'ENOSPC' },
    });
    expect(UpdateError.from(errnoError('EACCES', 'open'))).toMatchObject({ code: 'access_denied' });
    expect(UpdateError.from(new TypeError('x is undefined'))).toMatchObject({ code: 'bug', detail: {} });
  });

  test('that is one of ours already passes, and says its cause once', () => {
    const inner = ioError(errnoError('EIO', 'read'), 'slot_unreadable', 'cannot read slot A');
    expect(ioError(inner, 'keystore_failed', 'something else')).toBe(inner);
    expect(inner.message.match(/EIO/g)).toHaveLength(1);
  });
});

describe('worth another try', () => {
  const io = (errno: string, code: UpdateError['code']): UpdateError => ioError(errnoError(errno, ''), code, '');

  test.each(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EACCES', 'EMFILE', 'ENFILE', 'EBUSY'])(
    '%s, wherever it is met',
    (errno) => {
      for (const code of ['key_unreadable', 'slot_unwritable', 'bug'] as const)
        expect(mayPass(io(errno, code))).toBe(true);
    },
  );

  test.each(['boot_readback', 'boot_tool_failed', 'keystore_failed', 'reboot_failed', 'slot_unreadable'] as const)(
    '%s, which names no error of the system',
    (code) => expect(mayPass(new UpdateError(code, ''))).toBe(true),
  );

  test('but not what stays as it is, nor what has a patience of its own', () => {
    for (const code of [
      'slot_missing',
      'release_rollback',
      'health_failed',
      'bug',
      'cancelled',
      'aborted',
      'link_failed',
    ] as const) {
      expect(mayPass(new UpdateError(code, ''))).toBe(false);
    }
    expect(mayPass(io('ENOENT', 'input_unreadable'))).toBe(false);
  });
});
