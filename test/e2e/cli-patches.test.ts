/** `engraft diff`, `apply` and `inspect` as a user meets them: exit codes, --json, damage, Ctrl-C. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { corpusPair, SMALL_PAIR } from '../../corpus/index.ts';
import { toHex } from '../../native-free/index.ts';
import { bsdiffMissing } from '../support/engine.ts';
import { deltaPayload, editedPair, imageBytes, random, sha256 } from '../support/images.ts';
import { engraft, start, until } from '../support/program.ts';

const pair = editedPair(16, 16 * 1024, 31);
const targetHex = toHex(sha256(pair.target));

let folder: string;
let out: string;
let source: string;
let target: string;
let patch: string;
let patchBytes: Buffer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'engraft-cli-'));
  source = join(folder, 'source');
  target = join(folder, 'target');
  patch = join(folder, 'patch');
  writeFileSync(source, pair.source);
  writeFileSync(target, pair.target);
  const made = await engraft('diff', source, target, '-o', patch, '--workers', '1', '--segment-size', '64');
  expect(made).toMatchObject({ code: 0 });
  patchBytes = readFileSync(patch);
});
beforeEach(() => {
  out = mkdtempSync(join(folder, 'out-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Whether the header's source digest is at this offset of the patch. */
function sourceDigestAt(offset: number): boolean {
  const start = patchBytes.indexOf(sha256(pair.source));
  return start >= 0 && offset >= start && offset < start + 32;
}

/** The one JSON document that a run with --json prints. */
function documentOf(ended: { stdout: string; stderr: string }): Record<string, never> {
  return JSON.parse(ended.stdout) as Record<string, never>;
}

describe('diff', () => {
  it('makes the same patch with two workers, and says in --json what it made', async () => {
    const again = join(out, 'again');
    const ended = await engraft('diff', source, target, '-o', again, '-w', '2', '--segment-size', '64', '--json');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(documentOf(ended)).toMatchObject({
      kind: 'delta',
      payloadBytes: patchBytes.length,
      targetDigest: targetHex,
      workers: 2,
      matcher: 'own',
      proved: true,
    });
    expect(Buffer.compare(readFileSync(again), patchBytes)).toBe(0);
    expect(readdirSync(out)).toEqual(['again']);
  });

  it('makes a full payload with --full, from - as well', async () => {
    const full = join(out, 'full');
    expect(await engraft('diff', '-', target, '-o', full, '--full')).toMatchObject({ code: 0 });
    expect(await engraft('apply', '-', full, '-o', join(out, 'made'))).toMatchObject({ code: 0 });
    expect(Buffer.compare(readFileSync(join(out, 'made')), pair.target)).toBe(0);
  });

  it('refuses a patch that is not smaller than the full payload: 30, nothing written', async () => {
    const next = random(3);
    const noise = join(out, 'noise');
    writeFileSync(
      noise,
      Uint8Array.from({ length: 100_000 }, () => next() * 256),
    );
    const ended = await engraft('diff', source, noise, '-o', join(out, 'patch'), '--json');
    expect(ended.code).toBe(30);
    const full = `engraft diff --full - ${noise} -o ${join(out, 'patch')}`;
    const message = expect.stringMatching(new RegExp(`not smaller than .*; to write that: ${full}$`)) as string;
    expect(documentOf(ended)).toMatchObject({ error: { code: 'delta_not_smaller', exitCode: 30, message } });
    expect(readdirSync(out)).toEqual(['noise']);
  });

  it('refuses with both figures when the memory bound is too low', async () => {
    const ended = await engraft('diff', source, target, '-o', join(out, 'patch'), '--memory', '8', '-w', '1', '--json');
    expect(ended.code).toBe(30);
    expect(documentOf(ended)).toMatchObject({
      error: { code: 'memory_exceeded', detail: { neededBytes: expect.any(Number), allowedBytes: expect.any(Number) } },
    });
  });

  it.each([
    ['no arguments', []],
    ['no output', ['SOURCE', 'TARGET']],
    ['an unknown option', ['SOURCE', 'TARGET', '-o', 'x', '--fast']],
    ['an unknown matcher', ['SOURCE', 'TARGET', '-o', 'x', '--matcher', 'magic']],
    ['workers that are no number', ['SOURCE', 'TARGET', '-o', 'x', '--workers', 'many']],
    ['a segment size that is no power of two', ['SOURCE', 'TARGET', '-o', 'x', '--segment-size', '100']],
    ['- without --full', ['-', 'TARGET', '-o', 'x']],
  ])('answers %s with 2', async (_name, args) => {
    const real = args.map((arg) =>
      arg === 'SOURCE' ? source : arg === 'TARGET' ? target : arg === 'x' ? join(out, arg) : arg,
    );
    const [words, json] = await Promise.all([engraft('diff', ...real), engraft('diff', ...real, '--json')]);
    expect(words.code).toBe(2);
    expect(words.stdout).toBe('');
    expect(words.stderr).toMatch(/^error: /);
    expect(json.code).toBe(2);
    expect(documentOf(json)).toMatchObject({ error: { code: 'usage_invalid', exitCode: 2 } });
    expect(readdirSync(out)).toEqual([]);
  });

  it('names the input that is missing, and the folder that is not there', async () => {
    const missing = await engraft('diff', join(out, 'nothing'), target, '-o', join(out, 'patch'));
    expect(missing.code).toBe(30);
    expect(missing.stderr).toContain(join(out, 'nothing'));
    expect(missing.stderr).toContain('input_unreadable');
    const folderMissing = await engraft('diff', source, target, '-o', join(out, 'no', 'patch'));
    expect(folderMissing.code).toBe(30);
    expect(folderMissing.stderr).toContain('output_unwritable');
    const isFolder = await engraft('diff', out, target, '-o', join(out, 'patch'));
    expect(isFolder.stderr).toContain('input_unreadable');
    expect(readdirSync(out)).toEqual([]);
  });
});

