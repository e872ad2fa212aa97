/** Outputs: never one of the inputs, kept as they were where that is possible, and remarked on where it is not. */
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { coverListOf } from '../../native-free/format/cover.ts';
import { deltaPayload, editedPair } from '../support/images.ts';
import { engraft, type Ended } from '../support/program.ts';

const pair = editedPair(4, 16 * 1024, 51);
const patch = deltaPayload(pair, 64 * 1024);
let folder: string;
const at = (name: string): string => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'engraft-outputs-'));
  writeFileSync(at('source'), pair.source);
  writeFileSync(at('target'), pair.target);
  writeFileSync(at('patch'), patch);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const codeOf = (ended: Ended): string =>
  (JSON.parse(ended.stdout) as { error?: { code: string } }).error?.code ?? 'none';
const inputsAreWhole = (): void => {
  expect(Buffer.compare(readFileSync(at('source')), pair.source)).toBe(0);
  expect(Buffer.compare(readFileSync(at('target')), pair.target)).toBe(0);
  expect(Buffer.compare(readFileSync(at('patch')), patch)).toBe(0);
};
const isTarget = (name: string): void => expect(Buffer.compare(readFileSync(at(name)), pair.target)).toBe(0);

describe('an output that is one of the inputs', () => {
  const names: readonly (readonly [string, (input: string) => void])[] = [
    ['by its name', () => undefined],
    ['through a symbolic link', (input) => symlinkSync(input, at('other'))],
    ['by another hard link', (input) => linkSync(at(input), at('other'))],
  ];
  it.each(names)('is refused %s', async (how, make) => {
    for (const [args, input] of [
      [['diff', 'source', 'target'], 'source'],
      [['diff', 'source', 'target'], 'target'],
      [['diff', '--full', '-', 'target'], 'target'],
      [['apply', 'source', 'patch'], 'patch'],
    ] as const) {
      make(input);
      const output = how === 'by its name' ? input : 'other';
      const files = args.map((arg) => (existsSync(at(arg)) ? at(arg) : arg));
      const ended = await engraft(...files, '-o', at(output), '--json');
      expect([args, ended.code, codeOf(ended)]).toEqual([args, 30, 'output_is_input']);
      rmSync(at('other'), { force: true });
    }
    inputsAreWhole();
    expect(readdirSync(folder).sort()).toEqual(['patch', 'source', 'target']);
  });

  it('may be the source of apply: replaced when the target is whole, and not before', async () => {
    const damaged = Buffer.from(patch);
    damaged[damaged.length - 1]! ^= 1;
    writeFileSync(at('damaged'), damaged);
    expect(await engraft('apply', at('source'), at('damaged'), '-o', at('source'))).toMatchObject({ code: 20 });
    expect(Buffer.compare(readFileSync(at('source')), pair.source)).toBe(0);
    expect(await engraft('apply', at('source'), at('patch'), '-o', at('source'))).toMatchObject({ code: 0 });
    isTarget('source');
  });
});

