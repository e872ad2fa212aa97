/**
 * Commands with a deadline, and the real network with a silent server.
 */
import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { nodeNetwork, runCommand } from '../../../src/agent/index.ts';
import { temporaryFolder } from '../../support/release.ts';

const BUILT = new URL('../../../dist/src/agent/life/commands.js', import.meta.url).pathname;

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

describe('a command', () => {
  test('gives its exit code and the end of its output', async () => {
    const result = await runCommand({ argv: ['sh', '-c', 'echo hello; echo $X >&2; exit 3'], deadlineMs: 10_000, env: { X: 'there' } }); // prettier-ignore
    expect(result).toMatchObject({ exitCode: 3, timedOut: false });
    expect(result.output).toMatch(/hello/);
    expect(result.output).toMatch(/there/);
  });

  test('is killed at its deadline with everything it started', async () => {
    const mark = join(temporaryFolder(), 'mark');
    const script = `(sleep 1; touch ${mark}) & sleep 60`;
    const result = await runCommand({ argv: ['sh', '-c', script], deadlineMs: 100 });
    expect(result).toMatchObject({ exitCode: null, timedOut: true });
    await new Promise((resolve) => {
      setTimeout(resolve, 1500);
    });
    expect(existsSync(mark)).toBe(false);
  });

  test('that does not exist is a result, not a throw', async () => {
    const result = await runCommand({ argv: ['/no/such/program'], deadlineMs: 1000 });
    expect(result).toMatchObject({ exitCode: null, timedOut: false });
    expect(result.output).toMatch(/ENOENT/);
  });
});

test('the output of a command is whole, also when another one ends at the same time', async () => {
  const text = 'BOOT_ORDER=B A\nBOOT_A_LEFT=3\nBOOT_B_LEFT=3\n';
  const short: string[] = [];
  for (let i = 0; i < 150; i++) {
    const other = runCommand({ argv: ['true'], deadlineMs: 10_000 });
    const { exitCode, stdout } = await runCommand({ argv: ['printf', text], deadlineMs: 10_000 });
    if (exitCode !== 0 || stdout !== text) short.push(stdout);
    await other;
  }
  expect(short).toEqual([]);
});

describe('a process that a command leaves behind, with its output open,', () => {
  test('is not waited for, and what the command itself wrote is whole', async () => {
    const begun = performance.now();
    // More than a pipe holds, and the last of it just before the end.
    const script = 'sleep 30 & head -c 300000 /dev/zero | tr "\\0" x; echo done';
    for (let i = 0; i < 20; i++) {
      const result = await runCommand({ argv: ['sh', '-c', script], deadlineMs: 25_000 });
      expect(result).toMatchObject({ exitCode: 0, timedOut: false });
      expect(result.stdout.length).toBe(300_005);
      expect(result.stdout.endsWith('xdone\n')).toBe(true);
    }
    expect(performance.now() - begun).toBeLessThan(20_000);
  }, 40_000);

  test('and that goes on writing is listened to for a second at most', async () => {
    const begun = performance.now();
    const script = '(i=0; while [ $i -lt 3000 ]; do echo more; sleep 0.01; i=$((i+1)); done) & echo done';
    expect(await runCommand({ argv: ['sh', '-c', script], deadlineMs: 25_000 })).toMatchObject({ exitCode: 0 });
    expect(performance.now() - begun).toBeLessThan(15_000);
  }, 40_000);

  test.skipIf(!existsSync(BUILT))(
    'does not keep the agent itself from ending',
    async () => {
      const program = `
      const { runCommand } = await import(${JSON.stringify(BUILT)});
      const { exitCode } = await runCommand({ argv: ['sh', '-c', 'sleep 30 & exit 7'], deadlineMs: 25000 });
      process.exitCode = exitCode;`;
      const begun = performance.now();
      // Its own output is no pipe of ours: what is measured is when the process itself ends.
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' });
      const code = await new Promise((resolve) => child.once('exit', resolve)); // eslint-disable-line no-promise-executor-return
      expect(code).toBe(7);
      expect(performance.now() - begun).toBeLessThan(15_000);
    },
    40_000,
  );
});

test('a NUL in what a command says, or in what it is told, is no reason to fall over', async () => {
  const { output } = await runCommand({ argv: ['printf', 'model\\0v1'], deadlineMs: 10_000 });
  expect(output).toBe('model v1');
  const told = await runCommand({ argv: ['true'], deadlineMs: 10_000, env: { MESSAGE: 'a\0b' } });
  expect(told).toMatchObject({ exitCode: null, timedOut: false });
  expect(told.output).toMatch(/null bytes/);
});

describe('the network', () => {
  const listen = async (server: Server): Promise<string> => {
    servers.push(server);
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  };

  test('counts a link without a byte as dropped, before and within a body', async () => {
    const network = nodeNetwork({ idleMs: 200 });
    const mute = await listen(createServer(() => undefined));
    await expect(network.request({ method: 'GET', url: mute })).rejects.toMatchObject({ code: 'link_failed' });
    const stalling = await listen(createServer((_request, response) => void response.write('abc')));
    const response = await network.request({ method: 'GET', url: stalling });
    const read = async (): Promise<number> => {
      let bytes = 0;
      for await (const piece of response.body) bytes += piece.length;
      return bytes;
    };
    await expect(read()).rejects.toMatchObject({ code: 'link_failed' });
  });

  test('closes the connection when the reader has had enough', async () => {
    let closed: () => void;
    const gone = new Promise<void>((resolve) => (closed = resolve)); // eslint-disable-line no-promise-executor-return
    const url = await listen(
      createServer((_request, response) => {
        response.on('close', () => closed());
        const more = (): void => void (response.write(new Uint8Array(100_000)) && setImmediate(more));
        response.on('drain', more);
        more();
      }),
    );
    const response = await nodeNetwork().request({ method: 'GET', url });
    for await (const piece of response.body) if (piece.length > 0) break;
    await gone;
  });

  test('says who cannot be reached', async () => {
    const network = nodeNetwork();
    await expect(network.request({ method: 'GET', url: 'http://127.0.0.1:9/' })).rejects.toMatchObject({
      ...{ code: 'link_failed', outcome: 10, retryable: true },
    });
  });
});
