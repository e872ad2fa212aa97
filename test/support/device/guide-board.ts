/**
 * A desk on which the documentation's commands are run: a build server's folder, a board with two file slots and U-Boot's
 * variables, and programs on PATH that stand for what only a board has (systemctl, a self-test).
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SimulatedBootLoader } from '../../../src/testing/index.ts';
import { until } from '../program.ts';
import { imageOf, temporaryFolder } from '../release.ts';

const has = (program: string): boolean => spawnSync(program, ['-V']).error === undefined;
export const haveBootTools = has('fw_printenv') && has('fw_setenv');

const at = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const SLOT_BYTES = 1 << 20;
const TOKEN = 'guide';

export interface GuideCommand {
  readonly command: string;
}

export interface Exit extends GuideCommand {
  readonly code: number | null;
}

/** The commands of each `sh` block of a document, continued lines joined, comments at the end of a line taken off. */
export function commandBlocks(document: string): GuideCommand[][] {
  return [...document.matchAll(/^ *```sh\n(.*?)^ *```/gms)].map(([, block]) =>
    block!
      .replace(/\\\n/g, ' ')
      .split('\n')
      .map((line) =>
        line
          .replace(/\s+#\s.*$/, '')
          .trim()
          .replace(/\s+/g, ' '),
      )
      .filter((line) => line !== '')
      .map((command) => ({ command })),
  );
}

export class GuideBoard {
  readonly #folder = temporaryFolder();
  readonly #servers: ChildProcess[] = [];
  readonly #env: NodeJS.ProcessEnv;
  #url = '';
  #boots = 0;
  #hanging: Buffer | null = null;

  private constructor() {
    for (const folder of ['bin', 'dev', 'data', 'usr/bin', 'usr/lib/systemd/system', 'usr/lib/tmpfiles.d', 'etc']) {
      mkdirSync(this.#at(folder), { recursive: true });
    }
    for (const slot of ['a', 'b']) {
      writeFileSync(this.#at(`dev/rootfs-${slot}`), '');
      truncateSync(this.#at(`dev/rootfs-${slot}`), SLOT_BYTES);
    }
    writeFileSync(this.#at('etc/machine-id'), 'board-1\n');
    writeFileSync(this.#at('unhealthy'), '');
    writeFileSync(this.#at('environment'), Buffer.alloc(0x10000, 0xff));
    const copies = [0, 0x8000].map((offset) => `${this.#at('environment')} 0x${offset.toString(16)} 0x2000\n`);
    writeFileSync(this.#at('etc/fw_env.config'), copies.join(''));
    const config = this.#at('etc/fw_env.config');
    const node = process.execPath;
    this.#program('bin/engraft', `exec ${node} ${at('dist/program/engraft.js')} "$@"`);
    this.#program('bin/engraft-agent', `exec ${node} ${at('dist/engraft-agent.mjs')} "$@"`);
    this.#program('bin/fw_printenv', `exec $(PATH=/usr/sbin:/usr/bin which fw_printenv) -c ${config} "$@"`);
    this.#program('bin/fw_setenv', `exec $(PATH=/usr/sbin:/usr/bin which fw_setenv) -c ${config} "$@"`);
    this.#program('bin/systemctl', `echo "$@" >> ${this.#at('systemctl.log')}`);
    this.#program('usr/bin/self-test', `! grep -qx "$ENGRAFT_VERSION" ${this.#at('unhealthy')}`);
    // The factory's first environment, both copies: the tools refuse one that was never written.
    const { PATH = '' } = process.env;
    this.#env = { ...process.env, PATH: `${this.#at('bin')}:${PATH}`, ENGRAFT_MANAGEMENT_TOKEN: TOKEN };
    writeFileSync(this.#at('first'), 'bootcmd=run engraft_choose; run engraft_boot\n');
    this.#must('fw_setenv', '-f', this.#at('first'), 'made', '1');
    this.#boot('A');
  }

  static async make(): Promise<GuideBoard> {
    return new GuideBoard();
  }

  #at(...parts: string[]): string {
    return join(this.#folder, ...parts);
  }

  #program(path: string, line: string): void {
    writeFileSync(this.#at(path), `#!/bin/sh\n${line}\n`);
    chmodSync(this.#at(path), 0o755);
  }

  #must(program: string, ...args: string[]): string {
    const ended = spawnSync(program, args, { cwd: this.#folder, env: this.#env, encoding: 'utf8' });
    if (ended.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${ended.stderr}`);
    return ended.stdout;
  }

  image(name: string, version: number): void {
    writeFileSync(this.#at(name), imageOf(version));
  }

  read(name: string): Buffer {
    return readFileSync(this.#at(name));
  }

  slot(name: 'a' | 'b'): Buffer {
    return this.read(`dev/rootfs-${name}`);
  }

  /** The self-test of this version will fail. */
  unhealthy(version: string): void {
    writeFileSync(this.#at('unhealthy'), `${version}\n`);
  }

  /** A slot with this image hangs before any software of ours runs. */
  hangs(image: string): void {
    this.#hanging = this.read(image);
  }

  enabled(): string[] {
    const path = this.#at('systemctl.log');
    const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
    return lines.filter((line) => line !== 'reboot');
  }

  /** What every deployment ended with, as the server has it, oldest first. */
  async outcomes(device = 'board-1'): Promise<(number | null)[]> {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const answer = await fetch(`${this.#url}/api/v1/devices/${device}`, { headers });
    const { actions } = (await answer.json()) as { actions: { id: number; code: number | null }[] };
    return [...actions].sort((a, b) => a.id - b.id).map(({ code }) => code);
  }

  /** What the guide does at the factory, for documents that take a device as given. */
  async factory(image: string, version: string): Promise<void> {
    this.#must('dd', `if=${image}`, 'of=dev/rootfs-a', 'bs=1M', 'conv=notrunc');
    for (const [name, value] of [
      ['BOOT_ORDER', 'A B'],
      ['BOOT_A_LEFT', '3'],
      ['BOOT_B_LEFT', '0'],
    ]) {
      // prettier-ignore
      this.#must('fw_setenv', name!, value!);
    }
    const init = ['init', 'device', '--image', image, '--image-version', version, '--boot-backend', 'uboot'];
    init.push('--slot-a', 'dev/rootfs-a', '--slot-b', 'dev/rootfs-b', '--root', 'repo/metadata/1.root.json');
    init.push('--server', this.#url, '--id', 'board-1', '--product', 'router', '--hardware', 'r1');
    this.#must('engraft-agent', ...init);
    this.#complete('device/agent.toml');
    const text = readFileSync(this.#at('device/agent.toml'), 'utf8').replaceAll('root.json', 'device/root.json');
    writeFileSync(this.#at('agent.toml'), text);
  }

  /** Runs the commands one after the other, each as it stands. */
  async runAll(commands: readonly GuideCommand[], before?: (command: GuideCommand) => Promise<void>): Promise<Exit[]> {
    const exits: Exit[] = [];
    for (const one of commands) {
      await before?.(one);
      exits.push({ command: one.command, code: await this.#run(one.command) });
    }
    return exits;
  }

  async #run(command: string): Promise<number | null> {
    const line = this.#placed(command);
    if (command.startsWith('engraft serve')) return this.#serve(line);
    const child = spawn('sh', ['-c', line], { cwd: this.#folder, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (said += piece.toString()));
    const code = await new Promise<number | null>((resolve) => {
      child.once('close', resolve);
    });
    if (command.startsWith('engraft-agent init /data/engraft')) this.#complete('data/engraft/agent.toml');
    await this.#rebootIfAsked();
    if (code !== 0) console.log(`${command}\n  ended with ${code}: ${said.trim().slice(-600)}`);
    return code;
  }

  /** The command with the places of a board replaced by those of the desk. */
  #placed(command: string): string {
    return command
      .replaceAll('/dev/disk/by-partlabel/', this.#at('dev/'))
      .replaceAll('/data/', this.#at('data/'))
      .replaceAll('/etc/', this.#at('etc/'))
      .replaceAll('/usr/', this.#at('usr/'))
      .replaceAll('packaging/', at('packaging/'))
      .replaceAll('https://updates.example', this.#url)
      .replaceAll('http://127.0.0.1:8080', this.#url)
      .replaceAll('--port 8080', '--port 0');
  }

  async #serve(line: string): Promise<number | null> {
    const child = spawn('sh', ['-c', `exec ${line} --json`], {
      cwd: this.#folder,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.#servers.push(child);
    let text = '';
    child.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
    await until(() => text.includes('}') || child.exitCode !== null, 'the server');
    if (child.exitCode !== null) return child.exitCode;
    this.#url = (JSON.parse(text) as { url: string }).url;
    return 0;
  }

  /** What a bench board has to say that a real one reads from its kernel. */
  #complete(config: string): void {
    const path = this.#at(config);
    const files = `cmdline_file = "${this.#at('cmdline')}"\nboot_id_file = "${this.#at('boot_id')}"\n`;
    const text = readFileSync(path, 'utf8').replace('[boot]\n', `[boot]\n${files}`);
    writeFileSync(path, text);
    mkdirSync(dirname(path), { recursive: true });
  }

  async #rebootIfAsked(): Promise<void> {
    const log = this.#at('systemctl.log');
    if (!existsSync(log)) return;
    const lines = readFileSync(log, 'utf8').split('\n');
    if (!lines.includes('reboot')) return;
    writeFileSync(log, lines.filter((line) => line !== 'reboot').join('\n'));
    const variables = {
      read: async () => {
        const rows = this.#must('fw_printenv').trim().split('\n');
        return new Map(rows.map((row) => row.split(/=(.*)/s).slice(0, 2) as [string, string]));
      },
      write: async (values: ReadonlyMap<string, string>) => {
        for (const [name, value] of values) this.#must('fw_setenv', name, value);
      },
    };
    const loader = new SimulatedBootLoader({ variables });
    for (let tries = 0; tries < 9; tries++) {
      const boot = await loader.boot(`boot-${this.#boots + 1}`);
      if (boot === null) throw new Error('the board does not boot any more');
      this.#boot(boot.slot);
      const image = this.slot(boot.slot === 'A' ? 'a' : 'b');
      // A slot that hangs is reset by the watchdog, and the loader counts.
      if (this.#hanging === null || !image.subarray(0, this.#hanging.length).equals(this.#hanging)) return;
    }
    throw new Error('the board hangs for ever');
  }

  #boot(slot: string): void {
    this.#boots++;
    writeFileSync(this.#at('cmdline'), `ro rootwait engraft.slot=${slot}\n`);
    writeFileSync(this.#at('boot_id'), `boot-${this.#boots}\n`);
  }

  async close(): Promise<void> {
    for (const server of this.#servers) {
      server.kill('SIGTERM');
      if (server.exitCode === null) await once(server, 'close');
    }
  }
}
