/**
 * What a change of a repository writes: which documents get a new version, who signs them, and in which order they go to
 * disk. Nothing is written here.
 * @module
 */
import { Metadata, Snapshot, Targets, Timestamp, type MetaFile, type Root, type TargetFile } from '@tufjs/models';
import { UpdateError } from '../../../native-free/status.ts';
import { sameRelease, type Catalog, type CatalogRelease } from '../catalog.ts';
import { fullTargetName } from '../custom.ts';
import type { RoleName, Signer } from '../keys.ts';
import type { RepositoryLayout } from '../layout.ts';
import { checkSignatures, encodeMetadata, expiryAt, headOf, metaFileOf, parseMetadata, signWith } from '../metadata.ts';
import type { AnyMetadata, ExpiryDays } from '../metadata.ts';
import { missingKey } from '../renewal.ts';
import { checkDelegated, delegationsOf, type RepositoryState } from './reader.ts';

export type Delegations = NonNullable<Targets['delegations']>;

/** A change: targets to add (none is ever replaced or removed) and the catalog that goes with them. */
export interface RepositoryChange {
  readonly targets: readonly TargetFile[];
  readonly catalog: Catalog;
  /** Roles that are signed anew though nothing in them changed: 'targets', 'snapshot', delegated ones. */
  readonly renew?: readonly string[];
  /** In place of the present ones. */
  readonly delegations?: Delegations;
}

export interface CommitContext {
  readonly layout: RepositoryLayout;
  /** With a root. */
  readonly state: RepositoryState;
  /** Each of these has to accept what is signed: two while keys change. */
  readonly roots: readonly Metadata<Root>[];
  readonly pool: readonly Signer[];
  readonly now: Date;
  readonly lives: ExpiryDays;
  /** The version that a role takes next. */
  readonly next: (role: string) => number;
}

export interface Commit {
  /** In this order; the timestamp is the last one. */
  readonly files: readonly (readonly [path: string, bytes: Uint8Array])[];
  readonly versions: Readonly<Record<RoleName, number>>;
  /** True when what was made waits for a snapshot. */
  readonly staged: boolean;
  /** Targets roles of which a new version was made. */
  readonly renewed: readonly string[];
}

const FLAT = (catalog: Catalog): Uint8Array => new Uint8Array(Buffer.from(`${JSON.stringify(catalog, null, 1)}\n`));

/** @throws UpdateError key_unreadable, signature_invalid, limit_exceeded */
export async function planCommit(context: CommitContext, change: RepositoryChange): Promise<Commit> {
  const { state, layout } = context;
  const made = await makeTargets(context, change);
  const files: [string, Uint8Array][] = made.map(({ role, version, catalog }) => [
    layout.catalog(version, role),
    catalog,
  ]);
  const touched = made.length > 0 || state.staged.size > 0;
  const versions = {
    ...state.versions,
    targets: made.find(({ role }) => role === 'targets')?.version ?? state.versions.targets,
  };
  const renewed = made.map(({ role }) => role);
  if (made.length > 0 && !holds(context, 'snapshot') && !holds(context, 'timestamp') && state.documents !== null) {
    for (const { role, bytes } of made) files.push([layout.stagedFile(role), bytes]);
    return { files, versions, staged: true, renewed };
  }
  const meta: Record<string, MetaFile> = { ...state.documents?.snapshot.signed.meta };
  const write = (role: string, version: number, bytes: Uint8Array): MetaFile => {
    files.push([layout.metadataFile(`${version}.${role}.json`), bytes]);
    return metaFileOf(version, bytes);
  };
  for (const [role, bytes] of state.staged) {
    if (renewed.includes(role)) continue;
    const { version } = parseMetadata('targets', bytes, layout.stagedFile(role)).signed;
    meta[`${role}.json`] = write(role, version, bytes);
  }
  for (const { role, version, bytes } of made) meta[`${role}.json`] = write(role, version, bytes);
  let snapshotMeta = state.documents?.timestamp.signed.snapshotMeta;
  if (snapshotMeta === undefined || touched || change.renew?.includes('snapshot') === true) {
    const version = context.next('snapshot');
    versions.snapshot = version;
    const snapshot = new Snapshot({ ...head(context, 'snapshot', version), meta });
    snapshotMeta = write('snapshot', version, await sign(context, 'snapshot', new Metadata(snapshot)));
  }
  const version = context.next('timestamp');
  versions.timestamp = version;
  const timestamp = new Metadata(new Timestamp({ ...head(context, 'timestamp', version), snapshotMeta }));
  files.push([layout.timestamp, await sign(context, 'timestamp', timestamp)]);
  return { files, versions, staged: false, renewed };
}

