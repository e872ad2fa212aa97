/**
 * The change of a repository that makes a release, or more payloads of one, visible. Every step may be done again, and
 * by several at once: what is there stays as it is.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { sameRelease, type CatalogPayload, type CatalogRelease } from '../catalog.ts';
import type { ReleaseKey } from '../custom.ts';
import type { RepositoryWriter } from '../repository.ts';
import { targetOf, type MadePayload } from './made-payload.ts';

export interface CommittedRelease {
  readonly release: CatalogRelease;
  /** What was not there before. */
  readonly added: readonly CatalogPayload[];
  readonly versions: Readonly<Record<string, number>>;
}

/** A release with what was made for it; one that is there gets what it lacks. */
export async function commitRelease(
  { state, commit }: RepositoryWriter,
  release: CatalogRelease,
  made: readonly MadePayload[],
): Promise<CommittedRelease> {
  // Someone else may have published the same release meanwhile: what is there stays.
  const missing = made.filter(({ payload }) => state.targets[payload.targetName] === undefined);
  const added = missing.map(({ payload }) => payload);
  const at = state.catalog.releases.findIndex((known) => sameRelease(known, release));
  const known = state.catalog.releases[at];
  if (known !== undefined && added.length === 0) return { release: known, added, versions: state.versions };
  const merged: CatalogRelease =
    known === undefined
      ? { ...release, payloads: added }
      : { ...known, payloads: [...known.payloads, ...added], dropped: release.dropped };
  const releases = [...state.catalog.releases];
  if (known === undefined) releases.push(merged);
  else releases[at] = merged;
  const targets = missing.map((payload) => targetOf(payload, merged));
  const versions = await commit({ targets, catalog: { format: 1, releases } });
  return { release: merged, added, versions };
}

/** What became of deltas to a release that is published. */
export interface DeltasOf {
  readonly key: ReleaseKey;
  readonly made: readonly MadePayload[];
  readonly dropped: CatalogRelease['dropped'];
}

/**
 * Deltas of any number of releases in one change: none where all is known. Deltas that are not smaller than the full
 * payload are noted as dropped.
 * @throws UpdateError entity_unknown for a release that is not published
 */
export async function commitDeltas(
  { state, commit }: RepositoryWriter,
  changes: readonly DeltasOf[],
): Promise<CommittedRelease[]> {
  const releases = [...state.catalog.releases];
  const results: { release: CatalogRelease; added: CatalogPayload[] }[] = [];
  const targets = [];
  let isNews = false;
  for (const { key, made, dropped } of changes) {
    const at = releases.findIndex((known) => sameRelease(known, key));
    const known = releases[at];
    if (known === undefined) throw new UpdateError('entity_unknown', `${key.product} ${key.version} is not published`);
    const full = known.payloads.find(({ kind }) => kind === 'full');
    const isSmall = ({ payload }: MadePayload): boolean => full === undefined || payload.bytes < full.bytes;
    const missing = made.filter((one) => state.targets[one.payload.targetName] === undefined && isSmall(one));
    const large = made.filter((one) => !isSmall(one)).map(({ payload }) => droppedAsLarge(payload, full!));
    const isKnown = (sha256: string): boolean => known.dropped.some((drop) => drop.sha256 === sha256);
    const drops = [...dropped, ...large].filter(({ sha256 }) => !isKnown(sha256));
    const added = missing.map(({ payload }) => payload);
    const merged = { ...known, payloads: [...known.payloads, ...added], dropped: [...known.dropped, ...drops] };
    releases[at] = merged;
    targets.push(...missing.map((one) => targetOf(one, merged)));
    isNews ||= added.length + drops.length > 0;
    results.push({ release: merged, added });
  }
  const versions = isNews ? await commit({ targets, catalog: { format: 1, releases } }) : state.versions;
  return results.map((result) => ({ ...result, versions }));
}

function droppedAsLarge(delta: CatalogPayload, full: CatalogPayload): CatalogRelease['dropped'][number] {
  const { version, sha256 } = delta.source!;
  return { version, sha256, reason: `${delta.bytes} bytes against ${full.bytes} in full` };
}
