/**
 * `engraft keys`: makes keys, and changes which keys a repository trusts. Root keys sign on machines of their own, to
 * which a small file is carried: export, sign, import.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { Argument, Command } from 'commander';
import type { Metadata, Root } from '@tufjs/models';
import { UpdateError } from '../../../native-free/status.ts';
import type { RoleKeys, RoleName } from '../../release/index.ts';
import { keysAtHand, publicKeys, TARGETS_KEY_HELP, type KeyOptions } from '../keys-at-hand.ts';
import { integerOption, report, type CommonOptions } from '../terminal/frame.ts';
import { unreadable } from '../../platform/files/io-errors.ts';

interface RepoOptions extends CommonOptions, KeyOptions {
  readonly repo: string;
}

interface RootOptions extends CommonOptions {
  readonly out: string;
  readonly rootKeys?: string;
  readonly threshold: number;
  readonly targetsKey?: string;
  readonly snapshotKey?: string;
  readonly timestampKey?: string;
  readonly expireDays: number;
}

const ROOT_DAYS = 3650;
const days = (): ReturnType<typeof integerOption> => integerOption('--expire-days', 1, 36_500);
const count = (): ReturnType<typeof integerOption> => integerOption('--threshold', 1, 64);

/** The command, for the frame. */
export function define(): Command {
  const keys = new Command('keys').description('Make keys, and change which keys a repository trusts (docs/trust.md).');
  const make = new Command('make')
    .description('Make one Ed25519 key: NAME.key.pem, and NAME.pub.pem for those who only verify.')
    .argument('<name>', 'path without the endings')
    .action(makeOne);
  const init = rootOptions(new Command('init'), true)
    .description('Make the first root of a repository, to be signed by its root keys (sign), then imported.')
    .action((options: RootOptions) => exportRoot(null, options));
  const exported = rootOptions(new Command('export'), false)
    .description('Make the next root, to be signed. Without other keys it lives longer, and nothing else changes.')
    .requiredOption('--repo <dir>', 'the repository')
    .action((options: RootOptions & { repo: string }) => exportRoot(options.repo, options));
  const sign = new Command('sign')
    .description('Show what a file of export asks for, and add a signature to it. Needs no repository and no network.')
    .argument('<file>', 'the file')
    .requiredOption('--key <file|uri>', 'the root key: a file, or a PKCS#11 URI')
    .action(signFile);
  const imported = withKeys(new Command('import'))
    .description('Make a root the newest one that enough keys have signed; the first one founds the repository.')
    .argument('<file>', 'the file')
    .option('--restart-versions', 'after a fast-forward attack: begin versions anew; snapshot and timestamp need new keys')
    .action(importFile);
  const rotate = withKeys(new Command('rotate'))
    .description('Replace the keys of a role at once, where enough root keys are at hand (else: export, sign, import).')
    .addArgument(new Argument('<role>', 'the role').choices(['root', 'targets', 'snapshot', 'timestamp']))
    .requiredOption('--to <files>', 'the new public keys, with commas between')
    .option('--threshold <n>', 'how many of them have to sign', count(), 1)
    .option('--expire-days <n>', 'days until the new root expires', days(), ROOT_DAYS)
    .action(rotateRole);
  const delegated = withKeys(new Command('delegate'))
    .description("Let a role of another owner sign some products. The role's keys have to be among --keys, once.")
    .argument('<name>', 'the role')
    .requiredOption('--paths <patterns>', "such as 'product/*', with commas between")
    .requiredOption('--key <files>', 'its public keys, with commas between')
    .option('--threshold <n>', 'how many of them have to sign', count(), 1)
    .action(delegateTo);
  const undelegated = withKeys(new Command('undelegate'))
    .description('Take a delegation away, with what its role has signed.')
    .argument('<name>', 'the role')
    .action(undelegateFrom);
  for (const each of [make, init, exported, sign, imported, rotate, delegated, undelegated]) keys.addCommand(each);
  return keys;
}

function withKeys(command: Command): Command {
  return command
    .requiredOption('--repo <dir>', 'the repository')
    .option('--keys <dir>', 'the keys at hand; names other than ROLE.key.pem do as well')
    .option('--targets-key <file|uri>', TARGETS_KEY_HELP);
}

function rootOptions(command: Command, isFirst: boolean): Command {
  const add = (flags: string, text: string): Command =>
    isFirst ? command.requiredOption(flags, text) : command.option(flags, `${text} (default: as before)`);
  add('--root-keys <files>', 'public root keys, with commas between');
  add('--targets-key <file|uri>', 'the public targets key');
  add('--snapshot-key <file>', 'the public snapshot key');
  add('--timestamp-key <file>', 'the public timestamp key');
  return command
    .option('--threshold <n>', 'how many of the root keys have to sign', count(), 1)
    .option('--expire-days <n>', 'days until the root expires', days(), ROOT_DAYS)
    .requiredOption('--out <file>', 'the file to be carried to the root keys');
}

async function makeOne(name: string, options: CommonOptions): Promise<void> {
  const { makeKey } = await import('../../release/index.ts');
  const made = await makeKey(name);
  report(options, made, `${made.keyId}  ${made.privateFile}  ${made.publicFile}`);
}

