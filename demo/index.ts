/**
 * `npm run demo`: one real update end to end, the plug pulled half-way, a release that fails its health check, and a
 * payload that was tampered with. Everything it says is measured in the run; a claim that does not hold ends it.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { corpusPair, SMALL_PAIR } from '../corpus/index.ts';
import { parseHeader, UpdateError } from '../native-free/index.ts';
import { Agent, parseConfig, type AgentStatus } from '../src/agent/index.ts';
import { DeviceFolder, HARDWARE, PRODUCT, sha256Of } from './device-folder.ts';
import type { DeviceMetrics } from './device.ts';
import { printTable, type Measured } from './figures.ts';
import { check, DEVICE, ENGRAFT, finished, heading, readJson, say, Stage, until, working } from './stage.ts';

const LINK_BITS_PER_SECOND = 1_000_000;
const PAIR = 'esbuild-arm64-patch';

interface Run {
  readonly killed: boolean;
  readonly seconds: number;
  readonly metrics: DeviceMetrics;
}

/** One start of the device's agent. With `killAt`, the plug is pulled once that share of the payload has arrived. */
async function runAgent(stage: Stage, device: DeviceFolder, killAt?: number): Promise<Run> {
  const file = stage.path('metrics.json');
  rmSync(file, { force: true });
  const startedAt = performance.now();
  const child = stage.start([DEVICE, device.config, file]);
  const end = finished(child);
  if (killAt !== undefined) {
    await until('half of the payload', () => {
      const seen = readJson<DeviceMetrics>(file);
      if (child.exitCode !== null) throw new UpdateError('bug', `the agent ended early: ${JSON.stringify(seen)}`);
      return seen !== null && seen.payloadBytes > 0 && seen.wireBytes >= killAt * seen.payloadBytes ? seen : null;
    });
    child.kill('SIGKILL');
  }
  const { signal } = await end;
  const metrics = readJson<DeviceMetrics>(file);
  if (metrics === null) throw new UpdateError('bug', 'the agent left no figures');
  return { killed: signal === 'SIGKILL', seconds: (performance.now() - startedAt) / 1000, metrics };
}

async function statusOf(device: DeviceFolder): Promise<AgentStatus> {
  const config = parseConfig(readFileSync(device.config, 'utf8'), device.config.replace(/\/[^/]*$/, ''));
  return new Agent(config).status();
}

async function publish(stage: Stage, image: string, version: string, deploy: boolean): Promise<void> {
  working(`publishing ${version}: the full payload, and deltas from the releases before it`);
  const args = ['publish', image, '--repo', stage.path('repo'), '--keys', stage.path('keys')];
  args.push('--product', PRODUCT, '--hardware', HARDWARE, '--release-version', version);
  await stage.engraft(...args, ...(deploy ? ['--deploy-to', 'all'] : []));
}

/** Size of bsdiff's patch of the same pair, made in this run; null when the addon cannot be had or takes too long. */
function bsdiffBytes(stage: Stage, source: string, target: string): number | null {
  const out = stage.path('bsdiff.patch');
  const script = `require('bsdiff-node').diff(${[source, target, out].map((path) => JSON.stringify(path)).join()}, () => {})`;
  const cwd = new URL('../..', import.meta.url);
  const { status } = spawnSync(process.execPath, ['-e', script], { cwd, timeout: 180_000, stdio: 'ignore' });
  return status === 0 ? statSync(out).size : null;
}

/** Peak memory of a Node process that does nothing. */
function emptyProcessBytes(): number {
  const linux = "/VmHWM:\\s+(\\d+)/.exec(require('fs').readFileSync('/proc/self/status'))[1]";
  const script = `console.log(process.platform === 'linux' ? ${linux} : process.resourceUsage().maxRSS)`;
  return Number(spawnSync(process.execPath, ['-e', script]).stdout.toString()) * 1024;
}

