/**
 * Deflate and LZ4 as the real tools write them, at every level: exactly what comes in goes out.
 *
 * zlib, gzip and zip share a tree builder, so that nothing but tokens and blocks is kept; libdeflate and the compressor
 * in Deno have their own, and need their headers kept.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../corpus/manifest.ts';
import { packDeflate, unpackDeflate } from '../../native-free/unpack/deflate/deflate.ts';
import { packLz4, unpackLz4 } from '../../native-free/unpack/lz4.ts';
import { packGzip, unpackGzip } from '../../native-free/unpack/deflate/wrappers.ts';
import { hasProgram } from '../support/bsdiff40.ts';
import { blocksOfFrame } from '../support/unpack/lz4.ts';
import { faultOf, oddContents, realFiles, Tally, type Codec } from '../support/unpack/tools.ts';

const folder = mkdtempSync(join(tmpdir(), 'engraft-unpack-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const CONTENTS = new Map([...oddContents(), ...realFiles()]);
const ALL_LEVELS = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const run = (program: string, args: readonly string[], input?: Uint8Array): Buffer =>
  execFileSync(program, args, { input, stdio: ['pipe', 'pipe', 'ignore'], maxBuffer: 2 ** 28 });
const without = (isThere: boolean, what: string): string => (isThere ? '' : ` (skipped: no ${what})`);

const GZIP = { unpack: unpackGzip, pack: packGzip };
const DEFLATE = { unpack: unpackDeflate, pack: packDeflate };
const LZ4 = { unpack: unpackLz4, pack: packLz4 };
const KEEPING: Codec<ReturnType<typeof unpackDeflate>['params']> = {
  unpack: (packed, limits) => unpackDeflate(packed, limits, { headers: true }),
  pack: packDeflate,
};

const hasGzip = hasProgram('gzip');
describe.skipIf(!hasGzip)(`gzip${without(hasGzip, 'gzip')}`, () => {
  it('comes back exactly at every level, with a name in the header or without', () => {
    const tally = new Tally();
    const path = join(folder, 'a name');
    for (const [name, content] of CONTENTS) {
      writeFileSync(path, content);
      for (const level of ALL_LEVELS)
        tally.add(`${name}, ${level}`, faultOf(GZIP, run('gzip', ['-nc', `-${level}`], content), content));
      tally.add(`${name}, named`, faultOf(GZIP, run('gzip', ['-Nc', path]), content));
    }
    tally.expectAll('gzip', CONTENTS.size * 10);
  });
});

const hasZip = hasProgram('zip');
describe.skipIf(!hasZip)(`zip${without(hasZip, 'zip')}`, () => {
  it('comes back exactly at every level', () => {
    const tally = new Tally();
    const path = join(folder, 'member');
    let deflated = 0;
    for (const [name, content] of CONTENTS) {
      writeFileSync(path, content);
      for (const level of ALL_LEVELS) {
        const archive = join(folder, `${level}.zip`);
        rmSync(archive, { force: true });
        run('zip', ['-jX', `-${level}`, archive, path]);
        const bytes = readFileSync(archive);
        if (bytes.readUInt16LE(8) !== 8) continue; // stored
        deflated++;
        const from = 30 + bytes.readUInt16LE(26) + bytes.readUInt16LE(28);
        const packed = bytes.subarray(from, from + bytes.readUInt32LE(bytes.indexOf('PK\u0001\u0002') + 20));
        tally.add(`${name}, ${level}`, faultOf(DEFLATE, packed, content));
      }
    }
    expect(deflated).toBeGreaterThan(CONTENTS.size * 5);
    tally.expectAll('zip', deflated);
  });
});

/** Reads contents, writes raw deflate for each set of parameters and each kind of flush; lengths before both. */
const PYTHON = `
import struct, sys, zlib
data = sys.stdin.buffer.read()
at = 0
while at < len(data):
    size, = struct.unpack_from('<I', data, at)
    content = data[at + 4:at + 4 + size]
    at += 4 + size
    for level in range(10):
        for strategy in range(5):
            for memory, window in ((8, 15), (1, 9), (9, 12)):
                made = zlib.compressobj(level, 8, -window, memory, strategy)
                packed = made.compress(content) + made.flush()
                sys.stdout.buffer.write(struct.pack('<I', len(packed)) + packed)
    for kind in (zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_BLOCK):
        for level in range(10):
            made = zlib.compressobj(level, 8, -15)
            packed = b''
            for start in range(0, size, 5000):
                packed += made.compress(content[start:start + 5000]) + made.flush(kind)
            packed += made.flush()
            sys.stdout.buffer.write(struct.pack('<I', len(packed)) + packed)
`;
const STREAMS_EACH = 10 * 5 * 3 + 4 * 10;