describe('apply', () => {
  it('makes the target and says its digest', async () => {
    const made = join(out, 'made');
    const ended = await engraft('apply', source, patch, '-o', made, '--json');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(documentOf(ended)).toMatchObject({
      kind: 'delta',
      targetBytes: pair.target.length,
      targetDigest: targetHex,
    });
    expect(Buffer.compare(readFileSync(made), pair.target)).toBe(0);
    expect(readdirSync(out)).toEqual(['made']);
  });

  it('says so when the source is another image, and keeps the file that was there', async () => {
    const other = join(out, 'other');
    const made = join(out, 'made');
    writeFileSync(other, imageBytes(pair.source.length, 99));
    writeFileSync(made, 'before');
    const ended = await engraft('apply', other, patch, '-o', made, '--json');
    expect(ended.code).toBe(20);
    expect(documentOf(ended)).toMatchObject({
      error: { code: 'source_digest', detail: { expected: toHex(sha256(pair.source)) } },
    });
    expect(readFileSync(made, 'utf8')).toBe('before');
    expect(readdirSync(out).sort()).toEqual(['made', 'other']);
  });

  it('says so when the source is too short or not given', async () => {
    const short = join(out, 'short');
    writeFileSync(short, pair.source.subarray(0, 1000));
    expect(await engraft('apply', short, patch, '-o', join(out, 'made'))).toMatchObject({ code: 20 });
    const none = await engraft('apply', '-', patch, '-o', join(out, 'made'), '--json');
    expect(documentOf(none)).toMatchObject({ error: { code: 'usage_invalid' } });
    expect(readdirSync(out)).toEqual(['short']);
  });

  it('refuses a patch cut short anywhere, and writes nothing', async () => {
    const cuts = [0, 1, 7, 8, 15, 16, 100, patchBytes.length >> 1, patchBytes.length - 1];
    for (const length of cuts) {
      const cut = join(folder, 'cut');
      writeFileSync(cut, patchBytes.subarray(0, length));
      const ended = await engraft('apply', source, cut, '-o', join(out, 'made'), '--json');
      expect([length, ended.code]).toEqual([length, 20]);
      expect(documentOf(ended)).toMatchObject({ error: { code: 'payload_truncated' } });
    }
    expect(readdirSync(out)).toEqual([]);
  });

  it('refuses a patch with a flipped bit or a surplus byte, or makes the right target all the same', async () => {
    const flipped = join(folder, 'flipped');
    for (const at of [0, 3, 8, 9, 10, 11, 12, 20, 40, 60, 80, 200, patchBytes.length >> 1, patchBytes.length - 1]) {
      const bytes = Buffer.from(patchBytes);
      bytes[at]! ^= 0x10;
      writeFileSync(flipped, bytes);
      const ended = await engraft('apply', source, flipped, '-o', join(out, 'made'), '--json');
      if (ended.code === 0) {
        // The digest of the source is only looked at to explain a failure.
        expect(sourceDigestAt(at)).toBe(true);
        expect(Buffer.compare(readFileSync(join(out, 'made')), pair.target)).toBe(0);
        rmSync(join(out, 'made'));
      } else {
        expect([at, ended.code]).toEqual([at, 20]);
        expect(documentOf(ended)['error']['code']).not.toBe('bug');
      }
    }
    writeFileSync(flipped, Buffer.concat([patchBytes, Buffer.from([0])]));
    expect(await engraft('apply', source, flipped, '-o', join(out, 'made'))).toMatchObject({ code: 20 });
    expect(readdirSync(out)).toEqual([]);
  });

  it('refuses outputs that it cannot write', async () => {
    mkdirSync(join(out, 'folder'));
    for (const path of [join(out, 'folder'), join(out, 'no', 'made'), '/dev/null']) {
      const ended = await engraft('apply', source, patch, '-o', path, '--json');
      expect(ended.code).toBe(30);
      expect(documentOf(ended)).toMatchObject({ error: { code: 'output_unwritable' } });
    }
    expect(readdirSync(join(out, 'folder'))).toEqual([]);
  });

  it('does not take any other file for a patch', async () => {
    const ended = await engraft('apply', source, target, '-o', join(out, 'made'));
    expect(ended.code).toBe(20);
    expect(ended.stderr).toContain('payload_magic');
  });
});

