/**
 * Standard output and error on a full disk, behind a reader that has gone, or closed: the exit code is that of the
 * work, and nobody sees a stack.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AGENT_PROGRAM } from '../support/device/agent-program.ts';
import { deltaPayload, editedPair } from '../support/images.ts';
import { ENGRAFT, type Ended } from '../support/program.ts';

const pair = editedPair(4, 16 * 1024, 8);
let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'engraft-streams-'));
  writeFileSync(at('source'), pair.source);
  writeFileSync(at('patch'), deltaPayload(pair, 64 * 1024));
  writeFileSync(at('noise'), 'this is no patch, whatever else it may be');
  writeFileSync(at('broken.toml'), 'device = 1\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Run a line of the shell in which `engraft` and `agent` are ours; tells the code and what could still be written. */
function shell(line: string): Promise<Ended> {
  const programs = `engraft() { '${process.execPath}' '${ENGRAFT}' "$@"; }; agent() { '${process.execPath}' '${AGENT_PROGRAM}' "$@"; };`;
  const child = spawn('sh', ['-c', `${programs} cd '${folder}'; ${line}`], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

const outcomes: readonly (readonly [string, number])[] = [
  ['engraft apply source patch -o made', 0],
  ['engraft apply source patch -o made --json', 0],
  ['engraft --version', 0],
  ['engraft help apply', 0],
  ['engraft apply source noise -o made', 20],
  ['engraft apply source noise -o made --json', 20],
  ['engraft apply source nothing -o made', 30],
  ['engraft aply', 2],
  ['engraft diff source --json', 2],
  ['agent status --config broken.toml', 30],
  ['agent run --once --log json --config broken.toml', 30],
  ['agent', 2],
];
const broken: readonly (readonly [string, string])[] = [
  ['full standard output', '>/dev/full'],
  ['full standard error', '2>/dev/full'],
  ['both full', '>/dev/full 2>&1'],
  ['both closed', '<&- >&- 2>&-'],
];

describe.skipIf(!existsSync('/dev/full'))('the exit code is that of the work', () => {
  it.each(broken)('with %s', async (_name, redirections) => {
    for (const [line, code] of outcomes) {
      const ended = await shell(`${line} ${redirections}`);
      expect([line, ended.code]).toEqual([line, code]);
      expect(ended.stderr).not.toMatch(/^\s+at /m);
      if (code === 0 && redirections === '>/dev/full') {
        expect(ended.stderr).toContain('note: standard output cannot be written: ENOSPC');
      }
    }
    expect(Buffer.compare(readFileSync(at('made')), pair.target)).toBe(0);
  });

  it('with a reader that has gone', async () => {
    // The pipe has lost its reader before a word is written.
    for (const [line, code] of outcomes) {
      const ended = await shell(
        `{ until [ -e gone ]; do :; done; ${line} 2>&1; echo $? >code; } | { exec <&-; : >gone; }`,
      );
      expect(ended.stderr).not.toMatch(/^\s+at /m);
      expect([line, Number(readFileSync(at('code'), 'utf8'))]).toEqual([line, code]);
      for (const name of ['code', 'gone']) rmSync(at(name));
    }
  });

  it('of a server whose log disk is full, which serves on and stops in good order', async () => {
    const line =
      'engraft keygen keys && engraft publish source --repo repo --keys keys --product p --release-version 1 --hardware h';
    expect((await shell(`${line} --json`)).code).toBe(0);
    const child = spawn(
      'sh',
      ['-c', `exec '${process.execPath}' '${ENGRAFT}' serve --repo repo --port 0 2>/dev/full`],
      {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    const ended = new Promise<number | null>((resolve) => {
      child.on('close', resolve);
    });
    const first = await new Promise<string>((resolve) => {
      child.stdout.once('data', (b: Buffer) => resolve(b.toString()));
      child.stdout.once('end', () => resolve('it ended without a word'));
    });
    const url = /http:\S+/.exec(first)![0];
    // Each of them is logged; the second one shows that the first did no harm.
    for (let i = 0; i < 2; i++) expect((await fetch(`${url}/nothing-here`)).status).toBe(404);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });
});
