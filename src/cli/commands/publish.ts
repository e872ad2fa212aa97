/**
 * `engraft publish`: an image becomes a signed release with a full payload and deltas, and, if asked, a deployment.
 * @module
 */
import { basename, join } from 'node:path';
import { Command, Option } from 'commander';
import type { PublishProgress, PublishResult } from '../../release/index.ts';
import { RepositoryLayout } from '../../release/layout.ts';
import { planDeployment } from '../deploy-to.ts';
import { EXPIRE_DAYS_DEFAULT, EXPIRE_DAYS_HELP } from '../expiry.ts';
import { askFleet, readersOf, readersText, wantsPlainDeltas, type FleetOptions, type Readers } from '../fleet.ts';
import { profileOf, withProfile, type ProfileOptions } from '../profile.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { integerOption, report, withSignals, type CommonOptions } from '../terminal/frame.ts';
import { refuseInputs } from '../terminal/outputs.ts';
import { phaseProgress } from '../terminal/phases.ts';
import { createProgress, type Progress } from '../terminal/progress.ts';
import { formatBytes, formatCount, formatTable } from '../terminal/text.ts';

interface PublishCommandOptions extends CommonOptions, FleetOptions, ProfileOptions {
  readonly keys: string;
  readonly product: string;
  readonly releaseVersion: string;
  readonly hardware: string;
  readonly slotClass: string;
  readonly rollbackIndex?: number | 'keep';
  readonly from: number;
  readonly force?: boolean;
  readonly filename?: string;
  readonly payloads: 'auto' | 'all' | 'none';
  readonly matcher: 'own' | 'bsdiff' | 'both';
  readonly workers?: number;
  readonly memory?: number;
  readonly expireDays: number;
  readonly encrypt?: boolean;
  readonly masterKey?: string;
}

/** The command, for the frame. */
export function define(): Command {
  const command = new Command('publish')
    .description('Add a release to a signed repository: a full payload, and proved deltas from the releases before it.')
    .argument('<image>', 'the image')
    .requiredOption('--repo <dir>', 'the repository (founded if it does not exist)')
    .requiredOption('--keys <dir>', 'the keys, as keygen makes them')
    .requiredOption('--product <name>', 'what the image is for')
    .requiredOption('--release-version <version>', 'the version of the release')
    .requiredOption('--hardware <name>', 'the hardware it runs on')
    .option('--slot-class <name>', 'the kind of slot it goes into', 'rootfs')
    .option(
      '--rollback-index <n|keep>',
      "devices never go below the highest they committed; 'keep' lets them go back (default: one more than the last)",
      rollbackIndexOption,
    )
    .option('--from <n>', 'make deltas from so many earlier releases', integerOption('--from', 0, 1000), 3)
    .option('--encrypt', 'store payloads encrypted, each device getting a header of its own from the server')
    .option('--master-key <file>', 'wraps the keys of encrypted payloads, as keygen --master-key makes it')
    .option('--force', 'allow a rollback index below one published before')
    .option('--filename <name>', 'what foreign clients call the raw image')
    .addOption(
      new Option('--payloads <which>', 'auto: none for bundles of SWUpdate and RAUC, which they unpack themselves')
        .choices(['auto', 'all', 'none'])
        .default('auto'),
    )
    .addOption(
      new Option('-m, --matcher <name>', 'who finds matches').choices(['own', 'bsdiff', 'both']).default('own'),
    )
    .addOption(
      new Option(
        '--older-decoders <when>',
        'where a delta looks inside of compressed images, also make one that does not, for devices that cannot read it; ' +
          'auto: if --server or --deploy-to know of such devices',
      )
        .choices(['auto', 'always', 'never'])
        .default('auto'),
    )
    .option('--server <url>', 'ask this server which devices read what')
    .option('--token <token>', 'its management token (better: ENGRAFT_MANAGEMENT_TOKEN)')
    .option('-w, --workers <n>', 'worker threads (default: one a processor)', integerOption('--workers', 1, 256))
    .option('--memory <mib>', 'memory bound in MiB', integerOption('--memory', 1, 2 ** 24))
    .option('--expire-days <n>', EXPIRE_DAYS_HELP, integerOption('--expire-days', 1, 36_500), EXPIRE_DAYS_DEFAULT)
    .option('--deploy-to <devices>', "deploy at once: 'all' of the product and hardware, or ids with commas between")
    .option('--register', 'make the devices of --deploy-to known that have neither polled nor been registered')
    .option('--store <file>', "the server's database for --deploy-to (default: server.db in the repository)")
    .option('--tenant <name>', 'whose devices --deploy-to and --server mean', 'default')
    .action(publishImage);
  return withProfile(command);
}

const integerIndex = integerOption('--rollback-index', 0, Number.MAX_SAFE_INTEGER);
const rollbackIndexOption = (text: string): number | 'keep' => (text === 'keep' ? text : integerIndex(text));

