/** The server's log on a disk that is full: lines are lost or late, and nobody waits. */
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LineBatches } from '../../../src/server/http/log.ts';

it('writes a batch when it is full, and the rest when asked to', () => {
  const folder = mkdtempSync(join(tmpdir(), 'engraft-log-'));
  const path = join(folder, 'log');
  const fd = openSync(path, 'w');
  try {
    const log = new LineBatches(fd);
    const line = `${'x'.repeat(99)}\n`;
    for (let i = 0; i < 40; i++) log.write(line);
    expect(readFileSync(path, 'utf8')).toBe('');
    log.write(line);
    expect(readFileSync(path, 'utf8')).toBe(line.repeat(41));
    log.write('last\n');
    log.flush();
    log.flush();
    expect(readFileSync(path, 'utf8')).toBe(`${line.repeat(41)}last\n`);
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true, force: true });
  }
});

it.skipIf(!existsSync('/dev/full'))('goes on where nothing can be written, and ends', () => {
  const fd = openSync('/dev/full', 'w');
  try {
    const log = new LineBatches(fd);
    for (let i = 0; i < 30_000; i++) log.write(`${'x'.repeat(99)}\n`);
    log.flush();
  } finally {
    closeSync(fd);
  }
});
