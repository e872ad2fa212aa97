/**
 * Running the one-file program `engraft-agent` as a device does: a process of its own, from dist/.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { nodeFileSystem } from '../../../src/platform/node-filesystem.ts';
import type { PayloadMaker } from '../../../src/release/index.ts';
import { createDeployment, createServer, type ServerOptions } from '../../../src/server/index.ts';
import { FakeBootLoader } from '../../../src/testing/index.ts';
import { imagePair } from './agent.ts';
import { plainMaker, publisher, temporaryFolder } from '../release.ts';

/** The bundle that `npm run build` makes. */
export const AGENT_PROGRAM = fileURLToPath(new URL('../../../dist/engraft-agent.mjs', import.meta.url));

export interface AgentEnded {
  readonly code: number | null;
  /** What it printed under `--json`; empty when that was something else. */
  readonly json: Record<string, any>;
  readonly stderr: string;
}

/** Run `program` in `folder` to its end. `until` sees all of stderr so far and may say which signal to send. */
export function runAgentProgram(
  folder: string,
  args: readonly string[],
  until?: (stderr: string) => NodeJS.Signals | null,
  program = AGENT_PROGRAM,
): Promise<AgentEnded> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { cwd: folder });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => {
      stderr += data.toString();
      const signal = until?.(stderr) ?? null;
      if (signal !== null) child.kill(signal);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      const json = stdout.startsWith('{') ? (JSON.parse(stdout) as AgentEnded['json']) : {};
      resolve({ code, json, stderr });
    });
  });
}

/** Default: a small pair and payloads made without the pool. */
export interface ProgramImages {
  readonly pair?: { readonly source: Uint8Array; readonly target: Uint8Array };
  readonly engine?: PayloadMaker;
}

/**
 * A server with releases 1.0 and 2.0, and a device prepared by `engraft-agent init`, run by a program that is alone in
 * its folder. `limits` are lines of its configuration. Close the server in the end.
 */
export async function programDevice(
  limits: string,
  options: Partial<ServerOptions> = {},
  health = '[["true"]]',
  images: ProgramImages = {},
) {
  const { source, target } = images.pair ?? imagePair();
  const engine = images.engine ?? plainMaker;
  const made = await publisher();
  await made.release(1, { image: source, rollbackIndex: 1, engine });
  await made.release(2, { image: target, rollbackIndex: 2, engine });
  const server = await createServer({ repo: made.dir, ...options });
  const url = await server.listen(0);
  const folder = temporaryFolder();
  copyFileSync(AGENT_PROGRAM, join(folder, 'engraft-agent.mjs'));
  writeFileSync(join(folder, 'image'), source);
  const agent = (args: readonly string[], until?: (stderr: string) => NodeJS.Signals | null): Promise<AgentEnded> =>
    runAgentProgram(folder, args, until, 'engraft-agent.mjs');
  const home = join(folder, 'device');
  const root = join(made.dir, 'metadata', '1.root.json');
  const ended = await agent(
    ['init', home, '--image', 'image', '--image-version', '1.0', '--root', root, '--server', url]
      .concat(['--id', 'dev-1', '--product', 'cam', '--hardware', 'v1', '--json']), // prettier-ignore
  );
  expect(ended.code, ended.stderr).toBe(0);
  const config = join(home, 'agent.toml');
  const text = readFileSync(config, 'utf8').replace('commands = []', `commands = ${health}`);
  writeFileSync(config, `${text}\n[limits]\n${limits}`);
  const stateFile = join(home, 'boot-state');
  return {
    ...{ home, config, publisher: made, server, url, source, target, agent },
    loader: new FakeBootLoader({ fs: nodeFileSystem, stateFile, choiceFile: join(home, 'boot-choice') }),
    slot: (name: string) => new Uint8Array(readFileSync(join(home, `slot-${name}.img`))),
    deploy: async (version: string) => {
      const release = { product: 'cam', version, hardware: 'v1', slotClass: 'rootfs' };
      await createDeployment({ repo: made.dir, tenant: 'default', release, devices: ['dev-1'] });
    },
  };
}