async function publishImage(image: string, options: PublishCommandOptions): Promise<void> {
  const { product, releaseVersion: version, hardware, slotClass } = options;
  const { publish, checkReleaseKey, loadSigners, Repository } = await import('../../release/index.ts');
  checkReleaseKey({ product, version, hardware, slotClass });
  const profile = profileOf(options);
  // First of all: asking for devices opens the store.
  await refuseOwnInputs(image, options);
  const deploy = await planDeployment(options, { product, hardware });
  const fleet = await askFleet(options, { product, hardware });
  const repository = new Repository(options.repo, { expiryDays: { timestamp: options.expireDays } });
  const signers = await loadSigners(options.keys);
  const encryption = await encryptionKeys(options);
  const { DeltaEngine } = await import('../../engine/index.ts');
  const { scanImage } = await import('../../platform/files/sparse-input.ts');
  const progress = await createProgress(options);
  const result = await withSignals(async (signal) => {
    const { workers, memory } = options;
    const memoryBytesMax = memory === undefined ? undefined : memory * 2 ** 20;
    const engine = new DeltaEngine({
      ...(workers === undefined ? {} : { workers }),
      ...(memoryBytesMax === undefined ? {} : { memoryBytesMax }),
    });
    try {
      // Foreign clients know their bundles by the ending.
      const filename = options.filename ?? (/\.(swu|raucb)$/.test(image) ? basename(image) : undefined);
      const { rollbackIndex, from, force, payloads, matcher } = options;
      // By size first: nothing is kept that there is no memory for.
      const file = scanImage(image);
      engine.checkSizes(0, file.map.denseBytes);
      const content = file.read();
      const key = { product, version, hardware, slotClass };
      const settings = {
        rollbackIndex,
        from,
        force,
        filename,
        payloads,
        matcher,
        profile,
        encryption,
        olderDecoders: wantsPlainDeltas(options, fleet),
        signal,
        onProgress: showPhases(progress),
      };
      return await publish({ repository, signers, engine, image: content, ...key, ...settings, lock: { signal } });
    } finally {
      progress.stop();
      await engine.close();
    }
  });
  const deployment = await deploy(result.release);
  const readers = fleet === null ? null : readersOf(fleet, result.release);
  report(options, { ...result, deployment, readers }, () =>
    textOf(result, { deployment, readers, repo: options.repo }),
  );
}

/** Throws UpdateError usage_invalid where only one of the two options is given, key_unreadable. */
async function encryptionKeys({ encrypt = false, masterKey }: PublishCommandOptions) {
  if (encrypt !== (masterKey !== undefined)) {
    throw new UpdateError('usage_invalid', '--encrypt and --master-key FILE belong together');
  }
  return masterKey === undefined ? undefined : (await import('../../release/index.ts')).loadMasterKey(masterKey);
}

/** Each phase of each payload, and how much of all of them is done. */
function showPhases(progress: Progress): (event: PublishProgress) => void {
  const show = phaseProgress(progress);
  return ({ payload: name, kind, index, count, ...event }) => show(event, { kind, name, index, count });
}

/** What this run replaces, or writes into, must be neither the image nor a key. */
async function refuseOwnInputs(image: string, options: PublishCommandOptions): Promise<void> {
  const { repo, keys, deployTo, store = join(repo, 'server.db') } = options;
  const roles = ['root', 'targets', 'snapshot', 'timestamp'];
  const inputs = [
    { what: 'the image', path: image },
    ...roles.map((role) => ({ what: `the key of ${role}`, path: join(keys, `${role}.key.pem`) })),
  ];
  // All else in a repository has a name that nothing had before, or is named by its content.
  for (const output of [new RepositoryLayout(repo).timestamp, ...(deployTo === undefined ? [] : [store])]) {
    await refuseInputs(output, inputs);
  }
}

const bundleText = (client: string): string =>
  `a bundle of ${client}: kept as it is for that client, no payloads made (--payloads all makes them)`;
const WITHOUT = {
  SWUpdate: bundleText('SWUpdate'),
  RAUC: bundleText('RAUC'),
  asked: 'no payloads, as asked: for foreign clients alone',
};

interface Around {
  readonly deployment: number | null;
  readonly readers: Readers | null;
  readonly repo: string;
}

function textOf(result: PublishResult, { deployment, readers, repo }: Around): string {
  const { release, added, versions, withoutPayloads, founded } = result;
  const { product, version, hardware, slotClass, rollbackIndex, artifact } = release;
  const share = (bytes: number): string => `${((100 * bytes) / artifact.bytes).toFixed(2)} %`;
  const rows = release.payloads.map((payload) => [
    payload.source === null ? payload.kind : `delta from ${payload.source.version}`,
    payload.format ?? '-',
    formatCount(payload.bytes),
    share(payload.bytes),
    added.some(({ targetName }) => targetName === payload.targetName) ? 'new' : '',
  ]);
  const dropped = release.dropped.map((delta) => `no delta from ${delta.version}: ${delta.reason}`);
  return [
    `${product} ${version} for ${hardware} (${slotClass}), rollback index ${rollbackIndex}`,
    `image ${formatBytes(artifact.bytes)}, SHA-256 ${artifact.sha256}`,
    withoutPayloads === null
      ? formatTable([['payload', 'format', 'bytes', 'of the image', ''], ...rows])
      : WITHOUT[withoutPayloads],
    ...dropped,
    ...(readers === null ? [] : readersText(readers)),
    ...(founded ? [`founded a new repository: devices are to trust ${join(repo, 'metadata', '1.root.json')}`] : []),
    `targets metadata version ${versions['targets']}`,
    ...(deployment === null ? [] : [`deployment ${deployment}`]),
  ].join('\n');
}
