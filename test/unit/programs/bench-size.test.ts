import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { runMeasured, type Usage } from '../../../bench/measured-process.ts';
import { digestOfFile, missingPrograms, PEERS, runPeer, type Outcome, type Peer } from '../../../bench/peers/index.ts';
import { mergeFigures, readFigures, type CompressedRow } from '../../../bench/size/compressed-figures.ts';
import { renderCompressed } from '../../../bench/size/compressed-report.ts';
import { PLAIN_PAIRS } from '../../../bench/size/compressed.ts';
import { contentsOf } from '../../../native-free/diff/index.ts';
import { commandOf, readSizeOptions } from '../../../bench/size/options.ts';
import { parseDiffReport } from '../../../bench/size/ours.ts';
import { renderReport, summaryLines } from '../../../bench/size/report.ts';
import {
  bestPeer,
  COMPRESSED_PAIRS,
  decodingRate,
  diffCost,
  geometricMean,
  summarize,
  withRatio,
  type OurOutcome,
  type PairResult,
} from '../../../bench/size/results.ts';
import { parseStoredPeers, readStoredPeers, type ToolBytes } from '../../../bench/size/stored.ts';
import { corpusPairs, repositoryRoot } from '../../../corpus/index.ts';

const usage = (cpuSeconds: number, mib: number): Usage => ({
  cpuSeconds,
  wallSeconds: cpuSeconds,
  peakBytes: mib * 2 ** 20,
});
const proved = (bytes: number, cpuSeconds = 1): Outcome => ({
  state: 'proved',
  bytes,
  diff: usage(cpuSeconds, 100),
  apply: usage(0.5, 50),
});
const failed: Outcome = { state: 'failed', reason: 'it made another target' };

interface Made {
  readonly name: string;
  readonly ours: OurOutcome;
  readonly family?: PairResult['family'];
  readonly stored?: ToolBytes;
  readonly peers?: Record<string, Outcome>;
}
const pair = ({ name, ours, family = 'exec', stored, peers = {} }: Made): PairResult =>
  withRatio({
    ...{ name, family, arch: 'arm64', sourceBytes: 900, targetBytes: 1_000_000, ours, peers },
    ...(stored === undefined ? {} : { stored }),
  });

describe('stored figures', () => {
  const stored = readStoredPeers();
  const names = corpusPairs()
    .filter((one) => one.committed === undefined)
    .map((one) => one.name);

  it('name every pair of the corpus but the committed ones, and no other', () => {
    expect(Object.keys(stored.pairs).sort()).toEqual([...names].sort());
  });

  it('are no larger than the targets and name the settings of the measured peers alike', () => {
    for (const { name, target } of corpusPairs())
      for (const bytes of Object.values(stored.pairs[name] ?? {})) expect(bytes).toBeLessThan(target.bytes);
    for (const peer of PEERS.filter((one) => one.name !== 'puffin')) expect(stored.settings).toHaveProperty(peer.name);
  });

  it.each([
    ['no size', { settings: { a: 'a' }, pairs: { p: { a: 1.5 } } }],
    ['no tool', { settings: {}, pairs: { p: {} } }],
    ['no setting', { settings: {}, pairs: { p: { a: 1 } } }],
  ])('are refused with %s', (fault, document) => {
    expect(() => parseStoredPeers(JSON.stringify(document))).toThrow(fault);
  });
});

