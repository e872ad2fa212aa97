/**
 * One agent at a time on a data folder: a lock holds as long as its process lives, and no longer than its boot.
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, test } from 'vitest';
import { UpdateError } from '../../../native-free/status.ts';
import { Agent, parseConfig } from '../../../src/agent/index.ts';
import { withAgentLock } from '../../../src/platform/process-lock.ts';
import { temporaryFolder } from '../../support/release.ts';

let data: string;
let proc: string;
let lock: string;
beforeEach(() => {
  data = temporaryFolder();
  proc = temporaryFolder();
  lock = join(data, 'agent.lock');
});

/** As the kernel writes it; the name of a process may hold blanks and brackets. */
function alive(pid: number, start: number): void {
  mkdirSync(join(proc, String(pid)));
  writeFileSync(join(proc, String(pid), 'stat'), `${pid} (odd) name) S${' 0'.repeat(18)} ${start} 0 0\n`);
}

function boot(id: string): void {
  mkdirSync(join(proc, 'sys/kernel/random'), { recursive: true });
  writeFileSync(join(proc, 'sys/kernel/random/boot_id'), `${id}\n`);
}

/** What the lock says while it is held. */
const take = (): Promise<string> => withAgentLock(data, async () => readFileSync(lock, 'utf8'), { proc });

