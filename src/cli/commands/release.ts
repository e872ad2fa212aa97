/**
 * `engraft release`: publishing through a server, what is planned for a release, and what a rollout would cost.
 * @module
 */
import { basename } from 'node:path';
import { Command, Option } from 'commander';
import { toHex } from '../../../native-free/hash.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { fileSource } from '../../platform/files/node-io.ts';
import { hashSource } from '../../platform/hash.ts';
import { pause } from '../../platform/timers.ts';
import type { ManagementClient, UploadSource } from '../../client/index.ts';
import type { Plan, Publication, RolloutPrice } from '../../server/index.ts';
import { asksServer, clientFor, numberOf, type ManagementOptions } from '../management.ts';
import { integerOption, report, withSignals } from '../terminal/frame.ts';
import { createProgress } from '../terminal/progress.ts';
import { formatBytes, formatCount, formatTable } from '../terminal/text.ts';

interface PublishOptions extends ManagementOptions {
  readonly product: string;
  readonly releaseVersion: string;
  readonly hardware: string;
  readonly slotClass: string;
  readonly rollbackIndex?: number | 'keep';
  readonly force?: boolean;
  readonly filename?: string;
  readonly payloads: 'all' | 'none';
  readonly deltas: number;
  readonly latest: number;
  readonly waitDeltas?: boolean;
}

interface PlanOptions extends ManagementOptions {
  readonly make?: boolean;
  readonly deltas?: number;
  readonly latest?: number;
}

interface PriceOptions extends ManagementOptions {
  readonly groups?: readonly number[];
  readonly pricePerMb?: number;
  readonly link?: number;
}

const WATCH_MS = 500;

const idOf = numberOf('release');

/** The command, for the frame. */
export function define(): Command {
  return new Command('release')
    .description('Publish a release through a running server, see what is planned for it and what a rollout costs.')
    .addCommand(publishCommand())
    .addCommand(
      asksServer(new Command('plan'))
        .description('Show which deltas to a release are worth making, by what the fleet runs now.')
        .argument('<id>', 'the number of the release', idOf)
        .option('--make', 'hand them to the queue')
        .option('--deltas <n>', 'deltas at most', integerOption('--deltas', 0, 1000))
        .option('--latest <n>', 'from so many of the latest releases at least', integerOption('--latest', 0, 1000))
        .action(planRelease),
    )
    .addCommand(
      asksServer(new Command('price'))
        .description('Show what a rollout of a release costs before it starts.')
        .argument('<id>', 'the number of the release', idOf)
        .option('--groups <percents>', 'percent of each wave, such as 1,9,90', percentsOf)
        .option('--price-per-mb <money>', 'of a million bytes', positiveOf('--price-per-mb'))
        .option('--link <bits>', 'bits a second of one device', positiveOf('--link'))
        .action(priceRelease),
    );
}

function publishCommand(): Command {
  return asksServer(new Command('publish'))
    .description('Upload an image; the server makes its payloads and signs them. Waits for the full payload.')
    .argument('<image>', 'the image')
    .requiredOption('--product <name>', 'what the image is for')
    .requiredOption('--release-version <version>', 'the version of the release')
    .requiredOption('--hardware <name>', 'the hardware it runs on')
    .option('--slot-class <name>', 'the kind of slot it goes into', 'rootfs')
    .option('--rollback-index <n|keep>', 'as with publish', (text) => (text === 'keep' ? text : indexOf(text)))
    .option('--force', 'allow a rollback index below one published before')
    .option('--filename <name>', 'what foreign clients call the raw image')
    .addOption(
      new Option('--payloads <which>', 'none: for foreign clients alone').choices(['all', 'none']).default('all'),
    )
    .option('--deltas <n>', 'deltas at most', integerOption('--deltas', 0, 1000), 16)
    .option('--latest <n>', 'deltas from so many of the latest releases', integerOption('--latest', 0, 1000), 3)
    .option('--wait-deltas', 'wait for the deltas as well')
    .action(publishImage);
}

const indexOf = integerOption('--rollback-index', 0, Number.MAX_SAFE_INTEGER);

function percentsOf(text: string): number[] {
  if (/^\d+(\.\d+)?(,\d+(\.\d+)?)*$/.test(text)) return text.split(',').map(Number);
  throw new UpdateError('usage_invalid', `--groups takes percentages with commas between, not '${text}'`);
}

const positiveOf =
  (name: string) =>
  (text: string): number => {
    if (Number(text) > 0) return Number(text);
    throw new UpdateError('usage_invalid', `${name} takes a number above 0, not '${text}'`);
  };

async function publishImage(image: string, options: PublishOptions): Promise<void> {
  const client = await clientFor(options);
  const publication = await withSignals(async (signal) => {
    const upload = await uploadImage(client, image, options);
    const { product, hardware, slotClass, rollbackIndex, force, filename, payloads, latest } = options;
    const about = { product, version: options.releaseVersion, hardware, slotClass, rollbackIndex, force, filename };
    const begun = await client.publishing.publish({ ...about, upload, payloads, deltasMax: options.deltas, latest });
    return await waited(client, begun, options, signal);
  });
  report(options, publication, () => publicationText(publication));
}

