/**
 * `npm run qemu -- [--scenario NAME]... [--all] [--seed N] [--list]`: the real agent on an emulated arm64 board with a real boot
 * loader. Without arguments it runs the scenario `update`.
 *
 * Exit code 0: all passed, or nothing could be run here, with a line "skipped: ..." that says why.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { cacheFolder, SMALL_PAIR, repositoryRoot } from '../corpus/index.ts';
import { exitCodeOf, UpdateError } from '../native-free/status.ts';
import { cuts } from './cuts.ts';
import * as scenarios from './scenarios.ts';
import type { Stage } from './scenarios.ts';
import type { Server } from './publisher.ts';
import { Workshop } from './workshop.ts';
import { writes } from './writes.ts';

interface Scenario {
  readonly run: (stage: Stage) => Promise<string[]>;
  /** The version that it deploys. */
  readonly version: string;
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  update: { run: scenarios.update, version: '1.1.0' },
  fallback: { run: scenarios.fallback, version: '2.0.0' },
  bootcount: { run: scenarios.bootcount, version: '2.0.0' },
  unhealthy: { run: scenarios.unhealthy, version: '3.0.0' },
  cuts: { run: cuts, version: '1.1.0' },
  writes: { run: writes, version: '1.1.0' },
  kernel: { run: scenarios.kernel, version: '4.0.0' },
};

const SKIPPED = 77;

const say = (text: string): void => console.log(`qemu: ${text}`);

/** Bring the pieces; false when they cannot be had here, which the last line printed explains. */
function prepare(root: string, cache: string): boolean {
  const { status, error } = spawnSync('bash', [join(root, 'qemu/prepare.sh'), cache], { stdio: 'inherit' });
  if (error !== undefined) {
    console.log(`skipped: bash cannot be started (${error.message})`);
    return false;
  }
  if (status === SKIPPED) return false;
  if (status !== 0) throw new UpdateError('input_unreadable', `qemu/prepare.sh ended with ${status}`);
  return true;
}

async function runOne(name: string, workshop: Workshop, cache: string, seed: number): Promise<boolean> {
  const folder = join(cache, 'runs');
  mkdirSync(folder, { recursive: true });
  const serve = (port: number): Promise<Server> =>
    workshop.publisher.serve(join(folder, `${name}.db`), join(folder, `${name}.server.txt`), port);
  const stage: Stage = {
    workshop,
    server: await serve(0),
    async restartServer() {
      await stage.server.close();
      stage.server = await serve(stage.server.port);
    },
    seed,
    say: (text) => say(`${name}: ${text}`),
  };
  const started = performance.now();
  const seconds = (): string => ((performance.now() - started) / 1000).toFixed(0);
  try {
    const facts = await SCENARIOS[name]!.run(stage);
    for (const fact of facts) say(`${name}: ${fact}`);
    say(`${name}: passed in ${seconds()} s`);
    appendFileSync(
      join(folder, 'results.txt'),
      `${name} passed ${seconds()} s\n${facts.map((fact) => `  ${fact}\n`).join('')}`,
    );
    return true;
  } catch (error) {
    say(`${name}: FAILED after ${seconds()} s: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  } finally {
    await stage.server.close();
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string', multiple: true },
      seed: { type: 'string', default: '1' },
      all: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
  });
  if (values.list) {
    console.log(Object.keys(SCENARIOS).join('\n'));
    return 0;
  }
  const names = values.all ? Object.keys(SCENARIOS) : (values.scenario ?? ['update']);
  for (const name of names)
    if (SCENARIOS[name] === undefined)
      throw new UpdateError('usage_invalid', `there is no scenario ${name}; see --list`);
  const root = repositoryRoot();
  const cache = join(cacheFolder(), 'qemu');
  if (!prepare(root, cache)) return 0;
  const sources = readdirSync(join(root, 'qemu')).filter((name) => /^(images|cpio|editions)\.ts$/.test(name));
  const workshop = new Workshop({
    cache,
    guest: join(root, 'qemu/guest'),
    programs: join(root, 'corpus/small', SMALL_PAIR),
    agent: join(root, 'dist/engraft-agent.mjs'),
    engraft: join(root, 'dist/program/engraft.js'),
    sources: sources.map((name) => join(root, 'qemu', name)),
    say,
  });
  let failed = 0;
  for (const name of names) {
    workshop.prepare(SCENARIOS[name]!.version);
    if (!(await runOne(name, workshop, cache, Number(values.seed)))) failed++;
  }
  console.log(`qemu: ${names.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  const known = UpdateError.from(error);
  console.error(`${known.message}\n${known.action}`);
  process.exitCode = exitCodeOf(known);
}
