/** `apply` and `inspect` with the patch on standard input or a pipe, in pieces of any size, cut short, too long, or never. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bsdiffMissing } from '../support/engine.ts';
import { deltaPayload, editedPair } from '../support/images.ts';
import { ENGRAFT, type Ended } from '../support/program.ts';

const pair = editedPair(96, 16 * 1024, 61);
const patch = deltaPayload(pair, 64 * 1024);
let folder: string;
let out: string;
const at = (name: string): string => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'engraft-pipes-'));
  writeFileSync(at('source'), pair.source);
  writeFileSync(at('patch'), patch);
});
beforeEach(() => {
  out = mkdtempSync(join(folder, 'out-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Piped {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

function engraft(args: readonly string[], stdin: 'pipe' | number): Piped {
  const child = spawn(process.execPath, [ENGRAFT, ...args], { stdio: [stdin, 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout!.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr!.on('data', (text: Buffer) => (stderr += text.toString()));
  child.stdin?.on('error', () => undefined);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended };
}

/** Send `bytes` in pieces of these sizes, each when the one before was taken. */
async function send(child: ChildProcess, bytes: Uint8Array, sizes: readonly number[]): Promise<void> {
  const stdin = child.stdin!;
  let done = 0;
  for (let i = 0; done < bytes.length && stdin.writable; i++) {
    const piece = bytes.subarray(done, done + (sizes[i] ?? sizes.at(-1)!));
    await new Promise<void>((resolve) => {
      stdin.write(piece, () => resolve());
    });
    done += piece.length;
  }
  stdin.end();
}

/** A line of the shell in which $engraft, $source and $patch are set, run in the output folder. */
function shell(line: string): { status: number | null; stdout: string; stderr: string } {
  const set = `engraft() { '${process.execPath}' '${ENGRAFT}' "$@"; }; source='${at('source')}'; patch='${at('patch')}';`;
  return spawnSync('sh', ['-c', `${set} ${line}`], { cwd: out, encoding: 'utf8' });
}

const errorOf = (ended: { stdout: string }): string =>
  (JSON.parse(ended.stdout) as { error: { code: string } }).error.code;
const isTarget = (): void => expect(Buffer.compare(readFileSync(join(out, 'made')), pair.target)).toBe(0);

