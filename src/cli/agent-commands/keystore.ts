/**
 * `engraft-agent keystore`: set a TPM or token up at the factory, look at it, recover from a lost data partition.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { Argument, Command, Option } from 'commander';
import { ioError } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { AgentConfig } from '../../agent/index.ts';
import { report } from '../terminal/frame.ts';
import { formatTable } from '../terminal/text.ts';
import { DEFAULT_CONFIG, readConfig, type AgentCommandOptions } from './common.ts';
import { withAgentLock } from '../../platform/process-lock.ts';

interface KeystoreOptions extends AgentCommandOptions {
  readonly ownerAuth?: string;
  readonly root?: string;
}

type Action = 'show' | 'provision' | 'recover';

/** The command, for the frame. */
export function define(): Command {
  return new Command('keystore')
    .description(
      'The keystore that [keystore] names (docs/keystores.md).\n\n' +
        'show: what it holds. provision: once at the factory, pin the trusted root for ever, and take over the counters of\n' +
        'a file keystore. recover: after the data partition was lost or restored, go on with what the hardware has kept.',
    )
    .addArgument(new Argument('<action>', 'what to do').choices(['show', 'provision', 'recover']))
    .option('-c, --config <file>', 'configuration', DEFAULT_CONFIG)
    .addOption(new Option('--owner-auth <auth>', "the TPM owner's authorization, as tpm2-tools take it: file:PATH"))
    .addOption(
      new Option(
        '--root <file>',
        'recover: the pinned root, where [trust] root names a later one; the pin verifies it',
      ),
    )
    .action(async (action: Action, options: KeystoreOptions) => {
      const config = await readConfig(options.config);
      if (action === 'show') await show(config, options);
      else await withAgentLock(config.dataFolder, () => change(action, config, options));
    });
}

async function open(config: AgentConfig, { ownerAuth }: KeystoreOptions) {
  const { anchoredKeystore, fileKeystore, makeHardware } = await import('../../agent/keystore/backends.ts');
  const { runCommand } = await import('../../agent/life/commands.ts');
  const { sha256Node } = await import('../../platform/hash.ts');
  const { nodeFileSystem } = await import('../../platform/node-filesystem.ts');
  const parts = { fs: nodeFileSystem, hash: sha256Node, run: runCommand };
  const hardware = makeHardware(config, parts, ownerAuth);
  const file = fileKeystore(config, parts);
  return { hardware, file, anchored: hardware === null ? null : anchoredKeystore(config, parts, hardware) };
}

async function show(config: AgentConfig, options: KeystoreOptions): Promise<void> {
  const { hardware, file, anchored } = await open(config, options);
  const keystore = anchored ?? file;
  const shown = {
    backend: config.keystore.backend,
    pin: (await hardware?.pin()) ?? null,
    hardwareCounters: (await hardware?.counters()) ?? {},
    counters: await keystore.counters(),
  };
  report(options, shown, () => {
    const rows = Object.entries(shown.counters).map(([name, value]) => [
      name,
      String(value),
      name in shown.hardwareCounters ? 'yes' : 'no',
    ]);
    const pinned = shown.pin === null ? 'nothing' : `the root with SHA-256 ${shown.pin}`;
    return `backend: ${shown.backend}\npinned: ${pinned}\n\n${formatTable([['counter', 'value', 'in hardware'], ...rows])}`;
  });
}

async function change(action: 'provision' | 'recover', config: AgentConfig, options: KeystoreOptions): Promise<void> {
  const { hardware, file, anchored } = await open(config, options);
  if (hardware === null || anchored === null) {
    const text = "the file keystore needs no setting up: it begins with the agent's first run";
    report(options, { backend: 'file', result: 'nothing to do' }, text);
    return;
  }
  if (options.root !== undefined && action === 'provision') {
    throw new UpdateError(
      'usage_invalid',
      '--root is for recover: what is provisioned is the root that [trust] root names',
    );
  }
  const given = await readRoot(options.root ?? config.pinnedRootFile);
  if (action === 'recover') {
    await anchored.recover(given);
    report(
      options,
      { backend: config.keystore.backend, result: 'recovered' },
      'recovered: counters are those of the hardware',
    );
    return;
  }
  // An agent that ran with a file keystore may have seen a later root already.
  const root = (await file.trustedRoot()) ?? given;
  const result = await anchored.provision(root, await file.counters());
  const pin = await hardware.pin();
  report(
    options,
    { backend: config.keystore.backend, result, pin },
    `${result}: pinned to the root with SHA-256 ${pin}`,
  );
}

async function readRoot(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    throw ioError(cause, 'key_unreadable', `cannot read the pinned root ${path}`, { path });
  }
}