describe.skipIf(bsdiffMissing() !== null)(`a BSDIFF40 patch ${bsdiffMissing() ?? ''}`, () => {
  let foreign: string;
  beforeAll(async () => {
    foreign = join(folder, 'foreign');
    const { diff } = createRequire(import.meta.url)('bsdiff-node') as { diff(...paths: string[]): Promise<void> };
    await diff(source, target, foreign);
  });

  it('is applied and inspected like our own', async () => {
    const ended = await engraft('apply', source, foreign, '-o', join(out, 'made'), '--json');
    expect(ended.code).toBe(0);
    expect(documentOf(ended)).toMatchObject({ kind: 'bsdiff40', targetDigest: targetHex, verified: false });
    expect(Buffer.compare(readFileSync(join(out, 'made')), pair.target)).toBe(0);
    const inspected = await engraft('inspect', foreign, '--json');
    expect(documentOf(inspected)).toMatchObject({ format: 'bsdiff40', targetBytes: pair.target.length });
  });

  it('that is cut short writes nothing', async () => {
    const bytes = readFileSync(foreign);
    const cut = join(folder, 'foreign-cut');
    // The last bytes are the end mark of a stream whose content is all there already: not missed.
    for (const length of [8, 31, 32, 100, bytes.length - 40]) {
      writeFileSync(cut, bytes.subarray(0, length));
      const ended = await engraft('apply', source, cut, '-o', join(out, 'made'), '--json');
      expect([length, ended.code]).toEqual([length, 20]);
      expect(documentOf(ended)).toMatchObject({ error: { code: 'foreign_malformed' } });
    }
    expect(readdirSync(out)).toEqual([]);
  });

  it('needs a source', async () => {
    expect(await engraft('apply', '-', foreign, '-o', join(out, 'made'))).toMatchObject({ code: 2 });
  });
});

