/**
 * `engraft-agent init`: prepare a device with two file slots: slot A from an image, boot state, journal, pinned root
 * and a configuration to start from.
 * @module
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, mkdir, open, readFile, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { UpdateError } from '../../../native-free/status.ts';
import { toHex } from '../../../native-free/hash.ts';
import { report } from '../frame.ts';
import type { CommonOptions } from '../frame.ts';
import { readConfig } from './common.ts';

interface InitOptions extends CommonOptions {
  readonly image: string;
  readonly imageVersion: string;
  readonly root: string;
  readonly server: string;
  readonly id: string;
  readonly product: string;
  readonly hardware: string;
  readonly slotClass: string;
}

/** The command, for the frame. */
export function define(): Command {
  return new Command('init')
    .description('Make a folder with two file slots, boot state, pinned root and agent.toml. Refuses to change one.')
    .argument('<folder>', 'where; made if needed')
    .requiredOption('--image <file>', 'the image that slot A begins with')
    .requiredOption('--image-version <version>', 'its version')
    .requiredOption('--root <file>', 'root.json of the repository that is to be trusted')
    .requiredOption('--server <url>', 'the update server')
    .requiredOption('--id <id>', 'controller id of this device')
    .requiredOption('--product <name>', 'product')
    .requiredOption('--hardware <name>', 'hardware')
    .option('--slot-class <name>', 'slot class', 'rootfs')
    .action(init);
}

const skeleton = (
  options: InitOptions,
): string => `# Configuration of engraft-agent; docs/operating.md says more. Relative paths are taken from here.
[device]
controller_id = ${JSON.stringify(options.id)}
product = ${JSON.stringify(options.product)}
hardware = ${JSON.stringify(options.hardware)}
slot_class = ${JSON.stringify(options.slotClass)}

[server]
url = ${JSON.stringify(options.server)}

[data]
folder = "data"

[trust]
root = "root.json"

[slots]
A = "slot-a.img"
B = "slot-b.img"

[boot]
state_file = "boot-state"
choice_file = "boot-choice"
# reboot_command = ["systemctl", "reboot"]

[health]
commands = []
deadline_seconds = 300
`;

async function init(folder: string, options: InitOptions): Promise<void> {
  const at = (name: string): string => join(resolve(folder), name);
  await mkdir(at('data'), { recursive: true });
  await reading(options.image, () => copyFile(options.image, at('slot-a.img'), constants.COPYFILE_EXCL));
  const { bytes, sha256 } = await digestOfFile(at('slot-a.img'));
  await create(at('slot-b.img'), '');
  await create(at('root.json'), await reading(options.root, () => readFile(options.root)));
  await create(at('agent.toml'), skeleton(options));
  await create(at('boot-state'), 'BOOT_ORDER=A B\nBOOT_A_LEFT=3\nBOOT_B_LEFT=0\n');
  await create(at('boot-choice'), 'slot=A\nboot_id=initial\n');
  const config = await readConfig(at('agent.toml'));
  const { Journal } = await import('../../agent/journal.ts');
  const { nodeFileSystem, sha256Node } = await import('../../transfer/index.ts');
  const journal = new Journal({ fs: nodeFileSystem, hash: sha256Node, path: join(config.dataFolder, 'journal') });
  await journal.load();
  journal.body.slots = { A: { bytes, sha256, version: options.imageVersion }, B: null };
  await journal.save();
  const data = { folder: resolve(folder), config: at('agent.toml'), slots: journal.body.slots };
  report(options, data, `${data.folder} is ready: slot A holds ${options.imageVersion} (${sha256.slice(0, 16)})`);
}

async function create(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await writeFile(path, content, { flag: 'wx' });
  } catch (cause) {
    throw new UpdateError('output_unwritable', `cannot make ${path}: ${String(cause)}`, { detail: { path }, cause });
  }
}

async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    if (exists) throw new UpdateError('output_unwritable', 'the folder is prepared already', { cause });
    throw new UpdateError('input_unreadable', `cannot read ${path}: ${String(cause)}`, { detail: { path }, cause });
  }
}

async function digestOfFile(path: string): Promise<{ bytes: number; sha256: string }> {
  const file = await open(path, 'r');
  try {
    const hash = createHash('sha256');
    for await (const piece of file.createReadStream({ autoClose: false })) hash.update(piece as Buffer);
    return { bytes: (await stat(path)).size, sha256: toHex(hash.digest()) };
  } finally {
    await file.close();
  }
}