const hasPython = hasProgram('python3');
describe.skipIf(!hasPython)(`Python's zlib${without(hasPython, 'python3')}`, () => {
  it('comes back exactly at every level and strategy, and after flushes of every kind', () => {
    const contents = [...CONTENTS].map(([name, content]) => [name, content.subarray(0, 60_000)] as const);
    const sized = contents.flatMap(([, content]) => [Buffer.from(Uint32Array.of(content.length).buffer), content]);
    const made = run('python3', ['-c', PYTHON], Buffer.concat(sized));
    const tally = new Tally();
    let at = 0;
    for (const [name, content] of contents)
      for (let i = 0; i < STREAMS_EACH; i++) {
        const size = made.readUInt32LE(at);
        tally.add(`${name}, stream ${i}`, faultOf(DEFLATE, made.subarray(at + 4, at + 4 + size), content));
        at += 4 + size;
      }
    expect(at).toBe(made.length);
    tally.expectAll("Python's zlib", contents.length * STREAMS_EACH);
  });
});

/** Compressors with tree builders of their own: a script for a runtime that brings one. */
const RUNTIMES: readonly (readonly [string, string, readonly string[], string, readonly number[]])[] = [
  [
    'libdeflate in Bun',
    'bun',
    ['run'],
    `const [, , from, to, level] = process.argv;
     const content = new Uint8Array(await Bun.file(from).arrayBuffer());
     await Bun.write(to, Bun.deflateSync(content, { library: 'libdeflate', level: Number(level) }));`,
    [1, 6, 9, 12],
  ],
  [
    'the streams of Deno',
    'deno',
    ['run', '-A', '--no-prompt', '--no-remote', '--no-npm', '--no-config'],
    `const [from, to] = Deno.args;
     const stream = (await Deno.open(from)).readable.pipeThrough(new CompressionStream('deflate-raw'));
     await Deno.writeFile(to, stream);`,
    [6],
  ],
];

describe.each(RUNTIMES)('%s', (name, binary, args, script, levels) => {
  const program = join(repositoryRoot(), 'node_modules', '.bin', binary);
  it.skipIf(!existsSync(program))(`comes back exactly, headers kept${without(existsSync(program), binary)}`, () => {
    const file = join(folder, `${binary}.mjs`);
    const [from, to] = [join(folder, 'content'), join(folder, 'packed')];
    writeFileSync(file, script);
    const contents = [...realFiles().values(), oddContents().get('steep frequencies')!];
    const tally = new Tally();
    for (const content of contents)
      for (const level of levels) {
        writeFileSync(from, content);
        run(program, [...args, file, from, to, String(level)]);
        tally.add(`${name}, ${level}`, faultOf(KEEPING, readFileSync(to), content));
      }
    tally.expectAll(name, contents.length * levels.length);
  });
});

const hasLz4 = hasProgram('lz4');
describe.skipIf(!hasLz4)(`lz4${without(hasLz4, 'lz4')}`, () => {
  const LEVELS = ['--fast=9', '--favor-decSpeed', ...Array.from({ length: 12 }, (_, i) => `-${i + 1}`)];
  it.each([
    ['-B4', 65_536],
    ['-B5', 262_144],
    ['-B7', 4_194_304],
  ])('comes back exactly at every level, in blocks of %s', (size, blockBytes) => {
    const tally = new Tally();
    for (const [name, content] of CONTENTS)
      for (const level of LEVELS) {
        const options = level === '--favor-decSpeed' ? ['-12', level] : [level];
        const frame = run('lz4', [...options, size, '-BI', '-c'], content);
        for (const [from, packed] of blocksOfFrame(frame, blockBytes))
          tally.add(`${name}, ${level}`, faultOf(LZ4, packed, content.subarray(from, from + blockBytes)));
      }
    expect(tally.total).toBeGreaterThan(100);
    tally.expectAll(`lz4 ${size}`, tally.total);
  });
});
