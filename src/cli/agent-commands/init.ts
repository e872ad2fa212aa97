/**
 * `engraft-agent init`: prepare a device at the factory: configuration, pinned root, boot state, and a journal that
 * knows what slot A holds, so that the first update can be a delta at once.
 *
 * Either with two file slots that it makes, slot A from an image, or with two slots that exist (partitions); then slot
 * A is only read.
 * @module
 */
import { constants } from 'node:fs';
import { copyFile, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { ioCode } from '../../../native-free/errno.ts';
import { ioError } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { report, type CommonOptions } from '../terminal/frame.ts';
import { readConfig } from './common.ts';

interface InitOptions extends CommonOptions {
  readonly image?: string;
  readonly imageVersion: string;
  readonly slotA?: string;
  readonly slotB?: string;
  readonly bootBackend: string;
  readonly root: string;
  readonly server: string;
  readonly id: string;
  readonly product: string;
  readonly hardware: string;
  readonly slotClass: string;
  readonly moreClass: readonly MoreClass[];
  readonly target?: string;
  readonly tenant?: string;
  readonly targetToken?: string;
  readonly gatewayToken?: string;
  readonly health: readonly (readonly string[])[];
  readonly rebootCommand?: readonly string[];
}

/** The command, for the frame. */
export function define(): Command {
  return new Command('init')
    .description(
      'Make a folder with agent.toml, pinned root, boot state and journal. Refuses to change one.\n\n' +
        'With --image alone, two file slots are made in it. With --slot-a and --slot-b, these are the slots, and slot A\n' +
        'is read to learn what it holds: as much of it as --image has, which has to be the same, else all of it.',
    )
    .argument('<folder>', 'where; made if needed')
    .option('--image <file>', 'the image that slot A begins with')
    .requiredOption('--image-version <version>', 'its version')
    .option('--slot-a <path>', 'existing slot A: a block device or a file')
    .option('--slot-b <path>', 'existing slot B')
    .option('--boot-backend <name>', 'the backend of [boot], see docs/boot-control.md', 'file')
    .requiredOption('--root <file>', 'root.json of the repository that is to be trusted')
    .requiredOption('--server <url>', 'the update server')
    .requiredOption('--id <id>', 'controller id of this device')
    .requiredOption('--product <name>', 'product')
    .requiredOption('--hardware <name>', 'hardware')
    .option('--slot-class <name>', 'slot class', 'rootfs')
    .option(
      '--more-class <name=a,b[,image]>',
      'a further slot class: its two slots, and the image in the first; repeatable',
      moreClass,
      [],
    ) // prettier-ignore
    .option('--target <path>', 'one file that is replaced as a whole, instead of two slots; --image is copied there')
    .option('--tenant <name>', 'tenant on the server')
    .option('--target-token <token>', 'token of this device')
    .option('--gateway-token <token>', 'token of the gateway')
    .option('--health <command>', 'a command that exits with 0 when the device works; repeatable', healthCommand, [])
    .option('--reboot-command <command>', 'how the device is rebooted', (text: string) => commandOf(text))
    .action(init);
}

/** Words at spaces; or a JSON list, for arguments with spaces in them. */
function commandOf(text: string): readonly string[] {
  if (!text.trimStart().startsWith('[')) return text.split(/\s+/).filter((word) => word !== '');
  try {
    return JSON.parse(text) as string[];
  } catch (cause) {
    throw new UpdateError('usage_invalid', `${text} is no JSON list: the program and its arguments`, { cause });
  }
}

const healthCommand = (text: string, before: readonly (readonly string[])[]): (readonly string[])[] => [
  ...before,
  commandOf(text),
];

interface MoreClass {
  readonly name: string;
  readonly a: string;
  readonly b: string;
  readonly image?: string;
}

function moreClass(text: string, before: readonly MoreClass[]): MoreClass[] {
  const [, name, a, b, image] = /^([A-Za-z0-9]+)=([^,]+),([^,]+)(?:,([^,]+))?$/.exec(text) ?? [];
  if (name === undefined || a === undefined || b === undefined) {
    throw new UpdateError('usage_invalid', `--more-class should be NAME=SLOT-A,SLOT-B or NAME=SLOT-A,SLOT-B,IMAGE, not '${text}'`); // prettier-ignore
  }
  return [...before, { name, a: resolve(a), b: resolve(b), ...(image === undefined ? {} : { image }) }];
}

interface Slots {
  readonly a: string;
  readonly b: string;
  readonly existing: boolean;
}

const skeleton = (
  options: InitOptions,
  slots: Slots,
): string => `# Configuration of engraft-agent; docs/operating.md says more. Relative paths are taken from here.
[device]
controller_id = ${JSON.stringify(options.id)}
product = ${JSON.stringify(options.product)}
hardware = ${JSON.stringify(options.hardware)}
slot_class = ${JSON.stringify(options.slotClass)}

[server]
url = ${JSON.stringify(options.server)}
${keys({ tenant: options.tenant, target_token: options.targetToken, gateway_token: options.gatewayToken })}
[data]
folder = "data"

[trust]
root = "root.json"

${placeTables(options, slots)}${reboot(options)}
[health]
# Commands that exit with 0 when the device works. Without any, every release that starts the agent is confirmed.
commands = ${JSON.stringify(options.health)}
deadline_seconds = 300
`;

/** TOML writes texts, numbers and lists of them as JSON does. */
const keys = (values: Readonly<Record<string, unknown>>): string =>
  Object.entries(values)
    .map(([key, value]) => (value === undefined ? '' : `${key} = ${JSON.stringify(value)}\n`))
    .join('');

function placeTables({ bootBackend, slotClass, moreClass: more, target }: InitOptions, { a, b }: Slots): string {
  if (target !== undefined) return `[target]\n${keys({ path: a })}\n[boot]\n`;
  const boot =
    bootBackend === 'file'
      ? keys({ state_file: 'boot-state', choice_file: 'boot-choice' })
      : keys({ backend: bootBackend });
  if (more.length === 0) return `[slots]\n${keys({ A: a, B: b })}\n[boot]\n${boot}`;
  const classes = (slot: 'a' | 'b', own: string): string =>
    keys({ [slotClass]: own, ...Object.fromEntries(more.map((each) => [each.name, each[slot]])) });
  return `[slots.A]\n${classes('a', a)}\n[slots.B]\n${classes('b', b)}\n[boot]\n${boot}`;
}

const reboot = ({ rebootCommand }: InitOptions): string =>
  rebootCommand === undefined
    ? '# reboot_command = ["systemctl", "reboot"]\n'
    : keys({ reboot_command: rebootCommand });

function slotsOf({ image, slotA, slotB, moreClass: more, target }: InitOptions): Slots {
  if (target !== undefined) {
    if (slotA !== undefined || slotB !== undefined || more.length > 0) {
      throw new UpdateError('usage_invalid', '--target is one file instead of slots: give no slots with it');
    }
    return { a: resolve(target), b: '', existing: true };
  }
  if (more.length > 0 && slotA === undefined) {
    throw new UpdateError('usage_invalid', '--more-class goes with --slot-a and --slot-b');
  }
  if ((slotA === undefined) !== (slotB === undefined)) {
    throw new UpdateError('usage_invalid', '--slot-a and --slot-b are given together, or neither');
  }
  if (slotA !== undefined && slotB !== undefined) return { a: resolve(slotA), b: resolve(slotB), existing: true };
  if (image === undefined)
    throw new UpdateError('usage_invalid', 'give --image, or --slot-a and --slot-b, or --target');
  return { a: 'slot-a.img', b: 'slot-b.img', existing: false };
}

async function init(folder: string, options: InitOptions): Promise<void> {
  const at = (name: string): string => join(resolve(folder), name);
  const slots = slotsOf(options);
  const text = skeleton(options, slots);
  // Before anything is made, so that a mistake leaves nothing behind.
  const { parseConfig } = await import('../../agent/config/config.ts');
  parseConfig(text, resolve(folder), at('agent.toml'));
  const root = await rootOf(options.root);
  if (options.target !== undefined && options.image !== undefined) await placeTarget(slots.a, options.image);
  const held = slots.existing ? await contentOf(slots.a, options.image) : null;
  const more = await contentOfClasses(options);
  await makeFolder(at('data'));
  // A token is nobody else's business.
  await create(at('agent.toml'), text, (options.targetToken ?? options.gatewayToken) === undefined ? 0o644 : 0o600);
  const image = options.image ?? '';
  if (!slots.existing) await makeFileSlots(image, at, () => rm(at('agent.toml')));
  await create(at('root.json'), root);
  if (options.bootBackend === 'file' && options.target === undefined) {
    await create(at('boot-state'), 'BOOT_ORDER=A B\nBOOT_A_LEFT=3\nBOOT_B_LEFT=0\n');
    await create(at('boot-choice'), 'slot=A\nboot_id=initial\n');
  }
  const known = held ?? (await digestOf(image));
  const config = await readConfig(at('agent.toml'));
  const { journalOf } = await import('../../agent/records/device-journal.ts');
  const { sha256Node } = await import('../../platform/hash.ts');
  const { nodeFileSystem } = await import('../../platform/node-filesystem.ts');
  const journal = journalOf(config, { fs: nodeFileSystem, hash: sha256Node });
  await journal.load();
  journal.body.slots = { A: { ...known, version: options.imageVersion }, B: null, ...more };
  journal.body.confirmed = { slot: 'A', counters: {} };
  await journal.save();
  const data = { folder: resolve(folder), config: at('agent.toml'), slots: journal.body.slots };
  const { adviceOn } = await import('../../agent/config/advice.ts');
  const advice = adviceOn(config);
  const ready = `${data.folder} is ready: slot A holds ${options.imageVersion} (${known.sha256.slice(0, 16)})`;
  report(options, { ...data, advice }, [ready, ...advice].join('\n'));
}

/** Read and verified: with another file every device of the line would refuse every release. */
async function rootOf(path: string): Promise<Uint8Array> {
  const bytes = await reading(path, () => readFile(path));
  const { verifyPinnedRoot } = await import('../../agent/tuf/root.ts');
  verifyPinnedRoot(bytes, `--root ${path}`);
  return bytes;
}

/** The image goes where the target is to be, unless there is a file already: then it has to be this one. */
async function placeTarget(path: string, image: string): Promise<void> {
  if ((await stat(path).catch(() => null)) === null)
    await reading(image, () => copyFile(image, path, constants.COPYFILE_EXCL));
}

async function contentOfClasses({
  moreClass: more,
  imageVersion,
}: InitOptions): Promise<Record<string, (Content & { version: string }) | null>> {
  const held: Record<string, (Content & { version: string }) | null> = {};
  for (const { name, a, image } of more) {
    held[`A/${name}`] = { ...(await contentOf(a, image)), version: imageVersion };
    held[`B/${name}`] = null;
  }
  return held;
}

async function makeFileSlots(image: string, at: (name: string) => string, undo: () => Promise<void>): Promise<void> {
  try {
    await reading(image, () => copyFile(image, at('slot-a.img'), constants.COPYFILE_EXCL));
  } catch (error) {
    await undo();
    throw error;
  }
  await create(at('slot-b.img'), '');
}

async function makeFolder(path: string): Promise<void> {
  const { nodeFileSystem } = await import('../../platform/node-filesystem.ts');
  try {
    await nodeFileSystem.makeFolder(path);
  } catch (error) {
    throw ioError(error, 'output_unwritable', `cannot make the folder ${path}`, { path });
  }
}

async function create(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  try {
    await writeFile(path, content, { flag: 'wx', mode });
  } catch (cause) {
    if (ioCode(cause) !== 'EEXIST') throw ioError(cause, 'output_unwritable', `cannot make ${path}`, { path });
    const message = `cannot make ${path}: it exists: the folder is prepared already`;
    throw new UpdateError('output_unwritable', message, { detail: { path }, cause });
  }
}

async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (ioCode(cause) === 'EEXIST')
      throw new UpdateError('output_unwritable', 'the folder is prepared already', { cause });
    throw ioError(cause, 'input_unreadable', `cannot read ${path}`, { path });
  }
}

