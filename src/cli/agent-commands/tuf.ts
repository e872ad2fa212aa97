/**
 * `engraft-agent tuf`: the agent's TUF client on any repository. Its options are those that the conformance suite of the
 * TUF project asks of a client, so that anybody can run the suite against it (docs/trust.md).
 * @module
 */
import { Argument, Command } from 'commander';
import { UpdateError } from '../../../native-free/status.ts';
import type { TufClient } from '../../agent/tuf/client.ts';
import { report, withSignals, type CommonOptions } from '../terminal/frame.ts';

interface TufOptions extends CommonOptions {
  readonly metadataDir: string;
  readonly metadataUrl?: string;
  readonly targetName: readonly string[];
  readonly targetBaseUrl?: string;
  readonly targetDir?: string;
}

type Action = 'init' | 'refresh' | 'download';

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** The command, for the frame. */
export function define(): Command {
  return new Command('tuf')
    .description(
      "The agent's TUF client, by hand: what would a device make of this repository?\n\n" +
        'init ROOT: trust this root metadata. refresh: verify the repository and keep its metadata. download: refresh, then\n' +
        'fetch targets and verify them. Nothing of the device is touched; all state is in the folder.',
    )
    .addArgument(new Argument('<action>', 'what to do').choices(['init', 'refresh', 'download']))
    .argument('[root]', 'init: the root metadata to trust')
    .requiredOption('--metadata-dir <folder>', 'trusted metadata and versions')
    .option('--metadata-url <url>', 'where the repository has its metadata')
    .option('--target-name <path>', 'download: a target; may be given several times', collect, [])
    .option('--target-base-url <url>', 'download: where the repository has its targets')
    .option('--target-dir <folder>', 'download: where to put them')
    .action(async (action: Action, root: string | undefined, options: TufOptions) => {
      await withSignals(async (signal) => run(action, root, options, await open(options.metadataDir, signal)));
    });
}

async function open(folder: string, signal: AbortSignal): Promise<TufClient> {
  const { TufClient } = await import('../../agent/tuf/client.ts');
  const { nodeClock } = await import('../../platform/clock.ts');
  const { sha256Node } = await import('../../platform/hash.ts');
  const { nodeFileSystem } = await import('../../platform/node-filesystem.ts');
  const { nodeNetwork } = await import('../../platform/http/node-network.ts');
  const parts = { fs: nodeFileSystem, hash: sha256Node, clock: nodeClock, network: nodeNetwork() };
  return new TufClient({ ...parts, folder, signal });
}

function needed(value: string | undefined, option: string, action: Action): string {
  if (value !== undefined) return value;
  throw new UpdateError('usage_invalid', `${action} needs ${option}`);
}

async function run(action: Action, root: string | undefined, options: TufOptions, client: TufClient): Promise<void> {
  if (root !== undefined && action !== 'init') {
    throw new UpdateError('usage_invalid', `${action} takes no root: ${options.metadataDir} has the one that is trusted`); // prettier-ignore
  }
  if (action === 'init') {
    await client.init(needed(root, 'the root metadata to trust', action));
    report(options, { trusted: root }, `${options.metadataDir} trusts ${root}`);
    return;
  }
  const metadataUrl = needed(options.metadataUrl, '--metadata-url', action);
  if (action === 'refresh') {
    const verified = await client.refresh(metadataUrl);
    const versions = {
      root: verified.root.version,
      snapshot: verified.snapshot.version,
      targets: verified.targets.signed.version,
    };
    report(options, { versions }, `verified: ${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')}`); // prettier-ignore
    return;
  }
  if (options.targetName.length === 0) throw new UpdateError('usage_invalid', 'download needs --target-name');
  const files = await client.download({
    metadataUrl,
    targetsUrl: needed(options.targetBaseUrl, '--target-base-url', action),
    targetNames: options.targetName,
    targetFolder: needed(options.targetDir, '--target-dir', action),
  });
  report(options, { files }, files.join('\n'));
}