describe('ratios', () => {
  it('are to the smallest of measured and stored peers; a failed tool counts nowhere', () => {
    expect(bestPeer({ a: proved(90), b: failed }, { c: 100 })).toEqual({ tool: 'a', bytes: 90, from: 'measured' });
    expect(bestPeer({ a: proved(90) }, { a: 90, c: 80 })).toEqual({ tool: 'c', bytes: 80, from: 'stored' });
    expect(bestPeer({ a: proved(90) }, { a: 90 })?.from).toBe('measured');
    expect(bestPeer({ b: failed })).toBeNull();
    expect(pair({ name: 'x', ours: failed, stored: { c: 100 } }).ratio).toBeNull();
    expect(pair({ name: 'x', ours: proved(50), stored: { c: 100 } }).ratio).toBe(0.5);
  });

  it('have a geometric mean, but not of nothing and not with zero', () => {
    expect(geometricMean([])).toBeNull();
    expect(geometricMean([0.25, 1])).toBeCloseTo(0.5, 12);
    for (const wrong of [0, -1, Number.NaN, Infinity])
      expect(() => geometricMean([1, wrong])).toThrow('geometric mean');
  });

  it('are summed by kind: compressed content and pairs without stored figures stay out', () => {
    const sum = summarize([
      pair({ name: 'a', ours: proved(25), stored: { c: 100 } }),
      pair({ name: 'b', ours: proved(100), stored: { c: 100 }, family: 'data' }),
      pair({ name: 'kernel-imagegz-arm64', ours: proved(300), stored: { c: 100 }, family: 'kernel' }),
      pair({ name: 'unstored', ours: proved(900), peers: { a: proved(100) } }),
      pair({ name: 'broken', ours: failed, stored: { c: 100 } }),
    ]);
    expect(sum.overall).toMatchObject({ mean: expect.closeTo(0.5, 12) as number, count: 2 });
    expect(sum.executables).toMatchObject({ mean: 0.25, count: 1 });
    expect(sum.compressed).toMatchObject({ mean: expect.closeTo(3, 12) as number, count: 1 });
    expect(sum.worst).toEqual({ name: 'b', ratio: 1 });
    expect(sum).toMatchObject({ pairs: 5, proved: 4 });
  });

  it('of cost need both diffs and a clock that saw them', () => {
    expect(diffCost(pair({ name: 'a', ours: proved(1, 6), peers: { hdiffpatch: proved(1, 2) } }))?.cpu).toBe(3);
    expect(diffCost(pair({ name: 'a', ours: proved(1, 6), peers: { hdiffpatch: proved(1, 0) } }))).toBeNull();
    expect(diffCost(pair({ name: 'a', ours: proved(1, 6), peers: { hdiffpatch: failed } }))).toBeNull();
    expect(decodingRate(100, usage(3, 1), usage(1, 1))).toBe(50);
    expect(decodingRate(100, usage(1, 1), usage(1, 1))).toBeNull();
  });

  it('leave out only pairs that the corpus has', () => {
    expect(corpusPairs().map((one) => one.name)).toEqual(expect.arrayContaining([...COMPRESSED_PAIRS]));
  });
});

describe('command line', () => {
  it('takes pairs and tools and says how to repeat itself', () => {
    const options = readSizeOptions(['--peers', 'zstd,hdiffpatch', '--json', '-', '--write', 'rollup-arm64']);
    expect(options).toMatchObject({ names: ['rollup-arm64'], peers: ['hdiffpatch', 'zstd'], json: '-', workers: 1 });
    expect(commandOf(options)).toBe('npm run bench:size -- --peers hdiffpatch,zstd --write rollup-arm64');
    expect(commandOf(readSizeOptions([]))).toBe('npm run bench:size');
    expect(commandOf(readSizeOptions(['--no-peers', '--workers', '2']))).toContain('--no-peers --workers 2');
  });

  it('takes pairs of compressed images, and what to measure beside them', () => {
    const options = readSizeOptions(['--compressed', '--plain', '--idealised', 'appium-apk']);
    expect(options).toMatchObject({ compressed: true, plain: true, idealised: true, names: ['appium-apk'] });
    expect(commandOf(options)).toBe('npm run bench:size -- --compressed --plain --idealised appium-apk');
    expect(readSizeOptions([])).toMatchObject({ compressed: false, plain: false, idealised: false });
  });

  it.each([
    [['--peers', 'tar']],
    [['no-such-pair']],
    [['--workers', '0']],
    [['--frobnicate']],
    [['--plain']],
    [['--idealised', 'appium-apk']],
    [['--compressed', 'rollup-arm64']],
  ])('refuses %j', (args) => {
    expect(() => readSizeOptions(args)).toThrow();
  });
});