describe('the name of an output', () => {
  it('that is a link to nothing yet gets its file where the link points', async () => {
    mkdirSync(at('there'));
    symlinkSync('there/made', at('second'));
    symlinkSync('second', at('first'));
    expect(await engraft('apply', at('source'), at('patch'), '-o', at('first'))).toMatchObject({ code: 0 });
    expect(readlinkSync(at('first'))).toBe('second');
    expect(readlinkSync(at('second'))).toBe('there/made');
    isTarget('there/made');
  });

  it('that goes in circles, or leads to a name that is not UTF-8, is refused', async () => {
    symlinkSync('b', at('a'));
    symlinkSync('a', at('b'));
    symlinkSync(Buffer.from([0x61, 0xff]), at('odd'));
    for (const name of ['a', 'odd']) {
      const ended = await engraft('apply', at('source'), at('patch'), '-o', at(name), '--json');
      expect([name, ended.code, codeOf(ended)]).toEqual([name, 30, 'output_unwritable']);
    }
    expect(readdirSync(folder).sort()).toEqual(['a', 'b', 'odd', 'patch', 'source', 'target']);
  });

  it.each([
    ['255 bytes', 'n'.repeat(255)],
    ['254 bytes of two-byte letters', 'ü'.repeat(127)],
    ['four-byte letters', '😀'.repeat(63)],
  ])('may have %s', async (_what, name) => {
    expect(await engraft('apply', at('source'), at('patch'), '-o', at(name))).toMatchObject({ code: 0 });
    isTarget(name);
  });

  it('of 256 bytes, of nothing, or of a folder is refused before the work', async () => {
    for (const output of [at('n'.repeat(256)), '', at('new/'), at('missing/made')]) {
      const ended = await engraft('diff', at('source'), at('target'), '-o', output, '--json');
      expect([output, ended.code, codeOf(ended)]).toEqual([output, 30, 'output_unwritable']);
    }
    expect(readdirSync(folder).sort()).toEqual(['patch', 'source', 'target']);
  });

  it('- makes no file of that name', async () => {
    const ended = await engraft('apply', at('source'), at('patch'), '-o', '-');
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('say ./-') });
    expect((await engraft('diff', at('source'), at('target'), '-o', '-')).code).toBe(2);
    expect(existsSync('-')).toBe(false);
  });

  it.skipIf(process.platform !== 'linux')('in /dev makes no file there', async () => {
    const ended = await engraft('apply', at('source'), at('patch'), '-o', '/dev/engraft-no-such-device', '--json');
    expect([ended.code, codeOf(ended)]).toEqual([30, 'output_unwritable']);
    expect(existsSync('/dev/engraft-no-such-device')).toBe(false);
  });
});

describe('a file that is replaced', () => {
  it('hands on its mode, and its other names are told of', async () => {
    writeFileSync(at('made'), 'before', { mode: 0o640 });
    chmodSync(at('made'), 0o640);
    linkSync(at('made'), at('also'));
    const ended = await engraft('apply', at('source'), at('patch'), '-o', at('made'), '--json');
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain(`${at('made')}: it had 1 more name (hard links) with the earlier content`);
    expect(statSync(at('made')).mode & 0o7777).toBe(0o640);
    isTarget('made');
    expect(readFileSync(at('also'), 'utf8')).toBe('before');
  });

  it.skipIf(process.getuid?.() !== 0)(
    'hands on its owner and set-user-ID where the user may give files away',
    async () => {
      writeFileSync(at('made'), 'before');
      chownSync(at('made'), 4321, 4322);
      chmodSync(at('made'), 0o4750);
      expect(await engraft('diff', at('source'), at('target'), '-o', at('made'))).toMatchObject({ code: 0 });
      const { uid, gid, mode } = statSync(at('made'));
      expect([uid, gid, mode & 0o7777]).toEqual([4321, 4322, 0o4750]);
    },
  );
});

describe.skipIf(!existsSync('/proc/self/status'))('an input of procfs, which says that it has 0 bytes', () => {
  // What it holds stays the same while the machine runs.
  const PROC = '/proc/version';

  it('is read to its end', async () => {
    const text = readFileSync(PROC);
    expect(statSync(PROC).size).toBe(0);
    const full = await engraft('diff', '--full', '-', PROC, '-o', at('full'), '--json');
    expect(JSON.parse(full.stdout)).toMatchObject({ targetBytes: text.length });
    expect(await engraft('apply', '-', at('full'), '-o', at('copy'))).toMatchObject({ code: 0 });
    expect(readFileSync(at('copy')).equals(text)).toBe(true);
  });

  it('can be a source and a patch', async () => {
    const source = readFileSync(PROC);
    const covers = coverListOf(
      [0, 1].map((i) => ({ sourceOffset: 0, targetOffset: i * source.length, length: source.length })),
    );
    writeFileSync(at('small'), deltaPayload({ source, target: Buffer.concat([source, source]), covers }, 64 * 1024));
    expect(await engraft('apply', PROC, at('small'), '-o', at('twice'))).toMatchObject({ code: 0 });
    expect(readFileSync(at('twice')).equals(Buffer.concat([source, source]))).toBe(true);
    expect((await engraft('inspect', PROC, '--json')).code).toBe(20);
  });
});