async function serve(stage: Stage): Promise<string> {
  const rate = String(LINK_BITS_PER_SECOND);
  const args = ['serve', '--repo', stage.path('repo'), '--port', '0', '--rate-limit', rate, '--log-level', 'error'];
  const server = stage.start([ENGRAFT, ...args, '--json'], true);
  let text = '';
  server.stdout!.setEncoding('utf8').on('data', (part: string) => (text += part));
  return until('the server', () => (text.trim().endsWith('}') ? (JSON.parse(text) as { url: string }).url : null), 20);
}

async function goodUpdate(stage: Stage, device: DeviceFolder, target: string): Promise<Run[]> {
  heading('2/4 Update over a 1 Mbit/s link; the plug is pulled half-way');
  working('the agent polls, chooses the delta and applies it as it arrives');
  const first = await runAgent(stage, device, 0.5);
  check(first.killed, 'the agent was killed with SIGKILL in the middle of APPLY');
  const { segmentsDone, wireBytes, payloadBytes } = first.metrics;
  say(`   ${wireBytes} of ${payloadBytes} payload bytes had arrived, ${segmentsDone} segments were in the slot`);
  check((await statusOf(device)).state === 'APPLY', 'the journal says APPLY');
  working('the agent starts again and goes on where the journal says');
  const second = await runAgent(stage, device);
  check(second.metrics.result?.code === 'reboot_pending', 'restarted, resumed, verified, armed');
  check(sha256Of(device.slots.B) === sha256Of(target), 'slot B holds the target, byte for byte');
  check((await device.powerOn()) === 'B', 'the boot loader takes slot B');
  const third = await runAgent(stage, device);
  check(third.metrics.result?.status === 0, 'health check passed, committed: status 0');
  return [first, second, third];
}

/** A start reads back what it has not written itself: nothing, or the slot once if segments stood before the cut. */
function checkReadBack(segmentsBefore: number, readBytes: number, targetBytes: number): void {
  if (segmentsBefore === 0) check(readBytes === 0, 'hashed as it was written: 0 bytes of the target read back');
  else check(readBytes === targetBytes, `the ${segmentsBefore} segments of the start before were read back, once`);
}

/** What the agent said at its end, without the paths of this run. */
function lastLine({ metrics }: Run): string {
  return (metrics.result?.message ?? '').replace(/'[^']*' ended/, 'ended').replace(/\S*\/(slot-.\.img)/g, '$1');
}

async function failingRelease(stage: Stage, device: DeviceFolder, target: string): Promise<void> {
  heading('3/4 A release that does not pass its health check');
  const broken = stage.path('broken.img');
  const image = readFileSync(target);
  image.fill(0, 0, 4);
  writeFileSync(broken, image);
  await publish(stage, broken, '3.0.0', true);
  await runAgent(stage, device);
  check((await device.powerOn()) === 'A', 'installed into slot A and booted from there');
  const trial = await runAgent(stage, device);
  check(trial.metrics.result?.code === 'rollback_pending', 'the health check failed; the flag is flipped back');
  check((await device.powerOn()) === 'B', 'the boot loader is back in slot B');
  const reported = await runAgent(stage, device);
  check(reported.metrics.result?.status === 40, `status 40: ${lastLine(reported)}`);
  check(sha256Of(device.slots.B) === sha256Of(target), 'the active slot is as before, byte for byte');
}

async function tamperedPayload(stage: Stage, device: DeviceFolder, source: string): Promise<void> {
  heading('4/4 A payload that was tampered with on the server');
  await publish(stage, source, '4.0.0', true);
  const before = device.bootVariables().replace(/LEFT=.*/g, '');
  const active = sha256Of(device.slots.B);
  const tampered = tamper(stage);
  say(`   flipped one bit in the body of ${tampered} payloads`);
  const run = await runAgent(stage, device);
  check(run.metrics.result?.status === 20, `status 20: ${lastLine(run)}`);
  check(device.bootVariables().replace(/LEFT=.*/g, '') === before, 'nothing was armed: the boot order is as before');
  check(sha256Of(device.slots.B) === active, 'the active slot is as before, byte for byte');
}

