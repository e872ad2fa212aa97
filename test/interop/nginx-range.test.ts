/**
 * Debian's nginx as the server: an HTTP Range implementation that is not ours, with its own ETags, connections that are
 * cut by killing its workers, restarts, and its access log as a second count of the bytes.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { Agent, journalOf, nodeFileSystem, parseConfig, type AgentEvent } from '../../src/agent/index.ts';
import { Link, type LinkWait } from '../../src/transfer/link.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeNetwork } from '../../src/platform/http/node-network.ts';
import { FakeBootLoader } from '../../src/testing/index.ts';
import { FakeDeployments, imagePair, makeLab, sameBytes, sha256Hex } from '../support/device/agent.ts';
import { imageBytes, sha256Node } from '../support/images.ts';
import { temporaryFolder } from '../support/release.ts';

const binary = ['nginx', '/usr/sbin/nginx'].find((path) => spawnSync(path, ['-v']).status === 0);

const running: Nginx[] = [];
afterEach(async () => {
  for (const nginx of running.splice(0)) await nginx.stop();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

class Nginx {
  readonly folder = temporaryFolder();
  readonly port: number;
  #process: ChildProcess | null = null;

  constructor(port: number) {
    this.port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  configure(root: string, extra = ''): void {
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    mkdirSync(join(this.folder, 'temp'), { recursive: true });
    const user = process.getuid?.() === 0 ? 'user root;' : '';
    writeFileSync(
      join(this.folder, 'nginx.conf'),
      `${user} daemon off; worker_processes 1; pid ${this.folder}/pid; error_log ${this.folder}/error.log;
      events { worker_connections 64; }
      http {
        ${temp.map((name) => `${name}_temp_path ${this.folder}/temp/${name};`).join('\n')}
        log_format bytes escape=none '$status $request_uri [$http_range] [$http_if_range] $body_bytes_sent';
        access_log ${this.folder}/access.log bytes;
        default_type application/octet-stream;
        server {
          listen 127.0.0.1:${this.port};
          ${extra}
          location /tuf/ { alias ${root}/metadata/; limit_rate 0; }
          location /blobs/ { alias ${root}/blobs/; }
        }
      }`,
    );
  }

  async start(): Promise<void> {
    // A process group of its own: a master that is killed alone, or after its workers, leaves one that holds the port.
    const options = { stdio: 'ignore', detached: true } as const;
    this.#process = spawn(binary!, ['-p', this.folder, '-c', join(this.folder, 'nginx.conf')], options);
    await this.#answers();
  }

  /** Kills the worker: its connections break as they are. The master starts another one. */
  async killWorker(): Promise<void> {
    for (const pid of this.#workers()) process.kill(pid, 'SIGKILL');
    await delay(20);
  }

  async reload(): Promise<void> {
    this.#process!.kill('SIGHUP');
    await delay(150);
  }

  async stop(): Promise<void> {
    const master = this.#process;
    if (master === null) return;
    this.#process = null;
    if (master.exitCode !== null || master.signalCode !== null) return;
    const ended = once(master, 'close');
    process.kill(-master.pid!, 'SIGKILL');
    await ended;
  }

  /** Lines of the access log for payloads. */
  async log(): Promise<{ status: number; range: string; ifRange: string; bytes: number }[]> {
    await delay(50);
    const lines = readFileSync(join(this.folder, 'access.log'), 'utf8').split('\n');
    return lines
      .filter((line) => line.includes('/blobs/'))
      .map((line) => {
        const [, status, range, ifRange, bytes] = /^(\d+) \S+ \[(.*?)\] \[(.*)\] (\d+)$/.exec(line)!;
        return { status: Number(status), range: range!, ifRange: ifRange!, bytes: Number(bytes) };
      });
  }

  #workers(): number[] {
    const master = this.#process?.pid;
    const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(master)], { encoding: 'utf8' });
    return stdout.split('\n').flatMap((line) => (line.trim() === '' ? [] : [Number(line)]));
  }

  async #answers(): Promise<void> {
    for (let i = 0; i < 200; i++) {
      const response = await fetch(`${this.url}/none`).catch(() => null);
      if (response !== null) return;
      await delay(25);
    }
    throw new Error(`nginx does not answer: ${readFileSync(join(this.folder, 'error.log'), 'utf8')}`);
  }
}

