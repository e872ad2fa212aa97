/**
 * The boot script for GRUB that docs/boot-control.md shows, run by GRUB's own interpreter on a block that grub-editenv
 * wrote. (U-Boot's script runs in `npm run qemu`.)
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
const missing = ['grub-script-check', 'grub-editenv', 'grub-emu', 'script'].filter((program) => !has(program));
const why = (names: string[]): string => (names.length === 0 ? '' : ` (skipped: no ${names.join(', ')})`);

const DOCUMENT = readFileSync(new URL('../../docs/boot-control.md', import.meta.url), 'utf8');
const [CHOOSE = '', BOOT = ''] = [...DOCUMENT.matchAll(/^```grub\n(.*?)^```/gms)].map(([, text]) => text!);

/** Boots GRUB in a process with this block; returns what the script chose and would save. */
function choice(...variables: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'engraft-grub-'));
  const block = join(folder, 'grubenv');
  execFileSync('grub-editenv', [block, 'create']);
  if (variables.length > 0) execFileSync('grub-editenv', [block, 'set', ...variables]);
  expect(CHOOSE).toContain('\nload_env\n');
  const script = CHOOSE.replace('\nload_env\n', `\nload_env --file (host)${block}\n`);
  const show = 'echo "RESULT $slot A=$A_OK$A_TRY B=$B_OK$B_TRY END"\nexit\n';
  writeFileSync(join(folder, 'grub.cfg'), script + show);
  // It wants a terminal.
  const { stdout } = spawnSync('script', ['-qc', `grub-emu -d ${folder}`, '/dev/null'], {
    encoding: 'latin1',
    env: { ...process.env, TERM: 'dumb' },
    timeout: 30_000,
    input: '',
  });
  return /RESULT (.*?) END/.exec(stdout.replaceAll('\0', ''))?.[1] ?? stdout;
}

describe("GRUB's boot script in the documentation", () => {
  test.skipIf(missing.includes('grub-script-check'))(
    `has no mistakes in its grammar${why(missing.slice(0, 1))}`,
    () => {
      expect(CHOOSE).not.toBe('');
      for (const text of [CHOOSE, BOOT]) {
        const checked = spawnSync('grub-script-check', { input: text, encoding: 'utf8' });
        expect(checked.status, checked.stderr).toBe(0);
      }
    },
  );

  test.skipIf(missing.length > 0).each([
    ['an armed slot', ['ORDER=B A', 'A_OK=1', 'A_TRY=0', 'B_OK=1', 'B_TRY=0'], 'B A=10 B=11'],
    ['the other slot after a trial in vain', ['ORDER=B A', 'A_OK=1', 'A_TRY=0', 'B_OK=1', 'B_TRY=1'], 'A A=11 B=11'],
    ['never a closed slot', ['ORDER=B A', 'A_OK=1', 'A_TRY=1', 'B_OK=0', 'B_TRY=0'], 'A A=11 B=00'],
    ['all of them anew when all were tried', ['ORDER=B A', 'A_OK=1', 'A_TRY=1', 'B_OK=1', 'B_TRY=1'], 'B A=10 B=11'],
    ['slot A of a new board', [], 'A A=11 B=10'],
  ])(`chooses %s${why(missing)}`, (_what, variables, wanted) => {
    expect(choice(...variables)).toBe(wanted);
  });
});
