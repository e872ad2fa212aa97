/**
 * Slots on real block devices (loop devices): the agent's program against a real server. The update ends with the right
 * bytes, and whatever is in the way is refused before anything is fetched or written.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { attachLoop, detachLoop, type LoopOptions } from '../../campaign/sigkill/loop-device.ts';
import { readBlockDevice, refuseUnsafe } from '../../src/agent/slots/block-device.ts';
import { openSink } from '../../src/agent/slots/slots.ts';
import { createDeployment, createServer, type EngraftServer } from '../../src/server/index.ts';
import { FakeBootLoader } from '../../src/testing/index.ts';
import { nodeFileSystem } from '../../src/platform/node-filesystem.ts';
import { AGENT_PROGRAM, runAgentProgram, type AgentEnded } from '../support/device/agent-program.ts';
import { imagePair, sameBytes } from '../support/device/agent.ts';
import { publisher, temporaryFolder, type Publisher } from '../support/release.ts';

const DEVICE_BYTES = 512 * 1024;
const FILLER = 0xee;

/** Why these tests cannot run here; null where they can. */
function obstacle(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'root on Linux is needed';
  if (spawnSync('losetup', ['--version']).status !== 0) return 'losetup is not installed';
  if (!existsSync('/dev/loop-control')) return 'there are no loop devices';
  if (!existsSync(AGENT_PROGRAM)) return 'the agent is not built (npm run build)';
  const file = join(temporaryFolder(), 'probe');
  writeFileSync(file, Buffer.alloc(DEVICE_BYTES));
  const device = attachLoop(file);
  if (device !== null) detachLoop(device);
  return device === null ? 'losetup makes no loop devices' : null;
}
const why = obstacle();

/** Undone after each test, the last first. */
const undo: (() => void)[] = [];
const undoAll = (): void => undo.splice(0).reverse().forEach((step) => step()); // prettier-ignore
afterEach(undoAll);

function loop(file: string, options: LoopOptions = {}): string {
  const device = attachLoop(file, options);
  if (device === null) throw new Error(`no loop device for ${file}`);
  undo.push(() => detachLoop(device));
  return device;
}