describe('a patch on standard input', () => {
  it.each([
    ['at once', [patch.length]],
    ['one byte, then the rest', [1, patch.length]],
    ['byte by byte at first, then in odd pieces', [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 30_011]],
  ])('is applied, %s', async (_how, sizes) => {
    const { child, ended } = engraft(['apply', at('source'), '-', '-o', join(out, 'made'), '--json'], 'pipe');
    await send(child, patch, sizes);
    expect(await ended).toMatchObject({ code: 0 });
    isTarget();
    expect(readdirSync(out)).toEqual(['made']);
  });

  it('comes through pipes of the shell, named pipes, /dev/stdin and redirected files', () => {
    for (const line of [
      'cat "$patch" | engraft apply "$source" - -o made',
      'engraft apply "$source" - -o made <"$patch"',
      'cat "$patch" | engraft apply "$source" /dev/stdin -o made',
      'mkfifo pipe && { cat "$patch" >pipe & } && engraft apply "$source" pipe -o made; code=$?; rm pipe; exit $code',
      // What was read before belongs to whoever read it.
      '{ echo; cat "$patch"; } >both; { read -r line; engraft apply "$source" - -o made; } <both',
    ]) {
      const { status, stderr } = shell(line);
      expect([line, status, stderr.includes('error')]).toEqual([line, 0, false]);
      isTarget();
      rmSync(join(out, 'made'));
    }
  });

  it('that is cut short, has bytes after its end, or is empty makes nothing', async () => {
    for (const [bytes, code] of [
      [patch.subarray(0, 5), 'payload_truncated'],
      [patch.subarray(0, patch.length - 1), 'payload_truncated'],
      [Buffer.concat([patch, Buffer.from([0])]), 'payload_malformed'],
      [new Uint8Array(0), 'payload_truncated'],
    ] as const) {
      const { child, ended } = engraft(['apply', at('source'), '-', '-o', join(out, 'made'), '--json'], 'pipe');
      await send(child, bytes, [7, 50_000]);
      const end = await ended;
      expect([bytes.length, end.code, errorOf(end)]).toEqual([bytes.length, 20, code]);
    }
    expect(shell('engraft apply "$source" - -o made <&-').status).toBe(20);
    expect(readdirSync(out)).toEqual([]);
  });

  it('that never comes is waited for until a signal', async () => {
    const { child, ended } = engraft(['apply', at('source'), '-', '-o', join(out, 'made'), '--json'], 'pipe');
    // The first part was taken once there is a temporary file.
    child.stdin!.write(patch.subarray(0, 3));
    while (readdirSync(out).length === 0) await turn();
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 143 });
    expect(readdirSync(out)).toEqual([]);
  });

  it('on a named pipe that nobody writes to is waited for until a signal', async () => {
    expect(shell('mkfifo pipe').status).toBe(0);
    const { child, ended } = engraft(['apply', at('source'), join(out, 'pipe'), '-o', join(out, 'made')], 'pipe');
    while (readdirSync(out).length === 1) await turn();
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130 });
    expect(readdirSync(out)).toEqual(['pipe']);
  });

  it('must not be the file that is written', () => {
    const { status, stdout } = shell('cp "$patch" made; engraft apply "$source" - -o made --json <made');
    expect([status, errorOf({ stdout })]).toEqual([30, 'output_is_input']);
    expect(Buffer.compare(readFileSync(join(out, 'made')), patch)).toBe(0);
  });

  it('cannot stand for the source: that is read here and there', () => {
    const { status, stdout } = shell('cat "$source" | engraft apply /dev/stdin "$patch" -o made --json');
    expect([status, errorOf({ stdout })]).toEqual([30, 'input_unreadable']);
  });

  it('is inspected: intact, damaged, cut short, and with bytes behind', async () => {
    const damaged = Buffer.from(patch);
    damaged[damaged.length - 1]! ^= 1;
    for (const [bytes, facts] of [
      [patch, { intact: true, missingBytes: 0, surplusBytes: 0 }],
      [damaged, { intact: false, damagedChunks: [expect.any(Number)] }],
      [patch.subarray(0, patch.length - 9), { intact: false, missingBytes: 9, surplusBytes: 0 }],
      [Buffer.concat([patch, Buffer.alloc(70_000)]), { intact: false, missingBytes: 0, surplusBytes: 70_000 }],
    ] as const) {
      const { child, ended } = engraft(['inspect', '-', '--json'], 'pipe');
      await send(child, bytes, [3, 60_000]);
      const end = await ended;
      expect(JSON.parse(end.stdout)).toMatchObject(facts);
      expect(end.code).toBe(facts.intact ? 0 : 20);
    }
  });
});

describe.skipIf(bsdiffMissing() !== null)(`a BSDIFF40 patch ${bsdiffMissing() ?? ''}`, () => {
  it('is taken from a pipe as well', async () => {
    const { diff } = createRequire(import.meta.url)('bsdiff-node') as { diff(...paths: string[]): Promise<void> };
    writeFileSync(at('target'), pair.target);
    await diff(at('source'), at('target'), at('foreign'));
    const bytes = readFileSync(at('foreign'));
    const { child, ended } = engraft(['apply', at('source'), '-', '-o', join(out, 'made'), '--json'], 'pipe');
    await send(child, bytes, [1, 2, 9_999]);
    expect(await ended).toMatchObject({ code: 0 });
    isTarget();
    const seen = engraft(['inspect', '-', '--json'], 'pipe');
    await send(seen.child, bytes, [9_999]);
    expect(JSON.parse((await seen.ended).stdout)).toMatchObject({ format: 'bsdiff40', payloadBytes: bytes.length });
  });
});