describe('report', () => {
  const ours: OurOutcome = {
    ...proved(250),
    facts: { kind: 'delta', covers: 7, coveredBytes: 500_000, decoderMemoryBytes: 1 },
    costs: { header: 100, literals: 150 },
  };
  const run = {
    ...{ command: 'npm run bench:size', workers: 1, floor: usage(0.25, 40) },
    pairs: [
      pair({ name: 'a', ours, stored: { zstd: 1000 }, peers: { hdiffpatch: proved(500, 2), bsdiff: failed } }),
      pair({ name: 'b', ours: failed, stored: { zstd: 1000 } }),
    ],
    skippedPairs: [{ name: 'c', reason: 'not in the cache' }],
    peers: [{ name: 'hdiffpatch', setting: 'hdiffz' }],
    skippedPeers: [{ name: 'zucchini', reason: 'not on PATH: zucchini' }],
  };
  /** Cells of the lines of a table that begin with these. */
  const row = (text: string, ...cells: string[]): string[] | undefined =>
    text
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim()))
      .find((found) => cells.every((cell, i) => found[i + 1] === cell))
      ?.slice(1, -1);

  it('has a line for each pair, stream, peer and thing that was left out', () => {
    const text = renderReport(run);
    expect(row(text, 'a', 'executable')).toEqual([
      'a',
      'executable',
      '1,000,000',
      '250',
      '500',
      'hdiffpatch (measured)',
      '0.500',
    ]);
    expect(row(text, 'b', 'executable')?.slice(3)).toEqual(['failed', '1,000', 'zstd (stored)', '–']);
    expect(row(text, 'a', '1.00')).toEqual([
      'a',
      '1.00',
      '0.50',
      '100.0',
      '1.00',
      '0.50',
      '50.0',
      '10.0',
      '4.00',
      '0.00',
    ]);
    expect(row(text, 'pair', 'patch')).toEqual(['pair', 'patch', 'covers', '% covered', 'header', 'literals']);
    expect(row(text, 'a', '250')).toEqual(['a', '250', '7', '50.00', '100', '150']);
    expect(row(text, 'a', 'bsdiff')?.[2]).toBe('failed: it made another target');
    expect(row(text, 'engraft on b')).toEqual(['engraft on b', 'it made another target']);
    expect(row(text, 'c')).toEqual(['c', 'not in the cache']);
    expect(row(text, 'zucchini')).toEqual(['zucchini', 'not on PATH: zucchini']);
    expect(summaryLines(run)).toContain('proved: 1 of 2 pairs; not b; 1 skipped');
  });

  it('keeps the words of a failed program in their cell, and paths of the machine out', () => {
    const reason = `node ended with 1: {\n  "a" | ${repositoryRoot()}/x`;
    const text = renderReport({ ...run, pairs: [pair({ name: 'b', ours: { state: 'failed', reason } })] });
    expect(row(text, 'engraft on b')?.[1]).toBe('node ended with 1: { "a" / /x');
  });

  it('has no section about streams when nobody counted them', () => {
    const quiet = { ...run, pairs: [pair({ name: 'a', ours: proved(1), stored: { zstd: 2 } })] };
    expect(renderReport(quiet)).not.toContain('by stream');
  });

  it('takes costs from the JSON of engraft diff where it has some', () => {
    const facts = { kind: 'delta', covers: 1, coveredBytes: 2, decoderMemoryBytes: 3 };
    expect(parseDiffReport(JSON.stringify({ ...facts, payloadBytes: 9 }))).toEqual({ facts });
    expect(parseDiffReport(JSON.stringify({ ...facts, costs: { plan: 4, note: 'x' } }))).toEqual({
      facts,
      costs: { plan: 4 },
    });
  });
});