interface MadeTargets {
  readonly role: string;
  readonly version: number;
  readonly bytes: Uint8Array;
  readonly catalog: Uint8Array;
}

async function makeTargets(context: CommitContext, change: RepositoryChange): Promise<MadeTargets[]> {
  const { state } = context;
  const present = state.documents?.targets.signed;
  const delegations = change.delegations ?? present?.delegations;
  const top = new Targets({
    ...head(context, 'targets', context.next('targets')),
    targets: { ...present?.targets },
    ...(delegations === undefined ? {} : { delegations }),
  });
  const roles = delegationsOf(new Metadata(top));
  const parts = new Map<string, CatalogRelease[]>(
    ['targets', ...roles.map(({ name }) => name)].map((name) => [name, []]),
  );
  for (const release of change.catalog.releases) parts.get(ownerOf(state, top, release))?.push(release);
  const made: MadeTargets[] = [];
  let delegator = new Metadata(top);
  for (const [role, releases] of parts) {
    const known = role === 'targets' ? state.documents?.targets : state.documents?.delegated.get(role);
    const added = change.targets.filter(({ path }) => releases.some((release) => path.startsWith(prefixOf(release))));
    const catalog: Catalog = { format: 1, releases };
    const isSame = JSON.stringify(state.catalogs.get(role)) === JSON.stringify(catalog);
    const isAsked = change.renew?.includes(role) === true || (role === 'targets' && change.delegations !== undefined);
    if (known !== undefined && added.length === 0 && isSame && !isAsked) continue;
    const version = context.next(role);
    const base =
      role === 'targets'
        ? top
        : new Targets({ ...head(context, 'targets', version), targets: { ...known?.signed.targets } });
    for (const target of added) {
      if (state.targets[target.path] !== undefined) {
        throw new UpdateError('bug', `target ${target.path} is published and must not be replaced`);
      }
      base.addTarget(target);
    }
    const metadata = new Metadata(base);
    if (role === 'targets') delegator = metadata;
    const bytes =
      role === 'targets'
        ? await sign(context, role, metadata)
        : await signDelegated(context, delegator, role, metadata);
    made.push({ role, version, bytes, catalog: FLAT(catalog) });
  }
  return made;
}

const prefixOf = (release: CatalogRelease): string => fullTargetName(release).slice(0, -'full'.length);

/** The role that vouches for a release: the one that does so already, or the first that its name is delegated to. */
function ownerOf(state: RepositoryState, top: Targets, release: CatalogRelease): string {
  for (const [role, { releases }] of state.catalogs)
    if (releases.some((known) => sameRelease(known, release))) return role;
  return roleFor(top, fullTargetName(release));
}

/** The targets role that speaks for a new target: the first one that it is delegated to, else the top-level one. */
export function roleFor(top: Targets, path: string): string {
  return delegationsOf(new Metadata(top)).find((role) => role.isDelegatedPath(path))?.name ?? 'targets';
}

function head({ now, lives }: CommitContext, role: RoleName, version: number) {
  return headOf(version, expiryAt(now, lives[role]));
}

function holds({ pool, roots }: CommitContext, role: RoleName): boolean {
  return pool.some(({ keyId }) => roots.some((root) => root.signed.roles[role]?.keyIDs.includes(keyId)));
}

async function sign(context: CommitContext, role: RoleName, metadata: AnyMetadata): Promise<Uint8Array> {
  const { pool, roots } = context;
  const wanted = new Set(roots.flatMap((root) => root.signed.roles[role]?.keyIDs ?? []));
  const signers = pool.filter(({ keyId }) => wanted.has(keyId));
  if (signers.length === 0) throw missingKey(role, 'what it signs has changed');
  for (const signer of signers) await signWith(metadata, signer);
  for (const root of roots) checkSignatures(root, role, metadata, `the new ${role} metadata`);
  return encoded(role, metadata);
}

async function signDelegated(
  { pool }: CommitContext,
  delegator: Metadata<Targets>,
  role: string,
  metadata: Metadata<Targets>,
): Promise<Uint8Array> {
  const wanted = delegationsOf(delegator).find(({ name }) => name === role)?.keyIDs ?? [];
  const signers = pool.filter(({ keyId }) => wanted.includes(keyId));
  if (signers.length === 0) throw missingKey(role, `${role} is delegated to; what it signs has changed`);
  for (const signer of signers) await signWith(metadata, signer);
  checkDelegated(delegator, role, metadata, `the new ${role} metadata`);
  return encoded('targets', metadata);
}

/** Nothing is written that could not be read back. */
function encoded(role: RoleName, metadata: AnyMetadata): Uint8Array {
  const bytes = encodeMetadata(metadata);
  parseMetadata(role, bytes, `the new ${role} metadata`);
  return bytes;
}
