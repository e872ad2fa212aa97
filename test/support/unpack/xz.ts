/**
 * What the codecs' tests compare with: the xz tool and Python's lzma, where they are there, and content to pack.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../../corpus/manifest.ts';
import { random } from '../images.ts';

const OUTPUT_BYTES_MAX = 2 ** 28;

/** Why tests with a tool are skipped, to stand in their names; empty where it is there. */
export function missingTool(program: string, ...args: string[]): string {
  const { status } = spawnSync(program, args, { stdio: 'ignore' });
  return status === 0 ? '' : ` (skipped: no ${[program, ...args].join(' ')})`;
}

/** What xz writes. Settings of the environment stay out of it. */
export function xz(input: Uint8Array, ...args: string[]): Uint8Array {
  const env = { ...process.env, XZ_DEFAULTS: '', XZ_OPT: '' };
  return new Uint8Array(
    execFileSync('xz', ['-c', ...args], { input, env, maxBuffer: OUTPUT_BYTES_MAX, stdio: 'pipe' }),
  );
}

/** What Python's lzma.compress writes with these arguments. */
export function pythonLzma(input: Uint8Array, args: string): Uint8Array {
  const script = `import lzma, sys; sys.stdout.buffer.write(lzma.compress(sys.stdin.buffer.read(), ${args}))`;
  return new Uint8Array(execFileSync('python3', ['-c', script], { input, maxBuffer: OUTPUT_BYTES_MAX, stdio: 'pipe' }));
}

const MARKS = [
  ...[0xe8, 0xe9, 0x00, 0xff, 0xeb, 0xf0, 0xf8, 0x48, 0x01, 0x40, 0x7f],
  ...[0x17, 0x97, 0xef, 0x31, 0x94, 0x90, 0x10, 0x11, 0x12, 0x16, 0x18],
];

/** Bytes with opcodes of all the branch filters strewn in, so that their rare paths are taken too. */
export function branchCode(seed: number, bytes: number, marks: readonly number[] = MARKS): Uint8Array {
  const next = random(seed);
  return Uint8Array.from({ length: bytes }, () =>
    next() < 0.6 ? marks[Math.floor(next() * marks.length)]! : next() * 256,
  );
}

/** Something like a configuration file: near and far repeats, numbers that differ. */
export function settings(seed: number, bytes: number): Uint8Array {
  const next = random(seed);
  const words = ['option', 'config', 'network', 'interface', 'proto', 'static', 'ipaddr', 'list', 'device', 'enabled'];
  let text = '';
  while (text.length < bytes) {
    const line = Array.from({ length: 3 }, () => words[Math.floor(next() * words.length)]!);
    text += `\t${line.join(' ')} '${Math.floor(next() * 1000)}'\n`;
  }
  return new TextEncoder().encode(text.slice(0, bytes));
}

/** Real content of several kinds, by name. */
export function realContents(): readonly (readonly [string, Uint8Array])[] {
  const file = (...path: string[]): Uint8Array => new Uint8Array(readFileSync(join(repositoryRoot(), ...path)));
  const program = file('corpus', 'small', 'watcher-arm64', 'target').subarray(0, 250_000);
  const script = file('node_modules', 'typescript', 'lib', 'typescript.js').subarray(0, 250_000);
  return [
    ['a program', program],
    ['a script', script],
    ['opcodes in noise', branchCode(1, 50_000)],
    ['settings', settings(2, 60_000)],
    ['zeros', new Uint8Array(300_000)],
    ['one byte', Uint8Array.of(7)],
    ['nothing', new Uint8Array(0)],
  ];
}