function command(name: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(name, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name} ${args.join(' ')}: ${stderr}`);
}

/** Through the device's own cache, so that others see it; a device has no length to be cut to. */
function fill(path: string, bytes: Uint8Array): void {
  const { status } = spawnSync('dd', [`of=${path}`, 'conv=notrunc,fsync', 'status=none'], { input: bytes });
  expect(status).toBe(0);
}

function mount(device: string, ...options: string[]): string {
  const point = temporaryFolder();
  command('mount', ...options, device, point);
  undo.push(() => void spawnSync('umount', [point]));
  return point;
}

let shop: Publisher;
let server: EngraftServer;
let url: string;
const { source, target } = imagePair();
let devices = 0;

/** A device that runs slot A with version 1.0 and is to have 2.0. */
class Rig {
  readonly folder = temporaryFolder();
  readonly config = join(this.folder, 'agent.toml');
  readonly #before = server.stats.blobBytes;
  readonly loader = new FakeBootLoader({
    fs: nodeFileSystem,
    stateFile: join(this.folder, 'boot-state'),
    choiceFile: join(this.folder, 'boot-choice'),
  });

  /** A file for a loop device, full of a pattern. */
  file(name: string, bytes = DEVICE_BYTES): string {
    const path = join(this.folder, name);
    writeFileSync(path, Buffer.alloc(bytes, FILLER));
    return path;
  }

  async update(a: string, b: string): Promise<AgentEnded> {
    fill(a, source);
    return this.run(a, b);
  }

  async run(a: string, b: string): Promise<AgentEnded> {
    const id = `loop-${++devices}`;
    const root = join(shop.dir, 'metadata', '1.root.json');
    const tables = [
      `[device]\ncontroller_id = "${id}"\nproduct = "cam"\nhardware = "v1"`,
      `[server]\nurl = "${url}"\n[data]\nfolder = "data"\n[trust]\nroot = "${root}"`,
      `[slots]\nA = "${a}"\nB = "${b}"\n[boot]\nstate_file = "boot-state"\nchoice_file = "boot-choice"`,
      '[limits]\nspare_bytes = 0\nbackoff_first_ms = 10\n[health]\ncommands = [["true"]]',
    ];
    writeFileSync(this.config, `${tables.join('\n')}\n`);
    await this.loader.install(['A', 'B'], ['A']);
    await this.loader.boot();
    expect((await this.once()).json).toMatchObject({ code: 'no_update' });
    const release = { product: 'cam', version: '2.0', hardware: 'v1', slotClass: 'rootfs' };
    await createDeployment({ repo: shop.dir, tenant: 'default', release, devices: [id] });
    return this.once();
  }

  once(): Promise<AgentEnded> {
    return runAgentProgram(this.folder, ['run', '--config', this.config, '--once', '--json']);
  }

  /** Payload bytes that the server has sent for this device. */
  get fetchedBytes(): number {
    return server.stats.blobBytes - this.#before;
  }
}

/** The update ends with this code before a byte is fetched, and the device at `path` stays as it is. */
async function expectRefused(rig: Rig, a: string, b: string, code: string, message: RegExp): Promise<void> {
  fill(a, source);
  const before = existsSync(b) ? readFileSync(b) : null;
  const ended = await rig.run(a, b);
  expect(ended, ended.stderr).toMatchObject({ code: 30, json: { status: 30, code } });
  expect(ended.json['message']).toMatch(message);
  expect(rig.fetchedBytes).toBe(0);
  expect(existsSync(b)).toBe(before !== null);
  if (before !== null) expect(sameBytes(readFileSync(b), before)).toBe(true);
}

describe.skipIf(why !== null)(`slots on loop devices${why === null ? '' : ` (skipped: ${why})`}`, () => {
  beforeAll(async () => {
    shop = await publisher();
    await shop.release(1, { image: source, rollbackIndex: 1 });
    await shop.release(2, { image: target, rollbackIndex: 2 });
    server = await createServer({ repo: shop.dir });
    url = await server.listen(0);
  });
  afterAll(async () => {
    undoAll();
    await server.close(0);
  });

  test.each([512, 4096])(
    'are updated by a delta, and nothing behind the image changes: sectors of %i bytes',
    async (sectorBytes) => {
      const rig = new Rig();
      const [a, b] = [loop(rig.file('a')), loop(rig.file('b'), { sectorBytes })];
      const ended = await rig.update(a, b);
      expect(ended, ended.stderr).toMatchObject({ code: 0, json: { code: 'reboot_pending' } });
      expect(await rig.loader.boot()).toBe('B');
      expect(await rig.once()).toMatchObject({ code: 0, json: { status: 0, code: 'ok' } });
      const written = readFileSync(b);
      expect(sameBytes(written.subarray(0, target.length), target)).toBe(true);
      expect(written.subarray(target.length).every((byte) => byte === FILLER)).toBe(true);
      expect(sameBytes(readFileSync(a).subarray(0, source.length), source)).toBe(true);
      const { json } = await runAgentProgram(rig.folder, ['status', '--config', rig.config, '--json']);
      expect(json['last'].plan.kind).toBe('delta');
      expect(rig.fetchedBytes).toBe(json['last'].plan.payload.bytes);
    },
  );

  test('that are mounted are refused, as are those mounted only to be read', async () => {
    const rig = new Rig();
    const [a, b] = [loop(rig.file('a')), loop(rig.file('b'))];
    command('mkfs.ext4', '-q', '-F', b);
    const point = mount(b, '-o', 'ro,noload');
    await expectRefused(rig, a, b, 'slot_mounted', new RegExp(`slot B \\(${b}\\) is mounted at ${point}: unmount`));
  });

  test('that something else lies on are refused: a loop device, and what is mounted through it', async () => {
    const rig = new Rig();
    const [a, b] = [loop(rig.file('a')), loop(rig.file('b'))];
    command('mkfs.ext4', '-q', '-F', b);
    const above = loop(b);
    mount(above, '-o', 'ro,noload');
    await expectRefused(rig, a, b, 'slot_mounted', new RegExp(`${b}\\) is in use by ${above.slice(5)}: detach`));
  });

  test('that are read-only are refused', async () => {
    const rig = new Rig();
    const [a, b] = [loop(rig.file('a')), loop(rig.file('b'), { readOnly: true })];
    await expectRefused(rig, a, b, 'slot_read_only', new RegExp(`slot B \\(${b}\\) is read-only`));
  });

  test('that are too small by one sector are refused', async () => {
    const rig = new Rig();
    const bytes = Math.floor(target.length / 512) * 512;
    const [a, b] = [loop(rig.file('a')), loop(rig.file('b', bytes))];
    await expectRefused(rig, a, b, 'slot_too_small', new RegExp(`${target.length} bytes.*holds ${bytes}`));
  });

  test('that are one device under two names are refused; under one name the configuration is', async () => {
    const rig = new Rig();
    const a = loop(rig.file('a'));
    const link = join(rig.folder, 'link-to-the-slot');
    symlinkSync(a, link);
    await expectRefused(rig, a, link, 'slot_active', /overlap on one device/);
    writeFileSync(rig.config, readFileSync(rig.config, 'utf8').replace(link, a));
    expect(await rig.once()).toMatchObject({ code: 30, json: { error: { code: 'config_invalid' } } });
  });

  test('of which one is a partition of the other are refused', async (context) => {
    const rig = new Rig();
    const image = rig.file('disk', 2 * DEVICE_BYTES);
    writeFileSync(image, diskWithOnePartition(2 * DEVICE_BYTES));
    const disk = loop(image, { partitions: true });
    if (!existsSync(`${disk}p1`)) context.skip('the kernel reads no partition tables of loop devices');
    await expectRefused(rig, `${disk}p1`, disk, 'slot_active', /overlap on one device/);
  });

  test('whose device is missing are refused, and no file is made in /dev', async () => {
    const rig = new Rig();
    const a = loop(rig.file('a'));
    const missing = `/dev/engraft-test-${process.pid}`;
    await expectRefused(rig, a, missing, 'slot_missing', new RegExp(`slot B \\(${missing}\\) does not exist`));
  });

  test('whose name in /dev has become a regular file are refused', async () => {
    const rig = new Rig();
    const a = loop(rig.file('a'));
    const file = `/dev/engraft-test-${process.pid}`;
    undo.push(() => rmSync(file, { force: true }));
    writeFileSync(file, Buffer.alloc(DEVICE_BYTES));
    await expectRefused(rig, a, file, 'slot_missing', new RegExp(`slot B \\(${file}\\) is a regular file`));
  });

  test('cannot be opened while mounted, nor mounted while open, whoever looked before', async () => {
    const rig = new Rig();
    const b = loop(rig.file('b'));
    command('mkfs.ext4', '-q', '-F', b);
    const point = mount(b);
    await expect(openSink(nodeFileSystem, b, 'B')).rejects.toMatchObject({
      code: 'slot_unwritable',
      message: expect.stringContaining('EBUSY'),
    });
    command('umount', point);
    const sink = await openSink(nodeFileSystem, b, 'B');
    try {
      expect(spawnSync('mount', [b, point], { encoding: 'utf8' }).stderr).toMatch(/busy|already mounted/);
    } finally {
      await sink.close();
    }
  });

  test('and the device of the running root is refused', async (context) => {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    const root = mounts.map((line) => line.split(' ')).find((fields) => fields[4] === '/');
    const path = root?.[root.indexOf('-') + 2] ?? '';
    // Only looked at: no test writes to it, whatever is wrong with the agent.
    const info = path.startsWith('/dev/') ? await readBlockDevice(path) : null;
    if (info === null) return context.skip('the root is on no block device here');
    expect(() => refuseUnsafe(info, 'B')).toThrow(expect.objectContaining({ code: 'slot_active' }));
  });
});

/** A partition table of the old kind with one partition, from 64 KiB to the end. */
function diskWithOnePartition(bytes: number): Buffer {
  const disk = Buffer.alloc(bytes, FILLER);
  disk.fill(0, 0, 512);
  disk[446 + 4] = 0x83;
  disk.writeUInt32LE(128, 446 + 8);
  disk.writeUInt32LE(bytes / 512 - 128, 446 + 12);
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}