async function exportRoot(repo: string | null, options: RootOptions): Promise<void> {
  const { encodeRequest, expiryAt, nextRoot, Repository, rootWith } = await import('../../release/index.ts');
  const roles: Partial<Record<RoleName, RoleKeys>> = {};
  const { rootKeys, targetsKey, snapshotKey, timestampKey } = options;
  if (rootKeys !== undefined) roles.root = await publicKeys(rootKeys, options.threshold);
  if (targetsKey !== undefined) roles.targets = await publicKeys(targetsKey, 1);
  if (snapshotKey !== undefined) roles.snapshot = await publicKeys(snapshotKey, 1);
  if (timestampKey !== undefined) roles.timestamp = await publicKeys(timestampKey, 1);
  const expires = expiryAt(new Date(), options.expireDays);
  let before: Metadata<Root> | null = null;
  let root: Metadata<Root>;
  if (repo === null) root = rootWith(1, expires, roles as Record<RoleName, RoleKeys>);
  else {
    before = await newestRoot(new Repository(repo));
    root = nextRoot(before, roles, expires);
  }
  const { replaceFile } = await import('../../platform/files/atomic-file.ts');
  await replaceFile(options.out, encodeRequest({ before, root }), { mode: 0o644 });
  await tell(options, options.out, before, root);
}

async function newestRoot(repository: { dir: string; roots(): Promise<Metadata<Root>[]> }): Promise<Metadata<Root>> {
  const newest = (await repository.roots()).at(-1);
  if (newest !== undefined) return newest;
  throw new UpdateError('repository_missing', `${repository.dir} is no repository: engraft keys init makes its first root`);
}

async function tell(
  options: CommonOptions,
  file: string,
  before: Metadata<Root> | null,
  root: Metadata<Root>,
): Promise<void> {
  const { describeChange, missingSignatures } = await import('../../release/index.ts');
  const summary = describeChange(before, root);
  const missing = missingSignatures({ before, root });
  const left =
    missing.before + missing.after === 0
      ? 'enough keys have signed: import it'
      : `to be signed yet: by ${missing.before} keys of the root before, ${missing.after} of the new root`;
  report(options, { file, version: root.signed.version, summary, missing }, [...summary, left].join('\n'));
}

async function readRequest(file: string) {
  const { parseRequest } = await import('../../release/index.ts');
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw unreadable(file, cause);
  });
  return parseRequest(bytes, file);
}

async function signFile(file: string, options: CommonOptions & { key: string }): Promise<void> {
  const { encodeRequest, openSigner, signRequest } = await import('../../release/index.ts');
  const request = await readRequest(file);
  await signRequest(request, await openSigner(options.key));
  const { replaceFile } = await import('../../platform/files/atomic-file.ts');
  await replaceFile(file, encodeRequest(request), { mode: 0o644 });
  await tell(options, file, request.before, request.root);
}

async function importFile(file: string, options: RepoOptions & { restartVersions?: boolean }): Promise<void> {
  const { Repository } = await import('../../release/index.ts');
  const { root } = await readRequest(file);
  const isAlone = options.keys === undefined && options.targetsKey === undefined;
  const signers = isAlone ? {} : await keysAtHand(options);
  const { restartVersions = false } = options;
  const version = await new Repository(options.repo).importRoot(root, signers, { restartVersions });
  report(options, { version }, `root version ${version} is the newest one`);
}

async function rotateRole(
  role: RoleName,
  options: RepoOptions & { to: string; threshold: number; expireDays: number },
): Promise<void> {
  const { expiryAt, missingSignatures, nextRoot, Repository, signRequest } = await import('../../release/index.ts');
  const repository = new Repository(options.repo);
  const signers = await keysAtHand(options);
  const before = await newestRoot(repository);
  const to = await publicKeys(options.to, options.threshold);
  const root = nextRoot(before, { [role]: to }, expiryAt(new Date(), options.expireDays));
  const request = { before, root };
  for (const signer of [signers.root, ...(signers.more ?? [])]) {
    const isAsked = [before, root].some((each) => each.signed.roles['root']?.keyIDs.includes(signer?.keyId ?? ''));
    if (signer !== undefined && isAsked) await signRequest(request, signer);
  }
  const missing = missingSignatures(request);
  if (missing.before + missing.after > 0) {
    const text = `${Math.max(missing.before, missing.after)} root keys more have to sign: use export, sign and import`;
    throw new UpdateError('key_unreadable', text, { detail: { ...missing } });
  }
  const version = await repository.importRoot(root, signers);
  report(options, { version, role }, `root version ${version}: the ${role} role has other keys`);
}

type DelegateOptions = RepoOptions & { paths: string; key: string; threshold: number };

async function delegateTo(name: string, options: DelegateOptions): Promise<void> {
  const { delegate, Repository } = await import('../../release/index.ts');
  const signers = await keysAtHand(options);
  const role = await publicKeys(options.key, options.threshold);
  const paths = options.paths.split(',').map((path) => path.trim());
  const done = await delegate(new Repository(options.repo), { name, paths, ...role }, signers);
  report(options, { name, ...done }, `${name} may sign ${paths.join(', ')}${stagedText(done.staged)}`);
}

async function undelegateFrom(name: string, options: RepoOptions): Promise<void> {
  const { undelegate, Repository } = await import('../../release/index.ts');
  const done = await undelegate(new Repository(options.repo), name, await keysAtHand(options));
  report(options, { name, ...done }, `${name} may sign nothing any more${stagedText(done.staged)}`);
}

const stagedText = (staged: boolean): string => (staged ? ' (staged: it shows with the next snapshot)' : '');
