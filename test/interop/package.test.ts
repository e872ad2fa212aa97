/**
 * The package as npm would publish it: it has what a device and a server need and none of our workshop, and both
 * programs and all entries run from where it was unpacked.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../corpus/manifest.ts';
import { imageBytes } from '../support/images.ts';

const ROOT = repositoryRoot();
const why =
  spawnSync('npm', ['--version']).status === 0 && spawnSync('tar', ['--version']).status === 0
    ? ''
    : 'npm and tar are needed';

describe.skipIf(why !== '')(`the packed package ${why}`, () => {
  let folder: string;
  let files: string[];
  const run = (...args: string[]) => spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'engraft-package-'));
    const packed = spawnSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    const [{ filename, files: list }] = JSON.parse(packed.stdout) as [{ filename: string; files: { path: string }[] }];
    files = list.map(({ path }) => path);
    const modules = join(folder, 'node_modules');
    mkdirSync(join(modules, 'engraft'), { recursive: true });
    const untarred = spawnSync('tar', [
      '-xzf',
      join(folder, filename),
      '--strip-components=1',
      '-C',
      join(modules, 'engraft'),
    ]);
    expect(untarred.status).toBe(0);
    // Only what the package itself declares, so that nothing of the workshop is found by chance.
    const { dependencies } = JSON.parse(readFileSync(join(modules, 'engraft', 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    for (const name of Object.keys(dependencies)) {
      if (name.includes('/')) mkdirSync(join(modules, name, '..'), { recursive: true });
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('has the units, hooks and documents, and no benchmarks, campaigns or tests', () => {
    for (const name of [
      'packaging/agent.toml',
      'packaging/systemd/engraft-agent.service',
      'docs/operating.md',
      'LICENSE',
    ]) {
      expect(files).toContain(name);
    }
    const units = readdirSync(join(ROOT, 'packaging', 'systemd')).map((name) => `packaging/systemd/${name}`);
    expect(files).toEqual(expect.arrayContaining(units));
    const workshop = /(^|\/)(bench|campaign|qemu|demo|corpus|scripts|test|assembly)\/|\.tsbuildinfo$/;
    expect(files.filter((path) => workshop.test(path.replace(/^dist\/src\/testing\//, '')))).toEqual([]);
  });

  it('runs both programs, and the agent that is one file', () => {
    const at = join(folder, 'node_modules', 'engraft', 'dist');
    writeFileSync(join(folder, 'image'), imageBytes(100_000, 3));
    const made = run(join(at, 'program/engraft.js'), 'diff', '--full', '-', 'image', '-o', 'full', '-w', '1', '--json');
    expect(made).toMatchObject({ status: 0 });
    expect(run(join(at, 'program/engraft.js'), 'apply', '-', 'full', '-o', 'copy')).toMatchObject({ status: 0 });
    expect(readFileSync(join(folder, 'copy')).equals(readFileSync(join(folder, 'image')))).toBe(true);
    // What runs beside the program: threads, as there are segments to share, and the child of the other matcher.
    writeFileSync(join(folder, 'old'), imageBytes(100_000, 3).subarray(5000));
    const pair = ['old', 'image', '-o', 'patch', '--json'];
    for (const way of [
      ['-w', '2', '--segment-size', '64'],
      ['-m', 'bsdiff'],
    ]) {
      const delta = run(join(at, 'program/engraft.js'), 'diff', ...pair, ...way);
      expect(delta).toMatchObject({ status: 0 });
      const { fellBack } = JSON.parse(delta.stdout) as { fellBack: string | null };
      expect(fellBack ?? '').not.toMatch(/missing|without an answer/);
      expect(run(join(at, 'program/engraft.js'), 'apply', 'old', 'patch', '-o', 'copy')).toMatchObject({ status: 0 });
      expect(readFileSync(join(folder, 'copy')).equals(readFileSync(join(folder, 'image')))).toBe(true);
    }
    expect(run(join(at, 'program/engraft.js'), 'keygen', 'keys')).toMatchObject({ status: 0 });
    for (const agent of ['src/cli/engraft-agent.js', 'engraft-agent.mjs']) {
      expect(run(join(at, agent), '--version')).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/^\d+\.\d+/),
      });
      expect(run(join(at, agent), 'status', '--config', 'none.toml')).toMatchObject({ status: 30 });
    }
  });

  it('gives all its entries', () => {
    const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      exports: Record<string, unknown>;
    };
    const entries = Object.keys(exports).filter((entry) => entry !== './package.json');
    const lines = entries.map((entry) => `await import('engraft${entry.slice(1)}');`);
    writeFileSync(join(folder, 'all.mjs'), lines.join('\n'));
    expect(existsSync(join(folder, 'all.mjs'))).toBe(true);
    expect(run('all.mjs')).toMatchObject({ status: 0, stderr: '' });
  });
});