async function nginxOver(root: string, extra = ''): Promise<Nginx> {
  const nginx = new Nginx(await freePort());
  running.push(nginx);
  nginx.configure(root, extra);
  await nginx.start();
  return nginx;
}

const CONTENT = imageBytes(300_000, 3);
/** nginx lets one second's worth go at once: the cuts below come after that. */
const SLOW = 'limit_rate 40k;';

/** A folder with one blob. */
function blobFolder(): { root: string; file: string; path: string } {
  const root = temporaryFolder();
  mkdirSync(join(root, 'blobs', 'sha256'), { recursive: true });
  const path = `/blobs/sha256/${sha256Hex(CONTENT)}`;
  writeFileSync(join(root, path), CONTENT);
  return { root, file: join(root, path), path };
}

/** Reads all of it; `onBytes` is told how many there are. */
async function read(nginx: Nginx, path: string, onBytes: (bytes: number) => Promise<void>, retriesMax = 20) {
  const waits: LinkWait[] = [];
  const link = new Link({
    ...{ url: nginx.url + path, totalBytes: CONTENT.length, network: nodeNetwork({ idleMs: 3000 }), clock: nodeClock },
    backoff: { firstMs: 20, mostMs: 200 },
    retriesMax,
    onWait: (wait) => void waits.push(wait),
  });
  const bytes = new Uint8Array(CONTENT.length);
  let at = 0;
  for await (const piece of link.fetch({ from: 0, to: CONTENT.length })) {
    bytes.set(piece, at);
    at += piece.length;
    await onBytes(at);
  }
  return { bytes, waits };
}

/** Does `work` once each time `step` more bytes came, as often as `times`. */
function every(step: number, times: number, work: (number: number) => Promise<void>) {
  let done = 0;
  return async (bytes: number): Promise<void> => {
    if (done >= times || bytes < step * (done + 1)) return;
    done++;
    await work(done);
  };
}

const why = binary === undefined ? ' (skipped: nginx is not installed)' : '';