interface Content {
  readonly bytes: number;
  readonly sha256: string;
}

/** What an existing slot holds; with an image, that it is this one. Throws `source_digest`. */
async function contentOf(slot: string, image: string | undefined): Promise<Content> {
  if (image === undefined) return digestOf(slot);
  await reading(image, () => stat(image));
  const wanted = await digestOf(image);
  const held = await digestOf(slot, wanted.bytes);
  if (held.sha256 === wanted.sha256) return held;
  throw new UpdateError('source_digest', `${slot} does not begin with the ${wanted.bytes} bytes of ${image}`, {
    detail: { slot, held: held.sha256, image: wanted.sha256 },
  });
}

/** Of the first `bytes` of a file or block device, else of all of it. */
async function digestOf(path: string, bytes?: number): Promise<Content> {
  const { openSource } = await import('../../agent/slots/slots.ts');
  const { hashSource } = await import('../../platform/hash.ts');
  const { nodeFileSystem } = await import('../../platform/node-filesystem.ts');
  const { toHex } = await import('../../../native-free/hash.ts');
  const source = await openSource(nodeFileSystem, path, path);
  try {
    const size = bytes ?? source.size;
    if (size > source.size) {
      throw new UpdateError('source_digest', `${path} has ${source.size} bytes; the image has ${size}`);
    }
    return { bytes: size, sha256: toHex(await hashSource(source, size)) };
  } finally {
    await source.close();
  }
}
