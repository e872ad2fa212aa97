/**
 * Signs into the repository what jobs have made: the release with its full payload first, then deltas, all that are
 * ready in one change. Run again and again; what was done before is seen and left.
 * @module
 */
import { STATUS, UpdateError } from '../../../native-free/status.ts';
import type { StatusCode } from '../../../native-free/status-table.ts';
import {
  checkRelease,
  commitDeltas,
  commitRelease,
  payloadIn,
  type CatalogRelease,
  type MadePayload,
  type ReleaseKey,
  type Repository,
  type RoleSigners,
} from '../../release/index.ts';
import { sameRelease } from '../../release/catalog.ts';
import type { RepositoryWriter } from '../../release/repository.ts';
import { payloadResultOf, type PayloadJobResult } from '../jobs/payload-job.ts';
import type { JobQueue } from '../jobs/queue.ts';
import type { PlannedPayload, PlanStore, Publication } from './plan-store.ts';
import { keyOf } from './publisher.ts';

export interface Settling {
  readonly plans: PlanStore;
  readonly queue: JobQueue;
  readonly repository: Repository;
  readonly signers: RoleSigners;
}

/** How long others may hold the repository before it is tried another time. */
const LOCK_WAIT_MS = 30_000;

/** @returns whether the repository has changed. Throws what repositories and stores throw; then it is tried again. */
export async function settle(of: Settling): Promise<boolean> {
  const ended = await endedOf(of);
  const publications = await of.plans.publications('making');
  if (ended.length + publications.length === 0) return false;
  let isNews = false;
  for (const publication of publications) {
    if (await publishIfMade(of, publication, ended)) isNews = true;
  }
  return (await addDeltas(of, ended)) || isNews;
}

interface Ended {
  readonly planned: PlannedPayload;
  readonly result: PayloadJobResult;
}

/** Planned payloads whose job is done; those that failed or were cancelled are noted as that. */
async function endedOf({ plans, queue }: Settling): Promise<Ended[]> {
  const ended: Ended[] = [];
  for (const planned of await plans.wanted()) {
    const job = await queue.get(planned.jobId);
    if (job.state === 'done') ended.push({ planned, result: payloadResultOf(job.result) });
    if (job.state === 'cancelled') await plans.settle(planned.id, 'cancelled');
    if (job.state === 'failed') await plans.settle(planned.id, 'failed', `${job.error?.code}: ${job.error?.message}`);
  }
  return ended;
}

/** A release becomes visible with its full payload; without one where none is wanted. */
async function publishIfMade(of: Settling, publication: Publication, ended: readonly Ended[]): Promise<boolean> {
  const { plans, repository, signers } = of;
  const full = (await plans.ofRelease(publication)).find(({ kind }) => kind === 'full');
  const isBare = publication.wishes.payloads === 'none';
  if (!isBare && (full?.state === 'failed' || full?.state === 'cancelled')) {
    await plans.settlePublication(publication.id, 'failed', full.reason ?? 'the full payload was cancelled');
    return false;
  }
  const done = ended.find(({ planned }) => planned.id === full?.id);
  if (!isBare && done === undefined) return false;
  const made = done?.result.facts ? [payloadIn(publication, done.result.facts, null)] : [];
  try {
    await repository.exclusively(signers, (access) => commit(access, repository, publication, made), {
      waitMs: LOCK_WAIT_MS,
    });
  } catch (error) {
    if (!UpdateError.is(error) || mayPass(error.code)) throw error;
    await plans.settlePublication(publication.id, 'failed', error.message);
    if (full !== undefined) await plans.settle(full.id, 'failed', error.message);
    return false;
  }
  if (full !== undefined) await plans.settle(full.id, 'published');
  await plans.settlePublication(publication.id, 'published', null);
  return true;
}

const mayPass = (code: StatusCode): boolean => STATUS[code].retryable;

async function commit(
  access: RepositoryWriter,
  repository: Repository,
  publication: Publication,
  made: readonly MadePayload[],
): Promise<void> {
  const { artifact, wishes } = publication;
  const key = keyOf(publication);
  // Others may have published meanwhile: the index rises above theirs as well.
  const rollbackIndex = checkRelease(access.state.catalog, { ...key, sha256: artifact.sha256 }, wishes);
  const publishedAt = repository.now().toISOString();
  const release: CatalogRelease = { ...key, rollbackIndex, publishedAt, artifact, payloads: [], dropped: [] };
  await commitRelease(access, release, made);
}

/** All deltas that are ready and whose release is published, in one change. */
async function addDeltas({ plans, repository, signers }: Settling, ended: readonly Ended[]): Promise<boolean> {
  const deltas = ended.filter(({ planned }) => planned.kind === 'delta');
  if (deltas.length === 0) return false;
  const taken: Ended[] = [];
  const isNews = await repository.exclusively(
    signers,
    async (access) => {
      const changes = new Map<string, { key: ReleaseKey; made: MadePayload[]; dropped: CatalogRelease['dropped'] }>();
      for (const delta of deltas) {
        const { planned, result } = delta;
        const release = access.state.catalog.releases.find((one) => sameRelease(one, planned));
        // Its full payload is not made yet.
        if (release === undefined) continue;
        const source = sourceOf(access, planned);
        const name = JSON.stringify(keyOf(planned));
        const change = changes.get(name) ?? { key: keyOf(planned), made: [], dropped: [] };
        changes.set(name, change);
        if (result.facts !== null) change.made.push(payloadIn(planned, result.facts, source));
        else change.dropped.push({ version: source.version, sha256: source.sha256, reason: result.reason ?? '' });
        taken.push(delta);
      }
      if (changes.size === 0) return false;
      await commitDeltas(access, [...changes.values()]);
      return true;
    },
    { waitMs: LOCK_WAIT_MS },
  );
  for (const { planned, result } of taken) {
    await plans.settle(planned.id, result.facts === null ? 'dropped' : 'published', result.reason);
  }
  return isNews;
}

/** The image that a delta begins at, as the catalog has it. */
function sourceOf({ state }: RepositoryWriter, { source }: PlannedPayload) {
  const { version, sha256 } = source!;
  const from = state.catalog.releases.find(({ artifact }) => artifact.sha256 === sha256);
  if (from === undefined) throw new UpdateError('bug', `the catalog has no image ${sha256}`);
  return { version, bytes: from.artifact.bytes, sha256 };
}