describe.skipIf(binary === undefined)(`nginx as the server of payloads${why}`, () => {
  test('workers killed five times: each request begins at the missing byte, nothing is read twice', async () => {
    const { root, path } = blobFolder();
    const nginx = await nginxOver(root, SLOW);
    const { bytes, waits } = await read(
      nginx,
      path,
      every(50_000, 5, () => nginx.killWorker()),
    );
    expect(sameBytes(bytes, CONTENT)).toBe(true);
    expect(waits.length).toBeGreaterThanOrEqual(5);
    expect(waits.every(({ error }) => error.code === 'link_failed')).toBe(true);
    // A killed worker writes no log line: what is logged is the last request, with nginx's own ETag in If-Range.
    const last = (await nginx.log()).at(-1)!;
    expect(last).toMatchObject({ status: 206, ifRange: expect.stringMatching(/^"[0-9a-f]+-[0-9a-f]+"$/) });
    expect(last.bytes).toBe(CONTENT.length - Number(/bytes=(\d+)-/.exec(last.range)![1]));
  });

  test('stopped and started again in the middle: goes on when it is back', async () => {
    const { root, path } = blobFolder();
    const nginx = await nginxOver(root, SLOW);
    const restart = async (): Promise<void> => {
      await nginx.stop();
      setTimeout(() => void nginx.start(), 300);
    };
    const { bytes, waits } = await read(nginx, path, every(100_000, 2, restart));
    expect(sameBytes(bytes, CONTENT)).toBe(true);
    expect(waits.some(({ error }) => /ECONNREFUSED/.test(error.message))).toBe(true);
  });

  test('a blob that was copied anew (another time, another ETag) costs one answer without bytes', async () => {
    const { root, file, path } = blobFolder();
    const nginx = await nginxOver(root, SLOW);
    const touch = async (number: number): Promise<void> => {
      utimesSync(file, 1_700_000_000 + number, 1_700_000_000 + number);
      await nginx.reload();
      await nginx.killWorker();
    };
    const { bytes, waits } = await read(nginx, path, every(70_000, 3, touch));
    expect(sameBytes(bytes, CONTENT)).toBe(true);
    // If-Range no longer fits, so the whole blob is offered: refused, and the same byte asked for without a condition.
    expect(waits.filter(({ error }) => error.code === 'content_wrong')).toHaveLength(3);
    expect((await nginx.log()).filter(({ status }) => status === 200).length).toBe(3);
  });

  test('without ETags it resumes all the same', async () => {
    const { root, path } = blobFolder();
    const nginx = await nginxOver(root, `${SLOW} etag off;`);
    const { bytes } = await read(
      nginx,
      path,
      every(70_000, 3, () => nginx.killWorker()),
    );
    expect(sameBytes(bytes, CONTENT)).toBe(true);
    expect((await nginx.log()).at(-1)!.ifRange).toBe('');
  });

  test('that compresses what it can sends payloads as they are', async () => {
    const { root, path } = blobFolder();
    const nginx = await nginxOver(root, 'gzip on; gzip_types application/octet-stream; gzip_min_length 1; gzip_proxied any;'); // prettier-ignore
    const { bytes, waits } = await read(nginx, path, async () => undefined);
    expect(sameBytes(bytes, CONTENT)).toBe(true);
    expect(waits).toEqual([]);
  });

  test('with ranges switched off: the whole blob is fine, a resumption is given up with the reason', async () => {
    const { root, path } = blobFolder();
    const nginx = await nginxOver(root, 'limit_rate 200k; max_ranges 0;');
    expect(sameBytes((await read(nginx, path, async () => undefined)).bytes, CONTENT)).toBe(true);
    const cut = read(
      nginx,
      path,
      every(100_000, 1, () => nginx.killWorker()),
      3,
    );
    await expect(cut).rejects.toMatchObject({ code: 'range_unsupported', retryable: false });
  });

  test('serves metadata and payloads of a whole update, with its workers killed again and again', async () => {
    const lab = await makeLab(imagePair());
    const nginx = await nginxOver(lab.publisher.dir, 'limit_rate 20k;');
    const folder = temporaryFolder();
    const place = (name: string, bytes: Uint8Array): void => writeFileSync(join(folder, name), bytes);
    place('root.json', new Uint8Array(readFileSync(join(lab.publisher.dir, 'metadata', '1.root.json'))));
    place('a', lab.source);
    place('b', new Uint8Array(0));
    const config = parseConfig(
      `[device]\ncontroller_id = "dev-1"\nproduct = "cam"\nhardware = "v1"
      [server]\nurl = "${nginx.url}"\n[data]\nfolder = "data"\n[trust]\nroot = "root.json"
      [slots]\nA = "a"\nB = "b"\n[boot]\nstate_file = "state"\nchoice_file = "choice"
      [limits]\nbackoff_first_ms = 20\nbackoff_most_ms = 200\nbudget_bytes = 10000000`,
      folder,
    );
    const loader = new FakeBootLoader({ fs: nodeFileSystem, stateFile: join(folder, 'state'), choiceFile: join(folder, 'choice') }); // prettier-ignore
    await loader.install(['A', 'B'], ['A']);
    await loader.boot();
    mkdirSync(join(folder, 'data'));
    const journal = journalOf(config, { fs: nodeFileSystem, hash: sha256Node });
    journal.body.confirmed = { slot: 'A', counters: {} };
    journal.body.slots['A'] = { bytes: lab.source.length, sha256: sha256Hex(lab.source), version: '1.0' };
    await journal.save();
    const deployments = new FakeDeployments();
    deployments.assign('2.0');
    const waits: string[] = [];
    let killed = 0;
    const onEvent = (event: AgentEvent): void => {
      if (event.type === 'wait') waits.push(event.error.code);
      if (event.type === 'bytes' && event.wireBytes > (killed + 1) * 25_000) {
        killed++;
        void nginx.killWorker();
      }
    };
    const result = await new Agent(config, { deployments, onEvent }).run({ once: true });
    expect(result).toMatchObject({ status: 0, code: 'reboot_pending' });
    expect(killed).toBeGreaterThanOrEqual(3);
    expect(waits.length).toBeGreaterThanOrEqual(3);
    expect(sameBytes(new Uint8Array(readFileSync(join(folder, 'b'))), lab.target)).toBe(true);
    await journal.load();
    expect(journal.body.attempt!.wireBytes).toBe(journal.body.attempt!.plan!.payload.bytes);
  });
});
