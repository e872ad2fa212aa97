/** What people read: the help of a command, counts in words, tables. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { runProgram } from '../../../src/cli/terminal/frame.ts';
import { formatCounted, formatPairs, formatTable } from '../../../src/cli/terminal/text.ts';

const AGENT = ['run', 'status', 'history', 'check-config', 'init', 'keystore', 'tuf'] as const;

async function help(command: (typeof AGENT)[number]): Promise<string> {
  let said = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  vi.spyOn(process, 'on').mockReturnValue(process);
  const load = () => import(`../../../src/cli/agent-commands/${command}.ts`) as ReturnType<Entry['load']>;
  const entry = { name: command, summary: 'a command', load };
  await runProgram({ name: 'engraft-agent', description: '', version: '0', commands: [entry] }, [command, '--help']);
  return said;
}
type Entry = Parameters<typeof runProgram>[0]['commands'][number];

afterEach(() => void vi.restoreAllMocks());

describe.each(AGENT)('the help of engraft-agent %s', (command) => {
  test('is wrapped once, at its own width, and shows no lists of a program', async () => {
    const said = await help(command);
    expect(said).toMatch(/^Usage: engraft-agent /);
    expect(said).not.toContain('[]');
    const lines = said.split('\n');
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
    // A line that ends although the first word of the next one had room was broken by hand.
    const prose = lines.slice(
      2,
      lines.findIndex((line) => /^(Options|Arguments):/.test(line)),
    );
    const early = prose.filter((line, i) => {
      const [next = ''] = (prose[i + 1] ?? '').split(' ');
      return line !== '' && next !== '' && `${line} ${next}`.length < 100;
    });
    expect(early).toEqual([]);
  });
});

test('one is counted as one', () => {
  expect([0, 1, 2, 12_345].map((count) => formatCounted(count, 'segment'))).toEqual([
    '0 segments',
    '1 segment',
    '2 segments',
    '12,345 segments',
  ]);
});

test('counts and shares stand on the right of their column, versions and the values of a list on the left', () => {
  const rows = [
    ['version', 'bytes', 'share'],
    ['1.0.0', '1,022', '0.03 %'],
    ['1.10', '9', '46.25 %'],
  ];
  expect(formatTable(rows).split('\n')).toEqual([
    'version  bytes  share',
    '1.0.0    1,022   0.03 %',
    '1.10         9  46.25 %',
  ]);
  const pairs = [['runs', '2.0.0'], ['tries left', '3'], ['address', 'none at all']] as const; // prettier-ignore
  expect(formatPairs(pairs)).toBe('runs        2.0.0\ntries left  3\naddress     none at all');
});
