/**
 * `engraft device`: which devices a server knows, what runs on them, what they decode, and what they are told to install.
 * @module
 */
import { Command } from 'commander';
import type { ActionFeedback, Device, DeviceDetail, ManagedDeviceKey } from '../../server/index.ts';
import { report } from '../terminal/frame.ts';
import {
  asksServer,
  clientFor,
  isPaged,
  noteMore,
  shortTime,
  type ManagementOptions,
  type PageOptions,
} from '../management.ts';
import { describePayload, endOf, formatCount, formatPairs, formatTable } from '../terminal/text.ts';

interface DecodersOptions extends ManagementOptions {
  readonly product?: string;
  readonly hardware?: string;
}

interface ListOptions extends ManagementOptions, PageOptions {
  readonly after?: string;
  readonly product?: string;
  readonly hardware?: string;
  readonly runs?: string;
}

/** The command, for the frame. */
export function define(): Command {
  const list = isPaged(asksServer(new Command('list')))
    .description('List devices in the order of their ids, with what runs on them.')
    .option('--after <id>', 'begin behind this id')
    .option('--product <name>', 'only of this product')
    .option('--hardware <name>', 'only of this hardware')
    .option('--runs <version>', 'only those that run this version')
    .action(listDevices);
  const show = asksServer(new Command('show'))
    .description('Show one device: what it says of itself, its latest actions and how they ended.')
    .argument('<id>', "the device's id (controller_id in its configuration)")
    .action(showDevice);
  const decoders = asksServer(new Command('decoders'))
    .description('Count the devices that read each payload format.')
    .option('--product <name>', 'only of this product')
    .option('--hardware <name>', 'only of this hardware')
    .action(countDecoders);
  const key = asksServer(new Command('key'))
    .description('Show the key of a device for encrypted payloads.')
    .argument('<id>', "the device's id")
    .action(async (id: string, options: ManagementOptions) =>
      showKey(await (await clientFor(options)).deviceKey(id), options),
    );
  const accept = asksServer(new Command('accept-key'))
    .description('Vouch for a key that the device has told: for another one than its first, or after a revocation.')
    .argument('<id>', "the device's id")
    .argument('<recipient>', 'the key, age1...; compare it with what `engraft-agent keystore age` prints on the device')
    .action(async (id: string, recipient: string, options: ManagementOptions) =>
      showKey(await (await clientFor(options)).acceptDeviceKey(id, recipient), options),
    );
  const revoke = asksServer(new Command('revoke'))
    .description('Give a device no more keys of encrypted payloads and no more news, from this moment on.')
    .argument('<id>', "the device's id")
    .action(async (id: string, options: ManagementOptions) =>
      showKey(await (await clientFor(options)).revokeDevice(id), options),
    );
  return new Command('device')
    .description('Ask a running server about its devices.')
    .addCommand(list)
    .addCommand(show)
    .addCommand(decoders)
    .addCommand(key)
    .addCommand(accept)
    .addCommand(revoke);
}

function showKey(key: ManagedDeviceKey, options: ManagementOptions): void {
  const { controllerId, recipient, offered, revokedAt } = key;
  const rows: [string, string][] = [
    ['device', controllerId],
    ['key', recipient ?? 'none'],
    ...(offered === null ? [] : [['waits for accept-key', offered] as [string, string]]),
    ['revoked', revokedAt === null ? 'no' : shortTime(revokedAt)],
  ];
  report(options, key, () => formatPairs(rows));
}

async function listDevices(options: ListOptions): Promise<void> {
  const client = await clientFor(options);
  const { limit, after, product, hardware, runs: version } = options;
  const devices = await client.devices({ limit, after, product, hardware, version });
  const rows = devices.map((device) => [
    ...[device.controllerId, device.product ?? '-', device.hardware ?? '-', device.version ?? '-'],
    ...[decodesOf(device), shortTime(device.lastSeen), device.lastAddress ?? '-'],
  ]);
  const head = ['device', 'product', 'hardware', 'runs', 'decodes', 'last seen (UTC)', 'address'];
  report(options, { devices }, () => (rows.length === 0 ? 'no devices' : formatTable([head, ...rows])));
  noteMore(devices.length, options, `--after ${devices.at(-1)?.controllerId}`);
}

const decodesOf = ({ decodes }: Device): string => decodes?.join(' ') ?? '-';

async function countDecoders(options: DecodersOptions): Promise<void> {
  const { product, hardware } = options;
  const counted = await (await clientFor(options)).decoders({ product, hardware });
  report(options, counted, () => {
    const { devices, untold, formats, decoders } = counted;
    const sets = decoders.map((each) => [each.formats?.join(' ') ?? 'not told', formatCount(each.devices)]);
    const rows = formats.map(({ format, devices: count }) => [
      ...[format, formatCount(count), formatCount(devices - untold - count)],
    ]);
    return devices === 0
      ? 'no devices'
      : `${formatTable([['format', 'read by', 'not by'], ...rows])}\n\n${formatTable([['decodes', 'devices'], ...sets])}`;
  });
}

async function showDevice(id: string, options: ManagementOptions): Promise<void> {
  const device = await (await clientFor(options)).device(id);
  report(options, device, () => textOf(device));
}

function textOf(device: DeviceDetail): string {
  const { product, hardware, version, firstSeen, lastSeen, lastAddress, hasToken, attributes } = device;
  const facts: [string, string][] = [
    ['device', device.controllerId],
    ['product', product ?? '-'],
    ['hardware', hardware ?? '-'],
    ['runs', version ?? 'it has not said'],
    ['decodes', device.decodes === null ? 'it has not said' : device.decodes.join(', ')],
    ['first seen', shortTime(firstSeen)],
    ['last seen', lastSeen === null ? 'never' : `${shortTime(lastSeen)} from ${lastAddress ?? 'nowhere'}`],
    ['token', hasToken ? 'its own' : 'none of its own'],
    ...Object.entries(attributes).map(([key, value]): [string, string] => [`attribute ${key}`, value]),
  ];
  const head = ['action', 'deployment', 'release', 'state', 'payload', 'ended with', 'changed (UTC)'];
  const actions = device.actions.map((action) => [
    ...[String(action.id), String(action.deploymentId), action.version, action.state],
    ...[describePayload(action.payload), endOf(action), shortTime(action.updatedAt)],
  ]);
  const table = actions.length === 0 ? 'no actions' : formatTable([head, ...actions]);
  const news = device.actions.flatMap(({ id, feedback }) =>
    feedback.filter(isSubCode).map(({ code, details }) => `action ${id}: ${details.join('')} (${code})`),
  );
  return [formatPairs(facts), table, ...(news.length === 0 ? [] : [news.join('\n')])].join('\n\n');
}

/** Of what a device said on the way: it goes on, but not as planned. */
const isSubCode = ({ finished, code }: ActionFeedback): boolean => finished === 'none' && (code ?? 0) >= 1000;