/** Flip a bit in the body of every payload of the newest release. Gives how many those are. */
function tamper(stage: Stage): number {
  const numbers = readdirSync(stage.path('repo', 'catalog')).map((name) => Number.parseInt(name, 10));
  const catalog = readFileSync(stage.path('repo', 'catalog', `${Math.max(...numbers)}.json`), 'utf8');
  const { releases } = JSON.parse(catalog) as { releases: { payloads: { sha256: string }[] }[] };
  const { payloads } = releases.at(-1)!;
  for (const { sha256 } of payloads) {
    const path = stage.path('repo', 'blobs', 'sha256', sha256);
    const bytes = readFileSync(path);
    bytes[parseHeader(bytes).headerBytes + 10]! ^= 1;
    rmSync(path, { force: true });
    writeFileSync(path, bytes);
  }
  return payloads.length;
}

function figuresOf(
  runs: readonly Run[],
  status: AgentStatus,
  device: DeviceFolder,
): Omit<Measured, 'imageBytes' | 'bsdiffBytes'> {
  const sum = (value: (metrics: DeviceMetrics) => number | undefined): number =>
    runs.reduce((total, { metrics }) => total + (value(metrics) ?? 0), 0);
  const last = status.last!;
  const downloadedBytes = sum(({ blobBytes }) => blobBytes);
  return {
    payloadBytes: last.plan!.payload.bytes,
    downloadedBytes,
    downloadedTwiceBytes: downloadedBytes - last.plan!.payload.bytes,
    linkBitsPerSecond: LINK_BITS_PER_SECOND,
    secondsOfAgent: runs[0]!.seconds + runs[1]!.seconds,
    sourceReadBytes: sum(({ read }) => read[device.slots.A]),
    targetReadBytes: sum(({ read }) => read[device.slots.B]),
    targetWrittenBytes: sum(({ written }) => written[device.slots.B]),
    peakBytes: Math.max(...runs.map(({ metrics }) => metrics.peakRssBytes)),
    emptyProcessBytes: emptyProcessBytes(),
  };
}

async function main(): Promise<void> {
  const stage = new Stage();
  try {
    let name = PAIR;
    let pair = await corpusPair(PAIR, { onMiss: (reason) => say(`${PAIR} cannot be had (${reason})`) });
    if (pair === null) {
      name = SMALL_PAIR;
      pair = (await corpusPair(SMALL_PAIR, { fetch: false }))!;
    }
    const { source, target } = pair;
    say(
      `engraft demo with ${name}: two published versions of a real arm64 program; four steps, about a minute and a half`,
    );
    heading('1/4 Diff in the worker pool, publish, serve');
    working('making a patch, and proving it');
    await stage.engraft('diff', source, target, '-o', stage.path('shown.engraft'));
    const deltaBytes = statSync(stage.path('shown.engraft')).size;
    working("making bsdiff's patch of the same images, to compare");
    const bsdiff = bsdiffBytes(stage, source, target);
    say(`   patch: ${deltaBytes} bytes, proved; bsdiff's: ${bsdiff ?? 'not to be had here'}`);
    await stage.engraft('keygen', stage.path('keys'));
    await publish(stage, source, '1.0.0', false);
    const url = await serve(stage);
    const device = new DeviceFolder(stage.path('device'));
    await device.manufacture(source, '1.0.0', stage.path('repo', 'metadata', '1.root.json'), url);
    const hello = await runAgent(stage, device);
    check(hello.metrics.result?.code === 'no_update', `the device polls ${url} and has nothing to do`);
    await publish(stage, target, '2.0.0', true);
    const runs = await goodUpdate(stage, device, target);
    const measured = figuresOf(runs, await statusOf(device), device);
    checkReadBack(runs[0]!.metrics.segmentsDone, measured.targetReadBytes, statSync(target).size);
    await failingRelease(stage, device, target);
    await tamperedPayload(stage, device, source);
    heading('What was measured in this run');
    printTable({ ...measured, imageBytes: statSync(target).size, bsdiffBytes: bsdiff });
  } finally {
    stage.close();
  }
}

process.once('SIGINT', () => process.exit(130));
try {
  await main();
} catch (error) {
  const known = UpdateError.from(error);
  say(`\nthe demo failed: ${known.message}`);
  if (known.code === 'bug') say(String(known.stack));
  process.exitCode = 1;
}