describe('inspect', () => {
  it('shows sizes that add up', async () => {
    const ended = await engraft('inspect', patch, '--json');
    const facts = documentOf(ended) as unknown as {
      payloadBytes: number;
      sections: { headerBytes: number; planBytes: number; segmentBytes: number };
      segments: { targetBytes: number }[];
      intact: boolean;
    };
    expect(facts.payloadBytes).toBe(patchBytes.length);
    const { headerBytes, planBytes, segmentBytes } = facts.sections;
    expect(headerBytes + planBytes + segmentBytes).toBe(patchBytes.length);
    expect(facts.segments.reduce((sum, segment) => sum + segment.targetBytes, 0)).toBe(pair.target.length);
    expect(facts.intact).toBe(true);
    const words = await engraft('inspect', patch, '--segments');
    expect(words.stdout).toContain(targetHex);
  });

  it('tells damage apart and exits with 20', async () => {
    const damaged = join(folder, 'damaged');
    const large = join(out, 'large');
    const small = await corpusPair(SMALL_PAIR, { fetch: false });
    // A small body would be part of the header, for which only signed metadata vouches.
    expect((await engraft('diff', small!.source, small!.target, '-o', large, '-w', '1')).code).toBe(0);
    const largeBytes = readFileSync(large);
    const bytes = Buffer.from(largeBytes);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(damaged, bytes);
    const flipped = await engraft('inspect', damaged, '--json');
    expect(flipped.code).toBe(20);
    expect(documentOf(flipped)).toMatchObject({ intact: false, damagedChunks: [expect.any(Number)], missingBytes: 0 });
    writeFileSync(damaged, largeBytes.subarray(0, -5));
    const cut = await engraft('inspect', damaged, '--json');
    expect(cut.code).toBe(20);
    expect(documentOf(cut)).toMatchObject({ intact: false, missingBytes: 5 });
    expect(await engraft('inspect', source)).toMatchObject({ code: 20 });
  });
});

describe('a signal', () => {
  const leftIn = (path: string): string[] => readdirSync(path).filter((name) => name !== 'slow');

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s while applying leaves nothing half-written and exits with %d', async (signal, code) => {
    const large = editedPair(160, 64 * 1024, 77);
    const paths = { source: join(folder, 'large'), patch: join(folder, 'large-patch') };
    if (!existsSync(paths.patch)) {
      writeFileSync(paths.source, large.source);
      writeFileSync(paths.patch, deltaPayload(large, 64 * 1024));
    }
    const { child, ended } = start(['apply', paths.source, paths.patch, '-o', join(out, 'made'), '--json']);
    await until(() => leftIn(out).length > 0, 'the temporary file');
    child.kill(signal);
    const end = await ended;
    expect(end.code).toBe(code);
    expect(documentOf(end)).toMatchObject({ error: { code: 'aborted', detail: { signal } } });
    expect(leftIn(out)).toEqual([]);
  });

  it('while diffing leaves nothing, neither in the output folder nor in the temporary one', async () => {
    const images = editedPair(64, 64 * 1024, 78);
    const paths = { source: join(folder, 'slow-source'), target: join(folder, 'slow-target') };
    const scratch = mkdtempSync(join(folder, 'scratch-'));
    writeFileSync(paths.source, images.source);
    writeFileSync(paths.target, images.target);
    const args = ['diff', paths.source, paths.target, '-o', join(out, 'patch'), '-w', '1', '--matcher', 'bsdiff'];
    const { child, ended } = start(args, { TMPDIR: scratch });
    await until(() => readdirSync(scratch).some((name) => name.startsWith('engraft-bsdiff-')), 'the matcher at work');
    child.kill('SIGINT');
    const end = await ended;
    expect(end.code).toBe(130);
    expect(end.stderr).toContain('stopped by SIGINT');
    expect(readdirSync(out)).toEqual([]);
    expect(readdirSync(scratch)).toEqual([]);
  });
});

describe('the program', () => {
  it('has help and a version, and suggests the command that was meant', async () => {
    const [help, version, sub, typo, none] = await Promise.all([
      engraft('--help'),
      engraft('--version'),
      engraft('help', 'apply'),
      engraft('aply'),
      engraft(),
    ]);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const name of ['keygen', 'diff', 'apply', 'inspect', 'publish', 'serve']) expect(help.stdout).toContain(name);
    expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+/) });
    expect(sub.stdout).toContain('--output');
    expect(typo).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean apply?') });
    expect(none.code).toBe(2);
  });

  it('completes commands and options', async () => {
    const [commands, options, script] = await Promise.all([
      engraft('complete', '--', 'insp'),
      engraft('complete', '--', 'diff', '--'),
      engraft('complete', 'bash'),
    ]);
    expect(commands.stdout).toContain('inspect');
    expect(options.stdout).toContain('--matcher');
    expect(script.stdout).toContain('engraft');
  });
});
