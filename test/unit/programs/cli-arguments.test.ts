/** Names that are not UTF-8 are refused, since Node would make other names of them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { refuseUnreadableNames } from '../../../src/cli/arguments.ts';
import { ENGRAFT } from '../../support/program.ts';

const line = (...args: (string | Buffer)[]): Buffer =>
  Buffer.concat(args.flatMap((arg) => [Buffer.from(arg), Buffer.from([0])]));

it('takes every name that is UTF-8, also one with U+FFFD in it', () => {
  refuseUnreadableNames(['apply', 'größe', ''], null);
  refuseUnreadableNames(['a\ufffd', ''], line('node', 'script', 'a\ufffd', ''));
});

it('refuses what is not, and what nobody can tell', () => {
  const lossy = Buffer.from([0x61, 0xff]).toString();
  expect(() => refuseUnreadableNames([lossy], line('node', Buffer.from([0x61, 0xff])))).toThrow(/not UTF-8/);
  expect(() => refuseUnreadableNames([lossy], null)).toThrow(/not UTF-8/);
  expect(() => refuseUnreadableNames([lossy, 'b'], line('node', Buffer.from([0x61, 0xff]), 'b'))).toThrow(/not UTF-8/);
});

it.skipIf(process.platform !== 'linux')('holds for the program: 2, and no file of another name', () => {
  const folder = mkdtempSync(join(tmpdir(), 'engraft-names-'));
  try {
    // The shell can write bytes that an argument from here cannot carry.
    const script = `'${process.execPath}' '${ENGRAFT}' diff --full - '${ENGRAFT}' -o "$(printf 'a\\377')"`;
    const ended = spawnSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8' });
    expect(ended).toMatchObject({ status: 2, stderr: expect.stringContaining('not UTF-8') });
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