/** Its id, once all is there. */
async function uploadImage(client: ManagementClient, path: string, options: PublishOptions): Promise<string> {
  const file = fileSource(path);
  const progress = await createProgress(options);
  try {
    const { size: bytes } = file;
    if (bytes === 0) throw new UpdateError('usage_invalid', `${path} is empty`);
    const source: UploadSource = {
      bytes,
      async read(offset, length) {
        const piece = new Uint8Array(length);
        await file.read(offset, piece);
        return piece;
      },
    };
    const sha256 = toHex(await hashSource(file));
    const begun = await client.publishing.beginUpload({ bytes, sha256, filename: basename(path) });
    progress.start('upload', bytes);
    await client.publishing.send(begun, source, (done) => progress.update(done));
    return begun.id;
  } finally {
    progress.stop();
    file.close();
  }
}

/** Until the release is visible; with `--wait-deltas` until nothing is being made for it. */
async function waited(
  client: ManagementClient,
  begun: Publication,
  options: PublishOptions,
  signal: AbortSignal,
): Promise<Publication> {
  const progress = await createProgress(options);
  progress.start('payloads', begun.payloads.length, 0);
  try {
    for (let now = begun; ; now = await client.publishing.publication(begun.id)) {
      if (now.state === 'failed') throw new UpdateError('state_conflict', `not published: ${now.error}`);
      const ended = now.payloads.filter(({ state }) => state !== 'wanted').length;
      progress.update(ended);
      const isOver = now.state === 'published' && (options.waitDeltas !== true || ended === now.payloads.length);
      if (isOver) return now;
      await pause(WATCH_MS, signal);
    }
  } finally {
    progress.stop();
  }
}

type Row = Plan['payloads'][number];

const payloadRows = (rows: readonly Row[]): string =>
  formatTable([
    ['payload', 'state', 'devices', 'job', 'why'],
    ...rows.map(({ kind, sourceVersion, state, devices, jobId, reason, origin }) => [
      sourceVersion === null ? kind : `delta from ${sourceVersion}`,
      ...[state, formatCount(devices), jobId, reason ?? (origin === 'demand' ? 'a device asked for it' : '-')],
    ]),
  ]);

function publicationText({ product, version, hardware, slotClass, releaseId, payloads }: Publication): string {
  const head = `release ${releaseId}: ${product} ${version} for ${hardware} (${slotClass})`;
  return payloads.length === 0 ? head : `${head}\n${payloadRows(payloads)}`;
}

async function planRelease(id: number, options: PlanOptions): Promise<void> {
  const { publishing } = await clientFor(options);
  const bounds = { deltasMax: options.deltas, latest: options.latest };
  const plan = options.make === true ? await publishing.replan(id, bounds) : await publishing.plan(id, bounds);
  report(options, plan, () => planText(plan));
}

function planText({ chosen, left, payloads }: Plan): string {
  const rows = chosen.map(({ version, devices, estimateBytes, savedBytes }) => [
    ...[version, formatCount(devices), formatBytes(estimateBytes), formatBytes(savedBytes)],
  ]);
  const head = ['delta from', 'devices', 'about', 'saves in all'];
  return [
    rows.length === 0 ? 'nothing is left to make' : formatTable([head, ...rows]),
    ...left.map(({ version, devices, why }) => `${formatCount(devices)} on ${version ?? '?'} get none: ${why}`),
    ...(payloads.length === 0 ? [] : [payloadRows(payloads)]),
  ].join('\n');
}

async function priceRelease(id: number, options: PriceOptions): Promise<void> {
  const { groups, pricePerMb, link: linkBits } = options;
  const price = await (await clientFor(options)).publishing.price(id, { groups, pricePerMb, linkBits });
  report(options, price, () => priceText(price));
}

function priceText(price: RolloutPrice): string {
  const waves = price.waves.map(({ percent, devices, deltas, bytes }, i) => [
    ...[String(i + 1), `${percent} %`, formatCount(devices), formatCount(deltas), formatBytes(bytes)],
  ]);
  const { devices, current, deltaShare, largestDeltaBytes: largest, bytes, fullOnlyBytes, money, minutes } = price;
  return [
    `${formatCount(devices)} devices, ${formatCount(current)} run it; ${(100 * deltaShare).toFixed(1)} % of the others take a delta` +
      (largest === null ? '' : `, the largest ${formatBytes(largest)}`),
    formatTable([['wave', 'share', 'devices', 'with a delta', 'bytes'], ...waves]),
    `${formatBytes(bytes)} in all, ${formatBytes(fullOnlyBytes)} without deltas`,
    ...(money === null ? [] : [`costs ${money.toFixed(2)}`]),
    ...(minutes === null ? [] : [`${minutes.mean.toFixed(1)} minutes a device, ${minutes.longest.toFixed(1)} at most`]),
    ...price.full.map((row) => `${formatCount(row.devices)} on ${row.version ?? '?'} take all: ${row.why}`),
  ].join('\n');
}