describe('the lock of an agent', () => {
  test('says process, start and boot, and is gone at the end', async () => {
    alive(process.pid, 77);
    boot('boot-1');
    expect(await take()).toBe(`${process.pid} 77 boot-1\n`);
    expect(existsSync(lock)).toBe(false);
  });

  test('that lives is respected', async () => {
    alive(4711, 300);
    boot('boot-1');
    writeFileSync(lock, '4711 300 boot-1\n');
    await expect(take()).rejects.toMatchObject({ code: 'agent_running', message: expect.stringContaining('4711') });
    expect(readFileSync(lock, 'utf8')).toBe('4711 300 boot-1\n');
  });

  test('of another boot is taken over, though a process has the same number and the same start', async () => {
    alive(4711, 300);
    boot('boot-2');
    writeFileSync(lock, '4711 300 boot-1\n');
    expect(await take()).toMatch(new RegExp(`^${process.pid} `));
  });

  test('of this boot is taken over when its process has ended, or its number has been given again', async () => {
    boot('boot-1');
    writeFileSync(lock, '999999999 300 boot-1\n');
    await take();
    alive(4711, 301);
    writeFileSync(lock, '4711 300 boot-1\n');
    await take();
  });

  test('that names no boot, as older agents write it, is judged by its process', async () => {
    alive(4711, 300);
    boot('boot-1');
    writeFileSync(lock, '4711 300\n');
    await expect(take()).rejects.toMatchObject({ code: 'agent_running' });
    writeFileSync(lock, '4711 299\n');
    await take();
  });

  test('is judged by its process where the kernel names no boot', async () => {
    expect(await take()).toBe(`${process.pid} unknown\n`);
    alive(4711, 300);
    writeFileSync(lock, '4711 300 boot-1\n');
    await expect(take()).rejects.toMatchObject({ code: 'agent_running' });
    writeFileSync(lock, `${process.pid} unknown\n`);
    await expect(take()).rejects.toMatchObject({ code: 'agent_running' });
  });

  test('is held by one of several agents that find the same stale one at the same moment', async () => {
    const script = `
      import { withAgentLock } from ${JSON.stringify(new URL('../../../dist/src/platform/process-lock.js', import.meta.url).href)};
      const [data, at] = process.argv.slice(1);
      while (Date.now() < Number(at));
      await withAgentLock(data, async () => {
        process.stdout.write('held');
        await new Promise((resolve) => setTimeout(resolve, 2500));
      }).catch((error) => process.stdout.write(error.code));`;
    for (let round = 0; round < 4; round++) {
      writeFileSync(lock, '999999999 300 boot-1\n');
      const at = String(Date.now() + 1200);
      const contend = async (): Promise<string> => {
        const argv = ['--input-type=module', '-e', script, data, at];
        return (await promisify(execFile)(process.execPath, argv)).stdout;
      };
      const said = await Promise.all([contend(), contend(), contend()]);
      expect(said.sort()).toEqual(['agent_running', 'agent_running', 'held']);
      expect(existsSync(lock)).toBe(false);
    }
  });

  test('is taken by an agent of the library as well, and not by its status', async () => {
    const text = `[device]\ncontroller_id = "d"\nproduct = "cam"\nhardware = "v1"\n[server]\nurl = "http://127.0.0.1:9"
      [data]\nfolder = "${data}"\n[trust]\nroot = "${data}/root.json"\n[target]\npath = "${data}/file"\n`;
    const agent = new Agent(parseConfig(text, data));
    let isBegun = false;
    const run = (): Promise<unknown> => agent.run({ once: true, onBegin: async () => void (isBegun = true) });
    await withAgentLock(data, async () => {
      await expect(run()).rejects.toMatchObject({ code: 'agent_running' });
      expect(await agent.status()).toMatchObject({ running: 'A', problems: [] });
    });
    expect(isBegun).toBe(false);
    await expect(run()).rejects.toMatchObject({ code: 'link_failed' });
    expect([isBegun, existsSync(lock)]).toEqual([true, false]);
  });

  test('of somebody else is not removed at the end', async () => {
    await withAgentLock(data, async () => writeFileSync(lock, '4711 300 boot-1\n'), { proc });
    expect(readFileSync(lock, 'utf8')).toBe('4711 300 boot-1\n');
  });

  test('that a power cut has left empty is taken over', async () => {
    writeFileSync(lock, '');
    await take();
  });

  test('that is a named pipe is taken over, and not waited at', async () => {
    execFileSync('mkfifo', [lock]);
    expect(await take()).toContain(String(process.pid));
  });

  test('that cannot be written costs the file, not the work: nobody else gets in, and what happened stands', async () => {
    mkdirSync(join(lock, 'in the way'), { recursive: true });
    const notes: UpdateError[] = [];
    const onNote = (error: UpdateError): void => void notes.push(error);
    const inner = await withAgentLock(data, () => take().catch((error: unknown) => error), { proc, onNote });
    expect(inner).toMatchObject({ code: 'agent_running' });
    expect(notes).toMatchObject([{ message: expect.stringContaining(lock) as unknown, outcome: 30 }]);
    expect(notes[0]!.code).not.toBe('bug');
    const failing = withAgentLock(data, () => Promise.reject(new UpdateError('health_failed', 'sick')), {
      proc,
      onNote,
    });
    await expect(failing).rejects.toMatchObject({ code: 'health_failed' });
  });

  test('that cannot be removed changes nothing in how the work ended', async () => {
    const notes: UpdateError[] = [];
    const onNote = (error: UpdateError): void => void notes.push(error);
    const jam = (): void => {
      rmSync(lock);
      mkdirSync(lock);
    };
    expect(await withAgentLock(data, async () => (jam(), 'committed'), { proc, onNote })).toBe('committed');
    expect(notes).toMatchObject([{ message: expect.stringContaining(`cannot remove the lock ${lock}`) as unknown }]);
  });

  test('of a data folder that cannot be made: the agent runs, and is alone', async () => {
    writeFileSync(join(data, 'file'), '');
    const folder = join(data, 'file', 'engraft');
    const notes: UpdateError[] = [];
    const onNote = (error: UpdateError): void => void notes.push(error);
    const inner = (): Promise<unknown> =>
      withAgentLock(folder, async () => 'in', { proc }).catch((error: unknown) => error);
    expect(await withAgentLock(folder, inner, { proc, onNote })).toMatchObject({ code: 'agent_running' });
    expect(notes).toMatchObject([{ code: 'output_unwritable', detail: { errno: 'EEXIST' } }]);
  });
});