describe('compressed images', () => {
  const containers = { source: { zip: 1 }, target: { zip: 1, gzip: 2 } };
  const counts = { source: 9, target: 8, copied: 3, needed: 4, neededBySegment: 5, unpacked: 10 };
  const units = { ...counts, containers, streams: 12, replayed: 5, unchanged: 3, raw: 1, dear: 0 };
  const facts = { kind: 'delta', covers: 7, coveredBytes: 9, decoderMemoryBytes: 3 * 2 ** 20, units };
  const compressed = (bytes: number, more: Partial<CompressedRow> = {}): CompressedRow => ({
    ...{ date: '2026-11-30', commit: 'abc', command: '', targetBytes: 5000, floor: usage(0.1, 40) },
    ours: { ...proved(bytes), facts },
    ...{ peers: { zstd: proved(200) }, best: { tool: 'zstd', bytes: 200, from: 'measured' }, ratio: bytes / 200 },
    ...more,
  });
  const cells = (text: string, name: string): string[][] =>
    text
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim()))
      .filter((row) => row[1] === name)
      .map((row) => row.slice(2, -1));

  it('have rows of their own, which other runs leave alone', () => {
    const older = {
      pairs: {
        b: compressed(1),
        a: compressed(100, { packed: proved(900), idealised: { targetBytes: 1, peers: {} } }),
      },
    };
    const merged = mergeFigures(older, { pairs: { a: compressed(50, { packed: proved(800) }), c: compressed(3) } });
    expect(Object.keys(merged.pairs)).toEqual(['a', 'b', 'c']);
    expect(merged.pairs['b']).toBe(older.pairs.b);
    expect(merged.pairs['a']).toMatchObject({ ours: { bytes: 50 }, packed: { bytes: 800 } });
    expect(merged.pairs['a']!.idealised).toBe(older.pairs.a.idealised);
  });

  it('are reported with what was unpacked for what was needed, and with what they are compared to', () => {
    const row = compressed(50, {
      packed: { ...proved(900), facts: { ...facts, kind: 'full' } },
      plain: { name: 'rollup-arm64', targetBytes: 9000, ours: { ...proved(40), facts } },
      idealised: { targetBytes: 9000, peers: { zstd: proved(70), bsdiff: failed } },
    });
    const text = renderCompressed({ pairs: { a: row, b: compressed(200) } }, [
      { name: 'c', reason: 'not in the cache' },
      { name: 'a', reason: 'measured before' },
    ]);
    const [bytes, cost, reading] = cells(text, 'a');
    const best = ['zstd (measured)', '0.250', '900 (full payload)', '70', 'zstd', 'abc, 2026-11-30'];
    expect(bytes).toEqual(['5,000', '50', '200', ...best]);
    expect(cost).toEqual([
      ...['1.00', '100.0', '0.50', '50.0', '3.0'],
      ...['rollup-arm64', '40', '0.50', '50.0', '3.0'],
    ]);
    expect(reading).toEqual(['1 zip, 2 gzip', '8', '3', '9', '4', '5', '10', '2.50', '2.00']);
    expect(cells(text, 'contents of a').map((row) => row.slice(0, 2))).toEqual([
      ['zstd', '70'],
      ['bsdiff', 'failed: it made another target'],
    ]);
    expect(cells(text, 'c')).toEqual([['not in the cache']]);
    expect(text).not.toContain('measured before');
    expect(text).toContain('**0.500** over 2 pairs');
  });

  it('are laid out whole for other tools: contents in place of streams, the rest as it is', () => {
    const [before, content] = [Buffer.from('before '.repeat(100)), Buffer.from('content '.repeat(5000))];
    const contents = Buffer.from(contentsOf(Buffer.concat([before, gzipSync(content)])));
    expect(contents.includes(before)).toBe(true);
    expect(contents.includes(content)).toBe(true);
  });

  it('have plain pairs in the corpus, and figures only of pairs there are', () => {
    expect(corpusPairs().map((one) => one.name)).toEqual(expect.arrayContaining(Object.values(PLAIN_PAIRS)));
    for (const list of [Object.keys(PLAIN_PAIRS), Object.keys(readFigures().pairs)])
      expect(COMPRESSED_PAIRS).toEqual(expect.arrayContaining(list));
  });
});

describe('measured peers', () => {
  const folder = mkdtempSync(join(tmpdir(), 'engraft-bench-size-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string): string => join(folder, name);
  writeFileSync(path('source'), 'before');
  writeFileSync(path('target'), 'after!');
  const files = {
    ...{ source: path('source'), target: path('target'), sourceBytes: 6, targetBytes: 6 },
    ...{ patch: path('patch'), between: path('between'), output: path('output') },
  };
  const copier: Peer = {
    ...{ name: 'copier', programs: ['cp'], setting: 'cp' },
    diff: ({ target, patch }) => [{ program: 'cp', args: [target, patch] }],
    apply: ({ patch, output }) => [{ program: 'cat', args: [patch], stdoutFile: output }],
  };

  it('are proved by the digest of what they make', async () => {
    const digest = digestOfFile(files.target);
    expect(await runPeer(copier, files, digest)).toMatchObject({ state: 'proved', bytes: 6 });
    const liar: Peer = { ...copier, apply: ({ source, output }) => [{ program: 'cp', args: [source, output] }] };
    expect(await runPeer(liar, files, digest)).toEqual(failed);
    expect(await runPeer({ ...copier, unfit: () => 'too large' }, files, digest)).toEqual({
      ...{ state: 'skipped', reason: 'too large' },
    });
  });

  it('fail visibly when a program is not there or ends badly', async () => {
    const absent: Peer = { ...copier, diff: () => [{ program: 'engraft-no-such-program', args: [] }] };
    expect(missingPrograms({ ...copier, programs: ['engraft-no-such-program'] })).toEqual(['engraft-no-such-program']);
    expect(await runPeer(absent, files, '')).toMatchObject({ state: 'failed' });
    await expect(
      runMeasured({ program: process.execPath, args: ['-e', 'console.error("why"); process.exit(3)'] }),
    ).rejects.toThrow(/ended with 3: why/);
  });
});
